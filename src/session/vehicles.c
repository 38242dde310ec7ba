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

int vehicles_new(struct relay *r, struct vehicles **out)
{
    struct vehicles *v = calloc(1, sizeof(*v));
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
        return ERR_NOMEM;
    v->relay = r;
    if ((rc = credentials_new(&conf, &v->credentials)) < 0) {
        vehicles_free(&v);
        return rc;
    }
    feed_listen(tracker_feed(r), &r->shard->loop.inbox, vehicle_settled, v);
    *out = v;
    return OK;
}

void vehicles_free(struct vehicles **v)
{
    if (!*v)
        return;
    credentials_free(&(*v)->credentials);
    buf_fini(&(*v)->due);
    buf_fini(&(*v)->body);
    free(*v);
    *v = NULL;
}

void vehicles_flush(struct relay *r)
{
    if (r->vehicles)
        credentials_flush(r->vehicles->credentials);
}

bool vehicles_is_settled(const struct relay *r)
{
    return !r->vehicles || credentials_is_settled(r->vehicles->credentials);
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
