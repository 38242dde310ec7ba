/* json.h - writes JSON text (RFC 8259) straight into a buf: for answers of any length.
 *
 *   json_open(j, '{'); json_key(j, "id"); json_text(j, id); json_close(j, '}');
 *
 * Commas and escapes are its business, balance is the caller's. The error is sticky:
 * after memory ran out everything is ignored, and `failed` tells at the end. */
#pragma once

#include "base/buf.h"

struct json {
    struct buf *out;
    bool failed;
    bool comma; /* something stands before on this level */
};

static inline struct json json_to(struct buf *out)
{
    return (struct json){.out = out};
}

void json_open(struct json *j, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);
void json_key(struct json *j, const char *key);   /* plain ASCII without quotes */
void json_name(struct json *j, struct slice key); /* ... of any bytes */

/* Any bytes: what is not UTF-8 becomes U+FFFD. A "<" is escaped: one answer goes out as
 * HTML, and what a device says must not become a tag there. */
void json_text(struct json *j, struct slice text);
void json_word(struct json *j, const char *word); /* a C string */
void json_int(struct json *j, int64_t value);
void json_uint(struct json *j, uint64_t value);
void json_bool(struct json *j, bool value);
void json_none(struct json *j);

/* Wall-clock milliseconds as RFC 3339 in UTC, "2026-11-21T11:20:40.123Z"; 0: null. */
void json_time(struct json *j, int64_t wall_ms);

/* Bytes as a text of lower-case hex digits. */
void json_hex(struct json *j, struct slice bytes);

/* One value, written already. */
void json_raw(struct json *j, struct slice value);
