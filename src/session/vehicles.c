#include "session/vehicles.h"
#include "relay/tracker.h"
#include "session/vehicle_inside.h"

#include <stdlib.h>

/* ---- revocations ---- */

static void give_back(struct revocation *v, int rc)
{
    v->rc = rc;
    trip_end(&v->trip);
}

static void on_revoked(void *user, uint64_t waiter, int rc)
{
    (void)user;
    give_back((struct revocation *)(uintptr_t)waiter, rc);
}

/* Its connection has shown what is void now. */
static void close_terminal(struct relay *r, const struct id *id)
{
    struct device *d = registry_find(&r->terminals, id, relay_hash(r->group, id));
    struct conn *c = d ? terminal_of(d)->conn : NULL;

    if (c)
        conn_close(c, CLOSE_KICKED);
}

static void on_shard(struct parcel *parcel, void *receiver)
{
    struct revocation *v = CONTAINER_OF(parcel, struct revocation, trip.parcel);
    struct relay *r = ((struct shard *)receiver)->app;
    struct id id = v->id; /* it may be on its way back */
    int rc = ERR_NOTFOUND;

    if (r->vehicles)
        rc = credentials_revoke(r->vehicles->credentials, &id, (uintptr_t)v);
    if (rc == OK)
        close_terminal(r, &id);
    else
        give_back(v, rc);
}

void vehicles_revoke(struct relay_group *g, struct revocation *v)
{
    trip_begin(g, &v->trip, &v->id, on_shard);
}

/* ---- life ---- */

static struct vehicles *vehicles_at(const struct part *p)
{
    return CONTAINER_OF(p, struct vehicles, part);
}

static void flush(struct part *p)
{
    credentials_flush(vehicles_at(p)->credentials);
}

static bool is_settled(const struct part *p)
{
    return credentials_is_settled(vehicles_at(p)->credentials);
}

static void vehicles_free(struct part *p)
{
    struct vehicles *v = vehicles_at(p);

    v->relay->vehicles = NULL;
    credentials_free(&v->credentials);
    buf_fini(&v->due);
    buf_fini(&v->body);
    free(v);
}

static const struct part_ops vehicles_part = {
    .flush = flush,
    .is_settled = is_settled,
    .free = vehicles_free,
};

int vehicles_new(struct relay *r)
{
    struct vehicles *v = r->group->ledger ? calloc(1, sizeof(*v)) : NULL;
    struct credentials_conf conf = {
        .ledger = r->group->ledger,
        .inbox = &r->shard->loop.inbox,
        .key = r->group->key,
        .max = r->group->max_devices,
        .count = &r->group->credentials,
        .issued = vehicle_issued,
        .proved = vehicle_proved,
        .revoked = on_revoked,
        .user = v,
    };
    int rc;

    if (!v)
        return r->group->ledger ? ERR_NOMEM : OK;
    v->relay = r;
    if ((rc = credentials_new(&conf, &v->credentials)) < 0) {
        vehicles_free(&v->part);
        return rc;
    }
    feed_listen(tracker_feed(r), &r->shard->loop.inbox, vehicle_settled, v);
    part_join(r, &v->part, &vehicles_part);
    r->vehicles = v;
    return OK;
}

int vehicles_adopt(struct relay_group *g, uint32_t number, struct slice record)
{
    struct credential_record c;
    unsigned home = 0; /* any shard reports a damaged one */
    int rc = credential_read(record, &c);

    if (rc == OK)
        home = relay_shard_of(g, relay_hash(g, &c.id));
    return credentials_adopt(g->relays[home].vehicles->credentials, number, record);
}

struct vehicles_stats vehicles_stats(const struct relay *r)
{
    struct vehicles_stats stats = {0};
    const struct credentials_stats *proofs;

    if (!r->vehicles)
        return stats;
    stats = r->vehicles->stats;
    proofs = credentials_stats(r->vehicles->credentials);
#define X(name, text) stats.name = proofs->name;
    CREDENTIALS_COUNTERS(X)
#undef X
    return stats;
}
