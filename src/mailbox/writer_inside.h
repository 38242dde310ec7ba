/* writer_inside.h - the writer's inside, for the two files that make it up:
 *
 *   writer.c   its life, its thread, and the states below
 *   commit.c   what it does with a group of batches: one transaction, reads, answers
 *
 *             no space left                  commit or sync failed
 *   FULL <--------------------- OPEN ----------------------------> SHUT
 *     '--- the reserve fits --->^ ^<--- opened and read again ------'
 *
 * FULL: messages are refused, removals and reads go on. SHUT: there is no store. */
#pragma once

#include "mailbox/batch.h"
#include "mailbox/writer.h"

#include <pthread.h>

enum writer_state { WRITER_OPEN, WRITER_FULL, WRITER_SHUT };

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
    struct inbox inbox;
    struct mail_writer_conf conf;
    struct store *store; /* NULL: shut */
    struct content content;
    uint64_t next_seq;
    /* Removals that no commit has taken yet. The same one twice does no harm. */
    struct removal *again;
    size_t again_count, again_room;

    enum writer_state state;
    bool proven;        /* a commit succeeded since the last trouble */
    bool removals_wait; /* not even they could commit: only when due */
    int64_t delay_ms;   /* between attempts to get out of FULL or SHUT */
    int64_t due_ms;     /* the next one */
    uint64_t doubt;     /* records from here on are of a failed commit, until they are
                     * removed; 0: there are none */

    pthread_t thread;
    bool has_thread;
    _Atomic bool stop;
};

/* commit.c: takes as many batches off the front of *waiting as one transaction may
 * have, does what they ask and sends them home. */
void writer_serve(struct mail_writer *w, struct parcel **waiting, int64_t now_ms);
/* Commits the removals that are still owed, as far as the store lets us. */
void writer_remove_owed(struct mail_writer *w, int64_t now_ms);
void writer_owe_removal(struct mail_writer *w, uint64_t seq, uint64_t charge);

/* writer.c: a transaction failed; decides the state. `in_commit`: not before its
 * commit, so that the store may only be closed. */
void writer_trouble(struct mail_writer *w, int rc, bool in_commit, int64_t now_ms);
void writer_committed(struct mail_writer *w);
