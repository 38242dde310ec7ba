/* entries.h - one device's messages, in order of position.
 *
 *   mem    head            gap          after             tail        size
 *    | free |  first part   |    free    |   second part   |   free    |
 *
 * Messages arrive at the end and leave at the front. But what comes back from a broken
 * connection stands before what arrived meanwhile: k returned messages before n waiting
 * ones. So the array has a gap where the last one was put in; the next one goes beside
 * it, and k + n steps do what k * n would do without it. Zeroed = empty, owning
 * nothing. */
#pragma once

#include "base/buf.h"

struct mail_held;

enum entry_state {
    ENTRY_PENDING, /* handed to the writer */
    ENTRY_DOOMED,  /* handed to the writer, and purged since: goes when the answer comes
                    */
    ENTRY_STORED,
    ENTRY_HELD,   /* in memory only, because the store fails */
    ENTRY_LOADED, /* with the session */
};

struct mail_entry {
    uint64_t position;
    union {
        uint64_t seq;           /* once stored */
        struct mail_held *held; /* if is_held */
    };
    int64_t stored_ms; /* by the mailbox's clock, see box.h */
    uint32_t size;     /* of the body */
    uint8_t state;     /* enum entry_state */
    bool is_held;
};

struct entries {
    struct mail_entry *mem;
    uint32_t size, head, gap, after, tail;
};

static inline uint32_t entries_count(const struct entries *e)
{
    return e->gap - e->head + e->tail - e->after;
}

static inline struct mail_entry *entries_at(const struct entries *e, uint32_t i)
{
    uint32_t first = e->gap - e->head;

    return i < first ? &e->mem[e->head + i] : &e->mem[e->after + (i - first)];
}

/* Index of the first entry whose position is >= (find) or > (find_after) this one; the
 * number of entries if there is none. */
uint32_t entries_find(const struct entries *e, uint64_t position);
uint32_t entries_find_after(const struct entries *e, uint64_t position);

/* Makes the room for one more at index `i`: returns it, not initialised, or NULL when
 * memory is out. */
MUST_CHECK struct mail_entry *entries_try_insert(struct entries *e, uint32_t i);
void entries_remove(struct entries *e, uint32_t i);

/* Sorts by position (those with the same one by seq): after the start-up scan. */
void entries_sort(struct entries *e);

/* For tests: aborts if the invariants do not hold. */
void entries_check(const struct entries *e);

void entries_fini(struct entries *e);
