/* loop.h - epoll, just enough of it for a load generator; and the clock. */
#pragma once

#include "base/err.h"

#include <stdint.h>

struct loop {
    int epoll;
};

typedef void loop_handler(void *context, void *owner, uint32_t events);

/* Both return OK, or ERR_IO with errno set. */
MUST_CHECK int loop_open(struct loop *l);
MUST_CHECK int loop_watch(struct loop *l, int fd, uint32_t events, void *owner);
void loop_close(struct loop *l);

/* A descriptor that is watched never fails to be changed or forgotten: our bug if so.
 */
void loop_change(struct loop *l, int fd, uint32_t events, void *owner);
void loop_forget(struct loop *l, int fd);

/* Waits for events, at most timeout_ns, and gives each to the handler. The handler may
 * forget no other owner than the one it is called for. */
void loop_turn(struct loop *l, int64_t timeout_ns, loop_handler *handler,
               void *context);

/* CLOCK_MONOTONIC. */
int64_t loop_now_ns(void);
