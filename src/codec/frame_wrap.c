#include "codec/frame.h"

/* The way out: body -> frame. It is built without escapes first, at the far end of the
 * reserved room, and then escaped towards its beginning, which it never overtakes. */

static void write_binary(uint8_t *to, size_t size, bool little_endian, uint64_t value)
{
    for (size_t i = 0; i < size; i++, value >>= 8)
        to[little_endian ? i : size - 1 - i] = (uint8_t)value;
}

static int write_length(const struct framing_length *l, uint8_t *frame, size_t size)
{
    int64_t value = (int64_t)size - l->adjust;
    size_t width = framing_length_size(l);
    uint64_t most = UINT64_MAX;

    if (l->form == FRAMING_FIXED)
        return value == 0 ? OK : ERR_BAD_LENGTH;
    if (l->form == FRAMING_DIGITS)
        for (most = 9; width > 1; width--)
            most = most * 10 + 9;
    else
        most = most >> (64 - 8 * width);
    if (value < (int64_t)l->min)
        return ERR_TOO_SHORT;
    if ((uint64_t)value > most || (l->max && value > (int64_t)l->max))
        return ERR_TOO_LARGE;
    if (l->form != FRAMING_DIGITS)
        write_binary(frame + l->offset, width,
                     l->form == FRAMING_U16_LE || l->form == FRAMING_U32_LE,
                     (uint64_t)value);
    else
        for (size_t i = l->digits; i > 0; i--, value /= 10)
            frame[l->offset + i - 1] = (uint8_t)('0' + value % 10);
    return OK;
}

static void write_checksum(const struct framing_checksum *c, uint8_t *frame,
                           size_t body_end)
{
    size_t to = c->to ? c->to : body_end;

    write_binary(frame + (c->offset ? c->offset : body_end), checksum_size(c->kind),
                 c->little_endian,
                 checksum_of(c->kind, slice_of(frame + c->from, to - c->from)));
}

static size_t escape(const struct framing_escape *e, const uint8_t *from, size_t size,
                     uint8_t *to)
{
    size_t written = 0;

    for (size_t i = 0; i < size; i++) {
        size_t pair = 0;

        while (pair < e->count && e->pairs[pair].plain != from[i])
            pair++;
        if (pair < e->count) {
            to[written++] = e->mark;
            to[written++] = e->pairs[pair].code;
        } else {
            to[written++] = from[i];
        }
    }
    return written;
}

/* Bytes of the frame, before escapes, or why there cannot be one. */
static int size_around(const struct framing *f, size_t body, size_t *size)
{
    *size = framing_head(f) + body + framing_trailer(f);
    if (body > f->max_frame || *size > f->max_frame)
        return ERR_TOO_LARGE;
    return *size < f->min_frame ? ERR_TOO_SHORT : OK;
}

int framing_around(const struct framing *f, size_t size, uint8_t *before,
                   uint8_t *behind)
{
    size_t whole;
    int rc = size_around(f, size, &whole);

    assert(framing_is_plain(f));
    if (rc < 0)
        return rc;
    memcpy(before, f->start.bytes, f->start.size);
    memcpy(behind, f->end.bytes, f->end.size);
    return f->length.form ? write_length(&f->length, before, whole) : OK;
}

int framing_wrap_room(const struct framing *f, size_t size, struct buf *out,
                      uint8_t **room)
{
    size_t head = framing_head(f), whole = head + size + framing_trailer(f);
    uint8_t *frame;
    int rc;

    if (!(frame = buf_try_reserve(out, whole)))
        return ERR_NOMEM;
    if ((rc = framing_around(f, size, frame, frame + head + size)) < 0)
        return rc;
    buf_commit(out, whole);
    *room = frame + head;
    return OK;
}

int framing_wrap(const struct framing *f, struct slice body, struct buf *out)
{
    size_t head = framing_head(f), trailer = framing_trailer(f);
    size_t size, room, inside;
    uint8_t *to, *frame;
    int rc = size_around(f, body.size, &size);

    if (rc < 0)
        return rc;
    room = f->escape.count ? 2 * size : 0;
    if (!(to = buf_try_reserve(out, room + size)))
        return ERR_NOMEM;

    frame = to + room;
    memcpy(frame, f->start.bytes, f->start.size);
    if (body.size)
        memcpy(frame + head, body.data, body.size);
    memcpy(frame + size - f->end.size, f->end.bytes, f->end.size);
    if (f->length.form && (rc = write_length(&f->length, frame, size)) < 0)
        return rc;
    if (f->checksum.kind)
        write_checksum(&f->checksum, frame, size - trailer);
    if (f->escape.count) {
        inside = size - f->start.size - f->end.size;
        memcpy(to, frame, f->start.size);
        size = f->start.size +
               escape(&f->escape, frame + f->start.size, inside, to + f->start.size);
        memcpy(to + size, f->end.bytes, f->end.size);
        size += f->end.size;
    }
    buf_commit(out, size);
    return OK;
}
