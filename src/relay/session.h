/* session.h - what the relay needs of every kind of conversation. */
#pragma once

#include "base/json.h"
#include "device/presence.h"
#include "device/registry.h"
#include "device/ticket.h"
#include "net/shard.h"

struct dialect; /* command/dialect.h */

/* A listener's `ops` are the first part of one of these. */
struct session_ops {
    struct conn_ops conn;
    /* A frame that this connection had sent, with that number, met its fate. */
    void (*on_decided)(struct conn *c, uint32_t number, bool safe);
    /* At the turn's end, for one whose receipts are on the relay's list. */
    void (*tell_receipts)(struct conn *c);
    /* Members for the JSON of this connection, and of its device. May be NULL. */
    void (*show)(const struct conn *c, struct json *j);
    /* Whom it speaks for; NULL: nobody yet. */
    const struct device *(*device)(const struct conn *c);
    /* Its devices take commands; or NULL. */
    const struct dialect *dialect;
};

/* What a listener's `conf` points to begins with this: the protocol's settings follow.
 */
struct session_settings {
    struct presence_policy presence;
    struct command_policy commands; /* of a dialect's devices */
};

static inline const struct presence_policy *presence_policy_of(const struct conn *c)
{
    const struct session_settings *settings = c->listener->conf;

    return &settings->presence;
}

static inline const struct session_ops *session_ops_of(const struct conn *c)
{
    return (const void *)c->listener->ops;
}
