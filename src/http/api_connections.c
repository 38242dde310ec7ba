/* Connections, their state machines laid open. */
#include "base/address.h"
#include "device/registry.h"
#include "http/page.h"
#include "session/session.h"

#include <inttypes.h>
#include <stdio.h>

#define LOOKS 256 /* slots looked at in one turn of a shard */
#define EXTRA 96

struct filter {
    bool has_state;
    uint8_t state;
    char listener[LISTENER_NAME_MAX + 1];
};

/* A copy, for the other thread. */
struct conn_view {
    uint64_t number;
    const char *listener; /* lives as long as the worker */
    struct in6_addr ip;
    in_port_t port;
    struct id device; /* unset: nobody yet */
    unsigned shard;
    uint8_t state;
    bool registered;
    uint16_t holds;
    size_t rest, wanted, to_write, unacknowledged;
    int64_t age_ms, idle_ms;
    uint64_t rx_bytes, tx_bytes;
    uint32_t rx_frames, tx_frames;
    char extra[EXTRA]; /* what its session adds */
};

/* ---- on the shard ---- */

static void view_session(struct relay *r, const struct conn *c, struct conn_view *v)
{
    const struct session_ops *ops = session_ops_of(c);
    const struct device *d = ops->device ? ops->device(c) : NULL;
    struct json j = json_to(&r->scratch);
    struct slice extra;

    if (d)
        v->device = device_id(d);
    if (conn_rest(c).size && ops->wanted)
        v->wanted = ops->wanted(c, conn_rest(c));
    if (!ops->show)
        return;
    buf_clear(&r->scratch);
    ops->show(c, &j);
    extra = buf_peek(&r->scratch);
    if (!j.failed && extra.size > 0 && extra.size < EXTRA)
        memcpy(v->extra, extra.data, extra.size); /* zero behind it */
}

static void view_conn(struct relay *r, const struct conn *c, struct conn_view *v)
{
    const struct output *o = conn_output(c);
    int64_t now_ms = r->shard->loop.now_ms;

    *v = (struct conn_view){
        .number = conn_number(c),
        .listener = c->listener->name,
        .ip = c->peer_ip,
        .port = c->peer_port,
        .shard = relay_index(r),
        .state = c->state,
        .registered = c->registered,
        .holds = c->holds,
        .rest = conn_rest(c).size,
        .to_write = o ? output_unwritten(o) : 0,
        .unacknowledged = o ? o->written : 0,
        .age_ms = now_ms - c->opened_ms,
        .idle_ms = now_ms - c->heard_ms,
        .rx_bytes = c->rx_bytes,
        .tx_bytes = c->tx_bytes,
        .rx_frames = c->rx_frames,
        .tx_frames = c->tx_frames,
    };
    view_session(r, c, v);
}

static bool fits(const struct filter *f, const struct conn *c)
{
    return (!f->has_state || f->state == c->state) &&
           (!*f->listener || strcmp(f->listener, c->listener->name) == 0);
}

static unsigned collect(struct relay *r, const void *filter, uint32_t *at, void *views,
                        uint32_t *numbers, unsigned room, bool *ended)
{
    struct conn_view *to = views;
    unsigned count = 0;

    for (int looks = 0; looks < LOOKS && count < room; looks++) {
        const struct conn *c;

        if (*at >= r->shard->table_size) {
            *ended = true;
            break;
        }
        c = shard_conn_at(r->shard, (*at)++);
        if (!c || !fits(filter, c))
            continue;
        view_conn(r, c, &to[count]);
        numbers[count++] = *at - 1;
    }
    return count;
}

/* ---- on the server's thread ---- */

static void write_name(struct json *j, const struct conn_view *v)
{
    char text[ADDRESS_TEXT_SIZE];

    snprintf(text, sizeof(text), "%" PRIx64, v->number);
    json_key(j, "session");
    json_word(j, text);
    json_key(j, "shard");
    json_uint(j, v->shard);
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

static const struct page_kind connections = {
    .begin = begin,
    .write = write_conn,
    .end = page_end,
    .view_size = sizeof(struct conn_view),
    .collect = collect,
};

void api_list_connections(struct api *a, const struct http_request *q,
                          const struct params *p)
{
    struct filter f = {
        .has_state = params_have(p, PARAM_CONN_STATE),
        .state = (uint8_t)p->number[PARAM_CONN_STATE],
    };

    if (params_have(p, PARAM_LISTENER))
        strcpy(f.listener, p->text[PARAM_LISTENER]);
    page_begin(a, q, p, &connections, p->number[PARAM_LIMIT], &f, sizeof(f));
}
