/* acks.h - asking the kernel, from time to time, what peers have acknowledged.
 *
 * Nobody tells when a peer's TCP acknowledges bytes; one has to ask. Connections for
 * whose deliveries somebody waits are asked every few milliseconds; where only our
 * memory waits, or the peer is slow, a few times a second. One thread. */
#pragma once

#include "net/wheel.h"

struct owed;

struct acks {
    struct wheel *wheel;
    struct list soon;
    struct list late;
    struct timer soon_timer;
    struct timer late_timer;
};

void acks_init(struct acks *a, struct wheel *wheel);

/* Until it is empty, or released; no-op if watched already. */
void acks_watch(struct acks *a, struct owed *o);
void acks_unwatch(struct owed *o);

static inline bool acks_are_idle(const struct acks *a)
{
    return list_is_empty(&a->soon) && list_is_empty(&a->late);
}
