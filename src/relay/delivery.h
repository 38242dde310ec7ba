/* delivery.h - getting messages to one terminal: the states of relay.h. */
#pragma once

#include "relay/relay.h"

/* Room for a frame for this terminal, here or in the scratch buffer (*direct tells);
 * NULL: refused, and the sender was told. Then delivery_commit. */
MUST_CHECK uint8_t *delivery_begin(struct relay *r, struct terminal *t,
                                   const struct envelope *e, size_t size, bool *direct);
void delivery_commit(struct relay *r, struct terminal *t, const struct envelope *e,
                     size_t size, bool direct);

/* The connection speaks for the terminal from now on. An older one is closed, and what
 * it had not delivered goes to this one. */
void delivery_attach(struct relay *r, struct terminal *t, struct conn *c);

/* It does not any more: what is undelivered goes to the front of the mailbox. `stays`:
 * the connection goes on under another name. */
void delivery_detach(struct relay *r, struct terminal *t, bool stays);

/* From the connection's callbacks. */
void delivery_on_delivered(struct relay *r, struct terminal *t,
                           const struct frame_note *note);
void delivery_on_room(struct relay *r, struct terminal *t);

/* Drops everything that waits for it; returns how many messages. What was handed to its
 * connection already still goes out. */
uint64_t delivery_purge(struct relay *r, struct terminal *t);

/* A terminal without connection and mail need not be remembered. */
void delivery_forget_idle(struct relay *r);
