#include "base/json_read.h"

#include <pthread.h>
#include <stdlib.h>

static _Thread_local bool memory_was_out;

static void *allocate(size_t size)
{
    void *block = malloc(size);

    if (!block)
        memory_was_out = true;
    return block;
}

static void watch_allocations(void)
{
    json_set_alloc_funcs(allocate, free);
}

/* What this thread lacked before is forgotten. */
static void begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch_allocations);
    memory_was_out = false;
}

int json_read(struct slice text, size_t flags, json_t **out, json_error_t *error)
{
    begin();
    *out = json_loadb((const char *)text.data, text.size, flags, error);
    if (memory_was_out) {
        json_decref(*out);
        *out = NULL;
        return ERR_NOMEM;
    }
    return *out ? OK : ERR_MALFORMED;
}

int json_print(const json_t *value, size_t most, struct buf *out)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    uint8_t *room;
    size_t size;

    begin();
    size = json_dumpb(value, NULL, 0, flags);
    if (!memory_was_out && size > most)
        return ERR_TOO_LARGE;
    if (memory_was_out || !(room = buf_try_reserve(out, size)) ||
        json_dumpb(value, (char *)room, size, flags) != size || memory_was_out)
        return ERR_NOMEM;
    buf_commit(out, size);
    return OK;
}
