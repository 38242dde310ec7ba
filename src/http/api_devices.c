/* Devices: lists of them, and what the old server gave. */
#include "http/api_devices.h"
#include "base/address.h"
#include "http/page.h"

#include <stdio.h>

#define LOOKS 256 /* devices looked at in one turn of a shard */

struct filter {
    uint32_t states;  /* a bit for each; 0: any */
    uint8_t protocol; /* 0: any */
    bool is_connected, is_away;
    uint8_t prefix_size;
    char prefix[ID_TEXT_MAX];
    char listener[LISTENER_NAME_MAX + 1];
};

static_assert(sizeof(struct filter) <= PAGE_FILTER_SIZE, "must fit a page");

/* ---- on the shard ---- */

static bool device_fits(const struct filter *f, const struct terminal *t)
{
    struct id id = device_id(&t->device);

    return (!f->protocol || f->protocol == id.protocol) &&
           !(f->is_connected && !t->conn) && !(f->is_away && t->conn) &&
           id.length >= f->prefix_size &&
           memcmp(id.text, f->prefix, f->prefix_size) == 0;
}

static bool view_fits(const struct filter *f, const struct device_view *v)
{
    return (!f->states || f->states & BIT(v->state)) &&
           (!*f->listener || (v->listener && strcmp(v->listener, f->listener) == 0));
}

static unsigned collect(struct relay *r, const void *filter, uint32_t *at, void *views,
                        uint32_t *numbers, unsigned room, bool *ended)
{
    struct device_view *to = views;
    unsigned count = 0;

    for (int looks = 0; looks < LOOKS && count < room; looks++) {
        struct device *d = registry_from(&r->terminals, *at);

        if (!d) {
            *ended = true;
            break;
        }
        *at = d->ref + 1;
        if (!device_fits(filter, terminal_of(d)))
            continue;
        tracker_view(r, terminal_of(d), &to[count]);
        if (view_fits(filter, &to[count]))
            numbers[count++] = d->ref;
    }
    return count;
}

/* ---- one device ---- */

static void write_address(struct json *j, const struct device_view *v)
{
    char text[ADDRESS_TEXT_SIZE];

    if (v->port)
        json_word(j, address_text(&v->ip, v->port, text));
    else
        json_none(j);
}

void device_write_mailbox(struct json *j, const struct device_view *v)
{
    json_open(j, '{');
    json_key(j, "messages");
    json_uint(j, v->mail_messages);
    json_key(j, "bytes");
    json_uint(j, v->mail_bytes);
    json_close(j, '}');
}

static void write_counters(struct json *j, const struct device_view *v)
{
    json_key(j, "counters");
    json_open(j, '{');
    json_key(j, "connections");
    json_uint(j, v->epoch);
    json_key(j, "messages_in");
    json_uint(j, v->messages_in);
    json_key(j, "messages_out");
    json_uint(j, v->messages_out);
    json_close(j, '}');
}

void device_show(struct json *j, const void *view)
{
    const struct device_view *v = view;

    json_open(j, '{');
    json_key(j, "id");
    json_text(j, slice_of(v->id.text, v->id.length));
    json_key(j, "protocol");
    json_word(j, protocol_word(v->id.protocol));
    json_key(j, "listener");
    if (v->listener)
        json_word(j, v->listener);
    else
        json_none(j);
    json_key(j, "state");
    json_word(j, presence_word(v->state));
    json_key(j, "since");
    json_time(j, v->since_ms);
    json_key(j, "last_seen");
    json_time(j, v->last_seen_ms);
    json_key(j, "address");
    write_address(j, v);
    json_key(j, "connected");
    json_bool(j, v->connected);
    json_key(j, "epoch");
    json_uint(j, v->epoch);
    json_key(j, "sequence");
    json_uint(j, v->sequence);
    json_key(j, "mailbox");
    device_write_mailbox(j, v);
    write_counters(j, v);
    if (*v->extra)
        json_raw(j, slice_of(v->extra, strlen(v->extra)));
    json_close(j, '}');
}

/* ---- a page of them ---- */

static void begin(struct api *a, struct json *j)
{
    json_open(j, '{');
    /* Before the first shard is asked: what happens from here on comes as an event. */
    json_key(j, "as_of");
    json_uint(j, journal_newest(a->journal));
    json_key(j, "devices");
    json_open(j, '[');
}

static const struct page_kind devices = {
    .begin = begin,
    .write = device_show,
    .end = page_end,
    .view_size = sizeof(struct device_view),
    .collect = collect,
};

void api_list_devices(struct api *a, const struct http_request *q,
                      const struct params *p)
{
    struct filter f = {
        .states = (uint32_t)p->number[PARAM_STATE],
        .protocol = (uint8_t)p->number[PARAM_PROTOCOL],
    };

    if (params_have(p, PARAM_CONNECTED)) {
        f.is_connected = p->number[PARAM_CONNECTED];
        f.is_away = !f.is_connected;
    }
    if (params_have(p, PARAM_PREFIX)) {
        f.prefix_size = (uint8_t)strlen(p->text[PARAM_PREFIX]);
        memcpy(f.prefix, p->text[PARAM_PREFIX], f.prefix_size);
    }
    if (params_have(p, PARAM_LISTENER))
        strcpy(f.listener, p->text[PARAM_LISTENER]);
    page_begin(a, q, p, &devices, p->number[PARAM_LIMIT], &f, sizeof(f));
}

/* ---- as the old server gave them ---- */

static void begin_legacy(struct api *a, struct json *j)
{
    (void)a;
    json_open(j, '{');
}

static void write_legacy(struct json *j, const void *view)
{
    const struct device_view *v = view;
    char ip[ADDRESS_IP_SIZE], seconds[32];

    snprintf(seconds, sizeof(seconds), "%lld.%03d", (long long)(v->last_seen_ms / 1000),
             (int)(v->last_seen_ms % 1000));
    json_name(j, slice_of(v->id.text, v->id.length));
    json_open(j, '[');
    json_open(j, '[');
    json_word(j, address_ip(&v->ip, ip));
    json_uint(j, v->port);
    json_close(j, ']');
    json_raw(j, slice_of(seconds, strlen(seconds)));
    json_close(j, ']');
}

static void end_legacy(struct json *j, const char *next, bool misses)
{
    (void)next;
    (void)misses;
    json_close(j, '}');
}

#define LEGACY_LIST(type_)                                                             \
    {                                                                                  \
        .type = (type_), .begin = begin_legacy, .write = write_legacy,                 \
        .end = end_legacy, .view_size = sizeof(struct device_view),                    \
        .collect = collect,                                                            \
    }

void api_legacy_list(struct api *a, const struct http_request *q,
                     const struct params *p)
{
    static const struct page_kind for_people = LEGACY_LIST("text/html; charset=utf-8");
    static const struct page_kind for_programs = LEGACY_LIST("application/json");
    struct filter f = {.is_connected = true};

    page_begin(a, q, p,
               api_accepts(q, "application/json") ? &for_programs : &for_people,
               UINT64_MAX, &f, sizeof(f));
}
