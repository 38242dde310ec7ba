#include "config/framing.h"

#include <ctype.h>
#include <stdlib.h>

static int hex_value(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* The character behind a backslash; moves *at behind it. -1: no such escape. */
static int unescape(const char **at)
{
    static const char known[][2] = {
        {'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'0', '\0'}, {'\\', '\\'},
    };
    char c = *(*at)++;

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (c == known[i][0])
            return known[i][1];
    if (c != 'x' || !isxdigit((unsigned char)(*at)[0]) ||
        !isxdigit((unsigned char)(*at)[1]))
        return -1;
    *at += 2;
    return hex_value((*at)[-2]) << 4 | hex_value((*at)[-1]);
}

static const char *read_mark(const char *text, struct mark *out)
{
    while (*text) {
        int byte = (unsigned char)*text++;

        if (byte == '\\' && (byte = unescape(&text)) < 0)
            return "an escape that is none of \\n \\r \\t \\0 \\\\ \\xNN";
        if (out->size == MARK_MAX)
            return "an end of more than 7 bytes";
        out->bytes[out->size++] = (uint8_t)byte;
    }
    return NULL;
}

const char *framing_make(struct framing_config *f, uint32_t max_body)
{
    struct framing made = {.length.form = f->length};
    const char *wrong = f->end ? read_mark(f->end, &made.end) : NULL;
    size_t around;

    if (wrong)
        return wrong;
    if (f->length == FRAMING_DIGITS)
        made.length.digits = (uint8_t)f->digits;
    around = framing_length_size(&made.length) + made.end.size;
    made.min_frame = (uint32_t)around;
    made.max_frame = max_body + (uint32_t)around;
    if (f->length != FRAMING_NO_LENGTH) {
        bool counts_all = f->counts == FRAMING_COUNTS_FRAME;

        made.length.adjust = counts_all ? 0 : (int32_t)around;
        made.length.min = (counts_all ? (uint32_t)around : 0) + 1;
        made.length.max = (counts_all ? (uint32_t)around : 0) + max_body;
    } else if (made.end.size == 0) {
        return "neither a length field nor an end";
    }
    f->made = made;
    return framing_check(&made);
}
