/* relay.h - one pipe for everything that is written to standard error.
 *
 *     worker's log lines ----.
 *     worker's raw stderr ---+--> pipe --> supervisor --> standard error
 *     supervisor's own ------'
 *
 * The pipe's writing end never blocks: when nobody reads our standard error (a paused
 * terminal, a full pipe), lines are lost and counted, and no shard waits. Only whole
 * lines are passed on, unchanged. */
#pragma once

#include "base/err.h"

#include <poll.h>
#include <stdbool.h>

#define RELAY_CHUNK 4096 /* PIPE_BUF: what a writable pipe takes without blocking */

struct relay {
    int in;
    int out;      /* for log_redirect, and to become the worker's standard error */
    bool blocked; /* standard error takes nothing now */
    size_t used;
    char bytes[RELAY_CHUNK];
};

/* From here on this process logs through it. Returns OK or ERR_IO. */
MUST_CHECK int relay_open(struct relay *r);

/* What to wait for; then relay_turn() with what poll(2) found. */
struct pollfd relay_wants(const struct relay *r);
void relay_turn(struct relay *r, short events);

/* Passes on what is there, for at most a second, and logs directly again. */
void relay_close(struct relay *r);
