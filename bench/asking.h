/* asking.h - how callers speak a protocol: a caller asks, its device answers.
 *
 *   caller --ask--> server --request--> device
 *   caller <-answer-- server <-answer-- device
 *
 * Caller n asks device n, one question at a time. */
#pragma once

#include "base/buf.h"

#include <sys/types.h>

enum asking_role { ASKING_CALLER, ASKING_DEVICE };

enum asking_news {
    ASKING_NOTHING,  /* something that needs no attention */
    ASKING_READY,    /* it is logged in or subscribed */
    ASKING_QUESTION, /* a device was asked: its answer was appended to *out */
    ASKING_ANSWER,   /* a caller was answered */
};

struct asking_wire {
    const char *name;
    bool has_devices; /* else the server itself answers */
    /* What a new connection says first; an empty one is ready at once. */
    MUST_CHECK int (*greet)(enum asking_role role, unsigned number, struct buf *out);
    MUST_CHECK int (*ask)(unsigned number, uint32_t question, struct buf *out);
    /* Bytes used of `in`, 0: more are needed, < 0: the server refused, or says what it
     * should not. */
    ssize_t (*hear)(enum asking_role role, unsigned number, struct slice in,
                    enum asking_news *news, struct buf *out);
};

/* "raw", "relay", "nats", "http", "list"; NULL for others. */
const struct asking_wire *asking_find(const char *name);
