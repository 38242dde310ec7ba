#include "sim/ranges.h"

#include <stdlib.h>
#include <string.h>

void ranges_fini(struct ranges *set)
{
    free(set->list);
    *set = (struct ranges){0};
}

/* The first range that ends behind `number`, or the length. */
static size_t find(const struct ranges *set, uint64_t number)
{
    size_t low = 0, high = set->length;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->list[middle].to > number)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool ranges_contain(const struct ranges *set, uint64_t number)
{
    size_t at = find(set, number);

    return at < set->length && set->list[at].from <= number;
}

static int insert(struct ranges *set, size_t at, struct range r)
{
    if (set->length == set->size) {
        size_t size = set->size ? 2 * set->size : 4;
        struct range *list = reallocarray(set->list, size, sizeof(*list));

        if (!list)
            return ERR_NOMEM;
        set->list = list;
        set->size = size;
    }
    memmove(set->list + at + 1, set->list + at,
            (set->length - at) * sizeof(set->list[0]));
    set->list[at] = r;
    set->length++;
    return OK;
}

static void erase(struct ranges *set, size_t at, size_t count)
{
    set->length -= count;
    memmove(set->list + at, set->list + at + count,
            (set->length - at) * sizeof(set->list[0]));
}

int ranges_add(struct ranges *set, uint64_t from, uint64_t to)
{
    size_t at = from > 0 ? find(set, from - 1) : 0; /* one that ends at `from` joins */
    size_t end = at;
    struct range joined = {from, to};

    if (from >= to)
        return OK;
    for (; end < set->length && set->list[end].from <= to; end++) {
        struct range *r = &set->list[end];

        joined.from = r->from < joined.from ? r->from : joined.from;
        joined.to = r->to > joined.to ? r->to : joined.to;
        set->total -= r->to - r->from;
    }
    set->total += joined.to - joined.from;
    if (end == at)
        return insert(set, at, joined);
    set->list[at] = joined;
    erase(set, at + 1, end - at - 1);
    return OK;
}

int ranges_take(struct ranges *set, uint64_t number, bool *found)
{
    size_t at = find(set, number);
    struct range *r = &set->list[at];
    struct range tail;

    *found = at < set->length && r->from <= number;
    if (!*found)
        return OK;
    set->total--;
    tail = (struct range){number + 1, r->to};
    r->to = number;
    if (r->from == r->to && tail.from == tail.to)
        erase(set, at, 1);
    else if (r->from == r->to)
        *r = tail;
    else if (tail.from < tail.to)
        return insert(set, at + 1, tail);
    return OK;
}
