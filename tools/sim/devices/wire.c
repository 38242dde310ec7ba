#include "sim/devices/wire.h"
#include "base/reader.h"

#define DELIMITER 0x7e
#define ESCAPE    0x7d
#define PACKAGED  0x2000
#define VERSIONED 0x4000
#define LENGTH    0x03ff

size_t wire_cut(struct slice in, uint8_t room[WIRE_FRAME_MAX], struct slice *content,
                bool *is_damaged)
{
    const uint8_t *end;
    size_t n = 0, size;

    *content = slice_of(room, 0);
    *is_damaged = false;
    if (in.size == 0)
        return 0;
    if (in.data[0] != DELIMITER) { /* nothing stands between frames */
        end = memchr(in.data, DELIMITER, in.size);
        *is_damaged = true;
        return end ? (size_t)(end - in.data) : in.size;
    }
    end = memchr(in.data + 1, DELIMITER, in.size - 1);
    if (!end) {
        *is_damaged = in.size > WIRE_FRAME_MAX;
        return *is_damaged ? in.size : 0;
    }
    size = (size_t)(end - in.data) - 1;
    if (size == 0)
        return 1; /* the second one opens a frame */
    for (size_t i = 1; i <= size && !*is_damaged; i++) {
        uint8_t byte = in.data[i];

        if (byte == ESCAPE) {
            byte = i < size ? in.data[++i] : 0;
            *is_damaged = byte != 1 && byte != 2;
            byte = byte == 2 ? DELIMITER : ESCAPE;
        }
        *is_damaged |= n == WIRE_FRAME_MAX;
        if (!*is_damaged)
            room[n++] = byte;
    }
    content->size = *is_damaged ? 0 : n;
    return size + 2;
}

const char *wire_read(struct slice content, const struct wire_id *who,
                      struct wire_frame *out)
{
    struct reader r = reader_of(content);
    uint16_t properties;
    struct slice id;
    uint8_t sum = 0;

    for (size_t i = 0; i < content.size; i++)
        sum ^= content.data[i];
    if (sum || content.size == 0)
        return "checksum";
    r.rest.size--;
    out->message = read_u16(&r);
    properties = read_u16(&r);
    if (who->size == WIRE_ID_MAX)
        read_u8(&r);
    id = read_bytes(&r, who->size);
    out->serial = read_u16(&r);
    out->total = properties & PACKAGED ? read_u16(&r) : 0;
    out->number = properties & PACKAGED ? read_u16(&r) : 0;
    out->body = r.rest;
    if (r.bad || out->body.size != (properties & LENGTH))
        return "length";
    if (!slice_equal(id, slice_of(who->bytes, who->size)) ||
        !(properties & VERSIONED) != (who->size != WIRE_ID_MAX))
        return "id";
    return NULL;
}

static size_t put_escaped(uint8_t *to, struct slice bytes, uint8_t *sum)
{
    size_t n = 0;

    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];

        *sum ^= byte;
        if (byte == DELIMITER || byte == ESCAPE) {
            to[n++] = ESCAPE;
            byte = byte == DELIMITER ? 2 : 1;
        }
        to[n++] = byte;
    }
    return n;
}

int wire_write(struct buf *to, const struct wire_id *who, const struct wire_frame *f)
{
    uint8_t *at = buf_try_reserve(to, WIRE_FRAME_MAX);
    uint8_t head[21], sum = 0, unused;
    size_t size = 4, n = 0;

    assert(f->body.size <= WIRE_BODY_MAX);
    if (!at)
        return ERR_NOMEM;
    put_u16(head, f->message);
    put_u16(head + 2, (uint16_t)(f->body.size | (f->total ? PACKAGED : 0u) |
                                 (who->size == WIRE_ID_MAX ? VERSIONED : 0u)));
    if (who->size == WIRE_ID_MAX)
        head[size++] = 1;
    memcpy(head + size, who->bytes, who->size);
    size += who->size;
    put_u16(head + size, f->serial);
    size += 2;
    if (f->total) {
        put_u16(head + size, f->total);
        put_u16(head + size + 2, f->number);
        size += 4;
    }
    at[n++] = DELIMITER;
    n += put_escaped(at + n, slice_of(head, size), &sum);
    n += put_escaped(at + n, f->body, &sum);
    unused = sum;
    n += put_escaped(at + n, slice_of(&sum, 1), &unused);
    at[n++] = DELIMITER;
    buf_commit(to, n);
    return OK;
}
