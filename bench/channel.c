#include "channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_SIZE (256u << 10)
#define MAX_EVENTS 256
#define TURN_MS    10

static int watch(struct channel *c, int op)
{
    struct epoll_event e = {.events = EPOLLIN | (c->waits_for_room ? EPOLLOUT : 0u),
                            .data.ptr = c};

    return epoll_ctl(c->epoll_fd, op, c->fd, &e);
}

/* The kernel connects at once on loopback, before the server accepts. The port is
 * chosen then, not by bind(), so that it need only be free towards this server. */
int channel_open(struct channel *c, int epoll_fd, const struct sockaddr_in *server,
                 uint32_t source)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
    int one = 1;

    c->epoll_fd = epoll_fd;
    c->waits_for_room = false;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) < 0 ||
        bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
        connect(c->fd, (const struct sockaddr *)server, sizeof(*server)) < 0 ||
        fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || watch(c, EPOLL_CTL_ADD) < 0)
        return ERR_IO;
    return OK;
}

int channel_adopt(struct channel *c, int epoll_fd, int fd)
{
    *c = (struct channel){.fd = fd, .epoll_fd = epoll_fd};
    return watch(c, EPOLL_CTL_ADD) < 0 ? ERR_IO : OK;
}

void channel_close(struct channel *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_fini(&c->rest);
    buf_fini(&c->output);
}

void channel_wait_for_room(struct channel *c, bool wait)
{
    if (c->waits_for_room == wait)
        return;
    c->waits_for_room = wait;
    watch(c, EPOLL_CTL_MOD); /* cannot fail for a descriptor that is in the set */
}

/* How many of `bytes` the socket took, or <0. */
static ssize_t send_some(struct channel *c, struct slice bytes)
{
    ssize_t n = send(c->fd, bytes.data, bytes.size, MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN ? 0 : ERR_CLOSED;
    return n;
}

int channel_send(struct channel *c, struct slice bytes)
{
    ssize_t n = buf_used(&c->output) ? 0 : send_some(c, bytes);

    if (n < 0)
        return (int)n;
    bytes = slice_from(bytes, (size_t)n);
    if (bytes.size == 0)
        return OK;
    channel_wait_for_room(c, true);
    return buf_try_append(&c->output, bytes);
}

int channel_flush(struct channel *c)
{
    ssize_t n = buf_used(&c->output) ? send_some(c, buf_peek(&c->output)) : 0;

    if (n > 0)
        buf_consume(&c->output, (size_t)n);
    return n < 0 ? (int)n : OK;
}

int channel_receive(struct channel *c, uint8_t *input, size_t size, struct slice *in)
{
    size_t kept = buf_used(&c->rest);
    ssize_t n;

    if (kept) {
        memcpy(input, buf_peek(&c->rest).data, kept);
        buf_clear(&c->rest);
    }
    n = recv(c->fd, input + kept, size - kept, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        return ERR_CLOSED;
    *in = slice_of(input, kept + (size_t)(n > 0 ? n : 0));
    return OK;
}

int channel_keep(struct channel *c, struct slice rest)
{
    return rest.size ? buf_try_append(&c->rest, rest) : OK;
}

int channel_on_event(struct channel *c, uint32_t events, channel_hear *hear)
{
    static uint8_t input[INPUT_SIZE];
    struct slice in;
    ssize_t used;
    int rc;

    if (events & EPOLLOUT && (rc = channel_flush(c)) < 0)
        return rc;
    if (buf_used(&c->output) == 0)
        channel_wait_for_room(c, false);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return OK;
    if ((rc = channel_receive(c, input, sizeof(input), &in)) < 0)
        return rc;
    if ((used = hear(c, in)) < 0)
        return (int)used;
    return channel_keep(c, slice_from(in, (size_t)used));
}

int channel_turn(int epoll_fd, channel_hear *hear)
{
    struct epoll_event events[MAX_EVENTS];
    int n = epoll_wait(epoll_fd, events, MAX_EVENTS, TURN_MS);
    int rc = OK;

    for (int i = 0; i < n && rc == OK; i++)
        rc = channel_on_event(events[i].data.ptr, events[i].events, hear);
    return rc;
}
