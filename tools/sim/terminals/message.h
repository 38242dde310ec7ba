/* message.h - what a simulated terminal writes into a data frame.
 *
 *   0     4     8       12      16      20        28         36
 *   | run | kind | flow | sender | target | number | time ns | filler ... |
 *
 * The filler is cut from a fixed pool of noise at a place that all fields before it
 * decide, so one comparison finds damage in either part. Pure functions, any thread. */
#pragma once

#include "base/buf.h"

#define MESSAGE_HEAD 36
#define MESSAGE_MAX  65536 /* bytes of content */

enum message_kind {
    MESSAGE_PLAIN = 1,
    MESSAGE_PROBE = 2, /* to oneself: comes back when one is registered */
    MESSAGE_TRAP = 3,  /* the filler is full of $TTMS, which no frame begins with */
};

struct message {
    uint32_t run; /* tells this run's messages from those of earlier ones */
    uint32_t kind;
    uint32_t flow;
    uint32_t sender; /* ids */
    uint32_t target;
    uint64_t number;
    int64_t time_ns; /* sent, or meant to be sent: CLOCK_MONOTONIC */
};

/* Fills the pool; call once, before threads. */
void message_setup(void);

/* Writes `size` bytes, MESSAGE_HEAD .. MESSAGE_MAX. */
void message_write(const struct message *m, uint8_t *content, size_t size);

/* Returns false when the content is damaged. */
MUST_CHECK bool message_read(struct slice content, struct message *out);
