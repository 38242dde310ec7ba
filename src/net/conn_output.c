/* A connection's output: gathered during the turn, written once at its end, kept until
 * the peer's TCP has acknowledged it. */
#include "net/conn_inside.h"
#include "net/shard.h"

#include <errno.h>

/* So much written and not yet known to be acknowledged: ask the kernel before the
 * turn's first frame is added. By then the peer mostly has it, and the same few
 * kilobytes of memory, still in the processor's cache, serve again. Less waits for the
 * timer. */
#define ACK_BYTES 4096

void conn_acknowledge(struct conn *c)
{
    struct owed *o = c->owed;
    long unacked;

    if (!o || o->output.written == 0)
        return;
    unacked = output_unacked(c->fd);
    if (unacked < 0)
        return;
    output_acknowledge(&o->output, (size_t)unacked, c->listener->ops->on_delivered, c);
    if (output_is_empty(&o->output))
        o->eager = false;
    if (!conn_is_closing(c) && conn_output_size(c) < c->shard->conf.output_limit / 2)
        c->listener->ops->on_room(c);
}

uint8_t *conn_try_reserve(struct conn *c, size_t size)
{
    struct owed *o = c->owed;
    uint8_t *room;

    assert(!conn_is_closing(c) && !c->moved);
    if (!o) {
        if (!(o = slab_try_alloc(&c->shard->owed)))
            goto fail;
        o->conn = c;
        c->owed = o;
    }
    if (!c->is_due && o->output.written >= ACK_BYTES)
        conn_acknowledge(c);
    if (!(room = output_try_reserve(&o->output, size)))
        goto fail;
    return room;
fail:
    conn_close(c, CLOSE_NO_MEMORY);
    return NULL;
}

void conn_commit(struct conn *c, size_t size, const struct frame_note *note)
{
    struct owed *o = c->owed;

    output_commit(&o->output, size, note);
    c->tx_frames++;
    if (!o->eager && (note->session || note->stored)) {
        o->eager = true;
        acks_unwatch(o); /* it joins those that are asked sooner */
    }
    conn_make_due(c);
}

void conn_release_output(struct conn *c)
{
    if (!c->owed)
        return;
    acks_unwatch(c->owed);
    output_fini(&c->owed->output);
    slab_free(&c->shard->owed, c->owed);
    c->owed = NULL;
}

bool conn_is_awaited(const struct owed *o)
{
    return o->eager || output_size(&o->output) > o->conn->shard->conf.output_limit / 2;
}

static void flush(struct conn *c, struct owed *o)
{
    uint64_t before = o->output.handed_over;
    int rc = output_write(&o->output, c->fd);

    c->tx_bytes += o->output.handed_over - before;
    if (rc < 0) {
        conn_close(c, conn_reason_of(rc == ERR_CLOSED ? ECONNRESET : errno));
        return;
    }
    if (c->blocked != (output_unwritten(&o->output) > 0)) {
        c->blocked = !c->blocked;
        conn_settle(c);
        if (conn_is_closing(c))
            return;
    }
    if (conn_is_awaited(o))
        conn_acknowledge(c);
    if (!conn_is_closing(c))
        acks_watch(&c->shard->acks, o);
}

void conn_flush(struct conn *c)
{
    if (!conn_is_closing(c) && !c->moved && !c->blocked && c->owed &&
        output_unwritten(&c->owed->output))
        flush(c, c->owed);
}
