/* login.h - a connection says who it is: the same for every protocol.
 *
 * The device lives on the shard that its id's hash names: a connection that is
 * elsewhere moves there with the input it has not used, and its session logs in again
 * there. */
#pragma once

#include "relay/relay.h"

enum login {
    LOGIN_HERE,   /* *out is the device, on this shard: attach to it */
    LOGIN_MOVED,  /* the connection left for another shard: touch nothing, return */
    LOGIN_CLOSED, /* refused: the table of devices is full; the connection is closing */
};

/* Call from on_input. `in` is what the session has not used yet, beginning with the
 * frame that names the device. */
enum login login_find(struct conn *c, const struct id *id, struct slice in,
                      struct terminal **out);

/* Finds it and says so in the log: *self is whom the connection speaks for from now on.
 * Then delivery_attach(). False: it moved, or is closing. */
bool login_as(struct conn *c, const struct id *id, struct slice in,
              struct terminal **self);

/* conn_ops.describe of a connection that speaks for `self`, or NULL: nobody. */
const char *login_describe(const struct terminal *self, char *text, size_t size);

/* The first half of login_find: a connection that only claims to be this device goes
 * where it would live, and none is made. LOGIN_HERE: this is its shard. */
enum login login_move(struct conn *c, const struct id *id, struct slice in);
