#include "config/framing.h"
#include "base/hex.h"

/* The character behind a backslash; moves *at behind it. -1: no such escape. */
static int unescape(const char **at)
{
    static const char known[][2] = {
        {'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'0', '\0'}, {'\\', '\\'},
    };
    char c = *(*at)++;
    int byte;

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (c == known[i][0])
            return known[i][1];
    if (c != 'x' || (byte = hex_byte(*at)) < 0)
        return -1;
    *at += 2;
    return byte;
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
    struct framing_words words = {
        .length = f->length,
        .digits = (uint8_t)f->digits,
        .counts_frame = f->counts == FRAMING_COUNTS_FRAME,
    };
    const char *wrong = f->end ? read_mark(f->end, &words.end) : NULL;

    return wrong ? wrong : framing_from_words(&words, max_body, &f->made);
}
