/* Orders that make a ticket, and orders that wait for one. */
#include "command/commands_inside.h"
#include "base/clock.h"
#include "base/reader.h"

#include <stdio.h>

/* ---- back ---- */

int view_ticket(const struct ticket *t, struct ticket_view *v, size_t *room)
{
    size_t size = buf_used(&t->answer);

    *v = (struct ticket_view){
        .ticket = t->number,
        .device = device_id(&t->errands->terminal->device),
        .listener = t->listener,
        .state = t->state,
        .reason = t->reason,
        .message = t->message,
        .created_ms = t->created_ms,
        .not_before_ms = t->not_before_ms,
        .expires_ms = t->expires_ms,
        .sent_ms = t->sent_ms,
        .acknowledged_ms = t->acknowledged_ms,
        .ended_ms = ticket_is_over(t->state) ? t->ended_ms : 0,
        .sendings = t->sendings,
        .is_durable = t->is_durable,
        .found_state = t->found_state,
    };
    memcpy(v->name, t->name, sizeof(v->name));
    /* One on its way to the disk is not told of. */
    if (!t->has_answer || t->place < PLACE_LATE)
        return OK;
    v->has_answer = true;
    v->answer_message = t->answer_message;
    v->answer_serial = t->answer_serial;
    v->answer_version = t->answer_version;
    v->answer_size = (uint32_t)size;
    v->is_left_out = size > *room;
    if (size == 0 || v->is_left_out)
        return OK;
    *room -= size;
    return buf_try_append(&v->answer, buf_peek(&t->answer));
}

void order_reply(struct order *o, int rc)
{
    o->rc = rc;
    trip_end(&o->trip);
}

void order_reply_view(struct order *o, const struct ticket *t, int rc)
{
    size_t room = SIZE_MAX;

    order_reply(o, view_ticket(t, &o->view, &room) < 0 ? ERR_NOMEM : rc);
}

static struct order *order_at(struct link *k)
{
    return CONTAINER_OF(k, struct order, link);
}

/* With what is known of the ticket, if it is there to stay. */
static void reply_waiter(struct order *o, int rc)
{
    struct ticket *t = o->on;

    wheel_stop(&t->errands->commands->relay->shard->loop.wheel, &o->timer);
    list_remove(&t->waiters, &o->link);
    if (rc == OK)
        order_reply_view(o, t, OK);
    else
        order_reply(o, rc);
}

void orders_reply(struct ticket *t, int rc)
{
    while (!list_is_empty(&t->waiters))
        reply_waiter(order_at(list_first(&t->waiters)), rc);
}

/* ---- waiting ---- */

static void on_wait_over(struct timer *timer, int64_t now_ms)
{
    struct order *o = CONTAINER_OF(timer, struct order, timer);

    (void)now_ms;
    if (o->on->is_accepted)
        reply_waiter(o, OK);
    /* else when the ledger has said whether it is */
}

/* `wait_ms` NEVER: until the ticket is over. */
void order_wait(struct commands *k, struct order *o, struct ticket *t, int64_t wait_ms)
{
    bool at_once = wait_ms == 0 || (k->is_ending && wait_ms != NEVER);

    o->on = t;
    o->timer = (struct timer){.expired = on_wait_over};
    o->link = (struct link){0};
    list_append(&t->waiters, &o->link);
    if (ticket_is_over(t->state) || (t->is_accepted && at_once))
        reply_waiter(o, OK);
    else if (wait_ms != NEVER && !at_once)
        wheel_arm(&k->relay->shard->loop.wheel, &o->timer, commands_now(k) + wait_ms);
}

void orders_reply_due(struct ticket *t)
{
    bool ends = t->errands->commands->is_ending;

    LIST_FOREACH_SAFE (&t->waiters, at)
        if (ends || !timer_is_armed(&order_at(at)->timer))
            reply_waiter(order_at(at), OK);
}

void orders_reply_cancels(struct ticket *t, int rc)
{
    LIST_FOREACH_SAFE (&t->waiters, at)
        if (order_at(at)->kind == ORDER_CANCEL)
            reply_waiter(order_at(at), rc);
}

/* ---- an order makes a ticket ---- */

/* Of what is asked, without the key by which it is found. */
static uint64_t sameness_of(const struct order *o)
{
    static const struct hash_key key = {0x686f6c64, 0x66617374};
    const struct command *c = &o->command;
    uint64_t sums[4];

    sums[0] = hash_bytes(&key, slice_of(c->name, strlen(c->name)));
    sums[1] = *c->name ? 0 : c->message;
    sums[2] = hash_bytes(&key, c->args);
    sums[3] = hash_bytes(&key, slice_of(o->only_if, strlen(o->only_if)));
    return hash_bytes(&key, slice_of(sums, sizeof(sums)));
}

static int refuse_for(struct order *o, int rc, const char *why)
{
    snprintf(o->why, sizeof(o->why), "%s", why);
    return rc;
}

static int check_room(const struct commands *k, const struct errands *e,
                      struct order *o)
{
    const struct commands_group *g = k->group;

    if (errands_live(e) >= g->conf.max_queued)
        return refuse_for(o, ERR_FULL, "commands.max_queued wait for this device");
    if (atomic_load(&g->live) >= g->conf.max_tickets)
        return refuse_for(o, ERR_FULL, "there are commands.max_tickets");
    if (atomic_load(&g->bytes) + o->command.args.size > g->max_bytes &&
        list_is_empty(&k->ended))
        return refuse_for(o, ERR_FULL, "the waiting commands are too large");
    return OK;
}

static int check_only_if(struct order *o, const struct speech *s)
{
    const struct dialect *d = s->dialect;

    if (!*o->only_if || (d->state_query && d->state_query(s->conf) &&
                         d->state_code(s->conf, o->only_if) >= 0))
        return OK;
    snprintf(o->why, sizeof(o->why), "`only_if`: its profile has no state `%s`",
             o->only_if);
    return ERR_INVALID;
}

static void set_times(struct commands *k, struct ticket *t, const struct order *o)
{
    int64_t life_ms = o->ttl_ms ? o->ttl_ms : o->wait_ms;

    t->created_ms = clock_wall_ms();
    t->not_before_ms = o->not_before_ms;
    t->not_after_ms = o->not_after_ms;
    t->expires_ms = o->ttl_ms ? t->created_ms + o->ttl_ms : 0;
    ticket_set_clock(k, t, t->created_ms);
    t->over_at_ms = commands_now(k) + life_ms;
}

static int set_serial(struct commands *k, struct ticket *t, const struct speech *s)
{
    const struct wire_command *w = &t->wire;

    t->serials = w->serials;
    t->serial = w->has_serial
                    ? w->serial
                    : errands_new_serial(k, t->errands, s->listener, w->serials);
    return t->is_durable ? keep_new(k, t) : OK;
}

static int fill(struct commands *k, struct ticket *t, struct order *o,
                const struct speech *s)
{
    int rc;

    memcpy(t->name, o->command.name, sizeof(t->name));
    memcpy(t->only_if, o->only_if, sizeof(t->only_if));
    t->message = o->command.message;
    t->listener = s->listener;
    t->is_durable = o->ttl_ms > 0;
    t->supersedes = o->supersedes;
    t->sameness = sameness_of(o);
    t->position = ++k->position;
    set_times(k, t, o);
    if ((rc = ticket_set_args(k, t, o->command.args)) < 0 ||
        (rc = ticket_encode(t, s, o->why)) < 0)
        return rc;
    return set_serial(k, t, s);
}

static int create_in(struct commands *k, struct errands *e, struct order *o)
{
    struct speech s;
    struct ticket *t;
    int rc;

    if (!speech_of(k, e->terminal, &s))
        return refuse_for(o, ERR_INVALID, "its listener is not configured any more");
    if ((rc = check_room(k, e, o)) < 0 || (rc = check_only_if(o, &s)) < 0)
        return rc;
    if (!(t = ticket_try_new(k, e, ticket_new_number(k), o->key)))
        return ERR_NOMEM;
    if ((rc = fill(k, t, o, &s)) < 0) {
        ticket_free(k, t);
        return rc;
    }
    ticket_place(k, t, PLACE_WAITING);
    order_wait(k, o, t, t->is_durable ? o->wait_ms : NEVER);
    if (!t->is_durable)
        ticket_accept(k, t);
    return OK;
}

int order_create(struct commands *k, struct terminal *terminal, struct order *o)
{
    struct errands *e = k->is_ending ? NULL : errands_try_get(k, terminal);
    struct ticket *known;
    int rc;

    if (!e)
        return k->is_ending ? ERR_CLOSED : ERR_NOMEM;
    known = *o->key ? ticket_find_key(k, e, o->key) : NULL;
    if (!known) {
        rc = create_in(k, e, o);
        k->stats.refused += rc < 0;
        errands_free_if_empty(k, e);
        return rc;
    }
    if (known->sameness != sameness_of(o))
        return ERR_MALFORMED;
    o->is_known = true;
    order_wait(k, o, known, o->wait_ms);
    return OK;
}
