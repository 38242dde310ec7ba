/* slab.h - objects of one size, allocated in blocks, reused in LIFO order.
 *
 * One thread. Memory goes back to the system when the slab is freed, not before: a slab
 * is as large as its busiest moment. */
#pragma once

#include "base/compiler.h"

#include <stddef.h>

struct slab_block;

struct slab {
    size_t object_size;
    size_t per_block;
    size_t live; /* handed out now */
    void *free;
    struct slab_block *blocks;
};

void slab_init(struct slab *s, size_t object_size);
void slab_fini(struct slab *s);

/* Zeroed, or NULL when memory is out. */
MUST_CHECK void *slab_try_alloc(struct slab *s);
void slab_free(struct slab *s, void *object);
