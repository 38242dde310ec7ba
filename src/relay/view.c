#include "relay/view.h"
#include "relay/session.h"

#include <stdio.h>

#define LOOKS 256 /* slots looked at in one turn of a shard */

static void view_session(const struct conn *c, struct buf *scratch, struct conn_view *v)
{
    const struct session_ops *ops = session_ops_of(c);
    const struct device *d = ops->device ? ops->device(c) : NULL;
    struct json j = json_to(scratch);
    struct slice extra;

    if (d)
        v->device = device_id(d);
    if (!ops->show)
        return;
    buf_clear(scratch);
    ops->show(c, &j);
    extra = buf_peek(scratch);
    if (!j.failed && extra.size > 0 && extra.size < VIEW_EXTRA)
        memcpy(v->extra, extra.data, extra.size); /* zero behind it */
}

static void view_conn(const struct conn *c, struct buf *scratch, struct conn_view *v)
{
    const struct output *o = conn_output(c);
    int64_t now_ms = c->shard->loop.now_ms;

    *v = (struct conn_view){
        .number = conn_number(c),
        .ip = c->peer_ip,
        .port = c->peer_port,
        .shard = c->shard->conf.index,
        .state = c->state,
        .registered = c->registered,
        .holds = c->holds,
        .rest = conn_rest(c).size,
        .wanted = conn_wanted(c),
        .to_write = o ? output_unwritten(o) : 0,
        .unacknowledged = o ? o->written : 0,
        .age_ms = now_ms - c->opened_ms,
        .idle_ms = now_ms - c->heard_ms,
        .rx_bytes = c->rx_bytes,
        .tx_bytes = c->tx_bytes,
        .rx_frames = c->rx_frames,
        .tx_frames = c->tx_frames,
    };
    snprintf(v->listener, sizeof(v->listener), "%s", c->listener->name);
    view_session(c, scratch, v);
}

static bool passes(const struct view_filter *f, const struct conn *c)
{
    return (!f->has_state || f->state == c->state) &&
           (!*f->listener || strcmp(f->listener, c->listener->name) == 0);
}

unsigned view_collect(const struct shard *s, const struct view_filter *filter,
                      uint32_t *at, struct conn_view *views, uint32_t *slots,
                      unsigned room, bool *ended)
{
    struct buf scratch = {0};
    unsigned count = 0;

    for (int looks = 0; looks < LOOKS && count < room; looks++) {
        const struct conn *c;

        if (*at >= s->table_size) {
            *ended = true;
            break;
        }
        c = shard_conn_at(s, (*at)++);
        if (!c || !passes(filter, c))
            continue;
        view_conn(c, &scratch, &views[count]);
        slots[count++] = *at - 1;
    }
    buf_fini(&scratch);
    return count;
}
