#include "base/slab.h"
#include "base/allocator.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#if WITH_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

/* A size that allocators have without waste. */
#define BLOCK_BYTES (32 * 1024)

struct slab_block {
    struct slab_block *next;
    _Alignas(max_align_t) char objects[];
};

/* A free object's first word is the link to the next free one; the rest is poisoned. */
struct free_object {
    struct free_object *next;
};

void slab_init(struct slab *s, size_t object_size)
{
    size_t align = sizeof(void *); /* no object here has a stricter member */

    assert(object_size >= sizeof(struct free_object));
    object_size = (object_size + align - 1) / align * align;
    *s = (struct slab){
        .object_size = object_size,
        .per_block = (BLOCK_BYTES - sizeof(struct slab_block)) / object_size,
    };
}

void slab_fini(struct slab *s)
{
    while (s->blocks) {
        struct slab_block *b = s->blocks;

        s->blocks = b->next;
        ASAN_UNPOISON_MEMORY_REGION(b->objects, s->object_size * s->per_block);
        free(b);
    }
    s->free = NULL;
}

static void put_on_free_list(struct slab *s, void *object)
{
    struct free_object *f = object;

    f->next = s->free;
    s->free = f;
    ASAN_POISON_MEMORY_REGION((char *)object + sizeof(*f), s->object_size - sizeof(*f));
}

static int add_block(struct slab *s)
{
    struct slab_block *b = allocator_try_pages(BLOCK_BYTES);

    if (!b)
        return -1;
    b->next = s->blocks;
    s->blocks = b;
    for (size_t i = s->per_block; i-- > 0;)
        put_on_free_list(s, b->objects + i * s->object_size);
    return 0;
}

void *slab_try_alloc(struct slab *s)
{
    struct free_object *f;

    if (!s->free && add_block(s) < 0)
        return NULL;
    f = s->free;
    s->free = f->next;
    s->live++;
    ASAN_UNPOISON_MEMORY_REGION(f, s->object_size);
    return memset(f, 0, s->object_size);
}

void slab_free(struct slab *s, void *object)
{
    assert(s->live > 0);
    s->live--;
    put_on_free_list(s, object);
}
