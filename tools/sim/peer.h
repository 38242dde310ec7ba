/* peer.h - one TCP connection of a simulated device.
 *
 * Non-blocking. What an earlier read left incomplete and what the kernel did not take
 * yet are kept; a peer at rest owns no memory. Zero it (fd = -1) to make a closed one.
 * Where ERR_IO or ERR_CLOSED is returned, errno tells more (0: an orderly end). */
#pragma once

#include "sim/loop.h"
#include "base/buf.h"

#include <netinet/in.h>

struct peer {
    int fd; /* -1: closed */
    bool wants_out;
    bool reads;  /* input is watched */
    void *owner; /* what the loop's handler gets */
    struct buf in;
    struct buf out;
};

/* Where a read goes first; one per thread. */
struct scratch {
    uint8_t *mem;
    size_t size;
};

struct peer_target {
    struct sockaddr_in to;
    unsigned source_addresses; /* 0: let the kernel choose; N: 127.0.0.1 .. .N */
    uint16_t first_port; /* 0: let the kernel choose; else the place is added to it */
    int receive_buffer;  /* SO_RCVBUF, 0: the kernel's default */
};

/* Parses "host:port". Returns OK or ERR_INVALID. */
MUST_CHECK int peer_parse_address(const char *text, struct sockaddr_in *out);

/* Begins to connect as the `place`-th peer; EPOLLOUT tells the end, then ask
 * peer_connected(). Both return OK or ERR_IO. */
MUST_CHECK int peer_connect(struct peer *p, struct loop *l, const struct peer_target *t,
                            uint32_t place, void *owner);
MUST_CHECK int peer_connected(struct peer *p, struct loop *l);

/* Sends now what the kernel takes, keeps the rest for EPOLLOUT (then call peer_flush).
 * Returns OK, ERR_CLOSED or ERR_NOMEM. */
MUST_CHECK int peer_send(struct peer *p, struct loop *l, struct slice bytes);
MUST_CHECK int peer_flush(struct peer *p, struct loop *l);

/* Reads up to `limit` bytes behind what peer_keep() kept; *in borrows from the scratch.
 * Returns OK (something new came), ERR_BUSY (nothing now), ERR_CLOSED, ERR_NOMEM. */
MUST_CHECK int peer_read(struct peer *p, struct scratch *s, size_t limit,
                         struct slice *in);
MUST_CHECK int peer_keep(struct peer *p, struct slice rest);

/* Whether EPOLLIN is watched. */
void peer_set_reading(struct peer *p, struct loop *l, bool reads);

/* From now on everything that comes from the network is thrown away before the kernel
 * acknowledges it, as if the cable were cut; what came before can still be read. */
MUST_CHECK int peer_cut_cable(struct peer *p);

/* No more will be sent (FIN); reading goes on. */
void peer_finish(struct peer *p);

/* Bytes that the other side's TCP has not acknowledged yet, kept ones included. */
size_t peer_unacknowledged(const struct peer *p);

/* Closes, by RST if asked. peer_abandon() leaves the descriptor open but unwatched and
 * returns it: the other side sees nothing. Both free what was kept. */
void peer_close(struct peer *p, struct loop *l, bool by_reset);
int peer_abandon(struct peer *p, struct loop *l);
