/* A connection's input: one read per wake-up into the shard's buffer, so that a busy
 * peer cannot starve others and an idle one owns nothing. What the session did not use,
 * an incomplete frame, is kept aside, and waited for only so long. */
#include "net/conn_inside.h"
#include "base/clock.h"
#include "net/shard.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* An incomplete frame up to this size is copied in front of the next read; a larger one
 * grows where it is. */
#define REST_IN_FRONT (16 * 1024)
#define REST_STEP     (64 * 1024)
#define REST_STEP_MAX (1024 * 1024)

static void on_timer(struct timer *t, int64_t now_ms)
{
    struct conn *c = CONTAINER_OF(t, struct rest, timer)->conn;
    const struct listener *l = c->listener;
    int64_t next_ms = INT64_MAX;

    if (!c->registered)
        next_ms = c->opened_ms + l->register_timeout_ms;
    if (next_ms <= now_ms) {
        conn_close(c, CLOSE_REGISTER_TIMEOUT);
        return;
    }
    if (conn_rest(c).size) {
        int64_t due_ms = c->rest->since_ms + l->read_timeout_ms;

        if (c->holds) /* it is we who do not read */
            due_ms = now_ms + l->read_timeout_ms;
        if (due_ms <= now_ms) {
            conn_close(c, CLOSE_READ_TIMEOUT);
            return;
        }
        next_ms = due_ms < next_ms ? due_ms : next_ms;
    }
    if (next_ms != INT64_MAX)
        wheel_arm(&c->shard->loop.wheel, t, next_ms);
}

struct rest *conn_try_rest(struct conn *c)
{
    if (c->rest || !(c->rest = slab_try_alloc(&c->shard->rests)))
        return c->rest;
    c->rest->conn = c;
    c->rest->timer.expired = on_timer;
    return c->rest;
}

void conn_drop_rest(struct conn *c)
{
    if (!c->rest)
        return;
    wheel_stop(&c->shard->loop.wheel, &c->rest->timer);
    buf_fini(&c->rest->bytes);
    slab_free(&c->shard->rests, c->rest);
    c->rest = NULL;
}

/* All of it was used. */
static void end_rest(struct conn *c)
{
    if (c->registered) {
        conn_drop_rest(c);
    } else if (c->rest) {
        buf_clear(&c->rest->bytes);
        c->rest->since_ms = 0;
    }
}

static bool is_within(const struct buf *b, struct slice s)
{
    return b->mem && s.data >= b->mem && s.data < b->mem + b->size;
}

/* Keeps `left`, which lies in the shard's buffer or at the end of c->rest itself. */
static void keep_rest(struct conn *c, struct slice left)
{
    if (left.size == 0) {
        end_rest(c);
        return;
    }
    if (c->rest && is_within(&c->rest->bytes, left)) {
        buf_consume(&c->rest->bytes, buf_used(&c->rest->bytes) - left.size);
        return;
    }
    if (!conn_try_rest(c))
        goto fail;
    buf_clear(&c->rest->bytes);
    if (buf_try_append(&c->rest->bytes, left) < 0)
        goto fail;
    return;
fail:
    conn_close(c, CLOSE_NO_MEMORY);
}

/* The time-out runs from the incomplete frame's first byte, not from its last one. */
static void watch_rest(struct conn *c, bool progressed)
{
    struct loop *l = &c->shard->loop;
    int64_t due_ms;

    if (conn_rest(c).size == 0)
        return;
    if (c->rest->since_ms == 0 || progressed)
        c->rest->since_ms = l->now_ms;
    due_ms = c->rest->since_ms + c->listener->read_timeout_ms;
    if (!timer_is_armed(&c->rest->timer) || c->rest->timer.due_ms > due_ms)
        wheel_arm(&l->wheel, &c->rest->timer, due_ms);
}

void conn_digest(struct conn *c, struct slice in, bool more_waits)
{
    size_t used = c->listener->ops->on_input(c, in, more_waits);

    if (c->moved || conn_is_closing(c))
        return;
    assert(used <= in.size);
    if (used > 0)
        c->heard_ms = c->shard->loop.now_ms & TIME_MASK;
    keep_rest(c, slice_from(in, used));
    if (conn_is_closing(c))
        return;
    watch_rest(c, used > 0);
    if (c->owed && !c->listener->ops->on_delivered)
        conn_flush(c); /* answers have nothing to wait for */
}

/* A read that left room has emptied the socket; one that filled it may have, too. */
static bool more_is_waiting(const struct conn *c, size_t got, size_t room)
{
    int left = 0;

    return got == room && ioctl(c->fd, FIONREAD, &left) == 0 && left > 0;
}

/* Room grows with what has arrived, not with what was announced. */
static size_t rest_step(size_t have)
{
    return have < REST_STEP ? REST_STEP : have < REST_STEP_MAX ? have : REST_STEP_MAX;
}

/* False: nothing was there, or the connection is closing. */
static bool read_once(struct conn *c)
{
    struct slice rest = conn_rest(c);
    uint8_t *to = c->shard->input;
    size_t room = SHARD_INPUT_SIZE;
    bool in_front = rest.size <= REST_IN_FRONT;
    ssize_t n;

    if (!in_front) {
        room = rest_step(rest.size);
        if (!(to = buf_try_reserve(&c->rest->bytes, room))) {
            conn_close(c, CLOSE_NO_MEMORY);
            return false;
        }
    } else if (rest.size) {
        memcpy(to, rest.data, rest.size);
        to += rest.size;
        room -= rest.size;
    }

    n = TEMP_FAILURE_RETRY(recv(c->fd, to, room, MSG_DONTWAIT));
    if (n <= 0) {
        if (n == 0)
            conn_close(c, CLOSE_PEER_CLOSED);
        else if (errno != EAGAIN)
            conn_close(c, conn_reason_of(errno));
        return false;
    }
    c->rx_bytes += (uint64_t)n;
    if (in_front) {
        conn_digest(c, slice_of(c->shard->input, rest.size + (size_t)n),
                    more_is_waiting(c, (size_t)n, room));
    } else {
        buf_commit(&c->rest->bytes, (size_t)n);
        conn_digest(c, buf_peek(&c->rest->bytes), more_is_waiting(c, (size_t)n, room));
    }
    return true;
}

/* Nobody is made to wait any more: a hold only interrupts, unless the session cannot go
 * on without what it waits for. */
static void digest_held(struct conn *c)
{
    size_t before;

    do {
        c->holds = 0;
        before = conn_rest(c).size;
        if (before)
            conn_digest(c, buf_peek(&c->rest->bytes), false);
    } while (c->holds && !conn_is_closing(c) && !c->moved &&
             conn_rest(c).size < before);
    if (!conn_is_closing(c) && !c->moved)
        c->holds = 0;
}

void conn_read_out(struct conn *c)
{
    do
        digest_held(c);
    while (!conn_is_closing(c) && !c->moved && read_once(c));
}

void conn_on_events(struct source *s, uint32_t events)
{
    struct conn *c = CONTAINER_OF(s, struct conn, source);

    if (c->moved || conn_is_closing(c))
        return; /* an event fetched before it left */
    if (events & (EPOLLERR | EPOLLHUP)) {
        conn_read_out(c); /* what came before the end counts; then recv tells the end */
        return;
    }
    if (events & EPOLLOUT) {
        c->blocked = false;
        conn_make_due(c);
        conn_settle(c);
    }
    if (events & EPOLLIN && !c->holds && !conn_is_closing(c))
        (void)read_once(c);
}

void conn_resume(struct conn *c)
{
    if (!c->resumed)
        return;
    c->resumed = false;
    c->shard->resumed--;
    if (!c->holds && !conn_is_closing(c) && conn_rest(c).size)
        conn_digest(c, conn_rest(c), false);
}
