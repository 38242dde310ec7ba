/* ask.h - questions to shards: what a shard owns is looked at, and changed, on its own
 * thread, a little in each turn.
 *
 *   ask() --> waiting --> on its way --parcel--> step, step... on the shard
 *                 (a few per shard at a time)        |
 *   answered() <------------ parcel -----------------'
 *
 * A question is embedded in what its asker wants to know. From ask() until answered()
 * it belongs to the desk: its asker may forget it, but not free it. One that is never
 * answered, because everything ends, is dropped by asking_fini(). */
#pragma once

#include "net/shard.h"

struct relay;
struct relay_group;
struct asking;

struct question {
    struct parcel parcel;
    struct link link;
    struct asking *asking;
    unsigned shard;
    /* On the shard, at most ~200 us. False: again in its next turn. */
    bool (*step)(struct question *q, struct relay *r);
    /* On the asker's thread: it is the asker's again. */
    void (*answered)(struct question *q);
    /* No answer will come: free it. */
    void (*drop)(struct question *q);
};

/* What is asked of one shard. More would make its turns longer, not the answers
 * quicker. */
#define QUESTIONS_PER_SHARD 4

struct desk {
    struct list waiting;
    struct list under_way;
};

struct asking {
    struct relay_group *group;
    struct inbox *inbox; /* the asker's: answers arrive there */
    struct desk *desks;  /* per shard */
};

MUST_CHECK int asking_init(struct asking *a, struct relay_group *group);
void asking_fini(struct asking *a); /* the shards have ended */

/* The question's three functions are set. */
void ask(struct asking *a, struct question *q, unsigned shard);
