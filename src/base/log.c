#include "base/log.h"
#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES                                                                 \
    2048 /* below PIPE_BUF, so that a line to a pipe is never torn  \
                             */

static const char *const level_words[] = {
#define X(name, word) word,
    LOG_LEVELS(X)
#undef X
};

static const char *const topic_words[] = {
#define X(name, word) word,
    LOG_TOPICS(X)
#undef X
};

/* syslog(3) priorities of the levels, as journald reads them. */
static const int priorities[] = {3, 4, 6, 7};

static _Atomic int threshold = LOG_INFO;
static _Atomic uint32_t traced_topics;
static _Atomic int out_fd = STDERR_FILENO;
static _Atomic uint32_t lost_lines; /* the reader of our pipe was too slow */

void log_setup(enum log_level level, uint32_t traced)
{
    threshold = (int)level;
    traced_topics = traced;
}

void log_redirect(int fd)
{
    out_fd = fd;
}

int log_parse_level(const char *word, enum log_level *level)
{
    for (size_t i = 0; i < ARRAY_LEN(level_words); i++) {
        if (strcmp(word, level_words[i]) == 0) {
            *level = (enum log_level)i;
            return OK;
        }
    }
    return ERR_INVALID;
}

int log_parse_topics(const char *topics, uint32_t *traced)
{
    uint32_t found = 0;

    while (*topics) {
        size_t n = strcspn(topics, ",");
        size_t i = 0;

        while (i < ARRAY_LEN(topic_words) &&
               (strlen(topic_words[i]) != n || memcmp(topics, topic_words[i], n) != 0))
            i++;
        if (i == ARRAY_LEN(topic_words))
            return ERR_INVALID;
        found |= BIT(i);
        topics += n;
        if (*topics == ',')
            topics++;
    }
    *traced = found;
    return OK;
}

bool log_wanted(enum log_level level, enum log_topic topic)
{
    return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed) ||
           atomic_load_explicit(&traced_topics, memory_order_relaxed) & BIT(topic);
}

static bool under_journal(void)
{
    static _Atomic int known = -1;

    if (known < 0)
        known = getenv("JOURNAL_STREAM") != NULL;
    return known != 0;
}

static int write_prefix(char *line, size_t size, enum log_level level)
{
    int64_t ms = clock_wall_ms();
    time_t s = (time_t)(ms / 1000);
    struct tm t;
    size_t n;

    if (under_journal())
        return snprintf(line, size, "<%d>", priorities[level]);
    gmtime_r(&s, &t);
    n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &t);
    return (int)n + snprintf(line + n, size - n, ".%03dZ %-5s ", (int)(ms % 1000),
                             level_words[level]);
}

static void emit(const char *line, size_t size)
{
    ssize_t n;

    do
        n = write(out_fd, line, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        lost_lines++;
}

static void emit_formatted(enum log_level level, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    size_t n = (size_t)write_prefix(line, sizeof(line), level);
    int more = vsnprintf(line + n, sizeof(line) - n, format, args);

    if (more < 0)
        return;
    n += (size_t)more;
    if (n > sizeof(line) - 1)
        n = sizeof(line) - 1;
    line[n++] = '\n';
    emit(line, n);
}

PRINTF(2, 3) static void emit_line(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    emit_formatted(level, format, args);
    va_end(args);
}

void log_write(enum log_level level, enum log_topic topic, const char *format, ...)
{
    uint32_t lost = atomic_exchange(&lost_lines, 0);
    va_list args;

    (void)topic;
    if (UNLIKELY(lost))
        emit_line(LOG_WARN, "log lost lines=%u reason=reader_too_slow", lost);
    va_start(args, format);
    emit_formatted(level, format, args);
    va_end(args);
}

bool log_admit(struct log_throttle *t, uint32_t burst, enum log_level level,
               enum log_topic topic)
{
    int64_t now_s = clock_mono_ms() / 1000;
    int64_t window_s = t->window_s;
    uint32_t suppressed;

    if (window_s != now_s &&
        atomic_compare_exchange_strong(&t->window_s, &window_s, now_s))
        t->in_window = 0;
    if (atomic_fetch_add(&t->in_window, 1) >= burst) {
        atomic_fetch_add(&t->suppressed, 1);
        return false;
    }
    if ((suppressed = atomic_exchange(&t->suppressed, 0)) > 0)
        log_write(level, topic, "log suppressed n=%u reason=too_many_of_the_next_kind",
                  suppressed);
    return true;
}

const char *log_escape(struct slice bytes, char *out, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    assert(size >= 8);
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];

        if (n + 4 + 4 > size) { /* one more escape, "..." and the end */
            memcpy(out + n, "...", 3);
            n += 3;
            break;
        }
        if (c == '\\') {
            out[n++] = '\\';
            out[n++] = '\\';
        } else if (c > 0x20 && c < 0x7f) {
            out[n++] = (char)c;
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    out[n] = '\0';
    return out;
}
