/* channel.h - a non-blocking connection that keeps what is incomplete: bytes that the
 * socket did not take, and bytes of a message whose end has not come yet. */
#pragma once

#include "base/buf.h"

#include <netinet/in.h>
#include <sys/types.h>

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
/* Takes over a connection that was accepted, non-blocking. OK or ERR_IO. */
MUST_CHECK int channel_adopt(struct channel *c, int epoll_fd, int fd);
void channel_close(struct channel *c);

/* Sends what it can, behind what waits already, and keeps the rest; asks for EPOLLOUT
 * if there is one. OK, ERR_CLOSED or ERR_NOMEM. */
MUST_CHECK int channel_send(struct channel *c, struct slice bytes);
/* After EPOLLOUT: sends what waits. OK (also when some still waits) or ERR_CLOSED. */
MUST_CHECK int channel_flush(struct channel *c);
void channel_wait_for_room(struct channel *c, bool wait);

/* Reads behind what was kept: *in is both, in `input`. OK or ERR_CLOSED. */
MUST_CHECK int channel_receive(struct channel *c, uint8_t *input, size_t size,
                               struct slice *in);
/* Keeps the incomplete end of it. OK or ERR_NOMEM. */
MUST_CHECK int channel_keep(struct channel *c, struct slice rest);

/* Handles what was read: bytes used, the rest is kept for the next time; or <0. May
 * close the channel. */
typedef ssize_t channel_hear(struct channel *c, struct slice in);

/* What epoll says of it: what waits is sent, what came is heard. */
MUST_CHECK int channel_on_event(struct channel *c, uint32_t events, channel_hear *hear);

/* One turn of a loop over a set of nothing but channels. OK, or the first error. */
MUST_CHECK int channel_turn(int epoll_fd, channel_hear *hear);
