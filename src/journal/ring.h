/* ring.h - the newest events, in memory: at most `keep`, of at most `max_bytes`, each
 * as its entry.
 *
 *   places   | cursor, entry | cursor, entry | ...          a circle, sorted by cursor
 *                       |               |
 *   blocks   | size entry size entry ... | --> | size entry ... free |
 *              the oldest's                      the newest's
 *
 * A block goes when its last event does, and is kept for the next one. */
#pragma once

#include "base/reader.h"

struct ring_block;

struct ring_place {
    uint64_t cursor;
    const uint8_t *entry; /* its size, then itself */
};

#define RING_PREFIX 2 /* bytes, before each entry */

struct ring {
    struct ring_place *places;
    uint32_t room, first, count;
    uint64_t bytes, max_bytes; /* of entries with their sizes */
    struct ring_block *oldest, *newest, *spare;
};

MUST_CHECK int ring_init(struct ring *r, uint32_t keep, uint64_t max_bytes);
void ring_fini(struct ring *r);

/* Copies the entry; `cursor` is larger than any before. Returns OK, or ERR_FULL or
 * ERR_NOMEM: then ring_drop some. An empty ring takes an entry of any size. */
MUST_CHECK int ring_try_append(struct ring *r, uint64_t cursor, struct slice entry);

/* Drops the oldest event, which must be there, and returns its cursor. */
uint64_t ring_drop(struct ring *r);

/* How many events there are with a cursor <= this one: the index of the next. */
uint32_t ring_index_after(const struct ring *r, uint64_t cursor);

static inline const struct ring_place *ring_at(const struct ring *r, uint32_t i)
{
    uint64_t at = (uint64_t)r->first + i;

    assert(i < r->count);
    return &r->places[at < r->room ? at : at - r->room];
}

static inline struct slice ring_entry(const struct ring_place *place)
{
    struct reader r = reader_of(slice_of(place->entry, RING_PREFIX));

    return slice_of(place->entry + RING_PREFIX, read_u16(&r));
}

/* 0: there is none. */
static inline uint64_t ring_oldest(const struct ring *r)
{
    return r->count ? ring_at(r, 0)->cursor : 0;
}

static inline uint64_t ring_newest(const struct ring *r)
{
    return r->count ? ring_at(r, r->count - 1)->cursor : 0;
}
