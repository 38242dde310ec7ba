#include "sim/terminals/receipts.h"

static struct undecided *at(const struct receipts *r, size_t i)
{
    return (struct undecided *)(void *)(r->waiting.mem + r->waiting.head) + i;
}

void receipts_fini(struct receipts *r)
{
    buf_fini(&r->waiting);
    *r = (struct receipts){0};
}

size_t receipts_waiting(const struct receipts *r)
{
    return buf_used(&r->waiting) / sizeof(struct undecided);
}

int receipts_sent(struct receipts *r, uint32_t flow, uint64_t number)
{
    struct undecided u = {.number = number, .flow = flow};

    return buf_try_append(&r->waiting, slice_of(&u, sizeof(u)));
}

int receipts_refuse(struct receipts *r, uint32_t frame)
{
    uint32_t ahead = frame - r->decided; /* 1: the oldest that waits; may wrap */

    if (ahead == 0 || ahead > receipts_waiting(r) || at(r, ahead - 1)->refused)
        return ERR_INVALID;
    at(r, ahead - 1)->refused = true;
    return OK;
}

int receipts_decide(struct receipts *r, uint32_t frame)
{
    uint32_t ahead = frame - r->decided;

    return ahead <= receipts_waiting(r) ? OK : ERR_INVALID;
}

bool receipts_next(struct receipts *r, uint32_t frame, struct undecided *out)
{
    if (r->decided == frame)
        return false;
    *out = *at(r, 0);
    buf_consume(&r->waiting, sizeof(*out));
    r->decided++;
    return true;
}
