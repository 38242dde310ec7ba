/* receive.h - what simulated terminals receive, and the check of every byte of it. */
#pragma once

#include "sim/terminals/fleet.h"

/* Reads up to `limit` bytes once and treats what is complete. Returns OK, ERR_BUSY
 * (nothing came) or ERR_CLOSED (the connection was ended; the terminal has changed its
 * state). */
int receive_some(struct fleet *f, struct terminal *t, size_t limit);
