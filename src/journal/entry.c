#include "journal/entry.h"

#include "base/crc32c.h"
#include "base/reader.h"

enum offset {
    AT_VERSION = 0,
    AT_FORM = 1,
    AT_PROTOCOL = 2,
    AT_ID_LENGTH = 3,
    AT_CRC = 4,

    AT_EVENT_KIND = 8,
    AT_FROM = 9,
    AT_TO = 10,
    AT_EVENT_LISTENER = 11,
    AT_REASON = 12,
    AT_HEADER = 13,
    AT_MESSAGE = 14,
    AT_TIME_MS = 16,
    AT_EVENT_EPOCH = 24,
    AT_EVENT_SEQUENCE = 28,
    AT_LOST = 32,
    AT_SIZE = 32,
    AT_SERIAL = 36,
    AT_CONTENT = 38,
    AT_TICKET = 40,

    AT_STATE = 8,
    AT_CARD_LISTENER = 9,
    AT_PORT = 10,
    AT_CARD_EPOCH = 12,
    AT_CARD_SEQUENCE = 16,
    AT_IP = 20,
    AT_SINCE_MS = 36,
    AT_LAST_SEEN_MS = 44,
    AT_MESSAGES_IN = 52,
    AT_MESSAGES_OUT = 60,
};

/* Does this kind of event have more to say than version 1 can? */
static bool has_content(uint8_t kind)
{
    return kind == EVENT_COMMAND || kind == EVENT_REPORT;
}

/* ---- writing ---- */

static void put_head(uint8_t *to, uint8_t version, enum entry_form form,
                     const struct id *id)
{
    memset(to, 0, ENTRY_HEAD);
    to[AT_VERSION] = version;
    to[AT_FORM] = (uint8_t)form;
    to[AT_PROTOCOL] = id->protocol;
    to[AT_ID_LENGTH] = id->length;
}

static uint8_t *put_bytes(uint8_t *to, struct slice bytes)
{
    if (bytes.size > 0)
        memcpy(to, bytes.data, bytes.size);
    return to + bytes.size;
}

static struct slice id_text(const struct id *id)
{
    return slice_of(id->text, id->length);
}

size_t entry_event_size(const struct event *e)
{
    return (has_content(e->kind) ? EVENT_HEAD + e->content.size : MOVE_HEAD) +
           e->device.length + e->listener.size + e->reason.size;
}

static void put_event_head(const struct event *e, uint8_t *to)
{
    put_head(to, has_content(e->kind) ? 2 : 1, ENTRY_EVENT, &e->device);
    to[AT_EVENT_KIND] = e->kind;
    to[AT_FROM] = e->from;
    to[AT_TO] = e->to;
    to[AT_EVENT_LISTENER] = (uint8_t)e->listener.size;
    to[AT_REASON] = (uint8_t)e->reason.size;
    to[AT_HEADER] = 0;
    put_u16(to + AT_MESSAGE, 0);
    put_u64(to + AT_TIME_MS, (uint64_t)e->time_ms);
    put_u32(to + AT_EVENT_EPOCH, e->epoch);
    put_u32(to + AT_EVENT_SEQUENCE, e->sequence);
    put_u32(to + AT_LOST, e->lost);
}

static void put_content_head(const struct event *e, uint8_t *to)
{
    to[AT_HEADER] = e->version;
    put_u16(to + AT_MESSAGE, e->message);
    put_u32(to + AT_SIZE, e->size);
    put_u16(to + AT_SERIAL, e->serial);
    put_u16(to + AT_CONTENT, (uint16_t)e->content.size);
    put_u64(to + AT_TICKET, e->ticket);
}

size_t entry_of_event(const struct event *e, uint8_t *to)
{
    bool has_more = has_content(e->kind);
    uint8_t *end = to + (has_more ? EVENT_HEAD : MOVE_HEAD);

    assert(e->listener.size <= LISTENER_NAME_MAX && e->reason.size <= EVENT_REASON_MAX);
    assert(e->content.size <= EVENT_CONTENT_MAX);
    put_event_head(e, to);
    if (has_more)
        put_content_head(e, to);
    end = put_bytes(end, id_text(&e->device));
    end = put_bytes(end, e->listener);
    end = put_bytes(end, e->reason);
    if (has_more)
        end = put_bytes(end, e->content);
    return (size_t)(end - to);
}

size_t entry_of_card(const struct card *c, uint8_t to[CARD_MAX])
{
    uint8_t *end = to + CARD_HEAD;

    assert(c->listener.size <= LISTENER_NAME_MAX && id_is_set(&c->device));
    put_head(to, 1, ENTRY_CARD, &c->device);
    to[AT_STATE] = c->state;
    to[AT_CARD_LISTENER] = (uint8_t)c->listener.size;
    put_u16(to + AT_PORT, c->port);
    put_u32(to + AT_CARD_EPOCH, c->epoch);
    put_u32(to + AT_CARD_SEQUENCE, c->sequence);
    memcpy(to + AT_IP, &c->ip, sizeof(c->ip));
    put_u64(to + AT_SINCE_MS, (uint64_t)c->since_ms);
    put_u64(to + AT_LAST_SEEN_MS, (uint64_t)c->last_seen_ms);
    put_u64(to + AT_MESSAGES_IN, c->messages_in);
    put_u64(to + AT_MESSAGES_OUT, c->messages_out);
    end = put_bytes(end, id_text(&c->device));
    end = put_bytes(end, c->listener);
    return (size_t)(end - to);
}

size_t entry_of_claim(uint8_t to[ENTRY_HEAD])
{
    put_head(to, 1, ENTRY_CLAIM, &(struct id){0});
    return ENTRY_HEAD;
}

static uint32_t sum_of(struct slice entry, uint64_t seq)
{
    uint32_t crc = crc32c(0, slice_of(entry.data, AT_CRC));
    uint8_t number[8];

    put_u64(number, seq);
    crc = crc32c(crc, slice_from(entry, ENTRY_HEAD));
    return crc32c(crc, slice_of(number, sizeof(number)));
}

void entry_seal(uint8_t *entry, size_t size, uint64_t seq)
{
    put_u32(entry + AT_CRC, sum_of(slice_of(entry, size), seq));
}

/* ---- reading ---- */

struct head {
    uint8_t version, form, protocol, id_length;
    uint32_t crc;
};

static struct head read_head(struct reader *r)
{
    struct head h;

    h.version = read_u8(r);
    h.form = read_u8(r);
    h.protocol = read_u8(r);
    h.id_length = read_u8(r);
    h.crc = read_u32(r);
    return h;
}

/* Only a gap is about no device in particular. */
static bool read_id(struct reader *r, const struct head *h, bool may_lack,
                    struct id *out)
{
    struct slice text = read_bytes(r, h->id_length);

    *out = (struct id){0};
    if (h->protocol == 0)
        return may_lack && text.size == 0;
    return !r->bad && id_make(h->protocol, text, out) == OK;
}

static bool is_event_kind(uint8_t kind)
{
    switch (kind) {
#define X(name, number, word) case number:
        EVENT_KINDS(X)
#undef X
        return true;
    default:
        return false;
    }
}

/* Behind `sequence`. Returns how long the content is. */
static uint16_t read_last_fields(struct reader *r, struct event *e)
{
    uint16_t content;

    if (!has_content(e->kind)) {
        e->lost = read_u32(r);
        return 0;
    }
    e->size = read_u32(r);
    e->serial = read_u16(r);
    content = read_u16(r);
    e->ticket = read_u64(r);
    return content;
}

/* Which version tells it is no matter of choice. */
static bool is_event(const struct head *h, const struct event *e)
{
    if (has_content(e->kind))
        return h->version == 2 && e->content.size <= EVENT_CONTENT_MAX;
    return h->version == 1 && e->version == 0 && e->message == 0 &&
           is_event_kind(e->kind);
}

static bool read_event(struct reader *r, const struct head *h, struct event *e)
{
    uint8_t listener, reason;
    uint16_t content;

    e->kind = read_u8(r);
    e->from = read_u8(r);
    e->to = read_u8(r);
    listener = read_u8(r);
    reason = read_u8(r);
    e->version = read_u8(r);
    e->message = read_u16(r);
    e->time_ms = (int64_t)read_u64(r);
    e->epoch = read_u32(r);
    e->sequence = read_u32(r);
    content = read_last_fields(r, e);
    if (!read_id(r, h, e->kind == EVENT_GAP, &e->device))
        return false;
    e->listener = read_bytes(r, listener);
    e->reason = read_bytes(r, reason);
    e->content = read_bytes(r, content);
    return !r->bad && is_event(h, e) && listener <= LISTENER_NAME_MAX &&
           reason <= EVENT_REASON_MAX;
}

static bool read_card(struct reader *r, const struct head *h, struct card *c)
{
    uint8_t listener;
    struct slice ip;

    c->state = read_u8(r);
    listener = read_u8(r);
    c->port = read_u16(r);
    c->epoch = read_u32(r);
    c->sequence = read_u32(r);
    ip = read_bytes(r, sizeof(c->ip));
    c->since_ms = (int64_t)read_u64(r);
    c->last_seen_ms = (int64_t)read_u64(r);
    c->messages_in = read_u64(r);
    c->messages_out = read_u64(r);
    if (!read_id(r, h, false, &c->device))
        return false;
    memcpy(&c->ip, ip.data, sizeof(c->ip));
    c->listener = read_bytes(r, listener);
    return !r->bad && h->version == 1 && listener <= LISTENER_NAME_MAX;
}

static bool read_body(struct reader *r, const struct head *h, struct entry *out)
{
    switch (h->form) {
    case ENTRY_EVENT:
        return read_event(r, h, &out->event);
    case ENTRY_CARD:
        return read_card(r, h, &out->card);
    case ENTRY_CLAIM:
        return h->version == 1 && h->protocol == 0 && h->id_length == 0;
    default:
        return false;
    }
}

int entry_decode(struct slice bytes, uint64_t seq, struct entry *out)
{
    struct reader r = reader_of(bytes);
    struct head h = read_head(&r);

    *out = (struct entry){.form = h.form};
    if (r.bad || sum_of(bytes, seq) != h.crc)
        return ERR_DAMAGED;
    if (h.version > ENTRY_VERSION)
        return ERR_VERSION;
    if (!read_body(&r, &h, out) || r.rest.size > 0)
        return ERR_DAMAGED;
    if (h.form == ENTRY_EVENT)
        out->event.cursor = seq;
    return OK;
}

void entry_read_event(struct slice bytes, uint64_t cursor, struct event *out)
{
    struct reader r = reader_of(bytes);
    struct head h = read_head(&r);
    bool sound;

    *out = (struct event){.cursor = cursor};
    sound = read_event(&r, &h, out);
    assert(sound && h.form == ENTRY_EVENT);
}

static bool is_sound(uint64_t seq, struct slice bytes)
{
    struct entry entry;

    return entry_decode(bytes, seq, &entry) == OK;
}

const struct store_kind journal_store = {
    .name = "journal",
    .magic = "holdfast journal",
    .format = 2,
    .topic = LOG_T_JOURNAL,
    .is_sound = is_sound,
};
