/* The rounds through all devices, in slices so small that no turn of the loop is long:
 * they save who was heard, and forget who is gone for too long; after a restart, one
 * more closes who did not come back. */
#include "relay/tracker_inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "relay/delivery.h"
#include "relay/part.h"

#define SLICE_DEVICES 1024

/* How long a round takes: so much of a device's last_seen can a crash cost. Shorter
 * where devices are to be forgotten soon. */
#define ROUND_MS          60000
#define SHORTEST_ROUND_MS 250

/* With so many offline devices looked at in vain, a new one is refused. */
#define ROOM_TRIES 64

static bool may_be_forgotten(const struct relay *r, const struct terminal *t)
{
    return t->delivery == DELIVERY_OFFLINE && t->presence == PRESENCE_CLOSE &&
           mailqueue_is_idle(&t->mail) && !parts_need(r, t);
}

static void forget(struct tracker *k, struct terminal *t, const char *reason)
{
    struct id id = device_id(&t->device);
    char text[ID_SHOWN_MAX];

    LOG_SESSION(LOG_INFO, "device %s forgotten reason=%s epoch=%u",
                id_show(&id, text, sizeof(text)), reason, t->epoch);
    if (t->card)
        feed_drop(k->feed, t->card);
    k->stats.forgotten++;
    relay_forget(k->relay, t);
}

/* ---- walking ---- */

typedef void visit(struct tracker *k, struct terminal *t);

/* False: that was the last slice. The device that is shown may be forgotten. */
static bool walk_on(struct tracker *k, struct walk *w, visit *each)
{
    const struct registry *all = &k->relay->terminals;
    uint32_t end = w->at + SLICE_DEVICES;
    struct device *d;

    while ((d = registry_from(all, w->at)) && d->ref < end) {
        w->at = d->ref + 1;
        each(k, terminal_of(d));
    }
    w->at = d ? end : 0;
    return d != NULL;
}

static void arm(struct tracker *k, struct walk *w, int64_t pause_ms)
{
    struct loop *l = &k->relay->shard->loop;

    wheel_arm(&l->wheel, &w->timer, l->now_ms + pause_ms);
}

/* ---- again and again ---- */

static int64_t round_ms(const struct tracker *k)
{
    int64_t ms = k->group->conf.forget_after_ms / 4;

    return ms < SHORTEST_ROUND_MS ? SHORTEST_ROUND_MS : ms < ROUND_MS ? ms : ROUND_MS;
}

static void save_or_forget(struct tracker *k, struct terminal *t)
{
    int64_t gone_since = k->round_wall_ms - k->group->conf.forget_after_ms;

    if (t->conn) {
        tracker_count(t, t->conn);
        if (t->conn->heard_ms >= k->before_began_ms)
            tracker_keep(k, t);
    } else if (t->epoch > 0 && t->last_seen_ms <= gone_since &&
               may_be_forgotten(k->relay, t)) {
        forget(k, t, "forget_after");
    }
}

static void on_round(struct timer *timer, int64_t now_ms)
{
    struct tracker *k = CONTAINER_OF(timer, struct tracker, round.timer);
    int64_t slices = k->relay->terminals.next_ref / SLICE_DEVICES + 1;

    if (k->round.at == 0) {
        k->before_began_ms = k->round_began_ms;
        k->round_began_ms = now_ms;
    }
    k->round_wall_ms = tracker_wall(k, now_ms);
    (void)walk_on(k, &k->round, save_or_forget);
    arm(k, &k->round, round_ms(k) / slices);
}

/* ---- after a restart ---- */

static void close_if_not_back(struct tracker *k, struct terminal *t)
{
    int64_t wall_ms = tracker_wall(k, k->relay->shard->loop.now_ms);

    if (t->conn || t->presence == PRESENCE_CLOSE)
        return;
    if (t->presence == PRESENCE_ALIVE)
        tracker_enter(k, t, PRESENCE_LEAVE, "not_back", wall_ms);
    tracker_enter(k, t, PRESENCE_CLOSE, "not_back", wall_ms);
    tracker_keep(k, t);
}

static void on_grace_over(struct timer *timer, int64_t now_ms)
{
    struct tracker *k = CONTAINER_OF(timer, struct tracker, grace.timer);

    (void)now_ms;
    if (walk_on(k, &k->grace, close_if_not_back))
        arm(k, &k->grace, 1);
}

void tracker_start_rounds(struct tracker *k)
{
    struct wheel *wheel = &k->relay->shard->loop.wheel;
    int64_t now_ms = clock_mono_ms(); /* the loop does not turn yet */

    k->round_began_ms = k->before_began_ms = now_ms;
    k->round.timer.expired = on_round;
    k->grace.timer.expired = on_grace_over;
    wheel_arm(wheel, &k->round.timer, now_ms + round_ms(k));
    wheel_arm(wheel, &k->grace.timer, now_ms + k->group->conf.restart_grace_ms);
}

/* ---- a full table ---- */

/* The offline ones stand in the order in which they went. One that must stay goes to
 * the end, so that it is not looked at each time. */
bool tracker_make_room(struct relay *r)
{
    struct list *offline = &r->in[DELIVERY_OFFLINE];

    if (r->idle) {
        delivery_forget_idle(r);
        return true;
    }
    for (int n = 0; n < ROOM_TRIES && !list_is_empty(offline); n++) {
        struct link *k = list_first(offline);
        struct terminal *t = CONTAINER_OF(k, struct terminal, link);

        if (may_be_forgotten(r, t)) {
            forget(r->tracker, t, "max_devices");
            return true;
        }
        list_remove(offline, k);
        list_append(offline, k);
    }
    return false;
}

void tracker_refused(struct relay *r, const char *reason)
{
    r->tracker->stats.refused++;
    LOG_THROTTLED(LOG_WARN, SESSION, "relay refused a device reason=%s", reason);
}
