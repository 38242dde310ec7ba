/* One event, as JSON. What a body means is said by the dialect of the listener that its
 * device was at, if there still is one of that name. */
#include "http/api_events.h"
#include "base/reader.h"
#include "device/presence.h"
#include "device/ticket.h"
#include "http/api_inside.h"
#include "command/dialect.h"

const char *event_word(uint8_t kind)
{
    switch (kind) {
#define X(name, number, word)                                                          \
    case EVENT_##name:                                                                 \
        return word;
        EVENT_KINDS(X)
#undef X
    }
    return "unknown";
}

static void text_or_none(struct json *j, struct slice text)
{
    if (text.size > 0)
        json_text(j, text);
    else
        json_none(j);
}

static void word_or_none(struct json *j, const char *word)
{
    if (word)
        json_word(j, word);
    else
        json_none(j);
}

static void write_message(struct json *j, const struct event *e)
{
    uint8_t number[2];

    put_u16(number, e->message);
    json_key(j, "message");
    json_hex(j, slice_of(number, sizeof(number)));
}

static void write_device(struct json *j, const struct event *e)
{
    json_key(j, "device");
    json_text(j, slice_of(e->device.text, e->device.length));
    json_key(j, "protocol");
    json_word(j, protocol_word(e->device.protocol));
    json_key(j, "listener");
    json_text(j, e->listener);
    json_key(j, "epoch");
    json_uint(j, e->epoch);
    json_key(j, "sequence");
    json_uint(j, e->sequence);
}

static void write_move(struct json *j, const struct event *e)
{
    json_key(j, "from");
    json_word(j, presence_word(e->from));
    json_key(j, "to");
    json_word(j, presence_word(e->to));
    json_key(j, "reason");
    json_text(j, e->reason);
}

/* A new ticket comes from nowhere. */
static void write_command(struct json *j, const struct event *e)
{
    uint8_t ticket[8];

    put_u64(ticket, e->ticket);
    json_key(j, "ticket");
    json_hex(j, slice_of(ticket, sizeof(ticket)));
    json_key(j, "command");
    text_or_none(j, e->content);
    write_message(j, e);
    json_key(j, "from");
    word_or_none(j, e->from ? ticket_state_word(e->from) : NULL);
    json_key(j, "to");
    json_word(j, ticket_state_word(e->to));
    json_key(j, "reason");
    text_or_none(j, e->reason);
}

static const struct listener *listener_named(const struct api *a, struct slice name)
{
    for (size_t i = 0; i < a->conf.listener_count; i++) {
        const struct listener *l = &a->conf.listeners[i];

        if (slice_equal(slice_of(l->name, strlen(l->name)), name))
            return l;
    }
    return NULL;
}

static void write_report(const struct api *a, struct json *j, const struct event *e)
{
    const struct listener *l = listener_named(a, e->listener);
    const struct dialect *d = l ? listener_dialect(l, e->device.protocol) : NULL;

    write_message(j, e);
    json_key(j, "name");
    word_or_none(j, d ? d->message_word(l->conf, e->message) : NULL);
    json_key(j, "serial");
    json_uint(j, e->serial);
    json_key(j, "size");
    json_uint(j, e->size);
    json_key(j, "body");
    json_hex(j, e->content);
    json_key(j, "decoded");
    if (d && e->size == e->content.size)
        d->show(l->conf, e->message, e->version, e->content, j);
    else
        json_none(j);
}

void event_write(const struct api *a, struct json *j, const struct event *e)
{
    json_open(j, '{');
    json_key(j, "cursor");
    json_uint(j, e->cursor);
    json_key(j, "type");
    json_word(j, event_word(e->kind));
    json_key(j, "time");
    json_time(j, e->time_ms);
    if (e->kind == EVENT_GAP) {
        json_key(j, "lost");
        json_uint(j, e->lost);
    } else {
        write_device(j, e);
    }
    if (e->kind == EVENT_PRESENCE)
        write_move(j, e);
    else if (e->kind == EVENT_COMMAND)
        write_command(j, e);
    else if (e->kind == EVENT_REPORT)
        write_report(a, j, e);
    json_close(j, '}');
}

bool event_fits(const struct event_filter *f, uint8_t kind, const struct id *device)
{
    if (kind == EVENT_GAP)
        return true;
    return (!f->kinds || f->kinds & BIT(kind)) &&
           (!f->protocol || f->protocol == device->protocol) &&
           (!f->length || (f->length == device->length &&
                           memcmp(f->text, device->text, f->length) == 0));
}
