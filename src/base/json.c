#include "base/json.h"
#include "base/hex.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static void put(struct json *j, struct slice bytes)
{
    if (!j->failed && buf_try_append(j->out, bytes) < 0)
        j->failed = true;
}

static void put_words(struct json *j, const char *text)
{
    put(j, slice_of(text, strlen(text)));
}

static void begin_value(struct json *j)
{
    if (j->comma)
        put_words(j, ",");
    j->comma = true;
}

static void put_value(struct json *j, const char *text)
{
    begin_value(j);
    put_words(j, text);
}

void json_open(struct json *j, char bracket)
{
    begin_value(j);
    put(j, slice_of(&bracket, 1));
    j->comma = false;
}

void json_close(struct json *j, char bracket)
{
    put(j, slice_of(&bracket, 1));
    j->comma = true;
}

void json_key(struct json *j, const char *key)
{
    begin_value(j);
    put_words(j, "\"");
    put_words(j, key);
    put_words(j, "\":");
    j->comma = false;
}

/* Length of the UTF-8 sequence (RFC 3629) at the beginning of `s`; 0: there is none. */
static size_t sequence_at(struct slice s)
{
    uint8_t first = s.data[0], low = 0x80, high = 0xbf;
    size_t length = first < 0x80   ? 1
                    : first < 0xc2 ? 0
                    : first < 0xe0 ? 2
                    : first < 0xf0 ? 3
                    : first < 0xf5 ? 4
                                   : 0;

    if (length == 0 || length > s.size)
        return 0;
    if (first == 0xe0)
        low = 0xa0; /* shorter forms exist */
    if (first == 0xed)
        high = 0x9f; /* surrogates */
    if (first == 0xf0)
        low = 0x90;
    if (first == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    for (size_t i = 1; i < length; i++) {
        if (s.data[i] < low || s.data[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\' && byte != '<';
}

static void put_special(struct json *j, uint8_t byte)
{
    char text[8];

    if (byte == '"' || byte == '\\')
        snprintf(text, sizeof(text), "\\%c", byte);
    else
        snprintf(text, sizeof(text), "\\u%04x", byte);
    put_words(j, text);
}

void json_text(struct json *j, struct slice text)
{
    begin_value(j);
    put_words(j, "\"");
    while (text.size) {
        size_t n = 0;

        while (n < text.size && is_plain(text.data[n]))
            n++;
        put(j, slice_of(text.data, n));
        text = slice_from(text, n);
        if (text.size == 0)
            break;
        n = sequence_at(text);
        if (n > 1)
            put(j, slice_of(text.data, n));
        else if (n == 1)
            put_special(j, text.data[0]);
        else
            put_words(j, "\xef\xbf\xbd");
        text = slice_from(text, n ? n : 1);
    }
    put_words(j, "\"");
}

void json_name(struct json *j, struct slice key)
{
    json_text(j, key);
    put_words(j, ":");
    j->comma = false;
}

void json_word(struct json *j, const char *word)
{
    json_text(j, slice_of(word, strlen(word)));
}

void json_int(struct json *j, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    put_value(j, text);
}

void json_uint(struct json *j, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    put_value(j, text);
}

void json_bool(struct json *j, bool value)
{
    put_value(j, value ? "true" : "false");
}

void json_none(struct json *j)
{
    put_value(j, "null");
}

void json_time(struct json *j, int64_t wall_ms)
{
    time_t seconds = wall_ms / 1000;
    char text[48], date[32];
    struct tm parts;

    if (wall_ms <= 0 || !gmtime_r(&seconds, &parts)) {
        json_none(j);
        return;
    }
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, sizeof(text), "\"%s.%03dZ\"", date, (int)(wall_ms % 1000));
    put_value(j, text);
}

void json_hex(struct json *j, struct slice bytes)
{
    uint8_t *to;

    begin_value(j);
    put_words(j, "\"");
    if (!j->failed && bytes.size) {
        if (!(to = buf_try_reserve(j->out, 2 * bytes.size))) {
            j->failed = true;
            return;
        }
        hex_write(bytes, (char *)to);
        buf_commit(j->out, 2 * bytes.size);
    }
    put_words(j, "\"");
}

void json_raw(struct json *j, struct slice value)
{
    begin_value(j);
    put(j, value);
}
