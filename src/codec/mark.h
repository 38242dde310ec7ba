/* mark.h - finding start and end bytes, also where the data ends amid them. */
#pragma once

#include "base/buf.h"

#define MARK_MAX 7

struct mark {
    uint8_t size; /* 0: there is none */
    uint8_t bytes[MARK_MAX];
};

static inline bool mark_equal(const struct mark *a, const struct mark *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* As far as the bytes are here, they are the mark. (A loop: marks are a few bytes, and
 * a call of memcmp would cost more than it saves.) */
static inline bool mark_may_begin(const struct mark *m, struct slice in)
{
    for (size_t i = 0; i < m->size && i < in.size; i++)
        if (in.data[i] != m->bytes[i])
            return false;
    return true;
}

static inline bool mark_begins(const struct mark *m, struct slice in)
{
    return in.size >= m->size && mark_may_begin(m, in);
}

/* Offset of the next whole mark at or behind `from`, or in.size. */
static inline size_t mark_find(const struct mark *m, struct slice in, size_t from)
{
    const uint8_t *at = NULL;

    if (from < in.size)
        at = m->size == 1 ? memchr(in.data + from, m->bytes[0], in.size - from)
                          : memmem(in.data + from, in.size - from, m->bytes, m->size);
    return at ? (size_t)(at - in.data) : in.size;
}

/* Where at the end of the data an unfinished mark begins; in.size if none does. */
static inline size_t mark_find_unfinished(const struct mark *m, struct slice in)
{
    for (size_t n = m->size; n-- > 1;)
        if (n <= in.size && memcmp(in.data + in.size - n, m->bytes, n) == 0)
            return in.size - n;
    return in.size;
}
