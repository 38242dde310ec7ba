#include "relay/trip.h"
#include "relay/relay.h"

static void on_back(struct parcel *parcel, void *receiver)
{
    struct trip *t = CONTAINER_OF(parcel, struct trip, parcel);

    (void)receiver;
    t->done(t);
}

void trip_to(struct relay_group *g, struct trip *t, unsigned shard, parcel_open *open)
{
    t->parcel.open = open;
    shard_post(g->relays[shard].shard, &t->parcel);
}

void trip_begin(struct relay_group *g, struct trip *t, const struct id *device,
                parcel_open *open)
{
    trip_to(g, t, relay_shard_of(g, relay_hash(g, device)), open);
}

void trip_end(struct trip *t)
{
    t->parcel.open = on_back;
    inbox_push(t->inbox, &t->parcel);
}
