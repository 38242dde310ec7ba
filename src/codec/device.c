#include "codec/device.h"
#include "base/reader.h"

#define MARK            0x7e
#define ESCAPE          0x7d
#define LENGTH_BITS     0x03ffu
#define ENCRYPTED       0x1c00u /* bits 10 to 12: how */
#define AROUND          3       /* both marks and the checksum */
#define FIXED_HEAD      6       /* message, properties, serial */
#define PACKAGE_NUMBERS 4

static size_t id_size(uint8_t form)
{
    static const uint8_t sizes[] =
        {[DEVICE_ID_ASCII8] = 8, [DEVICE_ID_BCD6] = 6, [DEVICE_ID_BCD10] = 10};

    return sizes[form];
}

static size_t version_size(uint8_t form)
{
    return form == DEVICE_ID_BCD10 ? 1 : 0;
}

/* Of JT808 the smaller of the two: the other one is known when the frame is read. */
struct framing device_framing(enum device_id_form form)
{
    uint8_t least = form == DEVICE_ID_JT808 ? DEVICE_ID_BCD6 : (uint8_t)form;
    size_t head = FIXED_HEAD + version_size(least) + id_size(least);

    return (struct framing){
        .start = {.size = 1, .bytes = {MARK}},
        .end = {.size = 1, .bytes = {MARK}},
        .escape = {.mark = ESCAPE, .count = 2, .pairs = {{0x01, ESCAPE}, {0x02, MARK}}},
        .checksum = {.kind = CHECKSUM_XOR, .from = 1},
        .resyncs = true,
        .min_frame = (uint32_t)(AROUND + head),
        .max_frame = DEVICE_FRAME_MAX,
    };
}

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] > '~')
            return false;
    return true;
}

static size_t size_without_blanks(struct slice text)
{
    while (text.size && text.data[text.size - 1] == ' ')
        text.size--;
    return text.size;
}

/* An id that cannot be shown is nobody's. Decimals always can. */
static bool has_text(const struct device_head *head)
{
    struct slice id = slice_of(head->id, id_size(head->form));

    return head->form != DEVICE_ID_ASCII8 ||
           (is_printable(id) && size_without_blanks(id) > 0);
}

static void read_head(struct reader *r, enum device_id_form form,
                      struct device_frame *out)
{
    struct slice id;

    out->message = read_u16(r);
    out->properties = read_u16(r);
    out->head.form = (uint8_t)form;
    if (form == DEVICE_ID_JT808)
        out->head.form =
            out->properties & DEVICE_VERSIONED ? DEVICE_ID_BCD10 : DEVICE_ID_BCD6;
    if (version_size(out->head.form))
        out->head.version = read_u8(r);
    id = read_bytes(r, id_size(out->head.form));
    if (id.size)
        memcpy(out->head.id, id.data, id.size);
    out->serial = read_u16(r);
    if (out->properties & DEVICE_PACKAGED) {
        out->total = read_u16(r);
        out->number = read_u16(r);
    }
}

int device_decode(enum device_id_form form, struct slice frame,
                  struct device_frame *out)
{
    struct reader r = reader_of(frame);

    *out = (struct device_frame){0};
    read_head(&r, form, out);
    if (r.bad)
        return ERR_TOO_SHORT;
    if ((out->properties & LENGTH_BITS) != r.rest.size)
        return ERR_BAD_LENGTH;
    if (out->properties & ENCRYPTED || !has_text(&out->head))
        return ERR_MALFORMED;
    out->body = r.rest;
    return OK;
}

/* Everything between the marks but the checksum; returns its size. */
static size_t write_plain(const struct device_head *head, uint16_t message,
                          uint16_t serial, uint16_t total, uint16_t number,
                          struct slice body, uint8_t *to)
{
    size_t id = id_size(head->form), versions = version_size(head->form);
    unsigned properties = (unsigned)body.size;
    uint8_t *at = to + 4;

    if (total)
        properties |= DEVICE_PACKAGED;
    if (versions) {
        properties |= DEVICE_VERSIONED;
        *at++ = head->version;
    }
    put_u16(to, message);
    put_u16(to + 2, (uint16_t)properties);
    memcpy(at, head->id, id);
    put_u16(at += id, serial);
    at += 2;
    if (total) {
        put_u16(at, total);
        put_u16(at + 2, number);
        at += PACKAGE_NUMBERS;
    }
    if (body.size)
        memcpy(at, body.data, body.size);
    return (size_t)(at - to) + body.size;
}

int device_encode(const struct device_head *head, uint16_t message, uint16_t serial,
                  uint16_t total, uint16_t number, struct slice body, struct buf *out)
{
    const struct framing framing = device_framing(head->form);
    uint8_t plain[DEVICE_HEAD_MAX + DEVICE_BODY_MAX];

    if (body.size > DEVICE_BODY_MAX)
        return ERR_TOO_LARGE;
    return framing_wrap(&framing,
                        slice_of(plain, write_plain(head, message, serial, total,
                                                    number, body, plain)),
                        out);
}

/* ---- the id's text ---- */

static size_t ascii_text(struct slice id, char *text)
{
    size_t size = size_without_blanks(id);

    assert(size <= DEVICE_ID_BYTES);
    for (size_t i = 0; i < size; i++) {
        bool is_lower = id.data[i] >= 'a' && id.data[i] <= 'z';

        text[i] = (char)(is_lower ? id.data[i] - 'a' + 'A' : id.data[i]);
    }
    return size;
}

static size_t bcd_text(struct slice id, char *text)
{
    size_t size = 2 * id.size, zeros = 0;
    bool is_decimal = true;

    for (size_t i = 0; i < size; i++) {
        unsigned nibble = i % 2 ? id.data[i / 2] & 15 : id.data[i / 2] >> 4;

        text[i] = "0123456789abcdef"[nibble];
        is_decimal = is_decimal && nibble < 10;
    }
    if (!is_decimal)
        return size;
    while (zeros < size - 1 && text[zeros] == '0')
        zeros++;
    memmove(text, text + zeros, size - zeros);
    return size - zeros;
}

int device_id_text(const struct device_head *head, uint8_t protocol, struct id *out)
{
    struct slice id = slice_of(head->id, id_size(head->form));
    char text[2 * DEVICE_ID_BYTES];
    size_t size;

    if (!has_text(head))
        return ERR_MALFORMED;
    size = head->form == DEVICE_ID_ASCII8 ? ascii_text(id, text) : bcd_text(id, text);
    return id_make(protocol, slice_of(text, size), out);
}
