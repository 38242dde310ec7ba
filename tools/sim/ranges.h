/* ranges.h - a set of numbers kept as sorted, disjoint ranges [from, to).
 *
 * For what is the exception: the gaps in a sequence. Zero it to make an empty one. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct range {
    uint64_t from;
    uint64_t to;
};

struct ranges {
    struct range *list;
    size_t length;
    size_t size;
    uint64_t total; /* how many numbers are in it */
};

void ranges_fini(struct ranges *set);
bool ranges_contain(const struct ranges *set, uint64_t number);

/* Adds those of from .. to-1 that are not in it yet. Returns OK or ERR_NOMEM. */
MUST_CHECK int ranges_add(struct ranges *set, uint64_t from, uint64_t to);

/* *found says whether it was there. Returns OK or ERR_NOMEM (a range is cut in two). */
MUST_CHECK int ranges_take(struct ranges *set, uint64_t number, bool *found);
