#include "http/cursor.h"
#include "base/reader.h"

/* version (1) | shard (2) | boot (4) | number (4), in base64url: 11 bytes make 15
 * digits, of which the last one carries four bits and two zeros. Another layout:
 * another version. */
#define VERSION 2
#define BYTES   11
#define DIGITS  15

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void cursor_write(const struct cursor *c, char text[CURSOR_TEXT_SIZE])
{
    uint8_t bytes[BYTES + 1] = {VERSION};

    put_u16(bytes + 1, c->shard);
    put_u32(bytes + 3, c->boot);
    put_u32(bytes + 7, c->number);
    for (unsigned i = 0; i < DIGITS; i++) {
        unsigned bit = i * 6, at = bit / 8;
        unsigned pair = (unsigned)bytes[at] << 8 | bytes[at + 1];

        text[i] = digits[pair >> (10 - bit % 8) & 63];
    }
    text[DIGITS] = '\0';
}

int cursor_read(const char *text, struct cursor *out)
{
    uint8_t bytes[BYTES + 1] = {0}, version;
    struct reader r = reader_of(slice_of(bytes, BYTES));
    char again[CURSOR_TEXT_SIZE];

    if (strlen(text) != DIGITS)
        return ERR_INVALID;
    for (unsigned i = 0; i < DIGITS; i++) {
        const char *digit = strchr(digits, text[i]);
        unsigned bit = i * 6, at = bit / 8, pair;

        if (!digit)
            return ERR_INVALID;
        pair = (unsigned)(digit - digits) << (10 - bit % 8);
        bytes[at] |= (uint8_t)(pair >> 8);
        bytes[at + 1] |= (uint8_t)pair;
    }
    version = read_u8(&r);
    out->shard = read_u16(&r);
    out->boot = read_u32(&r);
    out->number = read_u32(&r);
    cursor_write(out, again);
    return version == VERSION && strcmp(text, again) == 0 ? OK : ERR_INVALID;
}
