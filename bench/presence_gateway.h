/* presence_gateway.h - as much of a gateway as it takes to know many devices: one shard
 * with its relay and tracker, and the journal with its thread and LMDB.
 *
 * The devices share one connection, which is nobody's. Time passes when the measurement
 * says so. */
#pragma once

#include "relay/session.h"
#include "relay/tracker.h"

#include <time.h>

#define PRESENCE_INTERVAL_MS 10000
#define PRESENCE_LEAVE_MS    150000 /* of silence, and alive becomes leave */
#define PRESENCE_GRACE_MS    60000

struct presence_gateway {
    const char *dir; /* exists */
    unsigned devices;
    struct shard shard;
    struct relay relay;
    struct conn conn; /* stands for everybody's */
    /* The rest is presence_gateway.c's business. */
    struct relay_group group;
    struct tracker_conf tracker;
    struct limits *limits;
    struct mail_writer *writer;
    struct journal *journal;
    struct listener listener;
    struct session_settings settings;
};

/* What clock_mono_ms() and clock_wall_ms() go by. */
extern _Atomic int64_t presence_now_ms;

/* Returns the seconds that reading the cards took. Exits when it cannot. */
double presence_gateway_open(struct presence_gateway *g);
/* No device has the connection any more, and all is written. */
void presence_gateway_close(struct presence_gateway *g);

_Noreturn void presence_die(const char *what, int rc);
double presence_seconds(clockid_t clock);
