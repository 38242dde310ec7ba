/* writer_inside.h - the writer's inside, for the two files that make it up:
 *
 *   writer.c   its life, and reading the store at a start and after a failure
 *   commit.c   what it does with a group of batches: one transaction, reads, answers
 *
 * Its thread and its states are its keeper's. FULL: messages are refused, removals and
 * reads go on. */
#pragma once

#include "mailbox/batch.h"
#include "mailbox/writer.h"
#include "store/keeper.h"

struct removal {
    uint64_t seq;
    uint64_t charge; /* 0: it was never counted */
};

/* What the store holds as far as commits said so. */
struct content {
    uint64_t messages;
    uint64_t damaged;
    uint64_t charge;
    uint64_t last_seq;
};

struct mail_writer {
    struct mail_gauges gauges;
    struct keeper keeper;
    struct mail_writer_conf conf;
    struct content content;
    uint64_t next_seq;
    /* Removals that no commit has taken yet. The same one twice does no harm. */
    struct removal *again;
    size_t again_count, again_room;

    bool removals_wait; /* not even they could commit: only when due */
    uint64_t doubt;     /* records from here on are of a failed commit, until they are
                     * removed; 0: there are none */
};

/* commit.c: takes as many batches off the front of *waiting as one transaction may
 * have, does what they ask and sends them home. */
void writer_serve(struct mail_writer *w, struct parcel **waiting, int64_t now_ms);
/* Commits the removals that are still owed, as far as the store lets us. */
void writer_remove_owed(struct mail_writer *w, int64_t now_ms);
void writer_owe_removal(struct mail_writer *w, uint64_t seq, uint64_t charge);
