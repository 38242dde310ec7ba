/* trip.h - what another thread wants of a device: a parcel to its shard, and the same
 * one back.
 *
 *   sender --trip_begin--> shard, does it now or later --trip_end--> done() on sender
 *
 * Embedded, first of all, in what says what is wanted and what came of it: an order, a
 * letter, a revocation. It comes back once, as long as the shards run. */
#pragma once

#include "base/id.h"
#include "base/inbox.h"

struct relay_group;

struct trip {
    struct parcel parcel;
    struct inbox *inbox;          /* whereto it comes back */
    void (*done)(struct trip *t); /* ... and runs this: it is the sender's again */
};

/* Any thread. `open` runs on the shard where the device lives, if there is one. */
void trip_begin(struct relay_group *g, struct trip *t, const struct id *device,
                parcel_open *open);
/* To this shard, also on from another one. */
void trip_to(struct relay_group *g, struct trip *t, unsigned shard, parcel_open *open);

/* Afterwards it is not the shard's any more. */
void trip_end(struct trip *t);
