/* The connection's state machine, its beginning and its end. Input is in conn_input.c;
 * output is gathered during the turn, written once at its end, and kept until the
 * peer's TCP acknowledged it (conn_output.c). */
#include "net/conn_inside.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/shard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Memory per idle terminal is a promise (docs/performance.md). */
static_assert(sizeof(struct conn) <= 192, "an idle connection has grown");

static const uint8_t may_become[CONN_STATE_COUNT] = {
    [CONN_ACCEPT] =
        BIT(CONN_READ) | BIT(CONN_PROCESS) | BIT(CONN_WRITE) | BIT(CONN_CLOSING),
    [CONN_READ] = BIT(CONN_PROCESS) | BIT(CONN_WRITE) | BIT(CONN_CLOSING),
    [CONN_PROCESS] =
        BIT(CONN_ACCEPT) | BIT(CONN_READ) | BIT(CONN_WRITE) | BIT(CONN_CLOSING),
    [CONN_WRITE] =
        BIT(CONN_ACCEPT) | BIT(CONN_READ) | BIT(CONN_PROCESS) | BIT(CONN_CLOSING),
    [CONN_CLOSING] = 0,
};

static const char *const state_words[] = {
#define X(name, word) word,
    CONN_STATES(X)
#undef X
};

static const char *const reason_words[] = {
#define X(name, word, text) word,
    CLOSE_REASONS(X)
#undef X
};

const char *close_reason_word(uint8_t reason)
{
    return reason < CLOSE_REASON_COUNT ? reason_words[reason] : "unknown";
}

enum close_reason conn_reason_of(int err)
{
    switch (err) {
    case ECONNRESET:
    case EPIPE:
        return CLOSE_RESET;
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return CLOSE_DEAD;
    default:
        return CLOSE_IO_ERROR;
    }
}

const char *conn_state_word(uint8_t state)
{
    return state < CONN_STATE_COUNT ? state_words[state] : "unknown";
}

size_t conn_wanted(const struct conn *c)
{
    struct slice rest = conn_rest(c);

    return rest.size && c->listener->ops->wanted ? c->listener->ops->wanted(c, rest)
                                                 : 0;
}

/* All that its machine knows. */
static void log_enter(const struct conn *c, enum conn_state next)
{
    const struct output *o = conn_output(c);
    size_t wanted = conn_wanted(c);
    char text[40] = "";

    if (wanted)
        snprintf(text, sizeof(text), " wanted=%zu", wanted);
    log_debug(NET,
              "session %" PRIx64 " enters state=%s from=%s have=%zu%s to_write=%zu",
              conn_number(c), state_words[next], state_words[c->state],
              conn_rest(c).size, text, o ? output_unwritten(o) : 0);
}

/* The only place where a connection changes its state. */
void conn_enter(struct conn *c, enum conn_state next)
{
    if (c->state == next)
        return;
    assert(may_become[c->state] & BIT(next));
    if (UNLIKELY(log_wanted(LOG_DEBUG, LOG_T_NET)))
        log_enter(c, next);
    list_remove(&c->shard->in[c->state], &c->link);
    c->state = (uint8_t)next;
    list_append(&c->shard->in[next], &c->link);
}

/* What epoll shall watch for it. */
static uint32_t wanted_events(const struct conn *c)
{
    return (c->holds ? 0 : EPOLLIN) | (c->blocked ? EPOLLOUT : 0u);
}

static void note_events(struct conn *c)
{
    c->watches_in = c->holds == 0;
    c->watches_out = c->blocked;
}

void conn_settle(struct conn *c)
{
    if (conn_is_closing(c))
        return;
    conn_enter(c, c->holds        ? CONN_PROCESS
                  : c->blocked    ? CONN_WRITE
                  : c->registered ? CONN_READ
                                  : CONN_ACCEPT);
    if (c->watches_in == (c->holds == 0) && c->watches_out == c->blocked)
        return;
    note_events(c);
    if (loop_change(&c->shard->loop, c->fd, wanted_events(c), &c->source) < 0)
        conn_close(c, CLOSE_NO_MEMORY);
}

void conn_make_due(struct conn *c)
{
    if (c->is_due)
        return;
    c->is_due = true;
    c->next_due = c->shard->due;
    c->shard->due = c;
}

/* ---- what it waits for ---- */

void conn_registered(struct conn *c)
{
    c->registered = true;
    conn_settle(c);
}

void conn_hold(struct conn *c)
{
    assert(c->holds < UINT16_MAX);
    c->holds++;
    conn_settle(c);
}

void conn_release(struct conn *c)
{
    assert(c->holds > 0);
    if (--c->holds > 0 || conn_is_closing(c))
        return;
    if (!c->resumed) {
        c->resumed = true;
        c->shard->resumed++;
        c->shard->loop.again = true;
        conn_make_due(c);
    }
    conn_settle(c); /* also when it was held again since: it is to be read from */
}

/* ---- life ---- */

/* Puts a connection, new or moved here, onto this shard. */
int conn_settle_in(struct shard *s, struct conn *c)
{
    c->shard = s;
    c->source.ready = conn_on_events;
    note_events(c);
    if (shard_give_slot(s, c) < 0)
        return ERR_NOMEM;
    if (loop_add(&s->loop, c->fd, wanted_events(c), &c->source) < 0) {
        shard_take_slot(s, c);
        return ERR_NOMEM;
    }
    if (!c->registered && !conn_try_rest(c)) {
        loop_remove(&s->loop, c->fd);
        shard_take_slot(s, c);
        return ERR_NOMEM;
    }
    list_append(&s->in[c->state], &c->link);
    if (!c->registered)
        wheel_arm(&s->loop.wheel, &c->rest->timer,
                  c->opened_ms + c->listener->register_timeout_ms);
    return OK;
}

struct conn *conn_open(struct shard *s, const struct listener *l, int fd,
                       const struct sockaddr_in6 *peer)
{
    struct conn *c = slab_try_alloc(&s->conns);

    if (!c)
        goto fail;
    c->fd = fd;
    c->listener = l;
    c->number = shard_next_number(s) & CONN_NUMBER_MASK;
    c->opened_ms = c->heard_ms = s->loop.now_ms & TIME_MASK;
    c->peer_ip = peer->sin6_addr;
    c->peer_port = ntohs(peer->sin6_port);
    c->state = CONN_ACCEPT;
    if (conn_settle_in(s, c) < 0)
        goto fail;
    return c;
fail:
    if (c)
        slab_free(&s->conns, c);
    close(fd);
    return NULL;
}

static void log_close(const struct conn *c)
{
    char peer[ADDRESS_TEXT_SIZE], who[128] = "";
    int64_t age_ms = c->shard->loop.now_ms - c->opened_ms;

    c->listener->ops->describe(c, who, sizeof(who));
    LOG_SESSION(LOG_INFO,
                "session %" PRIx64 " closed reason=%s %s%slistener=%s peer=%s "
                "age_s=%" PRId64 ".%03d rx=%u tx=%u rx_bytes=%" PRIu64
                " tx_bytes=%" PRIu64,
                conn_number(c), reason_words[c->reason], who, *who ? " " : "",
                c->listener->name, address_text(&c->peer_ip, c->peer_port, peer),
                age_ms / 1000, (int)(age_ms % 1000), c->rx_frames, c->tx_frames,
                c->rx_bytes, c->tx_bytes);
}

/* What comes back from the output will be sent again: throw away the kernel's copy, so
 * that the peer does not get it twice. A last answer is left to reach it. */
static void reset_on_close(const struct conn *c)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    const struct output *o = c->owed ? &c->owed->output : NULL;

    if (o && output_must_be_recalled(o))
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

/* Takes it off everything but the turn's lists, which look at its state. */
void conn_leave(struct conn *c)
{
    struct shard *s = c->shard;

    loop_remove(&s->loop, c->fd);
    if (c->rest)
        wheel_stop(&s->loop.wheel, &c->rest->timer);
    if (c->owed)
        acks_unwatch(c->owed);
    shard_take_slot(s, c);
}

void conn_close(struct conn *c, enum close_reason reason)
{
    struct shard *s = c->shard;

    if (conn_is_closing(c) || c->moved)
        return;
    if (c->owed && !c->blocked && output_unwritten(&c->owed->output))
        (void)!output_write(&c->owed->output,
                            c->fd); /* an answer may still get through */
    conn_acknowledge(c);
    if (conn_is_closing(c))
        return;
    c->reason = (uint8_t)reason;
    conn_enter(c, CONN_CLOSING);
    conn_leave(c);
    c->listener->ops->on_close(c);
    reset_on_close(c);
    close(c->fd);
    c->fd = -1;
    limits_leave(s->conf.limits, &c->peer_ip);
    s->stats.closed[reason]++;
    log_close(c);
}

void conn_destroy(struct conn *c)
{
    struct shard *s = c->shard;

    if (c->is_due)
        shard_forget_due(s, c);
    if (c->resumed)
        s->resumed--;
    list_remove(&s->in[CONN_CLOSING], &c->link);
    conn_release_output(c);
    conn_drop_rest(c);
    slab_free(&s->conns, c);
}
