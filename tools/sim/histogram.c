#include "sim/histogram.h"

/*  value in binary      bucket
 *        0 0101 101     below 2 << 6: the value itself
 *   1ssssss xx..xx      6 bits after the leading one choose within the octave */
#define SUBS (1u << HISTOGRAM_SUB_BITS)

static unsigned bucket_of(uint64_t value)
{
    unsigned shift, bucket;

    if (value < 2 * SUBS)
        return (unsigned)value;
    shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    bucket = shift * SUBS + (unsigned)(value >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value that falls into `bucket`. */
static uint64_t bucket_end(unsigned bucket)
{
    unsigned shift;

    if (bucket < 2 * SUBS)
        return bucket;
    shift = bucket / SUBS - 1;
    return ((uint64_t)(bucket - shift * SUBS + 1) << shift) - 1;
}

void histogram_record(struct histogram *h, uint64_t value)
{
    h->buckets[bucket_of(value)]++;
    h->count++;
    if (value > h->max)
        h->max = value;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    double wanted = (double)h->count * percent / 100;
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        seen += h->buckets[i];
        if (seen > 0 && (double)seen >= wanted)
            return bucket_end(i) < h->max ? bucket_end(i) : h->max;
    }
    return h->max;
}
