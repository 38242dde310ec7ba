/* inbox.h - how threads talk: batches pushed without locks, one wake-up per sleep.
 *
 * Many senders, one receiver. A sender pushes by compare-and-swap; the receiver takes
 * everything by one exchange and gets it in order of arrival (per sender: exactly the
 * order of its pushes). The event descriptor is written only while the receiver sleeps,
 * so a busy receiver costs its senders no system call. */
#pragma once

#include "base/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>

struct parcel;

/* Runs on the receiver's thread and takes over the parcel. `receiver` is whatever the
 * inbox's owner says it is. */
typedef void parcel_open(struct parcel *parcel, void *receiver);

/* Embedded in whatever is sent. The sender owns it until inbox_push, the receiver
 * after. */
struct parcel {
    struct parcel *next;
    parcel_open *open;
};

struct inbox {
    _Atomic(struct parcel *) top;
    _Atomic bool asleep;
    int event_fd;
    char apart[CACHE_LINE]; /* senders' writes do not disturb what follows */
};

MUST_CHECK int inbox_init(struct inbox *in);
void inbox_fini(struct inbox *in); /* what is still inside is the caller's to free */

void inbox_push(struct inbox *in, struct parcel *parcel);
void inbox_ring(struct inbox *in); /* wakes the receiver, without a parcel */

/* Everything that arrived, oldest first; NULL when nothing did. Receiver only. */
struct parcel *inbox_take(struct inbox *in);

/* Before sleeping on event_fd: true if nothing arrived, and from now on a push writes
 * to it; false if there is something to take. After sleeping: inbox_wake; and
 * inbox_clear when event_fd was readable. Receiver only. */
bool inbox_may_sleep(struct inbox *in);
void inbox_wake(struct inbox *in);
void inbox_clear(struct inbox *in);
