/* histogram.h - latencies in nanoseconds, exact to one part in 64.
 *
 * Below 64 each value has its own slot; above, each power of two is cut in 64. */
#pragma once

#include <stdint.h>

#define HISTOGRAM_CUT   6 /* bits */
#define HISTOGRAM_SLOTS ((64 - HISTOGRAM_CUT + 1) << HISTOGRAM_CUT)

struct histogram {
    uint64_t slots[HISTOGRAM_SLOTS];
    uint64_t count;
    uint64_t max;
};

static inline void histogram_add(struct histogram *h, uint64_t value)
{
    uint64_t slot = value;

    if (value >> HISTOGRAM_CUT) {
        unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_CUT;

        slot = ((uint64_t)shift << HISTOGRAM_CUT) + (value >> shift);
    }
    h->slots[slot]++;
    h->count++;
    if (value > h->max)
        h->max = value;
}

/* The smallest value of the slot in which `share` (0 to 1) of all values is reached. */
static inline uint64_t histogram_at(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->count);
    uint64_t seen = 0;

    for (uint64_t slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        seen += h->slots[slot];
        if (seen > wanted) {
            uint64_t power = slot >> HISTOGRAM_CUT;
            uint64_t part = slot & ((1u << HISTOGRAM_CUT) - 1);

            return power == 0 ? slot : (part | 1u << HISTOGRAM_CUT) << (power - 1);
        }
    }
    return h->max;
}
