/* sockets.h - the listening sockets, held by the supervisor for as long as the
 * configuration names their addresses: while a worker is dead, devices that connect
 * wait in the queue of a socket that is still open. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define SOCKETS_TEXT_MAX 64

/* What the configuration asks for. */
struct listen_at {
    const char *name;
    const char *where; /* in which line of which file; for messages */
    struct sockaddr_storage address;
    socklen_t address_size;
    unsigned crew; /* whose processes accept from it (supervisor.h) */
};

struct sockets {
    struct listen_at *at; /* our copy of the addresses; names are not kept */
    int *fds;             /* in the order of the plan; -1: closed early */
    size_t count;
};

/* One socket that listens there, non-blocking. -1: errno tells why not. */
MUST_CHECK int sockets_listen(const struct sockaddr_storage *address, socklen_t size);

/* Makes `s` hold exactly what `wanted` asks for: keeps what it has, binds what is new,
 * closes what is gone. On failure nothing has changed and the reason was logged.
 * Returns OK, ERR_INVALID or ERR_NOMEM. Zero `s` before the first call. */
MUST_CHECK int sockets_hold(struct sockets *s, const struct listen_at *wanted,
                            size_t count);
void sockets_close(struct sockets *s);

/* Closes those of one crew (were any open?), or all the others. */
bool sockets_close_crew(struct sockets *s, unsigned crew);
void sockets_keep_crew(struct sockets *s, unsigned crew);

/* "127.0.0.1:7222" as it is bound, also for port 0. Returns `out`. */
const char *sockets_text(int fd, char *out, size_t size);

/* Raises the limit of open files as far as we may: each connection needs one. */
void sockets_allow_many(void);
