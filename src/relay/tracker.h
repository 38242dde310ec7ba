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
 * A device's card is written with each of its moves, and about once a minute while it
 * is heard: so much of `last_seen` a crash can cost.
 *
 * A device that was never connected (mail waits for it) is CLOSE, with epoch 0; it is
 * forgotten with its last message. One that was is forgotten `forget_after` after it
 * was last seen, or when the table is full and it is the one gone longest; never while
 * it is connected or mail waits for it. */
#pragma once

#include "device/presence.h"
#include "journal/journal.h"
#include "relay/relay.h"

/* ---- all shards together ---- */

struct tracker_group;

struct tracker_conf {
    struct journal *journal;
    const struct listener *listeners; /* by their index */
    size_t listener_count;
    int64_t restart_grace_ms, forget_after_ms;
};

/* `conf` and what it points to outlive it. */
MUST_CHECK int tracker_group_new(const struct tracker_conf *conf,
                                 struct tracker_group **out);
void tracker_group_free(struct tracker_group **g);

/* While starting: a card that the journal found; and once all mail and cards are known.
 */
MUST_CHECK int tracker_adopt(struct relay_group *g, uint32_t number,
                             const struct card *card);
void tracker_start(struct relay_group *g);

/* While starting: the number of a listener by its name: its index, or, if it is not
 * configured any more, one beyond the last. -1: memory is out. */
int tracker_listener_named(struct relay_group *g, struct slice name);
const char *tracker_listener_name(const struct relay *r, uint16_t listener);

/* ---- one shard's, for relay.c and delivery.c ---- */

MUST_CHECK int tracker_new(struct relay *r, struct tracker **out);
void tracker_free(struct tracker **k);

/* The device is known from now on, or about to be forgotten. */
void tracker_known(struct relay *r, const struct terminal *t);
void tracker_unknown(struct relay *r, const struct terminal *t);

/* A connection speaks for the device from now on: t->conn; `before` it, another one or
 * nobody did. */
void tracker_attached(struct relay *r, struct terminal *t, const struct conn *before);

/* t->conn is about to leave it, and nobody follows. `reason`: the close reason's word,
 * or "renamed"; lives for ever. */
void tracker_detached(struct relay *r, struct terminal *t, const char *reason);

/* Forgets one device that is offline and has no mail. False: there is none. */
bool tracker_make_room(struct relay *r);
void tracker_refused(struct relay *r, const char *reason);

/* At the turn's end: what happened leaves for the journal. */
void tracker_flush(struct relay *r);
/* The journal has taken everything. */
bool tracker_is_settled(const struct relay *r);

/* ---- for sessions ---- */

/* Messages came from it: once for all that came in one piece, and only if its policy
 * has a rule. May close its connection. */
void tracker_heard(struct relay *r, struct terminal *t);

/* What it sent of its own accord becomes an event. */
struct report {
    uint16_t message, serial;
    uint8_t version; /* of its header */
    struct slice body;
};
void tracker_reported(struct relay *r, struct terminal *t, const struct report *p);

/* The feed of this shard's events, for who waits until they are safe. */
struct feed *tracker_feed(const struct relay *r);

/* A ticket's new state becomes an event: kind, from, to, reason, ticket, message and
 * content are set; the rest is what is known of the device. */
void tracker_tell(struct relay *r, struct terminal *t, struct event *e);

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
    X(refused, "devices refused because the table is full")                            \
    X(reports, "reports of devices that became events")

struct tracker_stats {
#define X(name, text) uint64_t name;
    TRACKER_COUNTERS(X)
#undef X
    uint64_t moves[PRESENCE_COUNT];                   /* into each state, ever */
    uint64_t devices[PROTOCOL_LIMIT][PRESENCE_COUNT]; /* in each state, now */
};
struct tracker_stats tracker_stats(const struct relay *r);
