/* jt808_text.c - GBK, by tables: iconv knows it, but needs a state for each thread, and
 * files. So it is asked once, for all there is: 23,940 codes of two bytes. */
#include "codec/jt808_inside.h"

#include <iconv.h>

#define LEAD_FIRST  0x81
#define LEAD_LAST   0xfe
#define TRAIL_FIRST 0x40
#define TRAIL_LAST  0xfe
#define NO_CODE     0xfffd /* U+FFFD, as json_text() has it for what is no UTF-8 */

static uint16_t to_unicode[LEAD_LAST - LEAD_FIRST + 1][TRAIL_LAST - TRAIL_FIRST + 1];
static uint16_t from_unicode[UINT16_MAX + 1];

static void learn(iconv_t gbk, unsigned lead, unsigned trail)
{
    char in[2] = {(char)lead, (char)trail};
    uint8_t out[2];
    char *from = in, *to = (char *)out;
    size_t in_size = sizeof(in), out_size = sizeof(out);
    uint16_t code;

    if (iconv(gbk, &from, &in_size, &to, &out_size) == (size_t)-1 || out_size > 0) {
        iconv(gbk, NULL, NULL, NULL, NULL);
        return;
    }
    code = (uint16_t)(out[0] << 8 | out[1]);
    to_unicode[lead - LEAD_FIRST][trail - TRAIL_FIRST] = code;
    from_unicode[code] = (uint16_t)(lead << 8 | trail);
}

int jt808_init(void)
{
    static bool is_learnt; /* 24,000 conversations with iconv */
    iconv_t gbk;

    if (is_learnt)
        return OK;
    if ((gbk = iconv_open("UTF-16BE", "GBK")) == (iconv_t)-1)
        return ERR_INVALID;
    for (unsigned lead = LEAD_FIRST; lead <= LEAD_LAST; lead++) {
        for (unsigned trail = TRAIL_FIRST; trail <= TRAIL_LAST; trail++)
            learn(gbk, lead, trail);
    }
    iconv_close(gbk);
    is_learnt = true;
    return OK;
}

/* The next character; *used says how many bytes it took. */
static uint16_t code_at(struct slice gbk, size_t *used)
{
    uint16_t code = 0;

    *used = 1;
    if (gbk.data[0] < 0x80)
        return gbk.data[0];
    if (gbk.size > 1 && gbk.data[0] >= LEAD_FIRST && gbk.data[0] <= LEAD_LAST &&
        gbk.data[1] >= TRAIL_FIRST && gbk.data[1] <= TRAIL_LAST)
        code = to_unicode[gbk.data[0] - LEAD_FIRST][gbk.data[1] - TRAIL_FIRST];
    if (!code)
        return NO_CODE;
    *used = 2;
    return code;
}

static size_t put_utf8(uint8_t *to, uint16_t code)
{
    if (code < 0x80) {
        to[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (uint8_t)(0xc0 | code >> 6);
        to[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    to[0] = (uint8_t)(0xe0 | code >> 12);
    to[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    to[2] = (uint8_t)(0x80 | (code & 0x3f));
    return 3;
}

static bool is_filling(uint8_t byte)
{
    return byte == 0 || byte == ' ';
}

void jt808_show_text(struct json *j, struct slice gbk)
{
    uint8_t text[3 * JT808_TEXT_MAX];
    size_t size = 0, used;

    while (gbk.size && is_filling(gbk.data[0]))
        gbk = slice_from(gbk, 1);
    while (gbk.size && is_filling(gbk.data[gbk.size - 1]))
        gbk.size--;
    if (gbk.size > JT808_TEXT_MAX)
        gbk.size = JT808_TEXT_MAX;
    for (; gbk.size; gbk = slice_from(gbk, used))
        size += put_utf8(text + size, code_at(gbk, &used));
    json_text(j, slice_of(text, size));
}

/* The character that `text` begins with; *used: its bytes. `text` is UTF-8. */
static uint32_t character_at(const uint8_t *text, size_t *used)
{
    static const uint8_t masks[] = {0x7f, 0x1f, 0x0f, 0x07};
    size_t more = text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 1 : text[0] < 0xf0 ? 2 : 3;
    uint32_t code = text[0] & masks[more];

    for (*used = 1; *used <= more; ++*used)
        code = code << 6 | (text[*used] & 0x3f);
    return code;
}

int jt808_write_text(struct buf *to, const char *utf8)
{
    const uint8_t *text = (const uint8_t *)utf8;
    size_t used;

    for (; *text; text += used) {
        uint32_t code = character_at(text, &used);
        uint8_t *at = buf_try_reserve(to, 2);

        if (!at)
            return ERR_NOMEM;
        if (code < 0x80) {
            at[0] = (uint8_t)code;
            buf_commit(to, 1);
            continue;
        }
        if (code > UINT16_MAX || !from_unicode[code])
            return ERR_INVALID;
        put_u16(at, from_unicode[code]);
        buf_commit(to, 2);
    }
    return OK;
}
