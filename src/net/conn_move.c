/* A connection moves to the shard of the device that it turned out to be: everything
 * that it is, as one parcel. */
#include "net/conn_inside.h"
#include "base/log.h"
#include "net/shard.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* Everything that a connection is, without a pointer into the shard it leaves. */
struct moving_conn {
    struct parcel parcel;
    struct conn state;
    struct output output;
    struct buf input;
};

static void on_arrival(struct parcel *parcel, void *receiver)
{
    struct moving_conn *m = CONTAINER_OF(parcel, struct moving_conn, parcel);
    struct shard *s = receiver;
    struct conn *c = slab_try_alloc(&s->conns);

    if (!c)
        goto fail;
    *c = m->state;
    if (m->output.bytes.mem) {
        if (!(c->owed = slab_try_alloc(&s->owed)))
            goto fail;
        c->owed->conn = c;
        c->owed->output = m->output;
        m->output = (struct output){0};
    }
    if (conn_settle_in(s, c) < 0)
        goto fail;
    s->stats.moved_in++;
    if (c->owed)
        conn_make_due(c);
    c->last_move = s->ended;
    conn_digest(c, buf_peek(&m->input), false);
    if (s->ended)
        conn_close(c, CLOSE_DRAINED);
    goto done;
fail:
    log_warn(NET, "session %" PRIx64 " lost reason=no_memory", conn_number(&m->state));
    close(m->state.fd);
    limits_leave(s->conf.limits, &m->state.peer_ip);
    if (c) {
        c->shard = s;
        conn_release_output(c);
        slab_free(&s->conns, c);
    }
done:
    output_fini(&m->output);
    buf_fini(&m->input);
    free(m);
}

void conn_move(struct conn *c, struct shard *to, struct slice in)
{
    struct shard *s = c->shard;
    struct moving_conn *m;

    if (c->last_move) {
        conn_close(c, CLOSE_DRAINED);
        return;
    }
    m = calloc(1, sizeof(*m));
    if (!m || buf_try_append(&m->input, in) < 0) {
        free(m);
        conn_close(c, CLOSE_NO_MEMORY);
        return;
    }
    conn_leave(c);
    m->parcel.open = on_arrival;
    m->state = *c;
    m->state.link = (struct link){0};
    m->state.next_due = NULL;
    m->state.is_due = false;
    m->state.rest = NULL;
    m->state.owed = NULL;
    m->state.resumed = false;
    if (c->owed) {
        m->output = c->owed->output;
        c->owed->output = (struct output){0};
    }
    c->moved = true;
    conn_enter(c, CONN_CLOSING);
    s->stats.moved_out++;
    shard_post(to, &m->parcel);
}
