#include "codec/frame.h"

/* Is a declaration sound? The engine relies on every rule here: that the parts of a
 * frame lie inside its smallest size, and that a mark cannot appear inside by escape.
 */

static const char *check_sizes(const struct framing *f)
{
    if (f->start.size > MARK_MAX || f->end.size > MARK_MAX)
        return "start and end have at most 7 bytes";
    if (!f->length.form && !f->end.size && !f->start.size)
        return "nothing tells where a frame ends: it needs a length field, end bytes, "
               "or "
               "start bytes";
    if (f->resyncs && !f->start.size && !(f->end.size && !f->length.form))
        return "without start or end bytes there is nothing to find the next frame by";
    if (f->max_frame > FRAMING_SIZE_MAX)
        return "the largest frame is beyond 1 GiB";
    if (f->min_frame > f->max_frame)
        return "the smallest frame is larger than the largest";
    if (f->min_frame == 0 || f->min_frame < framing_head(f) + framing_trailer(f))
        return "the smallest frame does not hold start, length field, checksum and end";
    return NULL;
}

static const char *check_length(const struct framing *f)
{
    const struct framing_length *l = &f->length;

    if (l->form > FRAMING_FIXED)
        return "the form of the length field is unknown";
    if (l->form == FRAMING_DIGITS && (l->digits < 1 || l->digits > 10))
        return "a decimal length field has 1 to 10 digits";
    if (l->form == FRAMING_FIXED && (l->min || l->max || l->adjust < 1))
        return "frames of a fixed size have no length to limit";
    if (l->form != FRAMING_NO_LENGTH && l->form != FRAMING_FIXED &&
        l->offset < f->start.size)
        return "the length field lies inside the start bytes";
    if (l->max && l->min > l->max)
        return "the smallest length is larger than the largest";
    if (l->offset + framing_length_size(l) > f->min_frame - framing_trailer(f))
        return "the length field lies outside the smallest frame";
    return NULL;
}

static bool has_code(const struct framing_escape *e, uint8_t plain)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->pairs[i].plain == plain)
            return true;
    return false;
}

static const char *check_escape(const struct framing *f)
{
    const struct framing_escape *e = &f->escape;

    if (e->count == 0)
        return NULL;
    if (e->count > FRAMING_ESCAPES_MAX)
        return "there are at most 4 escapes";
    if (f->length.form)
        return "a length field and escapes exclude each other";
    if (f->end.size != 1 || f->start.size > 1)
        return "escapes need an end of one byte, and a start of one byte or none";
    if (e->mark == f->end.bytes[0] || (f->start.size && e->mark == f->start.bytes[0]))
        return "the escape byte is a start or end byte";
    if (!has_code(e, e->mark) || !has_code(e, f->end.bytes[0]) ||
        (f->start.size && !has_code(e, f->start.bytes[0])))
        return "the escape byte itself, the end and the start byte all need an escape";
    for (size_t i = 0; i < e->count; i++) {
        if (e->pairs[i].code == f->end.bytes[0] ||
            (f->start.size && e->pairs[i].code == f->start.bytes[0]))
            return "an escape's code is a start or end byte";
        for (size_t k = 0; k < i; k++)
            if (e->pairs[i].code == e->pairs[k].code ||
                e->pairs[i].plain == e->pairs[k].plain)
                return "two escapes have the same code or stand for the same byte";
    }
    return NULL;
}

static const char *check_checksum(const struct framing *f)
{
    const struct framing_checksum *c = &f->checksum;
    size_t size = checksum_size(c->kind);
    size_t body_end = f->min_frame - framing_trailer(f);
    size_t length_end = f->length.offset + framing_length_size(&f->length);

    if (c->kind >= CHECKSUM_COUNT_)
        return "the checksum is unknown";
    if (!c->kind)
        return NULL;
    if (c->from > body_end || c->to > body_end || (c->to && c->to < c->from))
        return "the checksum covers bytes outside the smallest frame";
    if (!c->offset)
        return NULL;
    if (c->offset < f->start.size || c->offset + size > body_end)
        return "the checksum lies inside the start bytes or outside the smallest frame";
    if (f->length.form && c->offset < length_end && c->offset + size > f->length.offset)
        return "checksum and length field overlap";
    if (c->offset + size > c->from && (!c->to || c->offset < c->to))
        return "the checksum covers itself";
    return NULL;
}

static const char *check_id(const struct framing *f)
{
    const struct framing_id *id = &f->id;

    if (id->form > FRAMING_ID_HEX)
        return "the form of the id is unknown";
    if (id->form && (id->size == 0 || id->size > 20))
        return "an id has 1 to 20 bytes";
    if (id->form && id->offset + (size_t)id->size > f->min_frame)
        return "the id lies outside the smallest frame";
    return NULL;
}

const char *framing_check(const struct framing *f)
{
    static const char *(*const checks[])(const struct framing *) = {
        check_sizes, check_length, check_escape, check_checksum, check_id,
    };
    const char *problem = NULL;

    for (size_t i = 0; i < ARRAY_LEN(checks) && !problem; i++)
        problem = checks[i](f);
    return problem;
}

const char *framing_from_words(const struct framing_words *w, uint32_t max_body,
                               struct framing *out)
{
    struct framing made = {.length.form = w->length, .end = w->end};
    uint32_t around;

    if (w->length == FRAMING_NO_LENGTH && w->end.size == 0)
        return "neither a length field nor an end";
    if (w->length == FRAMING_DIGITS)
        made.length.digits = w->digits;
    around = (uint32_t)(framing_length_size(&made.length) + made.end.size);
    /* No body is empty; with a length field that is the field's business. */
    made.min_frame = around + (w->length == FRAMING_NO_LENGTH);
    made.max_frame = max_body + around;
    if (w->length != FRAMING_NO_LENGTH) {
        uint32_t extra = w->counts_frame ? around : 0;

        made.length.adjust = (int32_t)(around - extra);
        made.length.min = extra + 1;
        made.length.max = extra + max_body;
    }
    *out = made;
    return framing_check(&made);
}
