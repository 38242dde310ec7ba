#include "journal/ring.h"

#include <stdlib.h>

#define BLOCK_BYTES (64 * 1024)

struct ring_block {
    struct ring_block *next; /* newer */
    uint32_t used, events;   /* bytes; events that are still in the ring */
    uint8_t bytes[];
};

#define BLOCK_ROOM (BLOCK_BYTES - sizeof(struct ring_block))

int ring_init(struct ring *r, uint32_t keep, uint64_t max_bytes)
{
    assert(keep > 0);
    *r = (struct ring){.places = calloc(keep, sizeof(*r->places)),
                       .room = keep,
                       .max_bytes = max_bytes};
    return r->places ? OK : ERR_NOMEM;
}

void ring_fini(struct ring *r)
{
    while (r->oldest) {
        struct ring_block *b = r->oldest;

        r->oldest = b->next;
        free(b);
    }
    free(r->spare);
    free(r->places);
    *r = (struct ring){0};
}

static struct ring_block *add_block(struct ring *r)
{
    struct ring_block *b = r->spare ? r->spare : malloc(BLOCK_BYTES);

    if (!b)
        return NULL;
    r->spare = NULL;
    *b = (struct ring_block){0};
    if (r->newest)
        r->newest->next = b;
    else
        r->oldest = b;
    r->newest = b;
    return b;
}

int ring_try_append(struct ring *r, uint64_t cursor, struct slice entry)
{
    struct ring_block *b = r->newest;
    size_t size = RING_PREFIX + entry.size;
    uint8_t *to;

    assert(cursor > ring_newest(r) && entry.size <= UINT16_MAX && size <= BLOCK_ROOM);
    if (r->count == r->room || (r->count > 0 && r->bytes + size > r->max_bytes))
        return ERR_FULL;
    if ((!b || BLOCK_ROOM - b->used < size) && !(b = add_block(r)))
        return ERR_NOMEM;
    to = b->bytes + b->used;
    put_u16(to, (uint16_t)entry.size);
    memcpy(to + RING_PREFIX, entry.data, entry.size);
    b->used += (uint32_t)size;
    b->events++;
    r->count++;
    r->bytes += size;
    *(struct ring_place *)(uintptr_t)ring_at(r, r->count - 1) =
        (struct ring_place){.cursor = cursor, .entry = to};
    return OK;
}

static void drop_block(struct ring *r)
{
    struct ring_block *b = r->oldest;

    r->oldest = b->next;
    if (!r->oldest)
        r->newest = NULL;
    free(r->spare);
    r->spare = b;
}

uint64_t ring_drop(struct ring *r)
{
    uint64_t cursor = ring_oldest(r);

    assert(r->count > 0);
    r->bytes -= RING_PREFIX + ring_entry(ring_at(r, 0)).size;
    r->first = r->first + 1 < r->room ? r->first + 1 : 0;
    r->count--;
    if (--r->oldest->events == 0)
        drop_block(r);
    return cursor;
}

uint32_t ring_index_after(const struct ring *r, uint64_t cursor)
{
    uint32_t low = 0, high = r->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (ring_at(r, middle)->cursor <= cursor)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
