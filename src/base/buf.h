/* buf.h - bytes: borrowed (slice) and owned (buf).
 *
 *   mem          head              tail             size
 *    |  consumed  |   the content   |   free space   |
 *
 * A buf owns one allocation, grows at the tail and shrinks at the head. Zero it to make
 * an empty one; an empty one owns nothing. Under AddressSanitizer the free part is
 * poisoned, so that a read behind the tail is caught. */
#pragma once

#include "base/compiler.h"
#include "base/err.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data;
    size_t size;
};

struct buf {
    uint8_t *mem;
    size_t size;
    size_t head;
    size_t tail;
};

static inline struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){.data = data, .size = size};
}

static inline struct slice slice_from(struct slice s, size_t offset)
{
    return (struct slice){.data = s.data + offset, .size = s.size - offset};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline size_t buf_used(const struct buf *b)
{
    return b->tail - b->head;
}

static inline struct slice buf_peek(const struct buf *b)
{
    /* NULL has no offsets, not even 0. */
    return (struct slice){.data = b->mem ? b->mem + b->head : NULL,
                          .size = b->tail - b->head};
}

/* Out of the way of the fast paths below. */
MUST_CHECK uint8_t *buf_try_grow(struct buf *b, size_t n);
void buf_poison(struct buf *b);

/* Makes room for `n` more bytes and returns where they go, or NULL when memory is out;
 * write there, then call buf_commit. The pointer is valid until the next call. */
MUST_CHECK static inline uint8_t *buf_try_reserve(struct buf *b, size_t n)
{
    if (LIKELY(b->size - b->tail >= n && b->mem) && !WITH_ASAN)
        return b->mem + b->tail;
    return buf_try_grow(b, n);
}

static inline void buf_commit(struct buf *b, size_t n)
{
    assert(n <= b->size - b->tail);
    b->tail += n;
    if (WITH_ASAN)
        buf_poison(b);
}

/* Returns OK or ERR_NOMEM; on failure nothing was added. */
MUST_CHECK int buf_try_append(struct buf *b, struct slice bytes);

/* Empties it; the memory stays (clear) or goes (fini). Both leave a usable buf. */
static inline void buf_clear(struct buf *b)
{
    b->head = b->tail = 0;
    if (WITH_ASAN)
        buf_poison(b);
}

void buf_fini(struct buf *b);

/* Drops `n` bytes from the front. An emptied buf starts again at its beginning but
 * keeps its memory. */
static inline void buf_consume(struct buf *b, size_t n)
{
    assert(n <= buf_used(b));
    b->head += n;
    if (b->head == b->tail)
        buf_clear(b);
}
