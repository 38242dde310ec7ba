#include "mailbox/entries.h"

#include <assert.h>
#include <stdlib.h>

#define SMALLEST 4
#define LARGEST  (UINT32_MAX / 4)

static inline uint32_t first_part(const struct entries *e)
{
    return e->gap - e->head;
}

static inline uint32_t second_part(const struct entries *e)
{
    return e->tail - e->after;
}

static void move(struct entries *e, uint32_t to, uint32_t from, uint32_t n)
{
    if (n)
        memmove(&e->mem[to], &e->mem[from], n * sizeof(*e->mem));
}

/* An empty second part stands at the array's end, so that the gap is all the free space
 * behind the first. */
static void settle(struct entries *e)
{
    if (e->after == e->tail)
        e->after = e->tail = e->size;
    if (entries_count(e) == 0)
        e->head = e->gap = 0;
}

uint32_t entries_find(const struct entries *e, uint64_t position)
{
    uint32_t low = 0, high = entries_count(e);

    /* Most searches are for the oldest one. */
    if (high == 0 || entries_at(e, 0)->position >= position)
        return 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (entries_at(e, middle)->position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t entries_find_after(const struct entries *e, uint64_t position)
{
    uint32_t count = entries_count(e);

    if (count == 0 || entries_at(e, count - 1)->position <= position)
        return count;
    return position == UINT64_MAX ? count : entries_find(e, position + 1);
}

/* Both parts get half of the free space behind them, in an array at most half full. */
static int make_room(struct entries *e)
{
    uint32_t first = first_part(e), second = second_part(e), count = first + second;
    uint32_t size = e->size, spare;

    if (count >= size / 2) {
        struct mail_entry *mem;

        if (size >= LARGEST)
            return ERR_NOMEM;
        size = size ? size * 2 : SMALLEST;
        if (!(mem = realloc(e->mem, size * sizeof(*mem))))
            return ERR_NOMEM;
        e->mem = mem;
        e->size = size;
    }
    spare = size - count;
    move(e, 0, e->head, first);
    if (second) {
        move(e, first + spare / 2, e->after, second);
        e->after = first + spare / 2;
        e->tail = e->after + second;
    } else {
        e->after = e->tail = size;
    }
    e->head = 0;
    e->gap = first;
    return OK;
}

static void move_gap(struct entries *e, uint32_t i)
{
    uint32_t first = first_part(e);

    if (i < first) {
        uint32_t n = first - i;

        move(e, e->after - n, e->head + i, n);
        e->gap -= n;
        e->after -= n;
    } else if (i > first) {
        uint32_t n = i - first;

        move(e, e->gap, e->after, n);
        e->gap += n;
        e->after += n;
    }
    if (e->after == e->tail)
        e->after = e->tail = e->size;
}

struct mail_entry *entries_try_insert(struct entries *e, uint32_t i)
{
    uint32_t count = entries_count(e);

    assert(i <= count);
    if (i == count && second_part(e) > 0) {
        if (e->tail == e->size && make_room(e) < 0)
            return NULL;
        return &e->mem[e->tail++];
    }
    if (e->gap == e->after && make_room(e) < 0)
        return NULL;
    move_gap(e, i);
    return &e->mem[e->gap++];
}

void entries_remove(struct entries *e, uint32_t i)
{
    uint32_t count = entries_count(e);

    assert(i < count);
    if (i == 0 && first_part(e) > 0) {
        e->head++;
    } else if (i == count - 1 && second_part(e) > 0) {
        e->tail--;
    } else if (i + 1 == first_part(e)) {
        e->gap--;
    } else {
        move_gap(e, i);
        e->after++;
    }
    settle(e);
}

static int compare(const void *a, const void *b)
{
    const struct mail_entry *x = a, *y = b;

    if (x->position != y->position)
        return x->position < y->position ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void entries_sort(struct entries *e)
{
    uint32_t count = entries_count(e), i = 1;

    while (i < count && compare(entries_at(e, i - 1), entries_at(e, i)) <= 0)
        i++;
    if (i >= count)
        return; /* the usual case: stored in the order of arrival */
    move_gap(e, count);
    qsort(e->mem + e->head, count, sizeof(*e->mem), compare);
}

void entries_check(const struct entries *e)
{
    assert(e->head <= e->gap && e->gap <= e->after);
    assert(e->after <= e->tail && e->tail <= e->size);
    assert(e->after != e->tail || e->tail == e->size);
    for (uint32_t i = 1; i < entries_count(e); i++)
        assert(entries_at(e, i - 1)->position <= entries_at(e, i)->position);
}

void entries_fini(struct entries *e)
{
    free(e->mem);
    *e = (struct entries){0};
}
