#include "sim/loop.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_TURN 256
#define SECOND_NS       1000000000

int loop_open(struct loop *l)
{
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    return l->epoll < 0 ? ERR_IO : OK;
}

void loop_close(struct loop *l)
{
    if (l->epoll >= 0)
        close(l->epoll);
    l->epoll = -1;
}

int loop_watch(struct loop *l, int fd, uint32_t events, void *owner)
{
    struct epoll_event e = {.events = events, .data.ptr = owner};

    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? ERR_IO : OK;
}

void loop_change(struct loop *l, int fd, uint32_t events, void *owner)
{
    struct epoll_event e = {.events = events, .data.ptr = owner};
    int rc = epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &e);

    assert(rc == 0);
}

void loop_forget(struct loop *l, int fd)
{
    int rc = epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);

    assert(rc == 0);
}

void loop_turn(struct loop *l, int64_t timeout_ns, loop_handler *handler, void *context)
{
    struct epoll_event events[EVENTS_PER_TURN];
    struct timespec timeout = {.tv_sec = timeout_ns / SECOND_NS,
                               .tv_nsec = timeout_ns % SECOND_NS};
    int n = epoll_pwait2(l->epoll, events, EVENTS_PER_TURN, &timeout, NULL);

    assert(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++)
        handler(context, events[i].data.ptr, events[i].events);
}

int64_t loop_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}
