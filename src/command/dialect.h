/* dialect.h - how a protocol's devices are commanded: what its session adds to
 * session_ops. */
#pragma once

#include "base/id.h"
#include "base/json.h"
#include "relay/session.h"

#define COMMAND_NAME_MAX 31
#define COMMAND_BODY_MAX 65536 /* bytes of arguments, or of a raw body */
#define DIALECT_WHY_SIZE 160

/* What somebody asks for: a name with arguments, or a raw message. Borrowed. */
struct command {
    char name[COMMAND_NAME_MAX + 1]; /* empty: raw */
    uint16_t message;                /* raw */
    struct slice args; /* raw: the body; else a JSON object, or empty: none given */
};

/* The same in the device's protocol. */
struct wire_command {
    uint16_t message;
    uint16_t serial; /* if the profile prescribes one */
    bool has_serial;
    uint16_t serials;       /* how many it takes: one per package */
    uint16_t answer;        /* the message that answers it */
    bool answer_has_serial; /* if not: one of its kind at a time */
    struct buf body;        /* the owner frees it */
};

struct dialect {
    uint8_t protocol; /* of its devices */

    /* Any thread; pure. `conf`: the listener's settings. `version`: of the device's
     * header, as its session tells it (device_version); 0: not known. OK; ERR_NOTFOUND:
     * no such command; ERR_INVALID, ERR_TOO_LARGE: wrong arguments; ERR_NOMEM; `why` is
     * a sentence for the client. */
    int (*encode)(const void *conf, const struct command *c, uint8_t version,
                  struct wire_command *out, char why[DIALECT_WHY_SIZE]);

    /* Any thread; pure: one JSON value that says what a message of the device means;
     * null if that is not known. */
    void (*show)(const void *conf, uint16_t message, uint8_t version, struct slice body,
                 struct json *j);
    const char *(*message_word)(const void *conf, uint16_t message); /* or NULL */

    /* Any thread; pure: the state that an answer or report tells, -1 if it does not;
     * its name, or NULL. For `only_if` and the old addresses. */
    int (*state)(const void *conf, uint16_t message, struct slice body);
    const char *(*state_word)(const void *conf, uint8_t state);
    int (*state_code)(const void *conf, const char *word); /* -1: no such state */
    /* The name of the command that asks for it; NULL: there is none. */
    const char *(*state_query)(const void *conf);

    /* The names of all commands: the n-th, or NULL. */
    const char *(*command_word)(const void *conf, unsigned n);

    /* On the shard. Writes it to the connection, all its packages; tells
     * commands_delivered(ticket) when the peer's TCP has the last of them. OK, or
     * ERR_NOMEM: the connection is closing. */
    int (*send)(struct conn *c, const struct wire_command *w, uint16_t serial,
                uint64_t ticket);
    /* Some of its packages once more. May be NULL: then all are sent. */
    int (*send_again)(struct conn *c, const struct wire_command *w, uint16_t serial,
                      const uint16_t *numbers, size_t count);
    uint8_t (*version)(const struct conn *c);
};

/* Its devices take commands in it; or NULL: they take none. */
static inline const struct dialect *dialect_of(const struct listener *l)
{
    return ((const struct session_ops *)(const void *)l->ops)->dialect;
}

/* ... and NULL for a device of another protocol: a listener may serve another one since
 * the last start. */
static inline const struct dialect *listener_dialect(const struct listener *l,
                                                     uint8_t protocol)
{
    const struct dialect *d = dialect_of(l);

    return d && d->protocol == protocol ? d : NULL;
}
