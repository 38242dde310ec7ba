/* config.h - the settings, read and checked.
 *
 * One table (schema.c) holds every key with its type, unit, default, range and one line
 * of help; it reads the file, writes the manual's list and refuses what it does not
 * know. */
#pragma once

#include "base/err.h"
#include "base/log.h"
#include "codec/device.h"
#include "codec/frame.h"
#include "codec/profile.h"
#include "codec/ttms.h"
#include "device/presence.h"
#include "device/ticket.h"

#include <netinet/in.h>
#include <stdio.h>

enum durability { DURABILITY_OFFLINE, DURABILITY_ALL };

/* Who may register as a vehicle terminal. */
#define REGISTRATIONS(X)                                                               \
    X(OPEN, "open", "any id that is not registered yet")                               \
    X(LIST, "list", "those that `registration_list` names")                            \
    X(CLOSED, "closed", "nobody; who is registered stays so")

enum registration {
#define X(name, word, text) REGISTRATION_##name,
    REGISTRATIONS(X)
#undef X
};

/* Where a value stands in the file; line 0: it is a default. */
struct config_place {
    unsigned line;
    unsigned column;
    unsigned width;
};

#define LISTENER_NAME_MAX 31

/* How frames are told apart, where that is to be declared. */
struct framing_config {
    uint8_t length; /* enum framing_number */
    uint8_t counts; /* enum framing_counts */
    uint32_t digits;
    char *end;                 /* with escapes, as written; NULL: none */
    struct config_place place; /* of the last of its keys */
    struct framing made;       /* what all that means, around at most max_frame bytes */
};

enum framing_counts { FRAMING_COUNTS_BODY, FRAMING_COUNTS_FRAME };

/* One entry of `listen`. */
struct listener_config {
    char *name;
    uint8_t protocol;   /* enum protocol, base/id.h */
    char *address_text; /* as written: "127.0.0.1:7222", "[::1]:7222" */
    struct sockaddr_storage address;
    socklen_t address_size;
    struct config_place place; /* of the address */
    uint32_t max_frame;        /* bytes */
    int64_t register_timeout_ms;
    int64_t read_timeout_ms;
    struct presence_policy presence;
    /* ttms */
    enum ttms_length length;
    enum ttms_check checksum;
    enum durability durability;
    bool receipts;
    bool reply_heartbeats;
    /* device, jt808 */
    uint8_t id_form; /* enum device_id_form */
    struct command_policy commands;
    /* device */
    char *profile_name;
    struct config_place profile_place;
    struct profile profile; /* of that name */
    /* jt808 */
    uint8_t registration;    /* enum registration */
    char *registration_list; /* a file; NULL: none */
    struct config_place registration_place;
    char *registration_ids; /* what is in it: an id a line */
    /* nbnet */
    char *logic;        /* a built-in service, or a shared object's path */
    char *argument;     /* for its start(); NULL: none */
    unsigned processes; /* 0: one per core */
    struct framing_config framing;
};

struct config {
    char *file; /* NULL: the defaults */
    char *data_dir;
    struct config_place data_dir_place;
    char *user; /* to become after binding; NULL: stay who we are */
    struct config_place user_place;
    unsigned shards; /* 0: one per core that we may run on */

    enum log_level log_level;
    uint32_t log_topics; /* traced */

    unsigned max_restarts; /* in a row */
    int64_t max_restart_delay_ms;
    int64_t stuck_timeout_ms; /* a shard that did not turn for so long is killed */
    int64_t drain_timeout_ms;

    uint32_t max_connections; /* 0: as many as descriptors allow */
    uint32_t max_per_address; /* 0: no limit */
    uint32_t output_limit; /* bytes per connection, not yet acknowledged by its TCP */

    uint32_t max_devices;
    int64_t forget_after_ms;
    int64_t restart_grace_ms;
    uint32_t events_keep;
    uint64_t events_max_bytes;

    uint32_t commands_max_queued;
    uint32_t commands_max_tickets;
    int64_t commands_keep_ms;

    uint64_t mailbox_max_messages;
    uint64_t mailbox_max_bytes;
    int64_t mailbox_max_age_ms; /* 0: no limit */
    uint64_t mailbox_total_bytes;
    uint64_t mailbox_backlog_bytes;

    struct listener_config http; /* its address alone; no text: no HTTP */
    char *http_token_file;       /* NULL: no token is asked for */
    struct config_place http_token_file_place;
    char *http_token; /* what is in it */
    char *http_hosts; /* "a,b" */
    uint32_t http_max_connections;
    uint32_t http_max_per_address;
    bool http_legacy;
    char *http_sender; /* of relay messages: eight hex digits */
    struct config_place http_sender_place;

    struct profile *profiles; /* those of the file */
    size_t profile_count;

    struct listener_config *listeners;
    size_t listener_count;
};

/* Reads `file` (NULL: defaults only). Every problem is written to `errors` with
 * file:line:column, all in one pass. Returns OK or ERR_INVALID, ERR_IO, ERR_NOMEM. */
MUST_CHECK int config_load(const char *file, FILE *errors, struct config **out);
void config_free(struct config **config);

/* "file:line:column", or "default" when it does not come from a file. Returns `out`. */
const char *config_where(const struct config *config, struct config_place place,
                         char *out, size_t size);

/* Can nobody beyond this machine connect to it? */
bool config_is_loopback(const struct listener_config *l);

/* Does a worker that has `a` do what `b` asks? Log and supervision may differ. */
bool config_is_same_work(const struct config *a, const struct config *b);

/* The list of keys, as Markdown: `holdfast --help-config` and docs/configuration.md. */
void config_print_reference(FILE *out);

/* The same for the manual page, holdfast.yaml(5). */
void config_print_manual(FILE *out);

/* Where it listens, how, and who can reach it: a few lines for `holdfast -t`. */
void config_describe(const struct config *config, FILE *out);
