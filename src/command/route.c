/* The ways of orders: to the shard that has their device or their ticket, and what is
 * only looked at there. */
#include "command/commands_inside.h"

#include <stdlib.h>

#define LIST_MAX 1000

static void on_shard(struct parcel *parcel, void *receiver);

static void forward(const struct relay *r, struct order *o, unsigned shard)
{
    trip_to(r->group, &o->trip, shard, on_shard);
}

/* ---- which device? ---- */

/* NULL, `home`: it lives there. */
static struct terminal *find_here(struct relay *r, const struct id *id, unsigned *home)
{
    uint64_t hash = relay_hash(r->group, id);
    struct device *d = NULL;

    *home = relay_shard_of(r->group, hash);
    if (*home == relay_index(r))
        d = registry_find(&r->terminals, id, hash);
    return d ? terminal_of(d) : NULL;
}

/* False: it went on to another shard. Afterwards `found` has a bit for each candidate
 * that exists. */
static bool look_for_all(struct relay *r, struct order *o)
{
    unsigned home;

    for (; o->hops < o->id_count; o->hops++) {
        bool exists = find_here(r, &o->ids[o->hops], &home) != NULL;

        if (home != relay_index(r)) {
            forward(r, o, home);
            return false;
        }
        o->found |= (uint8_t)(exists << o->hops);
    }
    return true;
}

/* OK: `*out` is here, or NULL: the order went on to where it is. */
static int find_device(struct relay *r, struct order *o, struct terminal **out)
{
    unsigned home;

    *out = NULL;
    if (!look_for_all(r, o))
        return OK;
    if (!o->found)
        return ERR_NOTFOUND;
    if (o->found & (o->found - 1))
        return ERR_EXISTS;
    o->ids[0] = o->ids[__builtin_ctz(o->found)];
    o->id_count = 1;
    o->found = 1;
    if ((*out = find_here(r, &o->ids[0], &home)))
        return OK;
    if (home == relay_index(r))
        return ERR_NOTFOUND; /* it was forgotten meanwhile */
    forward(r, o, home);
    return OK;
}

/* ---- a list ---- */

static int newest_first(const void *a, const void *b)
{
    const struct ticket *x = *(struct ticket *const *)a;
    const struct ticket *y = *(struct ticket *const *)b;

    return (x->position < y->position) - (x->position > y->position);
}

/* From the end of each list: in all but the waiting ones that is not quite the order in
 * which they were made, so some more are looked at than are shown. */
static size_t gather(const struct errands *e, struct ticket **to, size_t from_each)
{
    size_t n = 0;

    for (int i = 0; i < PLACE_COUNT; i++) {
        const struct list *l = &e->in[i];
        struct link *at = l->head.prev;

        for (size_t m = 0; m < from_each && at != &l->head; m++, at = at->prev)
            if (ticket_at(at)->is_accepted)
                to[n++] = ticket_at(at);
    }
    return n;
}

static int list_some(struct ticket **all, struct errands *e, struct order *o)
{
    size_t limit = o->limit && o->limit < LIST_MAX ? o->limit : LIST_MAX;
    size_t n = gather(e, all, LIST_MAX), room = LIST_BODIES_MAX;

    qsort(all, n, sizeof(*all), newest_first);
    if (n > limit)
        n = limit;
    if (!(o->views = calloc(n + 1, sizeof(*o->views))))
        return ERR_NOMEM;
    for (; o->count < n; o->count++)
        if (view_ticket(all[o->count], &o->views[o->count], &room) < 0)
            return ERR_NOMEM;
    return OK;
}

static int list(struct commands *k, const struct terminal *t, struct order *o)
{
    struct errands *e = errands_find(k, t);
    struct ticket **all;
    int rc = ERR_NOMEM;

    if (!e)
        return OK;
    if ((all = calloc(PLACE_COUNT * LIST_MAX, sizeof(struct ticket *))))
        rc = list_some(all, e, o);
    free(all);
    return rc;
}

static void on_device(struct commands *k, struct order *o)
{
    struct terminal *t;
    int rc = find_device(k->relay, o, &t);

    if (rc == OK && !t)
        return;
    if (rc < 0)
        order_reply(o, rc);
    else if (o->kind == ORDER_LIST)
        order_reply(o, list(k, t, o));
    else if ((rc = order_create(k, t, o)) < 0) /* OK: it may be its sender's again */
        order_reply(o, rc);
}

/* ---- which ticket? ---- */

static void cancel(struct commands *k, struct ticket *t, struct order *o)
{
    bool is_cancelled = t->place == PLACE_ENDING && t->next_state == TICKET_CANCELLED;

    if (k->is_ending) {
        order_reply(o, ERR_CLOSED);
    } else if (is_cancelled) {
        order_wait(k, o, t, NEVER);
    } else if (t->place != PLACE_WAITING || t->sendings > 0) {
        order_reply_view(o, t, ERR_BUSY);
    } else {
        order_wait(k, o, t, NEVER);
        ticket_end(k, t, TICKET_CANCELLED, TICKET_BY_NONE);
        errands_advance(k, t->errands);
    }
}

/* Where it was made, unless that was before a restart: then each may have it. */
static void on_ticket(struct commands *k, struct order *o)
{
    const struct relay *r = k->relay;
    struct ticket *t = ticket_find(k, o->ticket);

    if (t && o->kind == ORDER_CANCEL)
        cancel(k, t, o);
    else if (t)
        order_wait(k, o, t, o->wait_ms);
    else if (++o->hops < r->group->count)
        forward(r, o, (relay_index(r) + 1) % r->group->count);
    else
        order_reply(o, ERR_NOTFOUND);
}

static void on_shard(struct parcel *parcel, void *receiver)
{
    struct order *o = CONTAINER_OF(parcel, struct order, trip.parcel);
    struct relay *r = ((struct shard *)receiver)->app;

    if (!r->commands)
        order_reply(o, ERR_CLOSED);
    else if (o->kind == ORDER_CREATE || o->kind == ORDER_LIST)
        on_device(r->commands, o);
    else
        on_ticket(r->commands, o);
}

void commands_order(struct relay_group *g, struct order *o)
{
    const struct relay *any = &g->relays[0];
    bool by_device = o->kind == ORDER_CREATE || o->kind == ORDER_LIST;

    o->hops = o->found = 0;
    o->rc = OK;
    o->is_known = false;
    o->why[0] = '\0';
    o->views = NULL;
    o->count = 0;
    if (by_device)
        forward(any, o, relay_shard_of(g, relay_hash(g, &o->ids[0])));
    else
        forward(any, o, (unsigned)(o->ticket & 0xff) % g->count);
}
