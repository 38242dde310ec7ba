/* tracker.h - who is here, on one shard: joins connections, presence and the journal.
 *
 *   delivery_attach --> tracker_attached --.
 *   sessions ---------> tracker_heard -----+--> presence (device/) --> moves
 *   timer wheel ------> judges ------------+                            |
 *   delivery_detach --> tracker_detached --'        log line, counter, event, card
 *
 * Every protocol's devices are tracked, by their listener's policy. An epoch begins
 * with each connection of a device; an older connection that ends after its successor
 * began moves nothing. A gateway that ends on purpose (CLOSE_DRAINED) moves nobody
 * either: after a restart the remembered devices have `restart_grace` to come back
 * before they are closed with the reason "not_back".
 *
 * A device that was never connected (mail waits for it) is CLOSE, with epoch 0; it is
 * forgotten with its last message. One that was is forgotten `forget_after` after it
 * was last seen, or when the table is full and it is the one gone longest; never while
 * it is connected or mail waits for it. */
#pragma once

#include "device/presence.h"
#include "journal/journal.h"
#include "session/relay.h"

/* A device came to a shard's table, or back: from delivery_attach, with t->conn set. */
void tracker_attached(struct relay *r, struct terminal *t);

/* No connection speaks for the device any more. `reason`: the close reason's word, or
 * "renamed"; lives for ever. */
void tracker_detached(struct relay *r, struct terminal *t, const char *reason);

/* Messages came from it. What is written to `t` at each call is one line of memory. */
void tracker_heard(struct relay *r, struct terminal *t);

/* ---- for others to look at: copied, so that it may go to another thread ---- */

#define VIEW_EXTRA 96

struct device_view {
    struct id id;
    uint32_t number; /* in its shard's registry: the order of lists */
    uint8_t state;   /* enum presence */
    bool connected;
    const char *listener;           /* name; lives as long as the worker */
    int64_t since_ms, last_seen_ms; /* wall clock; 0: never */
    struct in6_addr ip; /* of its newest connection; port 0: it never had one */
    in_port_t port;
    uint32_t epoch, sequence;
    uint64_t messages_in, messages_out;
    uint64_t mail_messages, mail_bytes;
    /* What its session adds (session_ops.show): `"pid":7`; may be empty.
     * Cut at a whole member when it does not fit. */
    char extra[VIEW_EXTRA];
};

void tracker_view(const struct relay *r, const struct terminal *t,
                  struct device_view *out);

#define TRACKER_COUNTERS(X)                                                            \
    X(connections, "connections that said who they are")                               \
    X(forgotten, "devices forgotten")                                                  \
    X(refused, "devices refused because the table is full")
