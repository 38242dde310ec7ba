/* body.h - what is asked, and whether the answer is right.
 *
 *   | request's number, 8 bytes | a piece of one block of random bytes |
 *
 * The number tells an answer for another request; where in the block the piece begins
 * depends on it, too. Nothing is remembered: a request follows from its number. */
#pragma once

#include "sim/requests/settings.h"
#include "base/buf.h"

struct bodies {
    uint8_t *block;
    size_t min_size, max_size;
    uint64_t seed;
    bool reversed; /* the service turns bodies around */
};

MUST_CHECK int bodies_init(struct bodies *b, const struct request_settings *s);
void bodies_fini(struct bodies *b);

size_t body_size(const struct bodies *b, uint64_t number);

/* Appends the whole frame. Returns OK or ERR_NOMEM. */
MUST_CHECK int body_ask(const struct bodies *b, uint64_t number, struct buf *out);

/* Are these bytes, from `at` on, what the service has to answer? */
bool body_fits(const struct bodies *b, uint64_t number, size_t at, struct slice bytes);
