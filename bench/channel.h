/* channel.h - a non-blocking connection that keeps what is incomplete: bytes that the
 * socket did not take, and bytes of a message whose end has not come yet. */
#pragma once

#include "base/buf.h"

#include <netinet/in.h>

struct channel {
    int fd; /* -1: not open */
    int epoll_fd;
    bool waits_for_room; /* EPOLLOUT is asked for */
    struct buf rest;     /* an incomplete message */
    struct buf output;   /* what the socket did not take */
};

/* Connects from the loopback address `source` (host order) and adds the connection to
 * the epoll set, whose events will point to the channel. Returns OK or ERR_IO (see
 * errno). */
MUST_CHECK int channel_open(struct channel *c, int epoll_fd,
                            const struct sockaddr_in *server, uint32_t source);
void channel_close(struct channel *c);

/* Sends what it can and keeps the rest; asks for EPOLLOUT if there is one. Only when
 * nothing waits already. OK, ERR_CLOSED or ERR_NOMEM. */
MUST_CHECK int channel_send(struct channel *c, struct slice bytes);
/* After EPOLLOUT: sends what waits. OK (also when some still waits) or ERR_CLOSED. */
MUST_CHECK int channel_flush(struct channel *c);
void channel_wait_for_room(struct channel *c, bool wait);

/* Reads behind what was kept: *in is both, in `input`. OK or ERR_CLOSED. */
MUST_CHECK int channel_receive(struct channel *c, uint8_t *input, size_t size,
                               struct slice *in);
/* Keeps the incomplete end of it. OK or ERR_NOMEM. */
MUST_CHECK int channel_keep(struct channel *c, struct slice rest);
