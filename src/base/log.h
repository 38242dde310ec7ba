/* log.h - one line per event: `subject id verb key=value`.
 *
 * A line leaves in one write(2) to standard error; under systemd it starts with the
 * journal's priority, elsewhere with the time. Safe from any thread. Nothing a peer
 * sent reaches a line except through log_escape(). */
#pragma once

#include "base/buf.h"

#include <stdatomic.h>

/* error: a person must act. warn: we coped. info: life-cycle. debug: per frame. */
#define LOG_LEVELS(X)                                                                  \
    X(ERROR, "error") X(WARN, "warn") X(INFO, "info") X(DEBUG, "debug")

/* What -T and log.topics choose from. */
#define LOG_TOPICS(X)                                                                  \
    X(MAIN, "main")                                                                    \
    X(CONFIG, "config")                                                                \
    X(SUPERVISOR, "supervisor")                                                        \
    X(NET, "net")                                                                      \
    X(CODEC, "codec")                                                                  \
    X(SESSION, "session")                                                              \
    X(MAILBOX, "mailbox")                                                              \
    X(JOURNAL, "journal")                                                              \
    X(LEDGER, "ledger")                                                                \
    X(HTTP, "http")

enum log_level {
#define X(name, word) LOG_##name,
    LOG_LEVELS(X)
#undef X
};

enum log_topic {
#define X(name, word) LOG_T_##name,
    LOG_TOPICS(X)
#undef X
        LOG_TOPIC_COUNT
};

/* Lines above `level` are dropped, except those of topics whose bit is set in `traced`,
 * which pass at debug level. Call once, before threads; a second call changes it. */
void log_setup(enum log_level level, uint32_t traced);

/* Where lines go instead of standard error, for the worker: its pipe to the supervisor.
 * The descriptor may be non-blocking; lines that do not fit are counted and reported.
 */
void log_redirect(int fd);

/* Returns OK or ERR_INVALID. `topics` is a comma-separated list; sets *traced. */
MUST_CHECK int log_parse_level(const char *word, enum log_level *level);
MUST_CHECK int log_parse_topics(const char *topics, uint32_t *traced);

bool log_wanted(enum log_level level, enum log_topic topic);
PRINTF(3, 4)
void log_write(enum log_level level, enum log_topic topic, const char *format, ...);

#define LOG_AT(level, topic, ...)                                                      \
    do {                                                                               \
        if (UNLIKELY(log_wanted((level), (topic))))                                    \
            log_write((level), (topic), __VA_ARGS__);                                  \
    } while (0)

#define log_error(topic, ...) LOG_AT(LOG_ERROR, LOG_T_##topic, __VA_ARGS__)
#define log_warn(topic, ...)  LOG_AT(LOG_WARN, LOG_T_##topic, __VA_ARGS__)
#define log_info(topic, ...)  LOG_AT(LOG_INFO, LOG_T_##topic, __VA_ARGS__)
#define log_debug(topic, ...) LOG_AT(LOG_DEBUG, LOG_T_##topic, __VA_ARGS__)

/* For lines that a peer can trigger at will: LOG_BURST a second from one place in the
 * code, then silence; the next line that passes is preceded by `log suppressed n=...`.
 */
#define LOG_BURST 20

/* ... and for the life-cycle lines of connections, of which a fleet has many. */
#define LOG_SESSION_BURST 2000

struct log_throttle {
    _Atomic int64_t window_s;
    _Atomic uint32_t in_window;
    _Atomic uint32_t suppressed;
};

bool log_admit(struct log_throttle *t, uint32_t burst, enum log_level level,
               enum log_topic topic);

#define LOG_UP_TO(burst, level, topic, ...)                                            \
    do {                                                                               \
        static struct log_throttle throttle_;                                          \
        if (log_wanted((level), (topic)) &&                                            \
            log_admit(&throttle_, (burst), (level), (topic)))                          \
            log_write((level), (topic), __VA_ARGS__);                                  \
    } while (0)

#define LOG_THROTTLED(level, topic, ...)                                               \
    LOG_UP_TO(LOG_BURST, level, LOG_T_##topic, __VA_ARGS__)
#define LOG_SESSION(level, ...)                                                        \
    LOG_UP_TO(LOG_SESSION_BURST, level, LOG_T_SESSION, __VA_ARGS__)

/* Writes `bytes` as printable ASCII without blanks (others as \xNN, the backslash as
 * \\) into `out` of `size` bytes, cut with "..." when too long. Returns `out`. */
const char *log_escape(struct slice bytes, char *out, size_t size);
