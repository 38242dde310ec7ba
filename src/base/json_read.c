#include "base/json_read.h"

#include <setjmp.h>
#include <stdlib.h>

/* Of the library's blocks. Each is on a ring with those of the same reading, so that
 * one which is broken off can be undone. */
struct block {
    struct block *next, *before;
};
static_assert(sizeof(struct block) % 16 == 0, "what follows is aligned as malloc does");

static _Thread_local struct {
    struct block ring;
    jmp_buf broken_off; /* the library asserts what is not so without memory */
    bool is_at_work;
} reading;

static void take_out(struct block *b)
{
    b->before->next = b->next;
    b->next->before = b->before;
    b->next = b->before = b;
}

static void *allocate(size_t size)
{
    struct block *b = malloc(sizeof(*b) + size);

    if (!b && reading.is_at_work)
        longjmp(reading.broken_off, 1);
    if (!b)
        return NULL;
    b->next = b->before = b;
    if (reading.is_at_work) {
        b->next = &reading.ring;
        b->before = reading.ring.before;
        b->before->next = b->next->before = b;
    }
    return b + 1;
}

static void release(void *memory)
{
    struct block *b = memory ? (struct block *)memory - 1 : NULL;

    if (b)
        take_out(b);
    free(b);
}

/* Before the library's first block, whoever asks for that. */
__attribute__((constructor)) static void follow_allocations(void)
{
    json_set_alloc_funcs(allocate, release);
}

static void begin(void)
{
    reading.ring.next = reading.ring.before = &reading.ring;
    reading.is_at_work = true;
}

/* The blocks that are left are on a ring of their own from now on. */
static void end(void)
{
    reading.is_at_work = false;
    take_out(&reading.ring);
}

static int break_off(void)
{
    reading.is_at_work = false;
    while (reading.ring.next != &reading.ring)
        release(reading.ring.next + 1);
    return ERR_NOMEM;
}

int json_read(struct slice text, size_t flags, json_t **out, json_error_t *error)
{
    *out = NULL;
    begin();
    if (setjmp(reading.broken_off) != 0)
        return break_off();
    *out = json_loadb((const char *)text.data, text.size, flags, error);
    end();
    return *out ? OK : ERR_MALFORMED;
}

/* The text's size, without writing what is beyond `room`; 0: memory is out. */
static size_t print(const json_t *value, uint8_t *to, size_t room)
{
    size_t size;

    begin();
    if (setjmp(reading.broken_off) != 0) {
        (void)break_off();
        return 0;
    }
    size = json_dumpb(value, (char *)to, room, JSON_COMPACT | JSON_ENCODE_ANY);
    end();
    return size;
}

int json_print(const json_t *value, size_t most, struct buf *out)
{
    size_t size = print(value, NULL, 0);
    uint8_t *room;

    if (size > most)
        return ERR_TOO_LARGE;
    if (size == 0 || !(room = buf_try_reserve(out, size)) ||
        print(value, room, size) != size)
        return ERR_NOMEM;
    buf_commit(out, size);
    return OK;
}
