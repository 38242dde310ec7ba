#include "sim/terminals/contact.h"
#include "sim/terminals/message.h"
#include "sim/terminals/receive.h"
#include "sim/terminals/traffic.h"
#include "base/reader.h"
#include "codec/ttms.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RETRY_NS          (100 * MS)
#define PROBE_AGAIN_NS    (1000LL * MS)
#define LEAVE_LIMIT_NS    (10000LL * MS)
#define CONNECT_LIMIT_NS  (10000LL * MS)
#define CONNECTS_PER_TURN 64
#define CONNECTS_AT_ONCE  1024 /* the queue of a listener holds 4096 */
#define SLOW_BUFFER       4096
#define STORM_GAP_NS      (1000LL * MS) /* losses closer together are one storm */

size_t contact_form_heartbeat(const struct fleet *f, const struct terminal *t,
                              uint8_t *to)
{
    uint8_t length = settings_length(f->settings);
    uint8_t content[4];

    put_u32(content, (uint32_t)(f->now_ns / MS));
    ttms_form(TTMS_HEARTBEAT, t->id, slice_of(content, 4), length, to);
    return ttms_formed_size(4, length);
}

/* A message to oneself: it comes back when the gateway knows who we are. */
static size_t form_probe(const struct fleet *f, const struct terminal *t, uint8_t *to)
{
    uint8_t length = settings_length(f->settings);
    struct message m = {.run = f->run,
                        .kind = MESSAGE_PROBE,
                        .flow = RECEIPTS_NO_FLOW,
                        .sender = t->id,
                        .target = t->id,
                        .number = t->epoch,
                        .time_ns = f->now_ns};
    uint8_t content[MESSAGE_HEAD];

    message_write(&m, content, sizeof(content));
    ttms_form(TTMS_DATA, t->id, slice_of(content, sizeof(content)), length, to);
    return ttms_formed_size(sizeof(content), length);
}

static void introduce(struct fleet *f, struct terminal *t)
{
    uint8_t frames[2 * (TTMS_HEAD + MESSAGE_HEAD + 2)];
    size_t size = contact_form_heartbeat(f, t, frames);
    bool probes = f->settings->confirm == CONFIRM_PROBE;

    if (probes)
        size += form_probe(f, t, frames + size);
    if ((probes && f->settings->receipts &&
         receipts_sent(&t->receipts, RECEIPTS_NO_FLOW, 0) < 0) ||
        peer_send(&t->peer, &f->loop, slice_of(frames, size)) < 0) {
        contact_on_broken(f, t);
        return;
    }
    fleet_count(f, TALLY_HEARTBEATS);
    if (f->settings->confirm == CONFIRM_NONE)
        contact_on_registered(f, t);
}

static void on_connect_failed(struct fleet *f, struct terminal *t)
{
    int why = errno;

    peer_close(&t->peer, &f->loop, false);
    fleet_enter(f, t, TERMINAL_RETRY);
    if (why == EMFILE || why == ENFILE)
        fleet_fail(f,
                   "out of file descriptors at %u connections: raise the limit, for "
                   "example by `ulimit -n 100000`, or choose a smaller --count",
                   t->place);
    else if (why == EADDRNOTAVAIL)
        fleet_fail(f,
                   "no local port is left at %u connections: spread them with "
                   "--source-addresses N",
                   t->place);
    else if (f->tally.n[TALLY_CONNECTS] == 0 && f->phase == PHASE_CONNECT)
        fleet_fail(f,
                   "cannot connect to %s: %s. Is the gateway running? Start it with "
                   "./run, or name its terminal listener with --address",
                   f->settings->address_text, strerror(why));
    else
        fleet_count(f, TALLY_FAILED);
}

static void begin(struct fleet *f, struct terminal *t)
{
    struct peer_target target = f->target;

    if (t->role == ROLE_SLOW)
        target.receive_buffer = SLOW_BUFFER;
    t->began_ns = f->now_ns;
    fleet_enter(f, t, TERMINAL_CONNECTING);
    if (peer_connect(&t->peer, &f->loop, &target, t->place, t) < 0)
        on_connect_failed(f, t);
}

void contact_on_writable(struct fleet *f, struct terminal *t)
{
    if (t->state != TERMINAL_CONNECTING) {
        if (peer_flush(&t->peer, &f->loop) < 0)
            contact_on_broken(f, t);
        else
            traffic_wake(f, t);
        return;
    }
    if (peer_connected(&t->peer, &f->loop) < 0) {
        on_connect_failed(f, t);
        return;
    }
    t->epoch++;
    fleet_count(f, TALLY_CONNECTS);
    if (t->epoch > 1)
        fleet_count(f, TALLY_RECONNECTS);
    fleet_enter(f, t, TERMINAL_REGISTERING);
    introduce(f, t);
}

void contact_on_registered(struct fleet *f, struct terminal *t)
{
    if (t->state != TERMINAL_REGISTERING)
        return;
    t->online_ns = f->now_ns;
    f->news_ns = f->now_ns;
    histogram_record(&f->registered, (uint64_t)(f->now_ns - t->began_ns));
    fleet_enter(f, t, TERMINAL_ONLINE);
    if (t->role == ROLE_SLOW && f->phase < PHASE_SETTLE)
        peer_set_reading(&t->peer, &f->loop, false);
    traffic_wake(f, t);
    if (!t->in_storm)
        return;
    t->in_storm = false;
    if (--f->storm_left == 0) {
        f->storm_ended_ns = f->now_ns;
        if (f->now_ns - f->storm_began_ns > f->storm_worst_ns)
            f->storm_worst_ns = f->now_ns - f->storm_began_ns;
    }
}

/* What it sent and nobody receipted may or may not have reached the gateway. */
static void doubt(struct fleet *f, struct terminal *t)
{
    for (uint32_t i = 0; i < t->flow_count; i++) {
        uint64_t n = flow_doubt(&f->flows[t->first_flow + i], f->settings->receipts);

        t->awaited -= n;
        f->tally.awaited -= n;
    }
}

static void join_storm(struct fleet *f, struct terminal *t)
{
    if (f->storm_left == 0 &&
        (f->storms == 0 || f->now_ns - f->storm_ended_ns > STORM_GAP_NS)) {
        f->storms++;
        f->storm_began_ns = f->now_ns;
    }
    if (!t->in_storm)
        f->storm_left++;
    t->in_storm = true;
}

static void insist(struct fleet *f, const struct terminal *t)
{
    for (uint32_t i = 0; i < t->flow_count; i++)
        flow_insist(&f->flows[t->first_flow + i]);
}

void contact_on_lost(struct fleet *f, struct terminal *t)
{
    bool expected = t->state == TERMINAL_LEAVING;

    if (!expected || f->settings->receipts)
        doubt(f, t);
    else
        insist(f, t);
    receipts_fini(&t->receipts);
    peer_close(&t->peer, &f->loop, false);
    if (expected) {
        fleet_enter(f, t, TERMINAL_AWAY);
        return;
    }
    fleet_count(f, TALLY_DROPPED);
    if (f->settings->restart_storm)
        join_storm(f, t);
    else
        fleet_complain(f, "the gateway ended the connection of %08x", t->id);
    fleet_enter(f, t, f->settings->restart_storm ? TERMINAL_IDLE : TERMINAL_RETRY);
}

void contact_on_broken(struct fleet *f, struct terminal *t)
{
    int rc;

    while ((rc = receive_some(f, t, SIZE_MAX)) == OK)
        ;
    if (rc != ERR_CLOSED)
        contact_on_lost(f, t);
}

void contact_end_by_fin(struct fleet *f, struct terminal *t)
{
    peer_set_reading(&t->peer, &f->loop, true);
    peer_finish(&t->peer);
    fleet_enter(f, t, TERMINAL_LEAVING);
}

/* After this nothing arrives that TCP would acknowledge, and all that it did is read:
 * so what the gateway believes delivered was seen here. */
static bool cut_and_drain(struct fleet *f, struct terminal *t)
{
    if (peer_cut_cable(&t->peer) < 0) {
        fleet_fail(f, "cannot attach a socket filter: %s", strerror(errno));
        return false;
    }
    while (receive_some(f, t, SIZE_MAX) == OK)
        ;
    if (t->state != TERMINAL_ONLINE)
        return false; /* it had ended by itself */
    doubt(f, t);
    receipts_fini(&t->receipts);
    return true;
}

void contact_end_by_reset(struct fleet *f, struct terminal *t)
{
    if (!cut_and_drain(f, t))
        return;
    peer_close(&t->peer, &f->loop, true);
    fleet_enter(f, t, TERMINAL_AWAY);
}

void contact_freeze(struct fleet *f, struct terminal *t)
{
    if (!cut_and_drain(f, t))
        return;
    if (t->ghost >= 0)
        close(t->ghost);
    t->ghost = peer_abandon(&t->peer, &f->loop);
    fleet_enter(f, t, TERMINAL_FROZEN);
}

static struct terminal *first(const struct fleet *f, enum terminal_state state)
{
    struct link *k = list_first(&f->in[state]);

    return k ? CONTAINER_OF(k, struct terminal, link) : NULL;
}

/* The first of that state, if it has been there for so long. */
static struct terminal *overdue(const struct fleet *f, enum terminal_state state,
                                int64_t limit_ns)
{
    struct terminal *t = first(f, state);

    return t && f->now_ns - t->since_ns >= limit_ns ? t : NULL;
}

/* When the connect rate allows the next; always, without one. */
static int64_t next_connect_ns(const struct fleet *f)
{
    double rate = f->settings->connect_rate / (double)f->settings->threads;

    if (rate <= 0)
        return 0;
    return f->opened_ns + (int64_t)(f->connects_begun / rate * 1e9);
}

static void begin_due(struct fleet *f)
{
    struct terminal *t;

    for (int i = 0; i < CONNECTS_PER_TURN && *f->fatal == '\0'; i++) {
        if (!(t = first(f, TERMINAL_IDLE)) || next_connect_ns(f) > f->now_ns ||
            f->in[TERMINAL_CONNECTING].length >= CONNECTS_AT_ONCE)
            return;
        f->connects_begun++;
        begin(f, t);
    }
}

void contact_turn(struct fleet *f)
{
    int64_t frozen_ns = f->phase == PHASE_RUN ? f->settings->frozen_ns : 0;
    struct terminal *t;

    while ((t = overdue(f, TERMINAL_RETRY, RETRY_NS)) ||
           (t = overdue(f, TERMINAL_AWAY, f->settings->away_ns)) ||
           (t = overdue(f, TERMINAL_FROZEN, frozen_ns)))
        fleet_enter(f, t, TERMINAL_IDLE);
    while ((t = overdue(f, TERMINAL_CONNECTING, CONNECT_LIMIT_NS))) {
        errno = ETIMEDOUT;
        on_connect_failed(f, t);
    }
    while ((t = overdue(f, TERMINAL_LEAVING, LEAVE_LIMIT_NS))) {
        fleet_count(f, TALLY_ENDLESS);
        fleet_complain(f, "the gateway did not end the connection of %08x after FIN",
                       t->id);
        contact_on_lost(f, t);
    }
    /* A probe may have been refused by a full mailbox: ask again. */
    while ((t = overdue(f, TERMINAL_REGISTERING, PROBE_AGAIN_NS))) {
        fleet_enter(f, t, TERMINAL_REGISTERING);
        if (!t->peer.wants_out)
            introduce(f, t);
    }
    begin_due(f);
}

static int64_t earlier(const struct fleet *f, enum terminal_state state,
                       int64_t limit_ns, int64_t than_ns)
{
    struct terminal *t = first(f, state);

    return t && t->since_ns + limit_ns < than_ns ? t->since_ns + limit_ns : than_ns;
}

int64_t contact_due_ns(const struct fleet *f)
{
    int64_t due = INT64_MAX;

    due = earlier(f, TERMINAL_RETRY, RETRY_NS, due);
    due = earlier(f, TERMINAL_AWAY, f->settings->away_ns, due);
    due = earlier(f, TERMINAL_FROZEN, f->settings->frozen_ns, due);
    due = earlier(f, TERMINAL_REGISTERING, PROBE_AGAIN_NS, due);
    if (first(f, TERMINAL_IDLE) &&
        f->in[TERMINAL_CONNECTING].length < CONNECTS_AT_ONCE &&
        next_connect_ns(f) < due)
        due = next_connect_ns(f);
    return due;
}
