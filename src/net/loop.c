#include "net/loop.h"
#include "base/allocator.h"
#include "base/clock.h"
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#define EVENTS_PER_TURN  256
#define REST_AFTER_MS    1000
#define LONGEST_SLEEP_MS 1000 /* the watchdog wants to see turns */

static void on_inbox_event(struct source *s, uint32_t events)
{
    /* Waking is its whole purpose: the parcels are taken in every turn. */
    (void)events;
    inbox_clear(&CONTAINER_OF(s, struct loop, inbox_source)->inbox);
}

int loop_init(struct loop *l, void (*end_of_turn)(void *user), void *user)
{
    int rc;

    *l = (struct loop){
        .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
        .now_ms = clock_mono_ms(),
        .inbox = {.event_fd = -1},
        .inbox_source = {.ready = on_inbox_event},
        .end_of_turn = end_of_turn,
        .user = user,
        .receiver = user,
    };
    if (l->epoll_fd < 0)
        return ERR_IO;
    l->ended_us = l->now_ms * 1000;
    wheel_init(&l->wheel, l->now_ms);
    if ((rc = inbox_init(&l->inbox)) < 0)
        goto fail;
    if ((rc = loop_add(l, l->inbox.event_fd, EPOLLIN, &l->inbox_source)) < 0)
        goto fail;
    return OK;
fail:
    loop_fini(l);
    return rc;
}

void loop_fini(struct loop *l)
{
    inbox_fini(&l->inbox);
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    l->epoll_fd = -1;
}

static int control(struct loop *l, int op, int fd, uint32_t events, struct source *s)
{
    struct epoll_event e = {.events = events, .data.ptr = s};

    if (epoll_ctl(l->epoll_fd, op, fd, &e) == 0)
        return OK;
    return errno == ENOMEM || errno == ENOSPC ? ERR_NOMEM : ERR_IO;
}

int loop_add(struct loop *l, int fd, uint32_t events, struct source *s)
{
    return control(l, EPOLL_CTL_ADD, fd, events, s);
}

int loop_change(struct loop *l, int fd, uint32_t events, struct source *s)
{
    return control(l, EPOLL_CTL_MOD, fd, events, s);
}

void loop_remove(struct loop *l, int fd)
{
    (void)!epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static int sleep_time(const struct loop *l, int max_sleep_ms)
{
    int64_t until_timer;

    if (l->again || l->stopping)
        return 0;
    until_timer = wheel_next(&l->wheel) - l->ended_us / 1000;
    if (until_timer < 0)
        return 0;
    return until_timer < max_sleep_ms ? (int)until_timer : max_sleep_ms;
}

static int fetch_events(struct loop *l, struct epoll_event *events, int max_sleep_ms)
{
    int timeout = sleep_time(l, max_sleep_ms);
    bool sleeps = timeout > 0 && inbox_may_sleep(&l->inbox);
    int n = epoll_wait(l->epoll_fd, events, EVENTS_PER_TURN, sleeps ? timeout : 0);

    if (sleeps)
        inbox_wake(&l->inbox);
    assert(n >= 0 || errno == EINTR);
    return n;
}

static unsigned bucket_of(uint64_t us)
{
    uint64_t units = us ? (us - 1) / LOOP_TURN_FIRST_US : 0;
    unsigned n = units ? 64 - (unsigned)__builtin_clzll(units) : 0;

    return n < LOOP_TURN_BUCKETS ? n : LOOP_TURN_BUCKETS - 1;
}

/* One look at the clock ends this turn, and tells how long the next one may sleep. */
static void note_turn(struct loop *l, int64_t began_us)
{
    uint64_t us;

    l->ended_us = clock_mono_us();
    us = (uint64_t)(l->ended_us - began_us);
    l->took.buckets[bucket_of(us)]++;
    l->took.sum_us += us;
    if (us > l->took.longest_us)
        l->took.longest_us = us;
}

/* A thread that has had nothing to do for a while gives back what it keeps for more;
 * and again and again, for its timers may have needed memory meanwhile. */
static void rest_if_idle(struct loop *l, bool busy)
{
    if (busy) {
        l->busy_ms = l->now_ms;
    } else if (l->now_ms - l->busy_ms >= REST_AFTER_MS) {
        l->busy_ms = l->now_ms;
        allocator_rest();
    }
}

void loop_turn(struct loop *l, int max_sleep_ms)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int n = fetch_events(l, events, max_sleep_ms);
    int64_t began_us = clock_mono_us();
    struct parcel *parcel;

    l->now_ms = began_us / 1000;
    l->again = n == EVENTS_PER_TURN;
    rest_if_idle(l, n > 0);
    if (l->turns) /* written here alone: no locked instruction is needed */
        atomic_store_explicit(l->turns,
                              atomic_load_explicit(l->turns, memory_order_relaxed) + 1,
                              memory_order_relaxed);

    for (int i = 0; i < n; i++) {
        struct source *s = events[i].data.ptr;

        s->ready(s, events[i].events);
    }
    parcel = inbox_take(&l->inbox);
    while (parcel) {
        struct parcel *next = parcel->next; /* opening it gives it away */

        parcel->open(parcel, l->receiver);
        parcel = next;
    }
    wheel_advance(&l->wheel, l->now_ms);
    l->end_of_turn(l->user);
    note_turn(l, began_us);
}

void loop_run(struct loop *l)
{
    l->ended_us = clock_mono_us(); /* it may be long ago that it was made */
    while (!l->stopping)
        loop_turn(l, LONGEST_SLEEP_MS);
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}
