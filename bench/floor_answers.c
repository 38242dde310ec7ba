/* floor_answers.c - the least that a request/answer service can do, as the measure for
 * ours.
 *
 * One thread, one epoll loop, the ten-digit framing, and the logic `echo`. It reads
 * into one buffer; whole requests are sent back from where they were read, with one
 * write, and only an incomplete one is kept. What it does not do is what the difference
 * to it costs: a logic that could be another, limits, time-outs, states, a log.
 *
 *   usage: floor_answers PORT */
#include "base/buf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD       10
#define READ_SIZE  (256u << 10)
#define MAX_EVENTS 512

struct conn {
    int fd;
    bool is_blocked; /* its socket is full: wait for EPOLLOUT, and do not read */
    struct buf rest; /* an incomplete request */
    struct buf output;
};

static int epoll_fd;
static uint8_t input[READ_SIZE];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void drop(struct conn *c)
{
    close(c->fd);
    buf_fini(&c->rest);
    buf_fini(&c->output);
    free(c);
}

static void watch(struct conn *c, int operation)
{
    struct epoll_event e = {.events = c->is_blocked ? EPOLLOUT : EPOLLIN,
                            .data.ptr = c};

    if (epoll_ctl(epoll_fd, operation, c->fd, &e) < 0)
        die("epoll_ctl");
}

/* Bytes of the whole requests at the beginning of `in`; -1: that is no request. */
static ssize_t whole(struct slice in)
{
    size_t used = 0;

    while (in.size - used >= HEAD) {
        size_t size = 0;

        for (int i = 0; i < HEAD; i++) {
            uint8_t digit = (uint8_t)(in.data[used + (size_t)i] - '0');

            if (digit > 9)
                return -1;
            size = size * 10 + digit;
        }
        if (size == 0 || in.size - used - HEAD < size)
            break;
        used += HEAD + size;
    }
    return (ssize_t)used;
}

static bool send_all(struct conn *c, struct slice bytes)
{
    while (bytes.size) {
        ssize_t n = send(c->fd, bytes.data, bytes.size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN)
            return false;
        if (n < 0) {
            if (buf_try_append(&c->output, bytes) < 0)
                die("memory");
            c->is_blocked = true;
            watch(c, EPOLL_CTL_MOD);
            return true;
        }
        bytes = slice_from(bytes, (size_t)n);
    }
    return true;
}

static bool answer(struct conn *c, struct slice in)
{
    ssize_t used = whole(in);

    return used >= 0 && send_all(c, slice_of(in.data, (size_t)used));
}

static bool on_input(struct conn *c)
{
    bool kept = buf_used(&c->rest) > 0;
    uint8_t *to = kept ? buf_try_reserve(&c->rest, READ_SIZE) : input;
    ssize_t n, used;
    struct slice in;

    if (!to)
        die("memory");
    if ((n = recv(c->fd, to, READ_SIZE, MSG_DONTWAIT)) <= 0)
        return n < 0 && errno == EAGAIN;
    if (kept)
        buf_commit(&c->rest, (size_t)n);
    in = kept ? buf_peek(&c->rest) : slice_of(input, (size_t)n);
    if ((used = whole(in)) < 0 || !answer(c, in))
        return false;
    if (kept)
        buf_consume(&c->rest, (size_t)used);
    else if (buf_try_append(&c->rest, slice_from(in, (size_t)used)) < 0)
        die("memory");
    return true;
}

static bool on_output(struct conn *c)
{
    struct slice all = buf_peek(&c->output);
    ssize_t n = send(c->fd, all.data, all.size, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN;
    buf_consume(&c->output, (size_t)n);
    if (buf_used(&c->output) == 0) {
        c->is_blocked = false;
        watch(c, EPOLL_CTL_MOD);
    }
    return true;
}

static void accept_one(int listener)
{
    struct conn *c = calloc(1, sizeof(*c));
    int one = 1;

    if (!c)
        die("memory");
    c->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (c->fd < 0) {
        free(c);
        return;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    watch(c, EPOLL_CTL_ADD);
}

static int open_listener(const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((in_port_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(fd, 4096) < 0)
        die("listen");
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[MAX_EVENTS];
    struct epoll_event e = {.events = EPOLLIN};
    int listener;

    if (argc != 2) {
        fputs("usage: floor_answers PORT\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    listener = open_listener(argv[1]);
    if ((epoll_fd = epoll_create1(0)) < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e) < 0)
        die("epoll");
    for (;;) {
        int n = epoll_wait(epoll_fd, events, MAX_EVENTS, -1);

        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;

            if (!c)
                accept_one(listener);
            else if (!(events[i].events & EPOLLOUT ? on_output(c) : on_input(c)))
                drop(c);
        }
    }
}
