#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>

#if WITH_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define SMALLEST 256

void buf_poison(struct buf *b)
{
    if (b->mem)
        ASAN_POISON_MEMORY_REGION(b->mem + b->tail, b->size - b->tail);
}

static void unpoison(struct buf *b)
{
    if (b->mem)
        ASAN_UNPOISON_MEMORY_REGION(b->mem, b->size);
}

/* Content moves to the front of the old memory if that makes enough room and moves less
 * than it frees (so each byte is moved a bounded number of times), or to a larger one.
 */
static int make_room(struct buf *b, size_t n)
{
    size_t used = buf_used(b);
    size_t size = b->size ? b->size : SMALLEST;
    uint8_t *mem;

    if (b->mem && n <= b->size - used && used <= b->size / 2) {
        memmove(b->mem, b->mem + b->head, used);
        b->head = 0;
        b->tail = used;
        return OK;
    }
    while (size - used < n) {
        if (size > SIZE_MAX / 2)
            return ERR_NOMEM;
        size *= 2;
    }
    if (b->size - used >= n && b->size == size)
        size *= 2; /* more than half full: moving in place would be quadratic */
    if (!(mem = malloc(size)))
        return ERR_NOMEM;
    if (used)
        memcpy(mem, b->mem + b->head, used);
    free(b->mem);
    *b = (struct buf){.mem = mem, .size = size, .head = 0, .tail = used};
    return OK;
}

uint8_t *buf_try_grow(struct buf *b, size_t n)
{
    if (b->size - b->tail < n || !b->mem) {
        unpoison(b);
        if (make_room(b, n) < 0) {
            buf_poison(b);
            return NULL;
        }
        buf_poison(b);
    }
    ASAN_UNPOISON_MEMORY_REGION(b->mem + b->tail, n);
    return b->mem + b->tail;
}

int buf_try_append(struct buf *b, struct slice bytes)
{
    uint8_t *to = buf_try_reserve(b, bytes.size);

    if (!to)
        return ERR_NOMEM;
    if (bytes.size)
        memcpy(to, bytes.data, bytes.size);
    buf_commit(b, bytes.size);
    return OK;
}

void buf_fini(struct buf *b)
{
    unpoison(b);
    free(b->mem);
    *b = (struct buf){0};
}
