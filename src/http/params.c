#include "http/params.h"
#include "base/id.h"
#include "device/presence.h"
#include "http/api_events.h"
#include "net/conn.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const struct param_entry param_table[PARAM_COUNT] = {
#define X(name, word, kind, low, high, fallback, text)                                 \
    [PARAM_##name] = {word, VALUE_##kind, low, high, fallback, text},
    API_PARAMS(X)
#undef X
};

/* ---- one value of each kind: false if it is not allowed ---- */

static bool read_digits(const char *text, const char *suffix, uint64_t *out)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && strcmp(end, suffix) == 0;
}

static bool read_within(const struct param_entry *e, uint64_t value, uint64_t *out)
{
    *out = value;
    return value >= e->low && value <= e->high;
}

static bool read_number(const struct param_entry *e, const char *text, uint64_t *out)
{
    uint64_t value;

    return read_digits(text, "", &value) && read_within(e, value, out);
}

/* From the largest on: what a bound is said in. */
static const struct unit {
    const char *suffix;
    uint64_t ms;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000},
             {"m", 60000},    {"s", 1000},    {"ms", 1}};

static bool read_span(const struct param_entry *e, const char *text, uint64_t *out)
{
    uint64_t value;

    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (read_digits(text, units[i].suffix, &value))
            return value <= e->high / units[i].ms &&
                   read_within(e, value * units[i].ms, out);
    return false;
}

static bool read_bool(const char *text, uint64_t *out)
{
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0;
}

static bool read_protocol(const char *text, uint64_t *out)
{
#define X(name, number, word)                                                          \
    if (strcmp(text, word) == 0) {                                                     \
        *out = (number);                                                               \
        return true;                                                                   \
    }
    PROTOCOLS(X)
#undef X
    return false;
}

static bool read_conn_state(const char *text, uint64_t *out)
{
    for (*out = 0; *out < CONN_STATE_COUNT; ++*out)
        if (strcmp(text, conn_state_word((uint8_t)*out)) == 0)
            return true;
    return false;
}

/* Some of the words of [low, high), with commas. */
static bool read_set(const char *text, const char *(*word_of)(uint8_t), uint8_t low,
                     uint8_t high, uint64_t *out)
{
    *out = 0;
    for (;;) {
        size_t length = strcspn(text, ",");
        uint8_t n = low;

        while (n < high &&
               (strlen(word_of(n)) != length || memcmp(text, word_of(n), length) != 0))
            n++;
        if (n == high)
            return false;
        *out |= BIT(n);
        if (!text[length])
            return true;
        text += length + 1;
    }
}

static bool read_value(const struct param_entry *e, const char *text, uint64_t *out)
{
    size_t length = strlen(text);

    switch (e->kind) {
    case VALUE_NUMBER:
        return read_number(e, text, out);
    case VALUE_SPAN:
        return read_span(e, text, out);
    case VALUE_BOOL:
        return read_bool(text, out);
    case VALUE_PROTOCOL:
        return read_protocol(text, out);
    case VALUE_STATES:
        return read_set(text, presence_word, 0, PRESENCE_COUNT, out);
    case VALUE_TYPES:
        return read_set(text, event_word, 1, EVENT_KIND_LIMIT, out);
    case VALUE_CONN:
        return read_conn_state(text, out);
    case VALUE_TEXT:
        break;
    }
    return length >= e->low && length <= e->high;
}

/* ---- what is wrong, as a sentence ---- */

static void say_spans(const struct param_entry *e, char *to, size_t size)
{
    uint64_t day_ms = units[0].ms;
    bool has_days = e->high % day_ms == 0;

    snprintf(to, size, "%" PRIu64 "s to %" PRIu64 "%s", e->low / 1000,
             e->high / (has_days ? day_ms : 1000), has_days ? "d" : "s");
}

static void say_allowed(const struct param_entry *e, char *to, size_t size)
{
    switch (e->kind) {
    case VALUE_NUMBER:
        snprintf(to, size, "a number from %" PRIu64 " to %" PRIu64, e->low, e->high);
        return;
    case VALUE_SPAN:
        say_spans(e, to, size);
        return;
    case VALUE_BOOL:
        snprintf(to, size, "true or false");
        return;
    case VALUE_TEXT:
        snprintf(to, size, "%" PRIu64 " to %" PRIu64 " bytes", e->low, e->high);
        return;
    case VALUE_PROTOCOL:
#define X(name, number, word) " " word
        snprintf(to, size, "one of:" PROTOCOLS(X));
#undef X
        return;
    case VALUE_STATES:
#define X(name, word) " " word
        snprintf(to, size, "some of these, with commas:" PRESENCE_STATES(X));
#undef X
        return;
    case VALUE_TYPES:
#define X(name, number, word) " " word
        snprintf(to, size, "some of these, with commas:" EVENT_KINDS(X));
#undef X
        return;
    case VALUE_CONN:
#define X(name, word) " " word
        snprintf(to, size, "one of:" CONN_STATES(X));
#undef X
        return;
    }
}

static int refuse_value(const struct param_entry *e, const char *value, char *why)
{
    char allowed[128];

    say_allowed(e, allowed, sizeof(allowed));
    snprintf(why, PARAM_WHY_SIZE, "`%s` is `%.64s`; allowed is %s", e->word, value,
             allowed);
    return ERR_INVALID;
}

static int refuse_name(const char *name, uint32_t allowed, char *why)
{
    size_t used =
        (size_t)snprintf(why, PARAM_WHY_SIZE,
                         "there is no parameter `%.64s` here; there is", name);

    for (int i = 0; i < PARAM_COUNT; i++)
        if (allowed & BIT(i) && used < PARAM_WHY_SIZE)
            used += (size_t)snprintf(why + used, PARAM_WHY_SIZE - used, " `%s`",
                                     param_table[i].word);
    if (!allowed && used < PARAM_WHY_SIZE)
        snprintf(why + used, PARAM_WHY_SIZE - used, " none");
    return ERR_INVALID;
}

/* ---- all of them ---- */

static int find_param(const char *name, uint32_t allowed)
{
    for (int i = 0; i < PARAM_COUNT; i++)
        if (allowed & BIT(i) && strcmp(name, param_table[i].word) == 0)
            return i;
    return -1;
}

int params_read(const struct http_request *q, uint32_t allowed, struct params *out,
                char why[PARAM_WHY_SIZE])
{
    const char *name;

    *out = (struct params){0};
    for (int i = 0; i < PARAM_COUNT; i++)
        out->number[i] = param_table[i].fallback;
    for (unsigned n = 0; (name = http_query_name(q, n)); n++) {
        int i = find_param(name, allowed);
        const char *value = http_query(q, name);

        if (i < 0)
            return refuse_name(name, allowed, why);
        if (!value || !read_value(&param_table[i], value, &out->number[i]))
            return refuse_value(&param_table[i], value ? value : "", why);
        out->given |= BIT(i);
        out->text[i] = value;
    }
    return OK;
}
