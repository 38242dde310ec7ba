/* The shard's hub: routes frames to terminals here and on other shards, brings word to
 * senders, and does the sessions' part of a turn's end. */
#include "session/relay.h"
#include "base/clock.h"
#include "base/log.h"
#include "session/delivery.h"
#include "session/exchange.h"
#include "session/holds.h"
#include "session/receipts.h"
#include "session/session.h"

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

struct terminal *relay_terminal(struct relay *r, const struct id *id, uint64_t hash)
{
    struct device *d = registry_find(&r->terminals, id, hash);
    struct terminal *t;

    if (d)
        return terminal_of(d);
    if (r->terminals.used >= r->group->max_devices ||
        !(d = registry_try_add(&r->terminals, id, hash))) {
        LOG_THROTTLED(LOG_WARN, SESSION, "relay refused a device reason=max_devices");
        return NULL;
    }
    t = terminal_of(d);
    t->delivery = DELIVERY_OFFLINE;
    list_append(&r->in[DELIVERY_OFFLINE], &t->link);
    return t;
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

void relay_decide(struct relay *r, unsigned shard, uint64_t session, uint32_t number,
                  bool safe)
{
    struct conn *c;

    if (shard != relay_index(r))
        exchange_tell_fate(r, shard, session, number, safe);
    else if ((c = shard_find_conn(r->shard, session)))
        session_ops_of(c)->on_decided(c, number, safe);
}

void relay_hold(struct relay *r, unsigned shard, uint64_t session)
{
    struct conn *c;

    if (shard != relay_index(r))
        exchange_tell_hold(r, shard, session);
    else if ((c = shard_find_conn(r->shard, session)))
        conn_hold(c);
}

void relay_release(struct relay *r, unsigned shard, uint64_t session)
{
    struct conn *c;

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
}

void relay_after_writes(struct shard *s)
{
    struct relay *r = s->app;

    mailbox_flush(r->mailbox);
    delivery_forget_idle(r);
    exchange_send(r);
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
    return exchange_is_settled(r) && mailbox_unanswered(r->mailbox) == 0;
}

/* ---- life ---- */

int relay_init(struct relay *r, struct relay_group *group, struct shard *shard)
{
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
    return exchange_init(r);
}

void relay_fini(struct relay *r)
{
    for (struct device *d = registry_next(&r->terminals, NULL); d;
         d = registry_next(&r->terminals, d))
        holds_drop(r, &terminal_of(d)->waiters);
    holds_drop(r, &r->store_waiters);
    exchange_fini(r);
    buf_fini(&r->scratch);
    registry_fini(&r->terminals);
}

int relay_adopt(struct relay_group *g, const struct id *id,
                const struct mail_record *record)
{
    uint64_t hash = relay_hash(g, id);
    struct relay *r = &g->relays[relay_shard_of(g, hash)];
    struct terminal *t = relay_terminal(r, id, hash);

    if (!t)
        return ERR_NOMEM;
    if (record->position > r->last_position)
        r->last_position = record->position;
    return mailbox_adopt(r->mailbox, &t->mail, id, record);
}
