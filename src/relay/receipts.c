#include "relay/receipts.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_SIZE 64

enum fate { OPEN, SAFE, REFUSED };

int receipts_new(uint64_t session, struct receipts **out)
{
    struct receipts *r = calloc(1, sizeof(*r));

    if (!r || !(r->ring = calloc(FIRST_SIZE, 1))) {
        free(r);
        return ERR_NOMEM;
    }
    r->session = session;
    r->size = FIRST_SIZE;
    *out = r;
    return OK;
}

void receipts_free(struct receipts **r)
{
    if (!*r)
        return;
    free((*r)->ring);
    buf_fini(&(*r)->refused);
    free(*r);
    *r = NULL;
}

static int grow(struct receipts *r)
{
    uint32_t size = r->size * 2;
    uint8_t *ring = calloc(size, 1);

    if (!ring)
        return ERR_NOMEM;
    for (uint32_t n = r->done + 1; n != r->last + 1; n++)
        ring[n & (size - 1)] = r->ring[n & (r->size - 1)];
    free(r->ring);
    r->ring = ring;
    r->size = size;
    return OK;
}

uint32_t receipts_number(struct receipts *r)
{
    if (r->last - r->done == r->size && grow(r) < 0)
        return 0;
    r->last++;
    r->ring[r->last & (r->size - 1)] = OPEN;
    return r->last;
}

bool receipts_decide(struct receipts *r, uint32_t number, bool safe)
{
    uint32_t before = r->done;

    assert(number - r->done - 1 < r->last - r->done);
    assert(r->ring[number & (r->size - 1)] == OPEN);
    r->ring[number & (r->size - 1)] = safe ? SAFE : REFUSED;

    while (r->done != r->last && r->ring[(r->done + 1) & (r->size - 1)] != OPEN) {
        r->done++;
        if (r->ring[r->done & (r->size - 1)] == REFUSED &&
            buf_try_append(&r->refused, slice_of(&r->done, sizeof(r->done))) < 0) {
            r->done--; /* not told now; with the next decision */
            break;
        }
    }
    return r->done != before;
}
