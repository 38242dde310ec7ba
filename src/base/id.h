/* id.h - the name of a device, as logs, API, mailbox and command line show it.
 *
 * Ids of different protocols are different names: nobody can take the mail of a vehicle
 * by registering its digits as a relay terminal. The text is what the protocol makes of
 * its bytes: `ttms` writes its four bytes as eight lower-case hex digits. */
#pragma once

#include "base/buf.h"

#define ID_TEXT_MAX 54

/* Stored in mailbox records: never renumber, only add. */
#define PROTOCOLS(X)                                                                   \
    X(TTMS, 1, "ttms")                                                                 \
    X(HEARTBEAT, 2, "heartbeat")                                                       \
    X(DEVICE, 3, "device") /* commanded; its id is not proved */                       \
    X(JT808, 4, "jt808")   /* commanded; its id is proved by a token */                \
    X(NBNET, 5, "nbnet")   /* has requests, no devices */

enum protocol {
#define X(name, number, word) PROTOCOL_##name = number,
    PROTOCOLS(X)
#undef X
        PROTOCOL_LIMIT
};

struct id {
    uint8_t protocol; /* enum protocol; 0: no id */
    uint8_t length;
    char text[ID_TEXT_MAX]; /* not terminated; zero behind length */
};

/* "ttms", or "unknown". */
const char *protocol_word(uint8_t protocol);

/* Returns OK or ERR_INVALID (empty, longer than ID_TEXT_MAX). */
MUST_CHECK int id_make(uint8_t protocol, struct slice text, struct id *out);

/* For logs and people: escaped, and with its protocol in front, "ttms/00000002". Cut if
 * `size` is smaller than this. Return `out`. */
#define ID_SHOWN_MAX      (4 * ID_TEXT_MAX + 1)
#define ID_SHOWN_FULL_MAX (16 + ID_SHOWN_MAX)
const char *id_show(const struct id *id, char *out, size_t size);
const char *id_show_full(const struct id *id, char *out, size_t size);

static inline bool id_is_set(const struct id *id)
{
    return id->protocol != 0;
}

static inline bool id_equal(const struct id *a, const struct id *b)
{
    return a->protocol == b->protocol && a->length == b->length &&
           memcmp(a->text, b->text, a->length) == 0;
}

/* For printf: "%.*s", ID_ARGS(&id). Not for a log: see id_show(). */
#define ID_ARGS(id) (int)(id)->length, (id)->text
