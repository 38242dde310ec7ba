/* The table of all keys. A new option is one line here, one field in config.h, and one
 * entry with its reason in etc/holdfast.yaml (a test notices when that is missing). */
#include "config/schema.h"
#include "codec/frame.h"
#include "codec/ttms.h"

static const struct schema_word level_words[] = {
#define X(name, word) {word, LOG_##name, NULL},
    LOG_LEVELS(X)
#undef X
        {NULL, 0, NULL},
};

static const struct schema_word topic_words[] = {
#define X(name, word) {word, LOG_T_##name, NULL},
    LOG_TOPICS(X)
#undef X
        {NULL, 0, NULL},
};

static const struct schema_word protocol_words[] = {
#define X(name, number, word) {word, PROTOCOL_##name, NULL},
    PROTOCOLS(X)
#undef X
        {NULL, 0, NULL},
};

static const struct schema_word length_words[] = {
#define X(name, word, text) {word, TTMS_LENGTH_##name, text},
    TTMS_LENGTHS(X)
#undef X
        {NULL, 0, NULL},
};

static const struct schema_word checksum_words[] = {
    {"warn", TTMS_CHECK_WARN, "relay it all the same, log once per terminal"},
    {"strict", TTMS_CHECK_STRICT, "drop the frame"},
    {"ignore", TTMS_CHECK_IGNORE, "do not look"},
    {NULL, 0, NULL},
};

static const struct schema_word durability_words[] = {
    {"offline", DURABILITY_OFFLINE, "what cannot be delivered now is stored"},
    {"all", DURABILITY_ALL, "every message is stored before it is forwarded"},
    {NULL, 0, NULL},
};

static const struct schema_word rule_words[] = {
#define X(name, word, text) {word, PRESENCE_RULE_##name, text},
    PRESENCE_RULES(X)
#undef X
        {NULL, 0, NULL},
};

static const struct schema_word rejoin_words[] = {
    {"leave", PRESENCE_LEAVE, "it has to recover first"},
    {"alive", PRESENCE_ALIVE, "it is believed at once"},
    {NULL, 0, NULL},
};

static const struct schema_word framing_words[] = {
    {"digits", FRAMING_DIGITS, "decimal digits, with zeros in front"},
    {"u8", FRAMING_U8, "one byte"},
    {"u16", FRAMING_U16_BE, "two bytes, the high one first"},
    {"u16le", FRAMING_U16_LE, "two bytes, the low one first"},
    {"u32", FRAMING_U32_BE, "four bytes, the high one first"},
    {"u32le", FRAMING_U32_LE, "four bytes, the low one first"},
    {"none", FRAMING_NO_LENGTH, "there is none: `end` tells where a frame ends"},
    {NULL, 0, NULL},
};

static const struct schema_word id_words[] = {
#define X(name, word, text) {word, DEVICE_ID_##name, text},
    DEVICE_IDS(X)
#undef X
        {NULL, 0, NULL},
};

static const struct schema_word registration_words[] = {
#define X(name, word, text) {word, REGISTRATION_##name, text},
    REGISTRATIONS(X)
#undef X
        {NULL, 0, NULL},
};

static const struct schema_word counts_words[] = {
    {"body", FRAMING_COUNTS_BODY, "what the service sees"},
    {"frame", FRAMING_COUNTS_FRAME, "everything, the length field included"},
    {NULL, 0, NULL},
};

#define IN(owner, field)                                                               \
    .offset = offsetof(struct owner, field), .size = sizeof(((struct owner *)0)->field)
#define GROUP(path_, help_)                                                            \
    {                                                                                  \
        .path = path_, .type = SCHEMA_GROUP, .help = help_                             \
    }
#define NAMED(path_, help_)                                                            \
    {                                                                                  \
        .path = path_, .type = SCHEMA_NAMED, .help = help_                             \
    }
/* Of listeners with these protocols. */
#define GROUP_OF(only_, path_, help_)                                                  \
    {                                                                                  \
        .path = path_, .type = SCHEMA_GROUP, .only = only_, .help = help_              \
    }
#define KEY(path_, type_, field_, default_, min_, max_, words_, help_)                 \
    {                                                                                  \
        .path = path_, .type = SCHEMA_##type_, IN(config, field_),                     \
        .fallback = default_, .min = min_, .max = max_, .words = words_, .help = help_ \
    }
/* One that the worker does not look at, or is told while it runs. */
#define LIVE(path_, type_, field_, default_, min_, max_, words_, help_)                \
    {                                                                                  \
        .path = path_, .type = SCHEMA_##type_, IN(config, field_),                     \
        .fallback = default_, .min = min_, .max = max_, .words = words_,               \
        .help = help_, .live = true                                                    \
    }
/* A listener's. `...` tells the default: one of the three below. */
#define LISTENER(name_, type_, field_, min_, max_, words_, help_, ...)                 \
    {                                                                                  \
        .path = SCHEMA_LISTENER "." name_, .type = SCHEMA_##type_,                     \
        IN(listener_config, field_), .min = min_, .max = max_, .words = words_,        \
        .help = help_, __VA_ARGS__                                                     \
    }
/* In a profile, or in what it consists of: there are no defaults. */
#define PART(path_, type_, owner_, field_, min_, max_, may_lack_, help_)               \
    {                                                                                  \
        .path = path_, .type = SCHEMA_##type_, IN(owner_, field_), .min = min_,        \
        .max = max_, .help = help_, .may_lack = may_lack_                              \
    }
#define ALL(default_)            .fallback = default_
#define ONLY(protocol, default_) .fallback = default_, .only = BIT(PROTOCOL_##protocol)
/* Those that have devices. */
#define DEVICES                                                                        \
    (BIT(PROTOCOL_TTMS) | BIT(PROTOCOL_HEARTBEAT) | BIT(PROTOCOL_DEVICE) |             \
     BIT(PROTOCOL_JT808))
#define OF_DEVICES(default_) .fallback = default_, .only = DEVICES
/* Those of them that are commanded. */
#define COMMANDED              (BIT(PROTOCOL_DEVICE) | BIT(PROTOCOL_JT808))
#define OF_COMMANDED(default_) .fallback = default_, .only = COMMANDED
#define EACH(ttms_, heartbeat_, device_, jt808_, nbnet_)                               \
    .fallback_of = {[PROTOCOL_TTMS] = ttms_,                                           \
                    [PROTOCOL_HEARTBEAT] = heartbeat_,                                 \
                    [PROTOCOL_DEVICE] = device_,                                       \
                    [PROTOCOL_JT808] = jt808_,                                         \
                    [PROTOCOL_NBNET] = nbnet_}

/* clang-format off: one key, one entry. */
const struct schema_key schema_keys[] = {
    KEY("data_dir", TEXT, data_dir, "./holdfast-data", NULL, NULL, NULL,
        "Where mailboxes are kept. Created if it is missing; one gateway at a time."),
    KEY("user", TEXT, user, "", NULL, NULL, NULL,
        "The user to become before the first byte is read, when started as root."),
    KEY("shards", COUNT, shards, "0", "0", "256", NULL,
        "Threads that serve connections. 0: one per core that we may run on."),

    GROUP("log", "What is written to standard error."),
    LIVE("log.level", WORD, log_level, "info", NULL, NULL, level_words,
         "Lines below this level are dropped."),
    LIVE("log.topics", WORDS, log_topics, "", NULL, NULL, topic_words,
         "Topics of which every line passes, whatever the level. A list."),

    GROUP("supervisor",
          "The process that holds the listeners and restarts the worker."),
    LIVE("supervisor.max_restarts", COUNT, max_restarts, "100", "0", "1000000", NULL,
         "Restarts in a row before giving up. A worker that lived a minute ends the "
         "row."),
    LIVE("supervisor.max_restart_delay", DURATION, max_restart_delay_ms, "30s", "0s",
         "1h", NULL,
         "The pause before a restart doubles with each one in a row, up to this."),
    LIVE("supervisor.stuck_timeout", DURATION, stuck_timeout_ms, "10s", "2s", "1h",
         NULL,
         "A worker with a shard that did not move for so long is dumped and killed."),
    KEY("supervisor.drain_timeout", DURATION, drain_timeout_ms, "10s", "100ms", "1h",
        NULL, "How long a worker may take to flush its output and end when asked to."),

    GROUP("limits", "What one gateway, one address and one connection may take."),
    KEY("limits.max_connections", COUNT, max_connections, "0", "0", "16000000", NULL,
        "Connections in all. 0: as many as there are file descriptors."),
    KEY("limits.max_per_address", COUNT, max_per_address, "10000", "0", "16000000",
        NULL, "Connections from one IP address. 0: no limit."),
    KEY("limits.output_limit", SIZE, output_limit, "1MiB", "4KiB", "1GiB", NULL,
        "Bytes that wait for one connection in memory; more waits in its mailbox."),

    GROUP("http", "The API for applications, and the metrics (docs/http-api.md)."),
    {
        .path = "http.address",
        .type = SCHEMA_ADDRESS,
        IN(config, http.address_text),
        .fallback = "127.0.0.1:8002",
        .may_lack = true,
        .help = "Numeric address and port. Beyond this machine only with a token. "
                "\"\": no HTTP at all.",
    },
    KEY("http.token_file", TEXT, http_token_file, "", NULL, NULL, NULL,
        "A file with the token that requests must bring: 16 characters or more, "
        "readable by its owner alone. Read at the start and at a reload."),
    KEY("http.hosts", TEXTS, http_hosts, "", NULL, NULL, NULL,
        "Names under which clients reach it, besides its address and localhost. A "
        "request with another Host is refused. A list."),
    KEY("http.legacy", BOOL, http_legacy, "true", NULL, NULL, NULL,
        "Answer under the addresses of the old server, too: /list/, /status/ID and "
        "others (docs/http-api.md)."),
    KEY("http.sender", TEXT, http_sender, "ffffffff", NULL, NULL, NULL,
        "The id from which relay messages come that are sent over HTTP: eight hex "
        "digits."),
    KEY("http.max_connections", COUNT, http_max_connections, "1200", "1", "100000",
        NULL, "Connections in all; each takes up to 40 KiB of memory."),
    KEY("http.max_per_address", COUNT, http_max_per_address, "0", "0", "100000", NULL,
        "Connections from one IP address. 0: no limit."),

    NAMED("listen", "The ports. Any number, each under a name of your choice. Without "
                    "this group: `terminals` and `clients`, one for each protocol."),
    GROUP(SCHEMA_LISTENER, "One port."),
    LISTENER(
        "protocol", WORD, protocol, NULL, NULL, protocol_words,
        "What is spoken here. `ttms` is the terminal relay, `heartbeat` the service "
        "that clients report to, `nbnet` the request/answer service.",
        ALL(NULL)),
    LISTENER("address", ADDRESS, address_text, NULL, NULL, NULL,
             "Numeric address and port. The default serves this machine alone; "
             "0.0.0.0:7222 serves every interface.",
             EACH("127.0.0.1:7222", "127.0.0.1:14000", "127.0.0.1:8001",
                  "127.0.0.1:6808", "127.0.0.1:9000")),
    LISTENER("durability", WORD, durability, NULL, NULL, durability_words,
             "When a message is written to disk.", ONLY(TTMS, "offline")),
    LISTENER("receipts", BOOL, receipts, NULL, NULL, NULL,
             "Tell a sender the fate of its messages. Terminals must understand it.",
             ONLY(TTMS, "false")),
    LISTENER("reply_heartbeats", BOOL, reply_heartbeats, NULL, NULL, NULL,
             "Send each heartbeat back to its terminal.", ONLY(TTMS, "false")),
    LISTENER("length", WORD, length, NULL, NULL, length_words,
             "What the length field of a frame counts.", ONLY(TTMS, "auto")),
    LISTENER("checksum", WORD, checksum, NULL, NULL, checksum_words,
             "What happens to a frame whose check byte is wrong.", ONLY(TTMS, "warn")),
    LISTENER("register_timeout", DURATION, register_timeout_ms, "100ms", "1d", NULL,
             "A connection that did not say who it is after so long is closed.",
             OF_DEVICES("30s")),
    LISTENER("read_timeout", DURATION, read_timeout_ms, "100ms", "1d", NULL,
             "A frame that is not complete after so long closes its connection.",
             ALL("30s")),
    LISTENER("max_frame", SIZE, max_frame, "64", "512MiB", NULL,
             "A longer frame closes its connection.",
             EACH("1MiB", "4KiB", "4KiB", "4KiB", "16MiB")),

    GROUP_OF(DEVICES, SCHEMA_LISTENER ".presence",
             "When a device that is silent counts as away: `alive`, then `leave`, then "
             "`close`."),
    LISTENER("presence.rule", WORD, presence.rule, NULL, NULL, rule_words,
             "How silence is judged.", .only = DEVICES,
             EACH("none", "cursor", "timeout", "timeout", NULL)),
    LISTENER("presence.interval", DURATION, presence.interval_ms, "10ms", "1d", NULL,
             "cursor: the length of an interval. One without a message adds 1 to the "
             "cursor, one with a message takes 1 off.",
             OF_DEVICES("10s")),
    LISTENER("presence.threshold", COUNT, presence.threshold, "1", "10000", NULL,
             "cursor: where the cursor returns to 0, and the device has a strike.",
             OF_DEVICES("5")),
    LISTENER("presence.strikes", COUNT, presence.strikes, "1", "10000", NULL,
             "cursor: so many strikes turn `alive` into `leave`.", OF_DEVICES("3")),
    LISTENER("presence.recover", COUNT, presence.recover, "1", "10000", NULL,
             "cursor: so many intervals in a row with a message turn `leave` into "
             "`alive`, and clear the strikes.",
             OF_DEVICES("5")),
    LISTENER("presence.leave_hold", DURATION, presence.leave_hold_ms, "10ms", "36500d",
             NULL,
             "cursor: `leave` for so long becomes `close`, which ends the connection.",
             OF_DEVICES("30min")),
    LISTENER("presence.rejoin", WORD, presence.rejoin, NULL, NULL, rejoin_words,
             "cursor: what a device that was `close` is when it comes back.",
             OF_DEVICES("leave")),
    LISTENER("presence.timeout", DURATION, presence.timeout_ms, "10ms", "36500d", NULL,
             "timeout: a device that was not heard for so long becomes `close`, which "
             "ends the connection.",
             OF_DEVICES("60s")),

    LISTENER(
        "id", WORD, id_form, NULL, NULL, id_words,
        "How a device's id is written. `protocol: device` with one of the bcd forms "
        "or `jt808`, and no `profile`, means `protocol: jt808`.",
        .only = COMMANDED, EACH(NULL, NULL, "ascii8", "jt808", NULL)),
    LISTENER("profile", TEXT, profile_name, NULL, NULL, NULL,
             "What the device's messages mean: one of `profiles`, or the built-in "
             "`vending`.",
             ONLY(DEVICE, "vending")),
    LISTENER("registration", WORD, registration, NULL, NULL, registration_words,
             "Who may register as a terminal, and so get a token.",
             ONLY(JT808, "open")),
    LISTENER("registration_list", TEXT, registration_list, NULL, NULL, NULL,
             "A file with an id a line. Read at the start and at a reload.",
             ONLY(JT808, "")),

    GROUP_OF(COMMANDED, SCHEMA_LISTENER ".commands",
             "How a device is sent what is asked over HTTP."),
    LISTENER("commands.in_flight", COUNT, commands.in_flight, "1", "255", NULL,
             "Commands that may await their answers at once; others wait in order.",
             OF_COMMANDED("1")),
    LISTENER("commands.retries", COUNT, commands.retries, "0", "10", NULL,
             "How often the same bytes are sent again while no answer comes.",
             .only = COMMANDED, EACH(NULL, NULL, "0", "2", NULL)),
    LISTENER("commands.retry", DURATION, commands.retry_ms, "100ms", "1h", NULL,
             "T: a repetition follows after T, the next ones after 2 T and 6 T.",
             OF_COMMANDED("5s")),

    GROUP_OF(BIT(PROTOCOL_NBNET), SCHEMA_LISTENER ".framing",
             "How requests and answers are told apart: a length field, or an end."),
    LISTENER("framing.length", WORD, framing.length, NULL, NULL, framing_words,
             "The length field before each body.", ONLY(NBNET, "digits")),
    LISTENER("framing.digits", COUNT, framing.digits, "1", "10", NULL,
             "digits: how many there are.", ONLY(NBNET, "10")),
    LISTENER("framing.counts", WORD, framing.counts, NULL, NULL, counts_words,
             "What the length field counts.", ONLY(NBNET, "body")),
    LISTENER("framing.end", TEXT, framing.end, NULL, NULL, NULL,
             "Bytes behind each body, for example '\\r\\n' or '\\x03'; single quotes "
             "let YAML leave them alone. Without a length field they end the body.",
             ONLY(NBNET, "")),

    LISTENER("logic", TEXT, logic, NULL, NULL, NULL,
             "What answers: `echo`, `reverse`, or the path of a shared object "
             "(holdfast/service.h).",
             ONLY(NBNET, "echo")),
    LISTENER("argument", TEXT, argument, NULL, NULL, NULL,
             "Handed to the shared object's start().", ONLY(NBNET, "")),
    LISTENER("processes", COUNT, processes, "0", "256", NULL,
             "Processes that serve it. 0: one per core that we may run on.",
             ONLY(NBNET, "0")),

    NAMED(
        SCHEMA_PROFILES,
        "What the messages of devices mean, each profile under a name of your choice, "
        "for listeners with `protocol: device`. `vending` is built in; one of that "
        "name replaces it."),
    GROUP(SCHEMA_PROFILE, "One kind of device. Messages are four hexadecimal digits."),
    PART(SCHEMA_PROFILE ".login", MESSAGE, profile, login, NULL, NULL, true,
         "The message with which a device logs in; it is answered with one byte, 0."),
    PART(SCHEMA_PROFILE ".heartbeat", MESSAGE, profile, heartbeat, NULL, NULL, true,
         "The message that says that it lives; likewise answered."),
    PART(SCHEMA_PROFILE ".reports", MESSAGES, profile, reports, NULL, NULL, true,
         "Messages that it sends unasked; they become events, and are not answered."),
    PART(SCHEMA_PROFILE ".state_at", COUNT, profile, state_at, "0", "255", true,
         "Which byte of an answer's or report's body is its state; 0 is the first."),
    PART(SCHEMA_PROFILE ".query", NAME, profile, query, NULL, NULL, true,
         "The command whose answer tells the state."),
    NAMED(SCHEMA_PROFILE ".states", "What its states are called: NAME: NUMBER."),
    PART(SCHEMA_STATE, COUNT, profile_state, code, "0", "255", false,
         "The number that stands for this state."),
    NAMED(SCHEMA_PROFILE ".commands", "What it can be asked, by name."),
    GROUP(SCHEMA_COMMAND, "One command."),
    PART(SCHEMA_COMMAND ".message", MESSAGE, profile_command, message, NULL, NULL,
         false, "The message that is sent, and that answers it."),
    PART(SCHEMA_COMMAND ".body", BYTES, profile_command, size, NULL, NULL, true,
         "What it is sent with, in hexadecimal digits; at most 64 bytes."),
    PART(SCHEMA_COMMAND ".serial", MESSAGE, profile_command, serial, NULL, NULL, true,
         "The serial number that the device expects. Without it they run, so that a "
         "late answer cannot be taken for another one."),

    GROUP("registry", "What is remembered of devices."),
    KEY("registry.max_devices", COUNT, max_devices, "1000000", "1", "16000000", NULL,
        "Devices known at once. When the table is full, the one gone longest, without "
        "mail, is forgotten for a new one; if there is none, the new one is refused."),
    KEY("registry.forget_after", DURATION, forget_after_ms, "30d", "1s", "36500d", NULL,
        "A device that is gone for so long, without mail, is forgotten."),
    KEY("registry.restart_grace", DURATION, restart_grace_ms, "60s", "0s", "1d", NULL,
        "How long devices have to come back after a restart of the gateway before "
        "they are closed as not_back."),

    GROUP("events", "The log of what happened to devices."),
    KEY("events.keep", COUNT, events_keep, "100000", "100", "10000000", NULL,
        "How many of the newest events are kept, in memory and on disk."),
    KEY("events.max_bytes", SIZE, events_max_bytes, "64MiB", "1MiB", "64GiB", NULL,
        "... and how many bytes of them."),

    GROUP("commands", "What is asked of devices over HTTP."),
    KEY("commands.max_queued", COUNT, commands_max_queued, "100", "1", "100000", NULL,
        "Commands of one device that wait or await their answers."),
    KEY("commands.max_tickets", COUNT, commands_max_tickets, "100000", "1", "10000000",
        NULL, "Tickets in all, those that are over included."),
    KEY("commands.keep", DURATION, commands_keep_ms, "1h", "1s", "365d", NULL,
        "For how long a ticket that is over is remembered. When there are too many, "
        "the "
        "oldest of them go first."),

    GROUP("mailbox",
          "Messages that wait for terminals. At a limit the new message is "
          "refused and said so; one that was accepted is never dropped for it."),
    KEY("mailbox.max_messages", COUNT, mailbox_max_messages, "10000", "1", "1000000000",
        NULL, "Messages that wait for one terminal."),
    KEY("mailbox.max_bytes", SIZE, mailbox_max_bytes, "16MiB", "1KiB", "1TiB", NULL,
        "Bytes that wait for one terminal."),
    KEY("mailbox.max_age", DURATION, mailbox_max_age_ms, "7d", "0s", "36500d", NULL,
        "A message that waited so long is dropped. 0s: never."),
    KEY("mailbox.total_bytes", SIZE, mailbox_total_bytes, "10GiB", "1MiB", "64TiB",
        NULL, "Bytes that wait for all terminals together."),
    KEY("mailbox.backlog", SIZE, mailbox_backlog_bytes, "64MiB", "64KiB", "64GiB", NULL,
        "Bytes in memory on their way to the disk; senders wait above half of it."),
};
/* clang-format on */

const size_t schema_key_count = ARRAY_LEN(schema_keys);

bool schema_is_child(const struct schema_key *key, const char *parent)
{
    size_t n = strlen(parent);
    const char *rest = key->path;

    if (n > 0) {
        if (strncmp(rest, parent, n) != 0 || rest[n] != '.')
            return false;
        rest += n + 1;
    }
    return strchr(rest, '.') == NULL;
}

const struct schema_key *schema_find(const char *parent, const char *name)
{
    for (size_t i = 0; i < schema_key_count; i++) {
        const struct schema_key *key = &schema_keys[i];

        if (schema_is_child(key, parent) && strcmp(schema_name(key), name) == 0)
            return key;
    }
    return NULL;
}

enum schema_owner schema_owner(const struct schema_key *key)
{
    static const struct {
        const char *path;
        enum schema_owner owner;
    } places[] = {
        {SCHEMA_LISTENER ".", SCHEMA_OF_LISTENER},
        {SCHEMA_COMMAND ".", SCHEMA_OF_COMMAND},
        {SCHEMA_STATE, SCHEMA_OF_STATE},
        {SCHEMA_PROFILE ".", SCHEMA_OF_PROFILE},
    };

    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (strncmp(key->path, places[i].path, strlen(places[i].path)) == 0)
            return places[i].owner;
    return SCHEMA_OF_CONFIG;
}

bool schema_has(const struct schema_key *key, uint8_t protocol)
{
    return !protocol || !key->only || (key->only & BIT(protocol));
}

const char *schema_fallback(const struct schema_key *key, uint8_t protocol)
{
    const char *own = key->fallback_of[protocol];

    return own ? own : key->fallback;
}

const char *schema_name(const struct schema_key *key)
{
    const char *dot = strrchr(key->path, '.'); /* "*" if the user names it */

    return dot ? dot + 1 : key->path;
}

const char *schema_shown(const struct schema_key *key)
{
    const char *name = schema_name(key);

    return *name == '*' ? "NAME" : name;
}
