/* sse.h - Server-Sent Events, read as they come.
 *
 * Pure: bytes in, events out, cut anywhere. What is longer than SSE_MAX is an error:
 * the other side is not what we think it is. */
#pragma once

#include "base/buf.h"

#define SSE_MAX (1u << 20) /* bytes of one line, and of one event's data */

struct sse_event {
    struct slice id;   /* the newest one given so far; empty: none */
    struct slice type; /* "message" if not given */
    struct slice data;
};

/* Negative ends the reading with that. What `event` points to is valid in the call. */
typedef int sse_handler(void *user, const struct sse_event *event);

struct sse { /* zero it to begin */
    struct buf line, data, type, id;
    bool was_cr; /* a line feed that comes first belongs to it */
    bool has_data;
};

/* OK, ERR_TOO_LARGE, ERR_NOMEM, or what `handle` said. */
MUST_CHECK int sse_feed(struct sse *s, struct slice bytes, sse_handler *handle,
                        void *user);

/* The stream ended: half an event is none. The id stays, for the next stream. */
void sse_restart(struct sse *s);
void sse_fini(struct sse *s);
