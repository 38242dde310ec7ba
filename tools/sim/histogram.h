/* histogram.h - how long things took, in fixed memory.
 *
 * Log-linear: below 128 every value has its own bucket, above that every power of two
 * is split into 64, so a percentile is at most 1.6 % above the true value, from one
 * nanosecond to four hours. Recording costs a few instructions and no memory. */
#pragma once

#include "base/compiler.h"

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6
#define HISTOGRAM_OCTAVES  38
#define HISTOGRAM_BUCKETS  ((HISTOGRAM_OCTAVES + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Zero it to make an empty one. Values beyond the range are counted in the last bucket;
 * `max` stays exact. */
void histogram_record(struct histogram *h, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The smallest recorded value (rounded up to its bucket's end, never above `max`) that
 * `percent` of all values do not exceed; 0 when nothing was recorded. */
uint64_t histogram_percentile(const struct histogram *h, double percent);
