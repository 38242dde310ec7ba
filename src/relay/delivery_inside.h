/* delivery_inside.h - what the files of delivery share: messages to one terminal
 * (delivery.c), and its connections, which come and go (handover.c). */
#pragma once

#include "relay/delivery.h"

/* The only place where a terminal changes its state. */
void delivery_enter(struct relay *r, struct terminal *t, enum delivery next);

/* Loads more of what waits, or goes on directly when nothing does. */
void delivery_catch_up(struct relay *r, struct terminal *t);

/* Counts, logs, and tells the sender. `why`: enum err. */
void delivery_refuse(struct relay *r, const struct terminal *t,
                     const struct envelope *e, int why);
