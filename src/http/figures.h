/* figures.h - what all shards count, added up: asked of one after the other, for
 * /metrics. */
#pragma once

#include "command/commands.h"
#include "http/ask.h"
#include "relay/tracker.h"
#include "session/vehicles.h"

struct figures {
    struct relay_stats relay;
    struct shard_stats shard;
    struct mailbox_stats mail;
    struct loop_turns turns; /* the longest one since the figures were asked last */
    struct tracker_stats tracker;
    struct commands_stats commands;
    struct vehicles_stats vehicles;
    /* Open connections, by listener and state. */
    uint64_t (*connections)[CONN_STATE_COUNT];
    size_t listener_count;
};

/* Adds what a shard knows, some connections at a time: `*slot` begins with 0. Returns
 * true when it was all. */
bool figures_add(struct figures *f, struct relay *r, const struct listener *listeners,
                 uint32_t *slot);
