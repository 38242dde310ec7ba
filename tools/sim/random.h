/* random.h - a small generator, the same run for the same seed (xorshift64*, Vigna,
 * "An experimental exploration of Marsaglia's xorshift generators", 2016). */
#pragma once

#include <stdint.h>

struct random {
    uint64_t state; /* not 0 */
};

static inline struct random random_of(uint64_t seed)
{
    return (struct random){.state = seed * 2654435769u + 88172645463325252u};
}

static inline uint64_t random_next(struct random *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 2685821657736338717u;
}

/* 0 .. below-1. */
static inline uint32_t random_below(struct random *r, uint32_t below)
{
    return (uint32_t)((random_next(r) >> 32) * below >> 32);
}
