/* journal_inside.h - the journal's inside, for the files that make it up:
 *
 *   journal.c  its life
 *   open.c     reading the store at a start, and again after a failure
 *   commit.c   from batches to the ring and the store, and publishing
 *   read.c     what readers ask
 *   feed.c     what shards say
 *
 * Its thread and its states are its keeper's. In any of them events go to the ring
 * and are published, and cards are held. Whatever the store lacks of both is written
 * when it is OPEN: each transaction takes up where the last one that succeeded left
 * off. */
#pragma once

#include "journal/cards.h"
#include "journal/feed.h"
#include "journal/ring.h"
#include "store/keeper.h"
#include "store/stale.h"

/* How many numbers may be given beyond the largest one that the store is known to show
 * at the next start; that start jumps over them. So none is given twice. */
#define CLAIM_REACH (1ull << 26)
#define NUMBER_MAX  (1ull << 53) /* what JSON's numbers hold exactly */

struct journal {
    struct journal_conf conf;
    struct keeper keeper;
    struct feed *feeds;
    _Alignas(CACHE_LINE) _Atomic uint64_t backlog; /* bytes handed over, not done */
    _Atomic uint32_t next_number;                  /* of a card */
    _Atomic uint32_t cards_now;
    _Atomic int health;
    _Atomic uint64_t disk_bytes;
#define X(name, text) _Atomic uint64_t name;
    JOURNAL_COUNTERS(X)
#undef X

    /* Under the lock: changed by the journal's thread only, which therefore reads them
     * without it. */
    pthread_mutex_t lock;
    struct ring ring;
    uint64_t visible; /* cursor of the newest published event; 0: none */
    uint64_t dropped; /* of the newest one that is not in the ring any more ... */
    uint64_t dropped_unsaved; /* ... and was not in the store either */
    uint64_t
        before_jump;     /* the newest that an earlier start had left in the store... */
    uint64_t after_jump; /* ... and the first number of this one */

    /* The journal's thread's. */
    bool is_open; /* from journal_open to journal_stop */
    struct cards cards;
    struct stale stale;
    uint64_t next_seq;
    uint64_t last_put; /* what has a larger number is in the store only if a failed
                        * commit reached it after all */
    uint64_t saved;    /* events up to this one are in the store */
    uint64_t claim;    /* the number of the CLAIM in the store; 0: none */
    uint64_t reach;    /* events have smaller numbers than this */
    uint32_t lost_here;
};

void journal_count_lost(struct journal *j);

/* commit.c: takes in and publishes everything that waits; writes what the store lacks,
 * as far as it lets us. */
void journal_serve(struct journal *j, struct parcel *waiting, int64_t now_ms);
void journal_write(struct journal *j, int64_t now_ms);
void journal_add_stale(struct journal *j, uint64_t seq);
/* Makes room in the ring for one more event and puts it in; false: memory is out. */
MUST_CHECK bool journal_remember(struct journal *j, uint64_t cursor,
                                 struct slice entry);

/* open.c: everything, from the beginning; and what a failed commit left behind (the
 * keeper's `reopen`). */
MUST_CHECK int journal_read_store(struct journal *j, card_found *found, void *user);
MUST_CHECK int journal_reopen(struct keeper *k, bool verify);
