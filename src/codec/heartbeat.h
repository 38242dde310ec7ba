/* heartbeat.h - what clients report of themselves.
 *
 *   0        4                4 + length
 *   | length | UTF-8 JSON ... |
 *
 * The text is an object, `{"ip": "192.0.2.7", "status": "alive", "pid": 1}`, or a JSON
 * string that holds the object's text. docs/protocol-heartbeat.md tells the whole. Pure
 * functions, any thread. */
#pragma once

#include "codec/frame.h"

#define HEARTBEAT_IP_MAX 45 /* bytes: the longest IPv6 address */

/* What a client believes of itself. */
#define HEARTBEAT_STATUSES(X) X(ALIVE, "alive") X(LEAVE, "leave") X(CLOSE, "close")

enum heartbeat_status {
#define X(name, word) HEARTBEAT_##name,
    HEARTBEAT_STATUSES(X)
#undef X
};

struct heartbeat {
    int64_t pid;
    char ip[HEARTBEAT_IP_MAX]; /* printable, no blanks; not terminated */
    uint8_t ip_size;
    uint8_t status; /* enum heartbeat_status */
    bool has_pid;
};

/* Cut with framing_cut(). An empty body is no message. */
struct framing heartbeat_framing(uint32_t max_text);

/* Returns OK, or ERR_MALFORMED or ERR_NOMEM with *why set to a static word for the log:
 * "bad_status". */
MUST_CHECK int heartbeat_decode(struct slice text, struct heartbeat *out,
                                const char **why);

const char *heartbeat_status_word(uint8_t status);
