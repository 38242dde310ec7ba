/* login.h - a connection says who it is, and leaves: the same for every protocol.
 *
 * The device lives on the shard that its id's hash names: a connection that is
 * elsewhere moves there with the input it has not used, and its session logs in again
 * there. */
#pragma once

#include "relay/relay.h"

/* The connection goes where this device lives, or would live: none is made. Call from
 * on_input; `in` is what the session has not used yet, beginning with the frame that
 * names the device. False: it left for another shard; touch nothing, return. */
bool login_move(struct conn *c, const struct id *id, struct slice in);

/* ... and speaks for it from now on: *self. `facts`: for the log, "" or " key=value".
 * False: it moved, or is closing. */
bool login_as(struct conn *c, const struct id *id, struct slice in, const char *facts,
              struct terminal **self);

/* It goes on under another name, or none, unless it is closing: *self becomes NULL. */
void login_leave(struct conn *c, struct terminal **self);

/* From conn_ops.on_close. `self` stays whom it spoke for, for login_describe(). */
void login_end(struct conn *c, struct terminal *self);

/* conn_ops.describe of a connection that speaks for `self`, or NULL: nobody. */
const char *login_describe(const struct terminal *self, char *text, size_t size);
