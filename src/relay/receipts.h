/* receipts.h - telling a sender the fate of its frames (the listener's `receipts`).
 *
 *   numbers:   1 .. done | done+1 ............. last
 *                 told   | a bit each: decided? refused?
 *
 * Frames are decided in any order, told in order: "every frame up to n is decided",
 * after naming the refused ones among them. One per connection, only if it wants
 * receipts. */
#pragma once

#include "base/buf.h"
#include "base/list.h"

struct receipts {
    struct link due;    /* on its relay's list while there is something to tell */
    uint64_t session;   /* whose */
    uint32_t last;      /* newest number given */
    uint32_t done;      /* every number up to here is decided */
    uint32_t size;      /* of the ring, in numbers; a power of two */
    uint8_t *ring;      /* number & (size - 1) -> 0 open, 1 safe, 2 refused */
    struct buf refused; /* uint32_t numbers to be named, in order */
};

MUST_CHECK int receipts_new(uint64_t session, struct receipts **out);
void receipts_free(struct receipts **r);

/* The next frame's number, or 0 when memory is out. */
uint32_t receipts_number(struct receipts *r);

/* True if `done` moved: there is something to tell. */
bool receipts_decide(struct receipts *r, uint32_t number, bool safe);

static inline bool receipts_are_open(const struct receipts *r)
{
    return r->done != r->last;
}
