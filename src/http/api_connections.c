/* Connections, their state machines laid open. */
#include "base/address.h"
#include "http/page.h"
#include "relay/view.h"

#include <inttypes.h>
#include <stdio.h>

static unsigned collect(struct relay *r, const void *filter, uint32_t *at, void *views,
                        uint32_t *numbers, unsigned room, bool *ended)
{
    return view_collect(r->shard, filter, at, views, numbers, room, ended);
}

/* ---- on the server's thread ---- */

static void write_name(struct json *j, const struct conn_view *v)
{
    char text[ADDRESS_TEXT_SIZE];

    snprintf(text, sizeof(text), "%" PRIx64, v->number);
    json_key(j, "session");
    json_word(j, text);
    json_key(j, v->process ? "process" : "shard");
    json_uint(j, v->process ? (uint64_t)v->process : v->shard);
    json_key(j, "listener");
    json_word(j, v->listener);
    json_key(j, "peer");
    json_word(j, address_text(&v->ip, v->port, text));
    json_key(j, "device");
    if (id_is_set(&v->device))
        json_text(j, slice_of(v->device.text, v->device.length));
    else
        json_none(j);
}

static void write_figures(struct json *j, const struct conn_view *v)
{
#define FIGURE(word, value) (json_key(j, word), json_uint(j, (uint64_t)(value)))
    FIGURE("held", v->holds);
    FIGURE("read", v->rest);
    json_key(j, "wanted");
    if (v->wanted)
        json_uint(j, v->wanted);
    else
        json_none(j);
    FIGURE("to_write", v->to_write);
    FIGURE("unacknowledged", v->unacknowledged);
    FIGURE("age_ms", v->age_ms);
    FIGURE("idle_ms", v->idle_ms);
    FIGURE("rx_bytes", v->rx_bytes);
    FIGURE("tx_bytes", v->tx_bytes);
    FIGURE("rx_frames", v->rx_frames);
    FIGURE("tx_frames", v->tx_frames);
#undef FIGURE
}

static void write_conn(struct json *j, const void *view)
{
    const struct conn_view *v = view;

    json_open(j, '{');
    write_name(j, v);
    json_key(j, "state");
    json_word(j, conn_state_word(v->state));
    json_key(j, "registered");
    json_bool(j, v->registered);
    write_figures(j, v);
    if (*v->extra)
        json_raw(j, slice_of(v->extra, strlen(v->extra)));
    json_close(j, '}');
}

static void begin(struct api *a, struct json *j)
{
    (void)a;
    json_open(j, '{');
    json_key(j, "connections");
    json_open(j, '[');
}

static bool wants(const void *filter, const char *listener)
{
    const struct view_filter *f = filter;

    return !*f->listener || strcmp(f->listener, listener) == 0;
}

static void ask_process(const void *filter, uint32_t at, unsigned room,
                        struct look_question *out)
{
    *out = (struct look_question){
        .kind = LOOK_CONNECTIONS,
        .filter = *(const struct view_filter *)filter,
        .at = at,
        .room = room,
    };
}

static const struct page_kind connections = {
    .begin = begin,
    .write = write_conn,
    .end = page_end,
    .view_size = sizeof(struct conn_view),
    .collect = collect,
    .wants = wants,
    .ask = ask_process,
};

void api_list_connections(struct api *a, const struct http_request *q,
                          const struct params *p)
{
    struct view_filter f = {
        .has_state = params_have(p, PARAM_CONN_STATE),
        .state = (uint8_t)p->number[PARAM_CONN_STATE],
    };

    if (params_have(p, PARAM_LISTENER))
        strcpy(f.listener, p->text[PARAM_LISTENER]);
    page_begin(a, q, p, &connections, p->number[PARAM_LIMIT], &f, sizeof(f));
}
