/* loop.h - one thread's event loop: descriptors, timers, parcels from other threads.
 *
 *      .-> sleep (epoll) -> events -> parcels -> timers -> end of turn --.
 *      '-----------------------------------------------------------------'
 *
 * Whatever a turn gathers (output, batches for other threads, work for the disk) leaves
 * at its end, once. The loop alone reads the clock; `now_ms` is the turn's time. */
#pragma once

#include "base/inbox.h"
#include "net/wheel.h"

#include <sys/epoll.h>

struct source;
typedef void source_ready(struct source *s, uint32_t events);

/* Embedded in what owns a descriptor. It may go away during a turn only if its owner
 * keeps the memory until the turn's end: events already fetched may still name it. */
struct source {
    source_ready *ready; /* epoll's bits */
};

/* How long turns took, from waking up to the next sleep. Bucket n counts those of up to
 * LOOP_TURN_FIRST_US << n, the last one all longer ones. */
#define LOOP_TURN_BUCKETS  17
#define LOOP_TURN_FIRST_US 16

struct loop_turns {
    uint64_t buckets[LOOP_TURN_BUCKETS];
    uint64_t sum_us;
    uint64_t longest_us; /* who reads it may begin anew, with 0 */
};

struct loop {
    int epoll_fd;
    int64_t now_ms;   /* monotonic; of this turn */
    int64_t ended_us; /* the last turn */
    struct loop_turns took;
    int64_t busy_ms; /* the last turn that had events, or rested */
    bool stopping;
    bool again; /* set it during a turn: do not sleep before the next one */
    struct wheel wheel;
    struct inbox inbox;
    struct source inbox_source;
    /* Counts turns for the watchdog; a loop turns at least once a second. May be NULL.
     */
    _Atomic uint64_t *turns;
    void (*end_of_turn)(void *user);
    void *user;
    void *receiver; /* of parcels; the user, unless changed before the first turn */
};

MUST_CHECK int loop_init(struct loop *l, void (*end_of_turn)(void *user), void *user);
void loop_fini(struct loop *l);

/* Returns OK or ERR_NOMEM/ERR_IO. `events` are epoll's. */
MUST_CHECK int loop_add(struct loop *l, int fd, uint32_t events, struct source *s);
MUST_CHECK int loop_change(struct loop *l, int fd, uint32_t events, struct source *s);
void loop_remove(struct loop *l, int fd);

/* Turns until loop_stop(), which any callback of this loop may call. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* One turn, sleeping at most `max_sleep_ms`: for tests, and for loop_run. */
void loop_turn(struct loop *l, int max_sleep_ms);
