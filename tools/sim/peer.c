#include "sim/peer.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int peer_parse_address(const char *text, struct sockaddr_in *out)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const char *colon = strrchr(text, ':');
    char host[256];
    int rc = ERR_INVALID;

    if (!colon || colon == text || (size_t)(colon - text) >= sizeof(host))
        return ERR_INVALID;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    if (getaddrinfo(host, colon + 1, &hints, &found) == 0) {
        memcpy(out, found->ai_addr, sizeof(*out));
        freeaddrinfo(found);
        rc = out->sin_port ? OK : ERR_INVALID;
    }
    return rc;
}

static void watch_again(struct peer *p, struct loop *l)
{
    uint32_t events = (p->reads ? EPOLLIN : 0) | (p->wants_out ? EPOLLOUT : 0);

    loop_change(l, p->fd, events, p->owner);
}

static int bind_source(int fd, const struct peer_target *t, uint32_t place)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    /* Without a port, connect() chooses it: each address has its own 28 thousand. */
    int level = t->first_port ? SOL_SOCKET : IPPROTO_IP;
    int option = t->first_port ? SO_REUSEADDR : IP_BIND_ADDRESS_NO_PORT;
    int yes = 1;

    if (t->source_addresses)
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + place % t->source_addresses);
    if (t->first_port)
        from.sin_port = htons((uint16_t)(t->first_port + place));
    if (setsockopt(fd, level, option, &yes, sizeof(yes)) < 0 ||
        bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
        return ERR_IO;
    return OK;
}

static int prepare(int fd, const struct peer_target *t, uint32_t place)
{
    int yes = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0)
        return ERR_IO;
    if (t->receive_buffer && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &t->receive_buffer,
                                        sizeof(t->receive_buffer)) < 0)
        return ERR_IO;
    return t->source_addresses || t->first_port ? bind_source(fd, t, place) : OK;
}

int peer_connect(struct peer *p, struct loop *l, const struct peer_target *t,
                 uint32_t place, void *owner)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int saved;

    assert(p->fd < 0);
    if (fd < 0)
        return ERR_IO;
    if (prepare(fd, t, place) < 0 ||
        (connect(fd, (const struct sockaddr *)&t->to, sizeof(t->to)) < 0 &&
         errno != EINPROGRESS) ||
        loop_watch(l, fd, EPOLLOUT, owner) < 0)
        goto fail;
    *p = (struct peer){.fd = fd, .owner = owner, .wants_out = true};
    return OK;
fail:
    saved = errno;
    close(fd);
    errno = saved;
    return ERR_IO;
}

int peer_connected(struct peer *p, struct loop *l)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error) {
        errno = error ? error : errno;
        return ERR_IO;
    }
    p->wants_out = false;
    p->reads = true;
    watch_again(p, l);
    return OK;
}

/* Returns the bytes taken, 0 when none can be now, or ERR_CLOSED. */
static ssize_t push(struct peer *p, struct slice bytes)
{
    ssize_t n = send(p->fd, bytes.data, bytes.size, MSG_NOSIGNAL);

    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? 0 : ERR_CLOSED;
}

int peer_send(struct peer *p, struct loop *l, struct slice bytes)
{
    ssize_t n = 0;

    if (!p->wants_out && (n = push(p, bytes)) < 0)
        return ERR_CLOSED;
    if ((size_t)n == bytes.size)
        return OK;
    if (!p->wants_out) {
        p->wants_out = true;
        watch_again(p, l);
    }
    return buf_try_append(&p->out, slice_from(bytes, (size_t)n));
}

int peer_flush(struct peer *p, struct loop *l)
{
    ssize_t n = 0;

    if (buf_used(&p->out) && (n = push(p, buf_peek(&p->out))) < 0)
        return ERR_CLOSED;
    buf_consume(&p->out, (size_t)n);
    if (buf_used(&p->out) == 0) {
        buf_fini(&p->out);
        p->wants_out = false;
        watch_again(p, l);
    }
    return OK;
}

int peer_read(struct peer *p, struct scratch *s, size_t limit, struct slice *in)
{
    size_t kept = buf_used(&p->in);
    size_t room;
    ssize_t n;

    assert(kept < s->size);
    room = s->size - kept;
    n = recv(p->fd, s->mem + kept, limit < room ? limit : room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return ERR_BUSY;
    if (n <= 0) {
        errno = n < 0 ? errno : 0;
        return ERR_CLOSED;
    }
    if (kept) {
        memcpy(s->mem, buf_peek(&p->in).data, kept);
        buf_clear(&p->in);
    }
    *in = slice_of(s->mem, kept + (size_t)n);
    return OK;
}

int peer_keep(struct peer *p, struct slice rest)
{
    if (rest.size == 0 && p->in.mem)
        buf_fini(&p->in);
    return rest.size ? buf_try_append(&p->in, rest) : OK;
}

void peer_set_reading(struct peer *p, struct loop *l, bool reads)
{
    if (p->reads == reads)
        return;
    p->reads = reads;
    watch_again(p, l);
}

int peer_cut_cable(struct peer *p)
{
    /* A packet filter on the socket runs before TCP looks at the segment. */
    struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &drop_all};
    int rc = setsockopt(p->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));

    return rc < 0 ? ERR_IO : OK;
}

void peer_finish(struct peer *p)
{
    shutdown(p->fd, SHUT_WR); /* fails when the other side was faster: the same to us */
}

size_t peer_unacknowledged(const struct peer *p)
{
    int queued = 0;

    if (ioctl(p->fd, SIOCOUTQ, &queued) < 0)
        queued = 0;
    return buf_used(&p->out) + (size_t)queued;
}

static int release(struct peer *p, struct loop *l)
{
    int fd = p->fd;

    if (fd >= 0)
        loop_forget(l, fd);
    buf_fini(&p->in);
    buf_fini(&p->out);
    *p = (struct peer){.fd = -1};
    return fd;
}

void peer_close(struct peer *p, struct loop *l, bool by_reset)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    int fd = release(p, l);

    if (fd < 0)
        return;
    if (by_reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(fd);
}

int peer_abandon(struct peer *p, struct loop *l)
{
    return release(p, l);
}
