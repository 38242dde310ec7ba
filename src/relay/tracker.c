/* What happens to a device: connections come and go, it is heard or silent. Each move
 * of its state passes tracker_enter(), which tells everybody. */
#include "relay/tracker_inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "relay/session.h"

#include <assert.h>
#include <stdlib.h>

static int64_t now_of(const struct tracker *k)
{
    return k->relay->shard->loop.now_ms;
}

/* Two clocks cut to whole milliseconds are now one more, now one less apart: no reason
 * to give one moment another time. Nor is a pause between the two readings. */
static void compare_clocks(struct tracker *k)
{
    int64_t before_ms = clock_mono_ms();
    int64_t zero_ms = clock_wall_ms() - before_ms;

    if (k->compared_ms == 0 ||
        (clock_mono_ms() == before_ms && llabs(zero_ms - k->zero_ms) > 1))
        k->zero_ms = zero_ms;
    k->compared_ms = now_of(k);
}

int64_t tracker_wall(struct tracker *k, int64_t mono_ms)
{
    if (k->compared_ms != now_of(k))
        compare_clocks(k);
    return k->zero_ms + mono_ms;
}

/* ---- what is told ---- */

static struct slice name_of(const struct tracker *k, const struct terminal *t)
{
    const char *name = k->group->names[t->listener];

    return slice_of(name, strlen(name));
}

static void log_move(const struct event *e)
{
    char id[ID_SHOWN_MAX];

    LOG_SESSION(LOG_INFO,
                "device %s enters state=%s from=%s reason=%.*s epoch=%u "
                "listener=%.*s",
                id_show(&e->device, id, sizeof(id)), presence_word(e->to),
                presence_word(e->from), (int)e->reason.size,
                (const char *)e->reason.data, e->epoch, (int)e->listener.size,
                (const char *)e->listener.data);
}

/* A device's own times never go back, whatever the clock does. */
static struct event event_of(const struct tracker *k, const struct terminal *t,
                             uint8_t kind, int64_t wall_ms)
{
    return (struct event){
        .kind = kind,
        .time_ms = wall_ms > t->since_ms ? wall_ms : t->since_ms,
        .device = device_id(&t->device),
        .epoch = t->epoch,
        .sequence = t->sequence,
        .listener = name_of(k, t),
    };
}

void tracker_enter(struct tracker *k, struct terminal *t, enum presence next,
                   const char *reason, int64_t wall_ms)
{
    struct event e = event_of(k, t, EVENT_PRESENCE, wall_ms);

    assert(presence_may_move(t->presence, next));
    e.sequence = ++t->sequence;
    e.from = t->presence;
    e.to = (uint8_t)next;
    e.reason = slice_of(reason, strlen(reason));
    tracker_unknown(k->relay, t);
    t->presence = (uint8_t)next;
    tracker_known(k->relay, t);
    k->stats.moves[next]++;
    t->since_ms = e.time_ms & TIME_MASK;
    feed_tell(k->feed, &e);
    log_move(&e);
}

void tracker_reported(struct relay *r, struct terminal *t, const struct report *p)
{
    struct tracker *k = r->tracker;
    struct event e = event_of(k, t, EVENT_REPORT, tracker_wall(k, now_of(k)));

    e.message = p->message;
    e.serial = p->serial;
    e.version = p->version;
    e.size = (uint32_t)p->body.size;
    e.content = p->body;
    if (e.content.size > EVENT_CONTENT_MAX)
        e.content.size = EVENT_CONTENT_MAX;
    k->stats.reports++;
    feed_tell(k->feed, &e);
}

void tracker_tell(struct relay *r, struct terminal *t, struct event *e)
{
    struct tracker *k = r->tracker;
    struct event known = event_of(k, t, e->kind, tracker_wall(k, now_of(k)));

    e->time_ms = known.time_ms;
    e->device = known.device;
    e->epoch = known.epoch;
    e->sequence = known.sequence;
    e->listener = known.listener;
    feed_tell(k->feed, e);
}

struct feed *tracker_feed(const struct relay *r)
{
    return r->tracker->feed;
}

void tracker_count(struct terminal *t, const struct conn *c)
{
    t->messages_in += c->rx_frames - t->counted_in;
    t->counted_in = c->rx_frames;
}

int64_t tracker_last_seen(struct tracker *k, const struct terminal *t)
{
    return t->conn ? tracker_wall(k, t->conn->heard_ms) : t->last_seen_ms;
}

void tracker_keep(struct tracker *k, struct terminal *t)
{
    struct card card = {
        .device = device_id(&t->device),
        .listener = name_of(k, t),
        .since_ms = t->since_ms,
        .last_seen_ms = tracker_last_seen(k, t),
        .ip = t->conn ? t->conn->peer_ip : t->last_ip,
        .port = t->conn ? t->conn->peer_port : t->last_port,
        .state = t->presence,
        .epoch = t->epoch,
        .sequence = t->sequence,
        .messages_in = t->messages_in,
        .messages_out = t->messages_out,
    };

    if (!t->card && !(t->card = feed_new_card(k->feed)))
        return; /* memory is out: with its next event, or in the next round */
    feed_keep(k->feed, t->card, &card);
}

/* ---- the judge ---- */

static void make_moves(struct tracker *k, struct terminal *t)
{
    struct watch *w = t->watch;
    struct presence_move m;

    while (t->presence != PRESENCE_CLOSE &&
           presence_judge(&w->notes, w->policy, now_of(k), &m)) {
        tracker_enter(k, t, (enum presence)m.to, presence_reason_word(m.reason),
                      tracker_wall(k, m.at_ms));
        tracker_keep(k, t);
    }
}

/* The timer stays where it is when less is due: it asks again then. */
static void arm(struct tracker *k, struct watch *w)
{
    int64_t next_ms = presence_next(&w->notes, w->policy);

    if (next_ms != INT64_MAX &&
        (!timer_is_armed(&w->timer) || next_ms < w->timer.due_ms))
        wheel_arm(&k->relay->shard->loop.wheel, &w->timer, next_ms);
}

/* False: it was closed. */
static bool judge(struct tracker *k, struct terminal *t)
{
    make_moves(k, t);
    if (t->presence != PRESENCE_CLOSE)
        return true;
    conn_close(t->conn, CLOSE_SILENT);
    return false;
}

static void on_timer(struct timer *timer, int64_t now_ms)
{
    struct watch *w = CONTAINER_OF(timer, struct watch, timer);

    (void)now_ms;
    if (judge(w->tracker, w->terminal))
        arm(w->tracker, w);
}

static void end_watch(struct tracker *k, struct terminal *t)
{
    if (!t->watch)
        return;
    make_moves(k, t);
    wheel_stop(&k->relay->shard->loop.wheel, &t->watch->timer);
    slab_free(&k->watches, t->watch);
    t->watch = NULL;
}

static void begin_watch(struct tracker *k, struct terminal *t)
{
    const struct presence_policy *p = presence_policy_of(t->conn);

    if (p->rule == PRESENCE_RULE_NONE)
        return;
    if (!(t->watch = slab_try_alloc(&k->watches))) {
        LOG_THROTTLED(LOG_ERROR, SESSION, "tracker cannot judge reason=no_memory");
        return; /* it is tried again when the device is heard */
    }
    t->watch->timer.expired = on_timer;
    t->watch->tracker = k;
    t->watch->terminal = t;
    t->watch->policy = p;
    presence_begin(&t->watch->notes, p, (enum presence)t->presence, now_of(k));
    arm(k, t->watch);
}

void tracker_heard(struct relay *r, struct terminal *t)
{
    struct tracker *k = r->tracker;

    if (!t->watch)
        begin_watch(k, t);
    if (!t->watch || !judge(k, t))
        return;
    presence_heard(&t->watch->notes, t->watch->policy, now_of(k));
    arm(k, t->watch);
}

/* ---- connections ---- */

/* One that was closed comes back as the policy says, unless it is here for the first
 * time; only the cursor rule leaves a connected device in LEAVE. */
static bool must_recover(const struct terminal *t, const struct presence_policy *p,
                         bool was_closed)
{
    if (p->rule != PRESENCE_RULE_CURSOR)
        return false;
    return !was_closed || (p->rejoin == PRESENCE_LEAVE && t->epoch > 1);
}

void tracker_attached(struct relay *r, struct terminal *t, const struct conn *before)
{
    struct tracker *k = r->tracker;
    int64_t wall_ms = tracker_wall(k, now_of(k));
    bool was_closed;

    if (before)
        tracker_count(t, before);
    end_watch(k, t);
    was_closed = t->presence == PRESENCE_CLOSE;
    t->epoch++;
    t->listener = t->conn->listener->index;
    t->counted_in = t->conn->rx_frames;
    k->stats.connections++;
    if (was_closed)
        tracker_enter(k, t, PRESENCE_LEAVE, "connected", wall_ms);
    if (t->presence == PRESENCE_LEAVE &&
        !must_recover(t, presence_policy_of(t->conn), was_closed))
        tracker_enter(k, t, PRESENCE_ALIVE, "connected", wall_ms);
    begin_watch(k, t);
    tracker_keep(k, t);
}

void tracker_detached(struct relay *r, struct terminal *t, const char *reason)
{
    struct tracker *k = r->tracker;
    int64_t wall_ms = tracker_wall(k, now_of(k));
    struct conn *c = t->conn;

    tracker_count(t, c);
    end_watch(k, t);
    if (strcmp(reason, close_reason_word(CLOSE_DRAINED)) != 0) {
        if (t->presence == PRESENCE_ALIVE)
            tracker_enter(k, t, PRESENCE_LEAVE, reason, wall_ms);
        if (t->presence == PRESENCE_LEAVE)
            tracker_enter(k, t, PRESENCE_CLOSE, reason, wall_ms);
    }
    tracker_keep(k, t);
    /* From here on the memory means something else. */
    t->last_seen_ms = tracker_last_seen(k, t) & TIME_MASK;
    t->last_port = c->peer_port;
    t->last_ip = c->peer_ip;
}
