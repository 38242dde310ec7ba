/* receipts.h - a connection's data frames whose fate the gateway has not told yet.
 *
 * The gateway numbers the data frames of a connection from 1, names those that it
 * refused and then, now and then, the number up to which all are decided. Pure
 * bookkeeping. */
#pragma once

#include "base/buf.h"

#define RECEIPTS_NO_FLOW                                                               \
    UINT32_MAX /* a probe: it takes a number, nobody waits for it */

struct undecided {
    uint64_t number; /* within the flow */
    uint32_t flow;
    bool refused;
};

/* Zero it when a connection begins. */
struct receipts {
    struct buf waiting; /* struct undecided, in order */
    uint32_t decided;   /* frames decided, so: the number of the last of them */
};

void receipts_fini(struct receipts *r);
size_t receipts_waiting(const struct receipts *r);

/* A data frame was sent. Returns OK or ERR_NOMEM. */
MUST_CHECK int receipts_sent(struct receipts *r, uint32_t flow, uint64_t number);

/* The gateway refused frame `frame`. ERR_INVALID: it was not sent, or is decided, or
 * was refused already. */
MUST_CHECK int receipts_refuse(struct receipts *r, uint32_t frame);

/* Frames up to `frame` are decided: call receipts_next() until it returns false to get
 * them. ERR_INVALID: that many were not sent, or more were decided already. */
MUST_CHECK int receipts_decide(struct receipts *r, uint32_t frame);
bool receipts_next(struct receipts *r, uint32_t frame, struct undecided *out);
