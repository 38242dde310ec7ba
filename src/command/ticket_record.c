#include "command/ticket_record.h"

#include "device/ticket.h"

#define TEXTS(X) X(listener) X(name) X(only_if) X(key)

/* More than the fixed parts and all texts take. */
#define HEAD_MAX 2048

static void put_u8(uint8_t *to, uint8_t value)
{
    *to = value;
}

static uint8_t *put_text(uint8_t *to, struct slice text)
{
    assert(text.size <= UINT8_MAX);
    *to++ = (uint8_t)text.size;
    if (text.size)
        memcpy(to, text.data, text.size);
    return to + text.size;
}

static uint8_t flags_of(const struct ticket_record *t)
{
    unsigned flags = 0;

#define X(what, bit) flags |= t->what ? bit : 0u;
    TICKET_FLAGS(X)
#undef X
    return (uint8_t)flags;
}

static uint8_t *put_head(uint8_t *at, const struct ticket_record *t)
{
    *at++ = TICKET_RECORD_VERSION;
    *at++ = t->state;
    *at++ = t->reason;
    *at++ = flags_of(t);
    *at++ = t->device.protocol;
    at = put_text(at, slice_of(t->device.text, t->device.length));
#define SIZE_u8  1
#define SIZE_u16 2
#define SIZE_u32 4
#define SIZE_u64 8
#define TYPE_u8  uint8_t
#define TYPE_u16 uint16_t
#define TYPE_u32 uint32_t
#define TYPE_u64 uint64_t
#define X(how, what)                                                                   \
    put_##how(at, (TYPE_##how)t->what);                                                \
    at += SIZE_##how;
    TICKET_FACTS(X)
#undef X
#define X(what) at = put_text(at, t->what);
    TEXTS(X)
#undef X
    return at;
}

static int append_bytes(struct buf *out, struct slice bytes)
{
    uint8_t size[4];

    put_u32(size, (uint32_t)bytes.size);
    if (buf_try_append(out, slice_of(size, sizeof(size))) < 0)
        return ERR_NOMEM;
    return bytes.size ? buf_try_append(out, bytes) : OK;
}

int ticket_record_write(const struct ticket_record *t, struct buf *out)
{
    uint8_t *to = buf_try_reserve(out, HEAD_MAX);

    if (!to)
        return ERR_NOMEM;
    buf_commit(out, (size_t)(put_head(to, t) - to));
    if (append_bytes(out, t->args) < 0)
        return ERR_NOMEM;
    return append_bytes(out, t->answer);
}

/* False: one that we do not know. */
static bool read_flags(struct ticket_record *t, uint8_t flags)
{
#define X(what, bit) t->what = flags & bit;
    TICKET_FLAGS(X)
#undef X
    return flags == flags_of(t);
}

#define TYPE_OF(what) __typeof__(((struct ticket_record *)0)->what)

int ticket_record_read(struct slice record, struct ticket_record *out)
{
    struct reader r = reader_of(record);
    uint8_t version = read_u8(&r), protocol;
    bool is_sound;

    *out = (struct ticket_record){0};
    if (!r.bad && version != TICKET_RECORD_VERSION)
        return ERR_VERSION;
    out->state = read_u8(&r);
    out->reason = read_u8(&r);
    is_sound = read_flags(out, read_u8(&r));
    protocol = read_u8(&r);
    if (id_make(protocol, read_bytes(&r, read_u8(&r)), &out->device) < 0)
        is_sound = false;
#define X(how, what) out->what = (TYPE_OF(what))read_##how(&r);
    TICKET_FACTS(X)
#undef X
#define X(what) out->what = read_bytes(&r, read_u8(&r));
    TEXTS(X)
#undef X
    out->args = read_bytes(&r, read_u32(&r));
    out->answer = read_bytes(&r, read_u32(&r));
    if (!is_sound || protocol == 0 || r.bad || r.rest.size || out->number == 0 ||
        out->state < TICKET_QUEUED || out->state >= TICKET_STATE_LIMIT)
        return ERR_DAMAGED;
    return OK;
}
