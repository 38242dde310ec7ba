/* mailing.h - how a protocol stores messages for terminals that are away, and brings
 * them when they come.
 *
 *   sender --put--> server: stored, and acknowledged
 *   terminal <-- all that is its own, removed as it arrives
 *  */
#pragma once

#include "base/buf.h"

#include <sys/types.h>

#define MAIL_BODY 51 /* bytes of every message: a relay frame of 64 */

enum mail_role {
    MAIL_SENDER,
    MAIL_NEWCOMER, /* a terminal that makes itself known, and goes away */
    MAIL_TERMINAL, /* one that comes for its mail */
};

/* One connection. */
struct mail_peer {
    enum mail_role role;
    unsigned number; /* of the sender or the terminal, from 0 */
    unsigned left;   /* the protocol's own: messages to come of those it asked for */
    uint32_t count;  /* likewise: receipts, packet ids, messages to be removed */
};

/* What the server said. */
struct mail_news {
    bool is_ready;       /* the peer is known, subscribed, logged in */
    unsigned safe;       /* so many more messages are stored */
    const uint8_t *body; /* a message came; NULL: none */
};

struct mail_wire {
    const char *name;
    /* What a new connection says first; is_ready comes in return. */
    MUST_CHECK int (*greet)(struct mail_peer *p, struct buf *out);
    MUST_CHECK int (*put)(struct mail_peer *p, unsigned terminal, const uint8_t *body,
                          struct buf *out);
    /* Bytes used of `in`, 0: more are needed, <0: the server refused, or says what it
     * should not. Appends what is to be answered. */
    ssize_t (*hear)(struct mail_peer *p, struct slice in, struct mail_news *news,
                    struct buf *out);
};

/* "ttms", "mqtt", "nats", "resp"; NULL for others. */
const struct mail_wire *mail_wire_find(const char *name);

extern const struct mail_wire mail_wire_ttms, mail_wire_mqtt, mail_wire_nats,
    mail_wire_resp;

/* For the wires: text, a body with its end of line, the bytes of the first line with
 * its end (0: incomplete), whether it begins so. */
MUST_CHECK int mail_say(struct buf *out, const char *format, ...) PRINTF(2, 3);
MUST_CHECK int mail_say_body(struct buf *out, const uint8_t *body);
size_t mail_line(struct slice in);
bool mail_begins(struct slice in, const char *with);
