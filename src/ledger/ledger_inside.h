/* ledger_inside.h - the ledger's inside, for the files that make it up:
 *
 *   ledger.c   its life
 *   open.c     reading the store at a start, and again after a failure
 *   commit.c   from batches to the store, and the answers
 *   book.c     what shards say
 *   places.c   where each record stands
 *   line.c     what it looks like on the disk
 *
 * Its thread and its states are its keeper's. OPEN: all is written that came. FULL: new
 * records are refused; changes and removals are tried, and if there is no space for
 * changes either, removals alone. SHUT: what was not new waits.
 *
 *   ops    | write | drop | write | ...      in the order of their making
 *            |              |
 *   bytes  | record | record | ...
 *
 * A batch belongs to its book for ever; the ledger has it between book_flush and its
 * return to the shard's inbox, with the answers filled in. */
#pragma once

#include "ledger/places.h"
#include "store/keeper.h"
#include "store/stale.h"

/* A record's part of total_bytes and of the backlog, beside its bytes. */
#define RECORD_CHARGE (LINE_HEAD + 36u)

struct book_op {
    uint64_t tag; /* 0: nobody waits for it */
    size_t offset;
    struct line line; /* form 0: dropped. The record's place is at `offset`: `bytes`
                       * moves while it grows */
    bool is_new;
    bool is_taken; /* the ledger's: it waits to be written */
    bool frees;    /* answer: its number may be used again */
    int rc;        /* answer */
};

struct book_batch {
    struct parcel parcel;
    struct book *book;
    struct book_batch *next_of_book;
    struct book_batch *next_spare;
    struct book_op *ops;
    uint32_t count, room;
    struct buf bytes;
    uint64_t charge; /* its part of the backlog */
};

struct book {
    struct ledger *ledger;
    struct book_conf conf;
    struct book *next;          /* of the ledger's */
    struct book_batch *open;    /* being filled; NULL: none yet */
    struct book_batch *batches; /* all of them */
    struct book_batch *spare;   /* empty */
    uint32_t *free_numbers;
    size_t free_count, free_room;
    uint32_t away; /* batches */
};

/* What a FULL store is still asked to take. */
enum scope { SCOPE_NOTHING, SCOPE_DROPS, SCOPE_CHANGES, SCOPE_ALL };

struct ledger {
    struct ledger_conf conf;
    struct keeper keeper;
    struct book *books;
    _Alignas(CACHE_LINE) _Atomic uint64_t backlog; /* charges: handed over, not done */
    _Atomic uint64_t used;                         /* charges of all records */
    _Atomic uint64_t records;
    _Atomic uint64_t disk_bytes;
    _Atomic uint32_t next_number;
    _Atomic int health;
#define X(name, text) _Atomic uint64_t name;
    LEDGER_COUNTERS(X)
#undef X

    /* The ledger's thread's. */
    bool is_open; /* from ledger_open to ledger_stop */
    struct places places;
    struct stale stale;
    enum scope when_full;
    uint64_t next_seq;
    uint64_t last_put; /* what has a larger number is in the store only if a failed
                        * commit reached it after all */
};

static inline void ledger_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* book.c */
void book_free(struct book **book);
void book_free_number(struct book *b, uint32_t number);

/* On the ledger's thread: the batch goes home. */
void book_return(struct book_batch *batch);

/* commit.c: takes in and answers everything that waits; writes what the store lacks, as
 * far as it lets us. */
void ledger_serve(struct ledger *l, struct parcel *waiting, int64_t now_ms);
void ledger_write(struct ledger *l, int64_t now_ms);
void ledger_add_stale(struct ledger *l, uint64_t seq);

/* open.c: everything, from the beginning; and what a failed commit left behind (the
 * keeper's `reopen`). */
MUST_CHECK int ledger_read_store(struct ledger *l, ledger_found *found, void *user);
MUST_CHECK int ledger_reopen(struct keeper *k, bool verify);
