/* wheel.h - timers: a hierarchical timing wheel with ticks of one millisecond.
 *
 * Arming, re-arming and stopping cost the same few instructions however many timers
 * there are (Varghese and Lauck, 1987). Level 0 has a slot per tick, each higher level
 * a slot per 64 of the lower one; a timer moves down as its time comes near:
 *
 *   level 0: 64 ms   1: 4 s   2: 4.4 min   3: 4.7 h   4: 12 days
 *
 * Longer ones wait in the last level.
 *
 * One thread. */
#pragma once

#include "base/list.h"

#include <stdint.h>

#define WHEEL_LEVELS 5
#define WHEEL_BITS   6
#define WHEEL_SLOTS  (1 << WHEEL_BITS)

struct timer;
typedef void timer_expired(struct timer *t, int64_t now_ms);

/* Embedded in what it times; zero it before first use. */
struct timer {
    struct link link;
    timer_expired *expired;
    int64_t due_ms : 48; /* monotonic */
    uint64_t level : 8;  /* while armed: the slot's level and number */
    uint64_t slot : 8;
};

/* A slot whose time has come, and that has more timers than one call should move. */
struct wheel_crowd {
    int slot;
    size_t left; /* to be moved by the next calls */
};

struct wheel {
    int64_t now_ms;                  /* everything due until here has expired */
    uint64_t occupied[WHEEL_LEVELS]; /* bit n: slot n is not empty */
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
    struct wheel_crowd crowds[WHEEL_LEVELS];
    size_t armed;
};

void wheel_init(struct wheel *w, int64_t now_ms);

/* (Re)arms the timer; `expired` runs from wheel_advance once due_ms is reached, at the
 * next tick when that is already over. The timer is stopped then, and may be armed
 * again. */
void wheel_arm(struct wheel *w, struct timer *t, int64_t due_ms);
void wheel_stop(struct wheel *w, struct timer *t); /* no-op when not armed */

static inline bool timer_is_armed(const struct timer *t)
{
    return link_is_on_list(&t->link);
}

/* Runs everything due. A callback may arm and stop any timer. Where thousands of timers
 * share a slot they move down in several calls, so that none takes long: call it again
 * when wheel_next says. Some of those expire late then, a millisecond per 4,096. */
void wheel_advance(struct wheel *w, int64_t now_ms);

/* A time by which wheel_advance should be called again, never later than the next timer
 * is due; INT64_MAX when none is armed. */
int64_t wheel_next(const struct wheel *w);
