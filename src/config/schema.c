/* The table of all keys. A new option is one line here, one field in config.h, and one
 * entry with its reason in etc/holdfast.yaml (a test notices when that is missing). */
#include "config/schema.h"
#include "base/id.h"
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
    {"warn", CHECKSUM_WARN, "relay it all the same, log once per terminal"},
    {"strict", CHECKSUM_STRICT, "drop the frame"},
    {"ignore", CHECKSUM_IGNORE, "do not look"},
    {NULL, 0, NULL},
};

static const struct schema_word durability_words[] = {
    {"offline", DURABILITY_OFFLINE, "what cannot be delivered now is stored"},
    {"all", DURABILITY_ALL, "every message is stored before it is forwarded"},
    {NULL, 0, NULL},
};

#define IN(owner, field)                                                               \
    .offset = offsetof(struct owner, field), .size = sizeof(((struct owner *)0)->field)
#define GROUP(path_, help_)                                                            \
    {                                                                                  \
        .path = path_, .type = SCHEMA_GROUP, .help = help_                             \
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
#define LISTENER(name_, type_, field_, default_, min_, max_, words_, help_)            \
    {                                                                                  \
        .path = SCHEMA_LISTENER "." name_, .type = SCHEMA_##type_,                     \
        IN(listener_config, field_), .fallback = default_, .min = min_, .max = max_,   \
        .words = words_, .help = help_                                                 \
    }

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

    GROUP("listen", "The ports. Any number, each under a name of your choice. Without "
                    "this group: `terminals`, as below."),
    GROUP(SCHEMA_LISTENER, "One port."),
    LISTENER("protocol", WORD, protocol, NULL, NULL, NULL, protocol_words,
             "What is spoken here. `ttms` is the terminal relay."),
    LISTENER(
        "address", ADDRESS, address_text, "127.0.0.1:7222", NULL, NULL, NULL,
        "Numeric address and port. The default serves this machine alone; 0.0.0.0:7222 "
        "serves every interface."),
    LISTENER("durability", WORD, durability, "offline", NULL, NULL, durability_words,
             "When a message is written to disk."),
    LISTENER("receipts", BOOL, receipts, "false", NULL, NULL, NULL,
             "Tell a sender the fate of its messages. Terminals must understand it."),
    LISTENER("reply_heartbeats", BOOL, reply_heartbeats, "false", NULL, NULL, NULL,
             "Send each heartbeat back to its terminal."),
    LISTENER("length", WORD, length, "auto", NULL, NULL, length_words,
             "What the length field of a frame counts."),
    LISTENER("checksum", WORD, checksum, "warn", NULL, NULL, checksum_words,
             "What happens to a frame whose check byte is wrong."),
    LISTENER("register_timeout", DURATION, register_timeout_ms, "30s", "100ms", "1d",
             NULL, "A connection that did not say who it is after so long is closed."),
    LISTENER("read_timeout", DURATION, read_timeout_ms, "30s", "100ms", "1d", NULL,
             "A frame that is not complete after so long closes its connection."),
    LISTENER("max_frame", SIZE, max_frame, "1MiB", "64", "16MiB", NULL,
             "A longer frame closes its connection."),

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

const char *schema_name(const struct schema_key *key)
{
    const char *dot = strrchr(key->path, '.');

    return dot ? dot + 1 : key->path;
}
