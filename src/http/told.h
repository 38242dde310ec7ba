/* told.h - the newest events as the text of a stream: written once, however many read.
 *
 *   base                              newest
 *    |  every event behind it is here    |
 *
 * Who is behind `base` reads the journal itself. One thread. */
#pragma once

#include "base/buf.h"
#include "journal/journal.h"

#define TOLD_EVENTS 1024
#define TOLD_BYTES  (8u << 20) /* of memory, about, if they are long */

struct api;

struct told_event {
    uint64_t cursor;
    struct id device;
    uint8_t kind;
    struct buf text; /* keeps its memory for its successor, unless it is much */
};

struct told {
    uint64_t base, newest;
    uint64_t count; /* written so far: the ring's next place */
    uint64_t first; /* the oldest one that is still here */
    size_t bytes;   /* of memory, for those that are here */
    struct told_event ring[TOLD_EVENTS];
};

/* Begins behind the newest event of the journal. */
void told_begin(struct told *t, const struct api *a);
void told_fini(struct told *t);

/* Writes what the journal has got meanwhile. */
void told_update(struct told *t, const struct api *a);

/* The first one behind `cursor`, which is `base` or more; NULL: there is none yet. */
const struct told_event *told_after(const struct told *t, uint64_t cursor);

/* One event as a stream's text. Returns OK or ERR_NOMEM. */
MUST_CHECK int told_write(const struct api *a, struct buf *to, const struct event *e);
