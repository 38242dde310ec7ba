#include "sim/requests/client.h"

#include <errno.h>
#include <sys/epoll.h>

#define READ_LIMIT (256 * 1024)

void client_connect(struct crowd *c, struct client *who)
{
    struct peer_target target = {.to = c->settings->address};

    who->connecting = true;
    if (peer_connect(&who->peer, &c->loop, &target, who->place, who) < 0) {
        c->tallies.refused++;
        c->fatal = "no connection could be begun: out of descriptors?";
    }
}

void client_close(struct crowd *c, struct client *who)
{
    if (who->peer.fd >= 0)
        peer_close(&who->peer, &c->loop, false);
    c->open -= who->open;
    who->open = 0;
    who->head_used = 0;
}

/* The service ended it. */
static void lose(struct crowd *c, struct client *who)
{
    c->tallies.closed++;
    c->tallies.unanswered += who->open;
    client_close(c, who);
    if (c->asks)
        client_connect(c, who);
}

/* ---- asking ---- */

static bool may_ask(const struct crowd *c)
{
    return c->asks && (!c->settings->requests || c->next < c->settings->requests);
}

static void ask(struct crowd *c, struct client *who)
{
    uint32_t depth = (uint32_t)c->settings->depth;
    int64_t now_ns = loop_now_ns();

    buf_clear(&c->batch);
    while (who->open < depth && may_ask(c)) {
        struct asked *a = &who->ring[(who->oldest + who->open) % depth];

        if (body_ask(&c->bodies, c->next, &c->batch) < 0) {
            c->fatal = "out of memory";
            return;
        }
        *a = (struct asked){.number = c->next++, .sent_ns = now_ns};
        who->open++;
        c->open++;
        c->tallies.sent++;
    }
    if (buf_used(&c->batch) && peer_send(&who->peer, &c->loop, buf_peek(&c->batch)) < 0)
        lose(c, who);
}

/* ---- answers ---- */

static void finish_answer(struct crowd *c, struct client *who)
{
    const struct asked *a = &who->ring[who->oldest];

    if (who->is_wrong) {
        c->tallies.wrong++;
    } else {
        c->tallies.answered++;
        c->tallies.bytes += who->size;
        histogram_record(&c->latency, (uint64_t)(loop_now_ns() - a->sent_ns));
    }
    who->oldest = (who->oldest + 1) % (uint32_t)c->settings->depth;
    who->open--;
    c->open--;
    who->head_used = 0;
    who->is_wrong = false;
}

/* False: this is no header. */
static bool read_size(struct client *who)
{
    uint64_t size = 0;

    for (size_t i = 0; i < sizeof(who->head); i++) {
        if (who->head[i] < '0' || who->head[i] > '9')
            return false;
        size = size * 10 + (uint64_t)(who->head[i] - '0');
    }
    who->size = size;
    who->at = 0;
    return true;
}

/* Takes bytes of the header. False: the connection is worth nothing any more. */
static bool take_head(struct crowd *c, struct client *who, struct slice *in)
{
    size_t missing = sizeof(who->head) - who->head_used;
    size_t n = in->size < missing ? in->size : missing;

    memcpy(who->head + who->head_used, in->data, n);
    who->head_used += n;
    *in = slice_from(*in, n);
    if (who->head_used < sizeof(who->head))
        return true;
    if (!who->open || !read_size(who))
        return false;
    if (who->size != body_size(&c->bodies, who->ring[who->oldest].number))
        who->is_wrong = true;
    return true;
}

static void take_body(struct crowd *c, struct client *who, struct slice *in)
{
    size_t left = who->size - who->at;
    size_t n = in->size < left ? in->size : left;

    if (!who->is_wrong && !body_fits(&c->bodies, who->ring[who->oldest].number, who->at,
                                     slice_of(in->data, n)))
        who->is_wrong = true;
    who->at += n;
    *in = slice_from(*in, n);
    if (who->at == who->size)
        finish_answer(c, who);
}

static bool take(struct crowd *c, struct client *who, struct slice in)
{
    while (in.size) {
        if (who->head_used < sizeof(who->head)) {
            if (!take_head(c, who, &in))
                return false;
        } else {
            take_body(c, who, &in);
        }
    }
    return true;
}

static void read_answers(struct crowd *c, struct client *who)
{
    struct slice in;
    int rc = peer_read(&who->peer, &c->scratch, READ_LIMIT, &in);

    if (rc == ERR_BUSY)
        return;
    if (rc < 0) {
        lose(c, who);
        return;
    }
    if (take(c, who, in)) {
        ask(c, who);
        return;
    }
    c->tallies.wrong++;
    lose(c, who);
}

/* ---- events ---- */

static void on_connected(struct crowd *c, struct client *who)
{
    who->connecting = false;
    if (peer_connected(&who->peer, &c->loop) < 0) {
        c->tallies.refused++;
        c->fatal = errno == ECONNREFUSED ? "nobody listens there" : strerror(errno);
        client_close(c, who);
        return;
    }
    ask(c, who);
}

void client_on_event(struct crowd *c, struct client *who, uint32_t events)
{
    if (who->connecting) {
        on_connected(c, who);
        return;
    }
    if (events & EPOLLOUT && peer_flush(&who->peer, &c->loop) < 0) {
        lose(c, who);
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_answers(c, who);
}
