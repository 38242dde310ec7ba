/* jt808_inside.h - what the files of codec/jt808*.c share. */
#pragma once

#include "codec/jt808.h"
#include "base/reader.h"

#include <jansson.h>

/* ---- text (jt808_text.c) ---- */

/* One JSON string: GBK without the zeros and blanks that fill a field. */
#define JT808_TEXT_MAX 255 /* bytes of it; what is longer is cut */
void jt808_show_text(struct json *j, struct slice gbk);

/* Appends valid UTF-8 as GBK. OK, ERR_INVALID (GBK does not have it), ERR_NOMEM. */
MUST_CHECK int jt808_write_text(struct buf *to, const char *utf8);

/* ---- shown (jt808_show.c, jt808_location.c, jt808_parameters.c) ---- */

/* Of at most four bytes. */
static inline uint32_t jt808_number(struct slice bytes)
{
    uint32_t value = 0;

    for (size_t i = 0; i < bytes.size; i++)
        value = value << 8 | bytes.data[i];
    return value;
}

/* A member `rest`: what nothing could be made of, if there is something. */
void jt808_show_rest(struct json *j, struct slice rest);

/* The words of the bits that are set, as an array. */
void jt808_show_bits(struct json *j, const char *key, uint32_t bits,
                     const char *const *words, size_t count);

void jt808_show_location(struct json *j, struct slice body);
void jt808_show_batch(struct json *j, struct slice body);
void jt808_show_parameters(struct json *j, struct slice body); /* 0104 */

/* ---- commands (jt808_command.c, jt808_parameters.c) ---- */

/* What a command is made of, and what is said if it cannot be. */
struct jt808_making {
    const json_t *args;
    bool is_2019;
    struct buf *body;
    char *why;
};

/* Says why, and returns ERR_INVALID. */
MUST_CHECK PRINTF(2, 3) int jt808_refuse(const struct jt808_making *m,
                                         const char *format, ...);

/* A text, or {"hex": "..."}: its bytes. */
MUST_CHECK int jt808_make_bytes(const struct jt808_making *m, const char *name,
                                const json_t *value);
MUST_CHECK int jt808_make_set(const struct jt808_making *m);  /* 8103 */
MUST_CHECK int jt808_make_some(const struct jt808_making *m); /* 8106 */
