/* floor_relay.c - the least that a terminal relay can do, as the measure for ours.
 *
 * One thread, one epoll loop. It believes the length field, learns ids from heartbeats,
 * finds the target in a hash table, copies the frame behind the target's output with
 * the address swapped, `$TTMX` set and the check byte computed, and writes each output
 * once per turn of the loop. What it does not do is what the difference to it costs:
 * mailbox, limits, time-outs, acknowledgement, order across reconnects, a log. Messages
 * for an unknown id are dropped.
 *
 *   usage: floor_relay PORT */
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

#define HEAD        12
#define HEARTBEAT   0x01
#define DATA        0xaa
#define TABLE_SLOTS (1u << 18) /* enough for every id of a run; never grows */
#define READ_SIZE   (256u << 10)
#define MAX_EVENTS  512

struct conn {
    int fd;
    uint32_t id;     /* 0: not registered */
    bool is_blocked; /* its socket is full: wait for EPOLLOUT */
    bool is_dirty;   /* on the list of those to write at the end of this turn */
    struct conn *next_dirty;
    struct buf rest; /* an incomplete frame */
    struct buf output;
};

static struct {
    uint32_t id;
    struct conn *conn;
} table[TABLE_SLOTS];

static int epoll_fd;
static uint8_t input[READ_SIZE];
static struct conn *dirty;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static size_t slot_of(uint32_t id)
{
    size_t i = (id * 2654435769u) >> 14;

    while (table[i].id != 0 && table[i].id != id)
        i = (i + 1) % TABLE_SLOTS;
    return i;
}

static uint8_t xor_of(const uint8_t *bytes, size_t size)
{
    uint8_t x = 0;

    for (size_t i = 0; i < size; i++)
        x ^= bytes[i];
    return x;
}

static void conn_watch(struct conn *c, int op, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};

    if (epoll_ctl(epoll_fd, op, c->fd, &e) < 0)
        die("epoll_ctl");
}

static void conn_mark_dirty(struct conn *c)
{
    if (c->is_dirty)
        return;
    c->is_dirty = true;
    c->next_dirty = dirty;
    dirty = c;
}

static void conn_register(struct conn *c, uint32_t id)
{
    size_t old = slot_of(c->id);
    size_t slot = slot_of(id);

    if (c->id && table[old].conn == c)
        table[old].conn = NULL;
    table[slot].id = c->id = id;
    table[slot].conn = c;
}

/* The flush at the end of the turn frees it: others may still name it until then. */
static void conn_close(struct conn *c)
{
    size_t slot = slot_of(c->id);

    if (c->id && table[slot].conn == c)
        table[slot].conn = NULL;
    close(c->fd);
    c->fd = -1;
    conn_mark_dirty(c);
}

static void conn_free(struct conn *c)
{
    buf_fini(&c->rest);
    buf_fini(&c->output);
    free(c);
}

static void relay(const struct conn *from, const uint8_t *frame, size_t size,
                  uint32_t target_id)
{
    struct conn *target = table[slot_of(target_id)].conn;
    uint32_t sender = htonl(from->id);
    uint8_t *to;

    if (!target)
        return;
    if (!(to = buf_try_reserve(&target->output, size)))
        die("memory");
    memcpy(to, frame, size);
    to[4] = 'X';
    memcpy(to + 7, &sender, 4);
    to[size - 1] = xor_of(to, size - 1);
    buf_commit(&target->output, size);
    conn_mark_dirty(target);
}

/* Handles one frame at the front of `in`; its size, 0 when incomplete, <0 to close. */
static ssize_t take_frame(struct conn *c, struct slice in)
{
    uint32_t address;
    size_t size;

    if (in.size < HEAD)
        return 0;
    if (memcmp(in.data, "$TTMS", 5) != 0)
        return -1;
    size = (size_t)in.data[5] << 8 | in.data[6];
    if (size <= HEAD)
        return -1;
    if (size > in.size)
        return 0;
    memcpy(&address, in.data + 7, 4);
    address = ntohl(address);
    if (in.data[11] == DATA)
        relay(c, in.data, size, address);
    else if (in.data[11] == HEARTBEAT && address != 0)
        conn_register(c, address);
    else
        return -1;
    return (ssize_t)size;
}

static void on_readable(struct conn *c)
{
    size_t kept = buf_used(&c->rest);
    struct slice in;
    ssize_t n;

    if (kept) {
        memcpy(input, buf_peek(&c->rest).data, kept);
        buf_clear(&c->rest);
    }
    n = recv(c->fd, input + kept, sizeof(input) - kept, 0);
    if (n < 0 && errno == EAGAIN)
        n = 0;
    else if (n <= 0)
        goto gone;

    in = slice_of(input, kept + (size_t)n);
    while ((n = take_frame(c, in)) > 0)
        in = slice_from(in, (size_t)n);
    if (n < 0)
        goto gone;
    if (in.size && buf_try_append(&c->rest, in) < 0)
        die("memory");
    return;
gone:
    conn_close(c);
}

static void conn_block(struct conn *c, bool blocked)
{
    if (c->is_blocked != blocked)
        conn_watch(c, EPOLL_CTL_MOD, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    c->is_blocked = blocked;
}

static void conn_flush(struct conn *c)
{
    struct slice out = buf_peek(&c->output);
    ssize_t n = send(c->fd, out.data, out.size, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        conn_close(c);
        return;
    }
    if (n > 0)
        buf_consume(&c->output, (size_t)n);
    conn_block(c, buf_used(&c->output) > 0);
}

static void flush_dirty(void)
{
    while (dirty) {
        struct conn *c = dirty;

        dirty = c->next_dirty;
        c->is_dirty = false;
        if (c->fd < 0)
            conn_free(c);
        else if (!c->is_blocked && buf_used(&c->output))
            conn_flush(c);
    }
}

static void accept_all(int listener)
{
    int fd, one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof(*c));

        if (!c)
            die("memory");
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        conn_watch(c, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4096) < 0)
        die("listen");
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[MAX_EVENTS];
    struct conn listener = {0}; /* only its address and fd are used */

    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        die("epoll_create1");
    listener.fd = listen_on((uint16_t)atoi(argv[1]));
    conn_watch(&listener, EPOLL_CTL_ADD, EPOLLIN);

    for (;;) {
        int n = epoll_wait(epoll_fd, events, MAX_EVENTS, -1);

        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;

            if (c == &listener) {
                accept_all(listener.fd);
                continue;
            }
            if (events[i].events & EPOLLOUT) {
                conn_block(c, false);
                conn_mark_dirty(c);
            }
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                on_readable(c);
        }
        flush_dirty();
    }
}
