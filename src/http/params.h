/* params.h - the API's query parameters: one table, from which they are checked and
 * described. */
#pragma once

#include "http/server.h"
#include "journal/journal.h"

/* How a value is written, and what becomes of it in struct params. */
enum value_kind {
    VALUE_NUMBER,   /* a decimal number within the bounds */
    VALUE_SPAN,     /* `250ms`, `30s`, `10min` or `10m`, `2h`, `7d`; becomes ms */
    VALUE_BOOL,     /* 0 or 1 */
    VALUE_TEXT,     /* of a length within the bounds */
    VALUE_PROTOCOL, /* its number */
    VALUE_STATES,   /* a bit for each presence state named */
    VALUE_TYPES,    /* a bit for each kind of event named */
    VALUE_CONN,     /* a connection's state */
};

/* enum, name, kind, lowest, highest, if not given, text */
#define API_PARAMS(X)                                                                  \
    X(STATE, "state", STATES, 0, 0, 0, "alive, leave, close: some, with commas")       \
    X(PROTOCOL, "protocol", PROTOCOL, 0, 0, 0, "of that protocol")                     \
    X(LISTENER, "listener", TEXT, 1, LISTENER_NAME_MAX, 0,                             \
      "last seen at that listener")                                                    \
    X(CONNECTED, "connected", BOOL, 0, 0, 0, "has a connection, or has none")          \
    X(PREFIX, "prefix", TEXT, 1, ID_TEXT_MAX, 0, "the id begins so")                   \
    X(LIMIT, "limit", NUMBER, 1, 1000000, 100, "how many in this page")                \
    X(CURSOR, "cursor", TEXT, 1, 64, 0, "`next` of the page before")                   \
    X(CONN_STATE, "state", CONN, 0, 0, 0, "the connection's state")                    \
    X(AFTER, "after", NUMBER, 0, INT64_MAX, 0, "events behind this cursor")            \
    X(EVENT_LIMIT, "limit", NUMBER, 1, 10000, 1000, "how many events")                 \
    X(WAIT, "wait", SPAN, 0, 60000, 0, "how long to wait for the first event")         \
    X(TYPE, "type", TYPES, 0, 0, 0, "presence, command, report: some, with commas")    \
    X(DEVICE, "device", TEXT, 1, ID_TEXT_MAX, 0, "events of this device")              \
    X(ANSWER_WAIT, "wait", SPAN, 0, 60000, 5000, "how long to wait for the answer")    \
    X(TTL, "ttl", SPAN, 1000, 2592000000, 0,                                           \
      "how long the command is good for; needs no connection now")                     \
    X(END_WAIT, "wait", SPAN, 0, 60000, 0, "how long to wait until it is over")        \
    X(TICKET_LIMIT, "limit", NUMBER, 1, 1000, 100, "how many tickets")

enum param {
#define X(name, word, kind, low, high, fallback, text) PARAM_##name,
    API_PARAMS(X)
#undef X
        PARAM_COUNT
};

#define P(name) BIT(PARAM_##name)

/* What a request says. Texts are valid during the handler's call. */
struct params {
    uint32_t given; /* a bit for each */
    uint64_t number[PARAM_COUNT];
    const char *text[PARAM_COUNT];
};

struct param_entry {
    const char *word;
    enum value_kind kind;
    uint64_t low, high, fallback;
    const char *text;
};

extern const struct param_entry param_table[PARAM_COUNT];

/* `allowed`: a bit for each parameter that this route has. Returns OK, or ERR_INVALID
 * with a sentence for the client in `why`. */
#define PARAM_WHY_SIZE 320
MUST_CHECK int params_read(const struct http_request *q, uint32_t allowed,
                           struct params *out, char why[PARAM_WHY_SIZE]);

static inline bool params_have(const struct params *p, enum param which)
{
    return p->given & BIT(which);
}
