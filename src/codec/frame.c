#include "codec/frame.h"

#include <assert.h>

/* The engine: what to do with a fault; what every frame passes before it is handed out;
 * the three ways to find where a frame ends. */

/* One mark both closes a frame and opens the next. */
static inline bool is_shared(const struct framing *f)
{
    return f->end.size > 0 && mark_equal(&f->start, &f->end);
}

size_t framing_scratch_size(const struct framing *f)
{
    return f->escape.count > 0 || is_shared(f) ? f->max_frame : 0;
}

static ssize_t skip(const struct framing *f, struct framing_state *s, size_t used,
                    int why, struct frame *out)
{
    if (!f->resyncs)
        return why;
    s->scanned = 0;
    out->fault = why;
    return (ssize_t)used;
}

/* Drops everything up to where the next frame may start, at least one byte. */
static ssize_t skip_to_start(const struct framing *f, struct framing_state *s,
                             struct slice in, int why, struct frame *out)
{
    size_t at;

    if (!f->resyncs)
        return why;
    at = mark_find(&f->start, in, 1);
    if (at == in.size)
        at = mark_find_unfinished(&f->start, slice_from(in, 1)) + 1;
    return skip(f, s, at, why, out);
}

static uint32_t read_binary(const uint8_t *at, size_t size, bool little_endian)
{
    uint32_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[little_endian ? size - 1 - i : i];
    return value;
}

static void compute_checksum(const struct framing *f, struct frame *frame)
{
    const struct framing_checksum *c = &f->checksum;
    size_t body_end = frame->bytes.size - framing_trailer(f);
    size_t to = c->to ? c->to : body_end;
    const uint8_t *at = frame->bytes.data + (c->offset ? c->offset : body_end);

    frame->computed =
        checksum_of(c->kind, slice_of(frame->bytes.data + c->from, to - c->from));
    frame->received = read_binary(at, checksum_size(c->kind), c->little_endian);
}

/* `bytes` is a frame of a size within the limits, `used` what it took on the wire. */
static ssize_t hand_out(const struct framing *f, struct framing_state *s,
                        struct slice bytes, size_t used, struct frame *out)
{
    size_t head = framing_head(f);

    out->bytes = bytes;
    if (f->checksum.kind) {
        compute_checksum(f, out);
        if (UNLIKELY(out->computed != out->received) && !f->checksum.is_reported) {
            out->bytes = (struct slice){0};
            return skip(f, s, used, ERR_BAD_CHECKSUM, out);
        }
    }
    out->body = slice_of(bytes.data + head, bytes.size - head - framing_trailer(f));
    s->scanned = 0;
    return (ssize_t)used;
}

/* 1 = *value is set, 0 = more needed, < 0 = one of those that are here is no digit. */
static int read_digits(struct slice in, const struct framing_length *l, uint64_t *value)
{
    for (size_t i = 0; i < l->digits; i++) {
        if (l->offset + i >= in.size)
            return 0;
        if (in.data[l->offset + i] < '0' || in.data[l->offset + i] > '9')
            return ERR_BAD_LENGTH;
        *value = *value * 10 + (uint64_t)(in.data[l->offset + i] - '0');
    }
    return 1;
}

/* The same, and < 0 also for a length out of its range. */
static int read_length(struct slice in, const struct framing_length *l, uint64_t *value)
{
    bool little_endian = l->form == FRAMING_U16_LE || l->form == FRAMING_U32_LE;
    size_t size = framing_length_size(l);
    int rc;

    *value = 0;
    if (l->form == FRAMING_DIGITS) {
        if ((rc = read_digits(in, l, value)) <= 0)
            return rc;
    } else {
        if (l->offset + size > in.size)
            return 0;
        *value = read_binary(in.data + l->offset, size, little_endian);
    }
    if (*value < l->min)
        return ERR_BAD_LENGTH;
    return l->max && *value > l->max ? ERR_TOO_LARGE : 1;
}

static ssize_t cut_by_length(const struct framing *f, struct framing_state *s,
                             struct slice in, struct frame *out)
{
    uint64_t value;
    int64_t size; /* of ten digits and 31 bits: cannot overflow */
    int rc;

    if (UNLIKELY(!mark_may_begin(&f->start, in)))
        return skip_to_start(f, s, in, ERR_BAD_START, out);
    if (in.size < f->start.size || (rc = read_length(in, &f->length, &value)) == 0)
        return 0;
    if (rc > 0) {
        size = (int64_t)value + f->length.adjust;
        if (size < (int64_t)f->min_frame)
            rc = ERR_TOO_SHORT;
        else if (size > (int64_t)f->max_frame)
            rc = ERR_TOO_LARGE;
        else if ((size_t)size > in.size)
            return 0;
        else if (!mark_begins(&f->end, slice_from(in, (size_t)size - f->end.size)))
            rc = ERR_BAD_LENGTH;
        else
            return hand_out(f, s, slice_of(in.data, (size_t)size), (size_t)size, out);
    }
    return skip_to_start(f, s, in, rc, out);
}

/* Start, unescaped inside and end go to `to`, at most max_frame bytes. Returns the size
 * or an error. */
static ssize_t unescape(const struct framing *f, struct slice inside, uint8_t *to)
{
    const struct framing_escape *e = &f->escape;
    size_t room = f->max_frame - f->end.size;
    size_t size = f->start.size;

    memcpy(to, f->start.bytes, f->start.size);
    while (inside.size > 0) {
        const uint8_t *mark =
            e->count ? memchr(inside.data, e->mark, inside.size) : NULL;
        size_t plain = mark ? (size_t)(mark - inside.data) : inside.size;
        size_t pair = 0;

        if (plain + (mark ? 1 : 0) > room - size)
            return ERR_TOO_LARGE;
        memcpy(to + size, inside.data, plain);
        size += plain;
        inside = slice_from(inside, plain);
        if (!mark)
            continue;
        while (pair < e->count && (inside.size < 2 || e->pairs[pair].code != mark[1]))
            pair++;
        if (pair == e->count)
            return ERR_BAD_ESCAPE;
        to[size++] = e->pairs[pair].plain;
        inside = slice_from(inside, 2);
    }
    memcpy(to + size, f->end.bytes, f->end.size);
    return (ssize_t)(size + f->end.size);
}

/* The largest frame with every byte escaped. */
static size_t largest_on_wire(const struct framing *f)
{
    size_t marks = (size_t)f->start.size + f->end.size;

    return f->escape.count ? marks + 2 * (f->max_frame - marks) : f->max_frame;
}

/* The rest of a frame that is too large goes up to its end, wherever that will be. */
static ssize_t drop_rest(const struct framing *f, struct framing_state *s,
                         struct slice in, struct frame *out)
{
    size_t end = mark_find(&f->end, in, 0);

    s->is_dropping = end == in.size;
    end = s->is_dropping ? mark_find_unfinished(&f->end, in) : end + f->end.size;
    return end ? skip(f, s, end, ERR_TOO_LARGE, out) : 0;
}

static ssize_t cut_by_end(const struct framing *f, struct framing_state *s,
                          struct slice in, uint8_t *scratch, struct frame *out)
{
    size_t begin = s->is_open ? 0 : f->start.size;
    size_t most = largest_on_wire(f) - (f->start.size - begin);
    size_t end, used;
    struct slice bytes;
    ssize_t size;

    if (s->is_dropping)
        return drop_rest(f, s, in, out);
    if (is_shared(f) && mark_begins(&f->end, in)) {
        s->is_open = true;
        s->scanned = 0;
        return f->end.size; /* it opens a frame, or is one of a run */
    }
    if (!s->is_open && !mark_may_begin(&f->start, in))
        return skip_to_start(f, s, in, ERR_BAD_START, out);

    end = mark_find(&f->end, in, s->scanned > begin ? s->scanned : begin);
    used = end + f->end.size;
    if (end == in.size) {
        s->scanned = (uint32_t)mark_find_unfinished(&f->end, in);
        if (s->scanned + f->end.size <= most)
            return 0;
        s->is_dropping = true;
        return skip(f, s, s->scanned, ERR_TOO_LARGE, out);
    }
    if (used > most)
        return skip(f, s, used, ERR_TOO_LARGE, out);
    bytes = slice_of(in.data, used);
    if (framing_scratch_size(f) > 0) {
        assert(scratch);
        size = unescape(f, slice_of(in.data + begin, end - begin), scratch);
        if (size < 0)
            return skip(f, s, used, (int)size, out);
        bytes = slice_of(scratch, (size_t)size);
    }
    if (bytes.size < f->min_frame)
        return skip(f, s, used, ERR_TOO_SHORT, out);
    return hand_out(f, s, bytes, used, out);
}

static bool has_valid_checksum(const struct framing *f, struct slice bytes)
{
    struct frame frame = {.bytes = bytes};

    if (!f->checksum.kind)
        return false;
    compute_checksum(f, &frame);
    return frame_check_fits(&frame);
}

/* The frame ends with the data - unless the data ends amid the next start. Its first
 * byte alone may as well be the frame's last; the checksum tells them apart. */
static size_t end_of_data(const struct framing *f, struct slice in)
{
    size_t end = mark_find_unfinished(&f->start, in);

    if (end == in.size || end < f->min_frame || has_valid_checksum(f, in))
        return in.size;
    if (in.size - end > 1 || has_valid_checksum(f, slice_of(in.data, end)))
        return end;
    return in.size;
}

static ssize_t cut_by_start(const struct framing *f, struct framing_state *s,
                            struct slice in, bool more_waits, struct frame *out)
{
    size_t end;

    if (UNLIKELY(!mark_may_begin(&f->start, in)))
        return skip_to_start(f, s, in, ERR_BAD_START, out);
    end = mark_find(&f->start, in,
                    s->scanned > f->start.size ? s->scanned : f->start.size);
    if (end == in.size && (more_waits || end < f->min_frame)) {
        s->scanned = (uint32_t)mark_find_unfinished(&f->start, in);
        if (s->scanned <= f->max_frame)
            return 0;
        return skip(f, s, s->scanned, ERR_TOO_LARGE, out);
    }
    if (end < f->min_frame)
        return skip(f, s, end, ERR_TOO_SHORT, out);
    if (end == in.size)
        end = end_of_data(f, in);
    in = slice_of(in.data, end);
    if (end > f->max_frame) /* its last bytes may yet begin the next frame */
        return skip(f, s, mark_find_unfinished(&f->start, in), ERR_TOO_LARGE, out);
    return hand_out(f, s, in, end, out);
}

ssize_t framing_cut(const struct framing *f, struct framing_state *state,
                    struct slice in, bool more_waits, uint8_t *scratch,
                    struct frame *out)
{
    *out = (struct frame){0};
    if (in.size == 0)
        return 0;
    if (f->length.form)
        return cut_by_length(f, state, in, out);
    if (f->end.size)
        return cut_by_end(f, state, in, scratch, out);
    return cut_by_start(f, state, in, more_waits, out);
}

size_t framing_size(const struct framing *f, struct slice rest)
{
    uint64_t value;
    int64_t size;

    if (!f->length.form || read_length(rest, &f->length, &value) <= 0)
        return 0;
    size = (int64_t)value + f->length.adjust;
    return size > 0 ? (size_t)size : 0;
}

size_t framing_read_id(const struct framing *f, const struct frame *frame, char *text)
{
    const uint8_t *at = frame->bytes.data + f->id.offset;

    switch ((enum framing_id_form)f->id.form) {
    case FRAMING_ID_ASCII:
        memcpy(text, at, f->id.size);
        return f->id.size;
    case FRAMING_ID_HEX:
        for (size_t i = 0; i < f->id.size; i++) {
            text[2 * i] = "0123456789abcdef"[at[i] >> 4];
            text[2 * i + 1] = "0123456789abcdef"[at[i] & 15];
        }
        return 2 * (size_t)f->id.size;
    case FRAMING_NO_ID:
        break;
    }
    return 0;
}
