/* The shard's hub: routes frames to terminals here and on other shards, brings word to
 * senders, and does the sessions' part of a turn's end. */
#include "relay/relay.h"
#include "base/clock.h"
#include "base/log.h"
#include "relay/delivery.h"
#include "relay/exchange.h"
#include "relay/holds.h"
#include "relay/part.h"
#include "relay/receipts.h"
#include "relay/session.h"
#include "relay/tracker.h"

#include <assert.h>

#define TICK_MS 250

/* ---- sending ---- */

uint64_t relay_hash(const struct relay_group *g, const struct id *id)
{
    return hash_bytes(&g->key, slice_of(id, offsetof(struct id, text) + id->length));
}

unsigned relay_shard_of(const struct relay_group *g, uint64_t hash)
{
    /* The registry's table uses the lower half. */
    return (unsigned)((hash >> 32) * g->count >> 32);
}

static struct terminal *make_terminal(struct relay *r, const struct id *id,
                                      uint64_t hash)
{
    struct device *d = registry_try_add(&r->terminals, id, hash);
    struct terminal *t;

    if (!d)
        return NULL;
    t = terminal_of(d);
    t->delivery = DELIVERY_OFFLINE;
    t->presence = PRESENCE_CLOSE;
    list_append(&r->in[DELIVERY_OFFLINE], &t->link);
    atomic_fetch_add_explicit(&r->group->devices, 1, memory_order_relaxed);
    tracker_known(r, t);
    return t;
}

static bool has_room_for_one(struct relay *r)
{
    return atomic_load_explicit(&r->group->devices, memory_order_relaxed) <
               r->group->max_devices ||
           tracker_make_room(r);
}

struct terminal *relay_terminal(struct relay *r, const struct id *id, uint64_t hash)
{
    struct device *d = registry_find(&r->terminals, id, hash);
    struct terminal *t = NULL;
    const char *reason = "max_devices";

    if (LIKELY(d))
        return terminal_of(d);
    if (has_room_for_one(r)) {
        t = make_terminal(r, id, hash);
        reason = "no_memory";
    }
    if (!t)
        tracker_refused(r, reason);
    return t;
}

struct terminal *relay_remember(struct relay_group *g, const struct id *id,
                                struct relay **home)
{
    uint64_t hash = relay_hash(g, id);
    struct relay *r = &g->relays[relay_shard_of(g, hash)];
    struct device *d = registry_find(&r->terminals, id, hash);

    *home = r;
    return d ? terminal_of(d) : make_terminal(r, id, hash);
}

void relay_forget(struct relay *r, struct terminal *t)
{
    assert(!t->conn && mailqueue_is_idle(&t->mail) && !parts_need(r, t));
    parts_forget(r, t);
    tracker_unknown(r, t);
    list_remove(&r->in[DELIVERY_OFFLINE], &t->link);
    registry_remove(&r->terminals, &t->device);
    atomic_fetch_sub_explicit(&r->group->devices, 1, memory_order_relaxed);
}

bool relay_knows(const struct relay *r, const struct route *way)
{
    return way->known && way->shard == relay_index(r) &&
           way->epoch == r->terminals.epoch;
}

static void resolve(struct relay *r, const struct id *id, struct route *way)
{
    uint64_t hash = relay_hash(r->group, id);

    way->known = true;
    way->shard = (uint16_t)relay_shard_of(r->group, hash);
    way->epoch = r->terminals.epoch;
    if (way->shard == relay_index(r))
        way->local = relay_terminal(r, id, hash);
    else
        way->hash = hash;
}

static void refuse_sending(struct relay *r, const struct sending *s)
{
    r->stats.frames_refused++;
    if (s->from.number)
        relay_decide(r, relay_index(r), s->from.session, s->from.number, false);
}

static uint8_t *begin_remote(struct relay *r, struct sending *s)
{
    const struct route *way = s->route;
    uint8_t *room =
        exchange_try_reserve(r, way->shard, s->id, way->hash, &s->from, s->size);

    if (!room)
        refuse_sending(r, s);
    return room;
}

uint8_t *relay_begin(struct relay *r, struct sending *s)
{
    r->stats.frames_in++;
    if (UNLIKELY(!relay_knows(r, s->route))) {
        if (!s->route->known || s->route->shard == relay_index(r))
            resolve(r, s->id, s->route);
        if (s->route->shard != relay_index(r))
            return begin_remote(r, s);
    }
    if (UNLIKELY(!(s->target = s->route->local))) {
        s->route->known = false; /* perhaps there is room for it next time */
        refuse_sending(r, s);
        return NULL;
    }
    return delivery_begin(r, s->target, &s->from, s->size, &s->direct);
}

void relay_commit(struct relay *r, struct sending *s)
{
    if (LIKELY(s->route->shard == relay_index(r)))
        delivery_commit(r, s->target, &s->from, s->size, s->direct);
    else
        exchange_commit(r, s->route->shard, &s->from, s->size);
}

/* ---- words to a sender, here or elsewhere ---- */

static void tell_outsider(struct relay *r, uint64_t session, bool safe)
{
    struct outsider *o = (struct outsider *)(uintptr_t)session;

    o->decided(r, o, safe);
}

void relay_decide(struct relay *r, unsigned shard, uint64_t session, uint32_t number,
                  bool safe)
{
    struct conn *c;

    if (shard == SHARD_OUTSIDE)
        tell_outsider(r, session, safe);
    else if (shard != relay_index(r))
        exchange_tell_fate(r, shard, session, number, safe);
    else if ((c = shard_find_conn(r->shard, session)))
        session_ops_of(c)->on_decided(c, number, safe);
}

void relay_hold(struct relay *r, unsigned shard, uint64_t session)
{
    struct conn *c;

    if (shard == SHARD_OUTSIDE)
        return;
    if (shard != relay_index(r))
        exchange_tell_hold(r, shard, session);
    else if ((c = shard_find_conn(r->shard, session)))
        conn_hold(c);
}

void relay_release(struct relay *r, unsigned shard, uint64_t session)
{
    struct conn *c;

    if (shard == SHARD_OUTSIDE)
        return;
    if (shard != relay_index(r))
        exchange_tell_release(r, shard, session);
    else if ((c = shard_find_conn(r->shard, session)) && c->holds)
        conn_release(c);
}

/* ---- the turn ---- */

static void tell_receipts(struct relay *r)
{
    struct link *k;

    while ((k = list_pop(&r->receipts_due))) {
        struct receipts *due = CONTAINER_OF(k, struct receipts, due);
        struct conn *c = shard_find_conn(r->shard, due->session);

        assert(c); /* an ended one took its receipts with it */
        session_ops_of(c)->tell_receipts(c);
    }
}

void relay_before_writes(struct shard *s)
{
    tell_receipts(s->app);
    parts_before_writes(s->app);
}

void relay_after_writes(struct shard *s)
{
    struct relay *r = s->app;

    mailbox_flush(r->mailbox);
    parts_flush(r);
    delivery_forget_idle(r);
    exchange_send(r);
    tracker_flush(r);
    if (!list_is_empty(&r->receipts_due))
        s->loop.again = true;
}

static void on_tick(struct timer *t, int64_t now_ms)
{
    struct relay *r = CONTAINER_OF(t, struct relay, tick);

    mailbox_tick(r->mailbox, clock_wall_ms());
    wheel_arm(&r->shard->loop.wheel, t, now_ms + TICK_MS);
}

bool relay_is_settled(const struct relay *r)
{
    return exchange_is_settled(r) && mailbox_unanswered(r->mailbox) == 0 &&
           parts_are_settled(r) && tracker_is_settled(r);
}

/* ---- life ---- */

int relay_init(struct relay *r, struct relay_group *group, struct shard *shard)
{
    int rc;

    *r = (struct relay){.group = group, .shard = shard};
    registry_init(&r->terminals, sizeof(struct terminal));
    for (int i = 0; i < DELIVERY_COUNT; i++)
        list_init(&r->in[i]);
    list_init(&r->receipts_due);
    list_init(&r->crowded);
    r->tick.expired = on_tick;
    r->review.expired = holds_on_review;
    wheel_arm(&shard->loop.wheel, &r->tick, shard->loop.now_ms + TICK_MS);
    shard->app = r;
    if ((rc = exchange_init(r)) < 0)
        return rc;
    return tracker_new(r, &r->tracker);
}

void relay_fini(struct relay *r)
{
    for (struct device *d = registry_next(&r->terminals, NULL); d;
         d = registry_next(&r->terminals, d))
        if (terminal_of(d)->conn)
            holds_drop(r, &terminal_of(d)->waiters);
    parts_free(r);
    tracker_free(&r->tracker);
    holds_drop(r, &r->store_waiters);
    exchange_fini(r);
    buf_fini(&r->scratch);
    registry_fini(&r->terminals);
}

int relay_adopt(struct relay_group *g, const struct id *id,
                const struct mail_record *record)
{
    struct relay *r;
    struct terminal *t = relay_remember(g, id, &r);

    if (!t)
        return ERR_NOMEM;
    if (record->position > r->last_position)
        r->last_position = record->position;
    return mailbox_adopt(r->mailbox, &t->mail, id, record);
}
