#include "base/allocator.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* jemalloc's; absent under the sanitizers, which bring their own allocator. */
int mallctl(const char *name, void *old, size_t *old_size, void *value, size_t size)
    __attribute__((weak));

#define PAGE_BYTES 4096

/* jemalloc looks at it before main(): no arena of their own for blocks of 8 MiB and
 * more; unused pages go back after a second, also those of the first arena, which is
 * the only one where there is one processor. */
extern const char *malloc_conf;
const char *malloc_conf =
    "oversize_threshold:0,dirty_decay_ms:1000,muzzy_decay_ms:1000";

void allocator_setup(void)
{
    bool on = true;

    if (!mallctl)
        return;
    /* jemalloc gives back unused pages only while the thread that used them keeps
     * allocating, which an idle shard does not: its background thread does it then.
     * That does not survive a fork, so it is asked for after it. */
    (void)mallctl("background_thread", NULL, NULL, &on, sizeof(on));
}

void allocator_rest(void)
{
    if (mallctl)
        (void)mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
}

void *allocator_try_pages(size_t size)
{
    assert(size % PAGE_BYTES == 0);
    return aligned_alloc(PAGE_BYTES, size);
}

void allocator_keep_large(void)
{
    unsigned arena;
    size_t size = sizeof(arena), threshold = (size_t)1 << 40;
    char name[64];

    if (!mallctl || mallctl("thread.arena", &arena, &size, NULL, 0) != 0)
        return;
    snprintf(name, sizeof(name), "arena.%u.oversize_threshold", arena);
    (void)mallctl(name, NULL, NULL, &threshold, sizeof(threshold));
}
