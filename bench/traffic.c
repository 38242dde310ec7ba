#include "traffic.h"
#include "channel.h"
#include "clock.h"
#include "message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define FIRST_PAIR     10000 /* all names are equally long, so all frames too */
#define INPUT_SIZE     (256u << 10)
#define MAX_EVENTS     256
#define GREETING_AHEAD 256  /* connections that greet at the same time */
#define SOURCE_SHARE   4000 /* connections from one loopback address */
#define PATIENCE_NS    5000000000u

struct conn {
    struct channel channel;
    enum wire_role role;
    bool is_ready; /* registered or subscribed */
    struct pair *pair;
};

struct pair {
    uint32_t number;
    struct conn sender, receiver;
    struct wire_template template;
    uint64_t sent, received;
};

struct traffic {
    struct traffic_conf conf;
    struct pair *pairs;
    size_t conns, ready;
    int epoll_fd;
    bool is_sending;

    struct message_shape shape;
    size_t sent_size, delivered_size; /* of one message with head and tail */
    uint8_t *batch;                   /* messages about to be sent */
    uint8_t *input;

    struct traffic_counts counts;
    struct histogram *latencies; /* NULL: not now */
    int trouble;                 /* <0 ends everything */
};

static void give_up(struct traffic *t, const struct conn *c, int why)
{
    if (t->trouble < 0)
        return;
    t->trouble = why;
    fprintf(stderr, "load: %s %u: %s\n", c->role == WIRE_SENDER ? "sender" : "receiver",
            c->pair->number - FIRST_PAIR, err_text(why));
}

static void conn_send(struct traffic *t, struct conn *c, struct slice bytes)
{
    int rc = channel_send(&c->channel, bytes);

    if (rc < 0)
        give_up(t, c, rc);
}

static bool pair_may_send(const struct traffic *t, const struct pair *pair)
{
    uint64_t under_way = pair->sent - pair->received;

    if (buf_used(&pair->sender.channel.output) || t->trouble < 0)
        return false;
    return t->conf.window == 0 || under_way + t->conf.batch <= t->conf.window;
}

/* One write of `batch` messages. */
static void pair_send(struct traffic *t, struct pair *pair)
{
    uint64_t now = clock_ns();
    uint8_t *to = t->batch;

    for (unsigned i = 0; i < t->conf.batch; i++, to += t->sent_size)
        message_form(&t->shape, &pair->template, pair->number, pair->sent++, now, to);
    t->counts.sent += t->conf.batch;
    conn_send(t, &pair->sender, slice_of(t->batch, t->conf.batch * t->sent_size));
}

static void take_message(struct traffic *t, struct pair *pair, const uint8_t *frame,
                         uint64_t now)
{
    uint64_t sent_ns;

    switch (message_check(&t->shape, &pair->template, pair->number, pair->received,
                          frame, &sent_ns)) {
    case MESSAGE_GOOD:
        if (t->latencies)
            histogram_add(t->latencies, now - sent_ns);
        break;
    case MESSAGE_DAMAGED:
        t->counts.damaged++;
        break;
    case MESSAGE_DISORDER:
        t->counts.disorder++;
        break;
    }
    pair->received++;
    t->counts.received++;
}

static ssize_t take_other(struct traffic *t, struct conn *c, struct slice in)
{
    struct wire_event event = {0};
    ssize_t n = t->conf.wire->other(in, &event);

    if (n < 0)
        give_up(t, c, ERR_MALFORMED);
    if (event.is_ready && !c->is_ready) {
        c->is_ready = true;
        t->ready++;
    }
    if (event.answer.size)
        conn_send(t, c, event.answer);
    return n;
}

/* What is left when nothing more can be taken off the front. */
static struct slice take_all(struct traffic *t, struct conn *c, struct slice in)
{
    const struct wire_part *head = &c->pair->template.delivered_head;
    uint64_t now = clock_ns();

    while (in.size && t->trouble == OK) {
        size_t known = in.size < head->size ? in.size : head->size;
        ssize_t n;

        if (c->role == WIRE_SENDER || memcmp(in.data, head->bytes, known) != 0) {
            if ((n = take_other(t, c, in)) <= 0)
                break;
            in = slice_from(in, (size_t)n);
            continue;
        }
        if (in.size < t->delivered_size)
            break;
        take_message(t, c->pair, in.data, now);
        in = slice_from(in, t->delivered_size);
    }
    return in;
}

static void on_readable(struct traffic *t, struct conn *c)
{
    struct slice in;
    int rc = channel_receive(&c->channel, t->input, INPUT_SIZE, &in);

    if (rc == OK)
        rc = channel_keep(&c->channel, take_all(t, c, in));
    if (rc < 0)
        give_up(t, c, rc);
    if (c->role == WIRE_RECEIVER && t->conf.window && t->is_sending)
        while (pair_may_send(t, c->pair))
            pair_send(t, c->pair);
}

static void on_writable(struct traffic *t, struct conn *c)
{
    int rc = channel_flush(&c->channel);

    if (rc < 0)
        give_up(t, c, rc);
    else if (buf_used(&c->channel.output))
        return;
    else if (t->is_sending && t->conf.window == 0 && c->role == WIRE_SENDER)
        pair_send(t, c->pair);
    else
        channel_wait_for_room(&c->channel, false);
}

/* One turn of the loop. */
static int turn(struct traffic *t, int timeout_ms)
{
    struct epoll_event events[MAX_EVENTS];
    int n = epoll_wait(t->epoll_fd, events, MAX_EVENTS, timeout_ms);

    for (int i = 0; i < n && t->trouble == OK; i++) {
        struct conn *c = CONTAINER_OF(events[i].data.ptr, struct conn, channel);

        if (events[i].events & EPOLLOUT)
            on_writable(t, c);
        if (events[i].events & ~(uint32_t)EPOLLOUT && t->trouble == OK)
            on_readable(t, c);
    }
    return t->trouble;
}

static int conn_greet(struct traffic *t, struct conn *c)
{
    struct buf hello = {0};
    int rc = t->conf.wire->greet(c->pair->number, c->role, t->conf.payload, &hello);

    if (rc == OK)
        conn_send(t, c, buf_peek(&hello));
    buf_fini(&hello);
    return rc;
}

static int conn_open(struct traffic *t, struct conn *c)
{
    uint32_t source = INADDR_LOOPBACK + (uint32_t)(t->conns++ / SOURCE_SHARE);

    if (channel_open(&c->channel, t->epoll_fd, &t->conf.server, source) < 0) {
        fprintf(stderr, "load: cannot connect: %s\n", strerror(errno));
        return ERR_IO;
    }
    return conn_greet(t, c);
}

static int wait_until_ready(struct traffic *t, size_t wanted)
{
    uint64_t deadline = clock_ns() + PATIENCE_NS;
    size_t before = t->ready;

    while (t->ready < wanted) {
        int rc = turn(t, 100);

        if (rc < 0)
            return rc;
        if (t->ready != before)
            deadline = clock_ns() + PATIENCE_NS;
        before = t->ready;
        if (clock_ns() > deadline) {
            fprintf(stderr, "load: %zu of %zu connections are ready\n", t->ready,
                    wanted);
            return ERR_IO;
        }
    }
    return OK;
}

static int greet_all(struct traffic *t, int (*greet)(struct traffic *, struct conn *))
{
    size_t begun = 0;
    int rc = OK;

    for (uint32_t i = 0; i < t->conf.pairs && rc == OK; i++) {
        struct pair *pair = &t->pairs[i];

        rc = greet(t, &pair->receiver);
        begun++;
        if (rc == OK && !t->conf.only_receivers) {
            rc = greet(t, &pair->sender);
            begun++;
        }
        if (rc == OK && begun > GREETING_AHEAD)
            rc = wait_until_ready(t, begun - GREETING_AHEAD);
    }
    return rc == OK ? wait_until_ready(t, begun) : rc;
}

int traffic_connect(struct traffic *t)
{
    return greet_all(t, conn_open);
}

int traffic_greet_again(struct traffic *t)
{
    t->ready = 0;
    for (uint32_t i = 0; i < t->conf.pairs; i++)
        t->pairs[i].sender.is_ready = t->pairs[i].receiver.is_ready = false;
    return greet_all(t, conn_greet);
}

int traffic_run(struct traffic *t, double seconds, struct histogram *h)
{
    uint64_t end = clock_ns() + (uint64_t)(seconds * 1e9);
    int rc = OK;

    t->latencies = h;
    if (!t->is_sending) {
        t->is_sending = true;
        for (uint32_t i = 0; i < t->conf.pairs; i++) {
            channel_wait_for_room(&t->pairs[i].sender.channel, t->conf.window == 0);
            while (t->conf.window && pair_may_send(t, &t->pairs[i]))
                pair_send(t, &t->pairs[i]);
        }
    }
    while (rc == OK && clock_ns() < end)
        rc = turn(t, 10);
    t->latencies = NULL;
    return rc;
}

int traffic_drain(struct traffic *t)
{
    uint64_t deadline = clock_ns() + PATIENCE_NS;
    uint64_t before = t->counts.received;
    int rc = OK;

    t->is_sending = false;
    while (rc == OK && t->counts.received < t->counts.sent && clock_ns() < deadline) {
        rc = turn(t, 100);
        if (t->counts.received != before)
            deadline = clock_ns() + PATIENCE_NS;
        before = t->counts.received;
    }
    /* One more look: nothing may come behind the last. */
    return rc == OK ? turn(t, 50) : rc;
}

struct traffic_counts traffic_counts(const struct traffic *t)
{
    return t->counts;
}

/* Both ends of every pair are in this process. */
static void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void conn_init(struct conn *c, enum wire_role role, struct pair *pair)
{
    *c = (struct conn){.channel.fd = -1, .role = role, .pair = pair};
}

int traffic_new(const struct traffic_conf *conf, struct traffic **out)
{
    struct traffic *t = calloc(1, sizeof(*t));
    int rc = ERR_NOMEM;

    if (!t || !(t->pairs = calloc(conf->pairs, sizeof(*t->pairs))) ||
        !(t->input = malloc(INPUT_SIZE)))
        goto fail;
    t->conf = *conf;
    message_shape_init(&t->shape, conf->wire, conf->payload);
    for (uint32_t i = 0; i < conf->pairs; i++) {
        struct pair *pair = &t->pairs[i];

        pair->number = FIRST_PAIR + i;
        conn_init(&pair->sender, WIRE_SENDER, pair);
        conn_init(&pair->receiver, WIRE_RECEIVER, pair);
        conf->wire->prepare(pair->number, conf->payload, &pair->template);
    }
    t->sent_size = t->pairs->template.sent_head.size + conf->payload +
                   t->pairs->template.sent_tail.size;
    t->delivered_size = t->pairs->template.delivered_head.size + conf->payload +
                        t->pairs->template.delivered_tail.size;
    if (!(t->batch = malloc(conf->batch * t->sent_size)))
        goto fail;
    for (unsigned i = 0; i < conf->batch; i++)
        message_fill(&t->shape, t->pairs->template.sent_head.size,
                     t->batch + i * t->sent_size);
    allow_descriptors();
    if ((t->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        goto fail;

    *out = t;
    return OK;
fail:
    traffic_free(&t);
    return rc;
}

void traffic_free(struct traffic **traffic)
{
    struct traffic *t = *traffic;

    *traffic = NULL;
    if (!t)
        return;
    for (uint32_t i = 0; t->pairs && i < t->conf.pairs; i++) {
        channel_close(&t->pairs[i].sender.channel);
        channel_close(&t->pairs[i].receiver.channel);
    }
    if (t->epoll_fd > 0)
        close(t->epoll_fd);
    free(t->pairs);
    free(t->batch);
    free(t->input);
    free(t);
}
