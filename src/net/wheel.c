#include "net/wheel.h"
#include "base/clock.h"

#include <string.h>

#define SLOT_MASK (WHEEL_SLOTS - 1)
#define AT_ONCE   4096 /* timers: about a millisecond if the cache has none of them */

static int shift_of(int level)
{
    return level * WHEEL_BITS;
}

void wheel_init(struct wheel *w, int64_t now_ms)
{
    memset(w, 0, sizeof(*w));
    w->now_ms = now_ms;
    for (int level = 0; level < WHEEL_LEVELS; level++)
        for (int slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&w->slots[level][slot]);
}

/* The lowest level on which the due tick is less than a full turn ahead. Counted in
 * that level's own units, so that a slot never mixes this turn with the next. */
static void insert(struct wheel *w, struct timer *t)
{
    int64_t due = t->due_ms > w->now_ms ? t->due_ms : w->now_ms + 1;
    int level = 0;

    while (level < WHEEL_LEVELS - 1 &&
           (due >> shift_of(level)) - (w->now_ms >> shift_of(level)) >= WHEEL_SLOTS)
        level++;
    if ((due >> shift_of(level)) - (w->now_ms >> shift_of(level)) >= WHEEL_SLOTS)
        due = w->now_ms + ((int64_t)SLOT_MASK << shift_of(level));

    t->level = (uint8_t)level;
    t->slot = (uint8_t)((due >> shift_of(level)) & SLOT_MASK);
    list_append(&w->slots[level][t->slot], &t->link);
    w->occupied[level] |= UINT64_C(1) << t->slot;
    w->armed++;
}

static void take_out(struct wheel *w, struct timer *t)
{
    struct list *slot = &w->slots[t->level][t->slot];

    list_remove(slot, &t->link);
    if (list_is_empty(slot))
        w->occupied[t->level] &= ~(UINT64_C(1) << t->slot);
    w->armed--;
}

void wheel_arm(struct wheel *w, struct timer *t, int64_t due_ms)
{
    if (timer_is_armed(t))
        take_out(w, t);
    t->due_ms = due_ms & TIME_MASK;
    insert(w, t);
}

void wheel_stop(struct wheel *w, struct timer *t)
{
    if (timer_is_armed(t))
        take_out(w, t);
}

/* What is due runs, the rest moves to a lower level (or, when its time was beyond the
 * top level, starts another turn). Timers armed by a callback land in later slots. */
static void spill(struct wheel *w, int level, int slot, size_t n)
{
    struct list *from = &w->slots[level][slot];

    while (n-- > 0 && !list_is_empty(from)) {
        struct timer *t = CONTAINER_OF(list_first(from), struct timer, link);

        take_out(w, t);
        if (t->due_ms <= w->now_ms)
            t->expired(t, w->now_ms);
        else
            insert(w, t);
    }
}

static void spill_some(struct wheel *w, int level)
{
    struct wheel_crowd *c = &w->crowds[level];
    size_t n = c->left < AT_ONCE ? c->left : AT_ONCE;

    c->left -= n;
    spill(w, level, c->slot, n);
}

/* The slot's time has come: what is left of the one before must be gone. */
static void begin_slot(struct wheel *w, int level, int slot)
{
    struct wheel_crowd *c = &w->crowds[level];
    size_t left = c->left;

    c->left = 0;
    spill(w, level, c->slot, left);
    *c = (struct wheel_crowd){.slot = slot, .left = w->slots[level][slot].length};
    spill_some(w, level);
}

/* The first tick after `now` at which this level has something to do. */
static int64_t next_on_level(const struct wheel *w, int level)
{
    int64_t unit = w->now_ms >> shift_of(level);
    int at = (int)(unit & SLOT_MASK);
    uint64_t bits = w->occupied[level];
    uint64_t turned;

    if (w->crowds[level].left)
        return w->now_ms + 1;
    if (!bits)
        return INT64_MAX;
    turned = at == SLOT_MASK ? bits : bits >> (at + 1) | bits << (SLOT_MASK - at);
    return (unit + 1 + __builtin_ctzll(turned)) << shift_of(level);
}

int64_t wheel_next(const struct wheel *w)
{
    int64_t soonest = INT64_MAX;

    for (int level = 0; level < WHEEL_LEVELS; level++) {
        int64_t next = next_on_level(w, level);

        if (next < soonest)
            soonest = next;
    }
    return soonest;
}

void wheel_advance(struct wheel *w, int64_t now_ms)
{
    for (;;) {
        int64_t next = wheel_next(w);

        if (next > now_ms)
            break;
        w->now_ms = next;
        /* Higher levels first: they may spill into the slot that is due below. */
        for (int level = WHEEL_LEVELS - 1; level >= 0; level--)
            if ((next & ((INT64_C(1) << shift_of(level)) - 1)) == 0)
                begin_slot(w, level, (int)((next >> shift_of(level)) & SLOT_MASK));
            else
                spill_some(w, level);
    }
    if (now_ms > w->now_ms)
        w->now_ms = now_ms;
}
