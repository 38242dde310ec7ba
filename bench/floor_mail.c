/* floor_mail.c - the least that keeping messages for absent terminals can do, as the
 * measure for ours: an append-only log.
 *
 * One thread, one epoll loop. Whatever frames a turn brings are written behind each
 * other with one write and synced once; then their senders are told by one receipt
 * each. An index in memory says where a terminal's frames are; a heartbeat fetches
 * them, and stands in the log as their removal. At the start the log is read once.
 * What it does not do is what the difference to it costs: checksums, a log that
 * shrinks, limits, relaying, removal only after the terminal's TCP has acknowledged.
 *
 *   usage: floor_mail PORT DIR */
#include "channel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD        12
#define HEARTBEAT   0x01
#define RECEIPT     0x02
#define DATA        0xaa
#define TABLE_SLOTS (1u << 16) /* enough for every id of a run; never grows */
#define LOG_MOST    ((size_t)4 << 30)
#define MAX_EVENTS  512

struct conn {
    struct channel channel;
    uint32_t id;
    uint32_t frames;    /* received so far */
    bool wants_receipt; /* on the list of those */
    struct conn *next;
};

static struct terminal {
    uint32_t id;
    size_t *at; /* where its frames begin in the log */
    size_t count, room;
} table[TABLE_SLOTS];

static int epoll_fd, log_fd;
static const uint8_t *log_map;
static size_t log_size;
static struct buf unwritten;
static struct conn *to_tell;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct terminal *find(uint32_t id)
{
    size_t i = (id * 2654435769u) >> 16;

    while (table[i].id != 0 && table[i].id != id)
        i = (i + 1) % TABLE_SLOTS;
    table[i].id = id;
    return &table[i];
}

static uint32_t number_at(const uint8_t *bytes)
{
    uint32_t n;

    memcpy(&n, bytes, 4);
    return ntohl(n);
}

static size_t size_at(const uint8_t *frame)
{
    return (size_t)frame[5] << 8 | frame[6];
}

/* Closes a frame with its check byte. */
static void seal(uint8_t *frame)
{
    size_t last = size_at(frame) - 1;

    frame[last] = 0;
    for (size_t i = 0; i < last; i++)
        frame[last] ^= frame[i];
}

/* A frame that is in the log, or will be after this turn: data, or a removal. */
static void note(const uint8_t *frame, uint32_t terminal, size_t at)
{
    struct terminal *t = find(terminal);

    if (frame[11] == HEARTBEAT) {
        t->count = 0;
        return;
    }
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        if (!(t->at = realloc(t->at, t->room * sizeof(*t->at))))
            die("memory");
    }
    t->at[t->count++] = at;
}

static void append(const uint8_t *frame, size_t size, uint32_t terminal)
{
    note(frame, terminal, log_size + buf_used(&unwritten));
    if (buf_try_append(&unwritten, slice_of(frame, size)) < 0)
        die("memory");
}

/* The terminal gets all that is its own. In the log stands the target's address, on the
 * wire the sender's: there is one, and nobody looks. */
static int fetch(struct conn *c)
{
    const struct terminal *t = find(c->id);
    struct buf mail = {0};
    int rc = OK;

    for (size_t i = 0; i < t->count && rc == OK; i++) {
        const uint8_t *frame = log_map + t->at[i];
        uint8_t *to = buf_try_reserve(&mail, size_at(frame));

        if (!to)
            die("memory");
        memcpy(to, frame, size_at(frame));
        to[4] = 'X';
        seal(to);
        buf_commit(&mail, size_at(frame));
    }
    if (buf_used(&mail))
        rc = channel_send(&c->channel, buf_peek(&mail));
    buf_fini(&mail);
    return rc;
}

static int on_heartbeat(struct conn *c, const uint8_t *frame, size_t size)
{
    uint8_t echo[HEAD + 5];
    int rc;

    if (size != sizeof(echo))
        return ERR_MALFORMED;
    memcpy(echo, frame, size);
    echo[4] = 'X';
    seal(echo);
    c->id = number_at(frame + 7);
    if ((rc = channel_send(&c->channel, slice_of(echo, size))) < 0 ||
        (rc = fetch(c)) < 0)
        return rc;
    if (find(c->id)->count)
        append(frame, size, c->id);
    return OK;
}

static void on_data(struct conn *c, const uint8_t *frame, size_t size)
{
    append(frame, size, number_at(frame + 7));
    c->frames++;
    if (c->wants_receipt)
        return;
    c->wants_receipt = true;
    c->next = to_tell;
    to_tell = c;
}

static ssize_t hear(struct channel *channel, struct slice all)
{
    struct conn *c = CONTAINER_OF(channel, struct conn, channel);
    struct slice in = all;
    int rc = OK;

    while (in.size > HEAD && in.size >= size_at(in.data) && rc == OK) {
        size_t size = size_at(in.data);

        if (memcmp(in.data, "$TTMS", 5) != 0 || size <= HEAD)
            return ERR_MALFORMED;
        if (in.data[11] == HEARTBEAT)
            rc = on_heartbeat(c, in.data, size);
        else
            on_data(c, in.data, size);
        in = slice_from(in, size);
    }
    return rc < 0 ? rc : (ssize_t)(all.size - in.size);
}

static void commit(void)
{
    struct slice all = buf_peek(&unwritten);

    if (all.size == 0)
        return;
    if (write(log_fd, all.data, all.size) != (ssize_t)all.size || fdatasync(log_fd) < 0)
        die("log");
    log_size += all.size;
    buf_clear(&unwritten);
}

static void tell(struct conn *c)
{
    uint8_t receipt[HEAD + 5] = {'$', 'T', 'T', 'M', 'X', 0, HEAD + 5};
    uint32_t frames = htonl(c->frames);

    receipt[11] = RECEIPT;
    memcpy(receipt + HEAD, &frames, 4);
    seal(receipt);
    c->wants_receipt = false;
    if (c->channel.fd >= 0 &&
        channel_send(&c->channel, slice_of(receipt, sizeof(receipt))) < 0)
        channel_close(&c->channel);
}

static void tell_all(void)
{
    while (to_tell) {
        struct conn *c = to_tell;

        to_tell = c->next;
        tell(c);
    }
}

static void accept_all(int listener)
{
    int fd, one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c =
            calloc(1, sizeof(*c)); /* never freed: a run has some hundred */

        if (!c)
            die("memory");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (channel_adopt(&c->channel, epoll_fd, fd) < 0)
            die("epoll");
    }
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event e = {.events = EPOLLIN};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4096) < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
        die("listen");
    return fd;
}

/* Reads it once; an incomplete frame at its end was never called safe. */
static void open_log(const char *dir)
{
    char path[PATH_MAX];
    struct stat st;
    size_t size;

    snprintf(path, sizeof(path), "%s/log", dir);
    if ((log_fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0 ||
        fstat(log_fd, &st) < 0)
        die(path);
    log_map = mmap(NULL, LOG_MOST, PROT_READ, MAP_SHARED, log_fd, 0);
    if (log_map == MAP_FAILED)
        die("mmap");
    for (size = (size_t)st.st_size; log_size + HEAD < size;) {
        const uint8_t *frame = log_map + log_size;

        if (log_size + size_at(frame) > size)
            break;
        note(frame, number_at(frame + 7), log_size);
        log_size += size_at(frame);
    }
    if (ftruncate(log_fd, (off_t)log_size) < 0)
        die("ftruncate");
}

int main(int argc, char **argv)
{
    struct epoll_event events[MAX_EVENTS];
    int listener;

    if (argc != 3) {
        fprintf(stderr, "usage: %s PORT DIR\n", argv[0]);
        return 2;
    }
    if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        die("epoll_create1");
    open_log(argv[2]);
    listener = listen_on((uint16_t)atoi(argv[1]));
    for (;;) {
        int n = epoll_wait(epoll_fd, events, MAX_EVENTS, -1);

        for (int i = 0; i < n; i++) {
            struct channel *c = events[i].data.ptr;

            if (!c)
                accept_all(listener);
            else if (channel_on_event(c, events[i].events, hear) < 0)
                channel_close(c);
        }
        commit();
        tell_all();
    }
}
