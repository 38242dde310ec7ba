/* A terminal as a device would write it: it knows frames, and no gateway. */
#include "cli/selftest_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536u
#define FRAME_MAX 4096u

static int say(struct terminal_under_test *t, enum ttms_command command, uint32_t to,
               struct slice content)
{
    size_t size = ttms_formed_size(content.size, TTMS_LENGTH_TOTAL);
    uint8_t *frame = buf_try_reserve(&t->output, size);

    if (!frame)
        return ERR_NOMEM;
    ttms_form(command, to, content, TTMS_LENGTH_TOTAL, frame);
    buf_commit(&t->output, size);
    return OK;
}

int terminal_begin(struct terminal_under_test *t, const struct gateway_under_test *g,
                   uint32_t id)
{
    int one = 1;

    *t = (struct terminal_under_test){.id = id};
    t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t->fd < 0 ||
        connect(t->fd, (const struct sockaddr *)&g->address, sizeof(g->address)) < 0 ||
        fcntl(t->fd, F_SETFL, O_NONBLOCK) < 0 ||
        setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0) {
        terminal_end(t);
        return ERR_CLOSED;
    }
    return say(t, TTMS_HEARTBEAT, id, slice_of("\0\0\0\0", 4));
}

void terminal_end(struct terminal_under_test *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    buf_fini(&t->output);
    buf_fini(&t->input);
}

int terminal_say(struct terminal_under_test *t, uint32_t to, uint64_t number,
                 size_t size)
{
    uint8_t content[FRAME_MAX];

    memset(content, 'x', sizeof(content));
    for (int i = 0; i < 8; i++)
        content[i] = (uint8_t)(number >> (56 - 8 * i));
    return say(t, TTMS_DATA, to, slice_of(content, size - TTMS_MIN_FRAME));
}

static uint64_t number_in(struct slice content)
{
    uint64_t number = 0;

    for (size_t i = 0; i < content.size && i < 8; i++)
        number = number << 8 | content.data[i];
    return number;
}

/* Frames to a terminal: $TTMX, and we had said that the length is that of all of it. */
static int hear(struct terminal_under_test *t, terminal_heard *heard, void *user)
{
    while (buf_used(&t->input) >= TTMS_MIN_FRAME) {
        struct slice in = buf_peek(&t->input);
        size_t size = (size_t)in.data[5] << 8 | in.data[6];

        if (memcmp(in.data, "$TTMX", 5) != 0 || size < TTMS_MIN_FRAME)
            return ERR_BAD_START;
        if (in.size < size)
            break;
        heard(user, in.data[TTMS_HEAD - 1],
              number_in(slice_of(in.data + TTMS_HEAD, size - TTMS_MIN_FRAME)));
        buf_consume(&t->input, size);
    }
    return OK;
}

static int receive(struct terminal_under_test *t, terminal_heard *heard, void *user)
{
    uint8_t *room = buf_try_reserve(&t->input, READ_SIZE);
    ssize_t n;

    if (!room)
        return ERR_NOMEM;
    n = recv(t->fd, room, READ_SIZE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return OK;
    if (n <= 0)
        return ERR_CLOSED;
    buf_commit(&t->input, (size_t)n);
    return hear(t, heard, user);
}

static int transmit(struct terminal_under_test *t)
{
    struct slice waiting = buf_peek(&t->output);
    ssize_t n;

    if (buf_used(&t->output) == 0)
        return OK;
    n = send(t->fd, waiting.data, waiting.size, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? OK : ERR_CLOSED;
    buf_consume(&t->output, (size_t)n);
    return OK;
}

int terminals_turn(struct terminal_under_test *a, struct terminal_under_test *b,
                   int timeout_ms, terminal_heard *heard, void *user)
{
    struct terminal_under_test *both[] = {a, b};
    struct pollfd polled[2];
    int rc = OK;

    for (int i = 0; i < 2; i++) {
        polled[i] = (struct pollfd){.fd = both[i] ? both[i]->fd : -1, .events = POLLIN};
        if (both[i] && buf_used(&both[i]->output))
            polled[i].events |= POLLOUT;
    }
    if (poll(polled, 2, timeout_ms) < 0)
        return errno == EINTR ? OK : ERR_CLOSED;
    for (int i = 0; i < 2 && rc == OK; i++) {
        if (polled[i].revents & POLLOUT)
            rc = transmit(both[i]);
        if (rc == OK && polled[i].revents & ~POLLOUT)
            rc = receive(both[i], heard, user);
    }
    return rc;
}
