/* A connection's output: gathered during the turn, written once at its end, kept until
 * the peer's TCP has acknowledged it. */
#include "net/conn_inside.h"
#include "net/shard.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* So much written and not yet known to be acknowledged: ask the kernel before the
 * turn's first frame is added. By then the peer mostly has it, and the same few
 * kilobytes of memory, still in the processor's cache, serve again. Less waits for the
 * timer. */
#define ACK_BYTES 4096

static bool only_answers(const struct conn *c)
{
    return !c->listener->ops->on_delivered;
}

void conn_acknowledge(struct conn *c)
{
    struct owed *o = c->owed;
    long unacked;

    if (!o || o->output.written == 0 || only_answers(c))
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

static struct owed *try_owe(struct conn *c)
{
    struct owed *o = c->owed;

    assert(!conn_is_closing(c) && !c->moved);
    if (!o && (o = slab_try_alloc(&c->shard->owed))) {
        o->conn = c;
        c->owed = o;
    }
    return o;
}

uint8_t *conn_try_reserve(struct conn *c, size_t size)
{
    struct owed *o = try_owe(c);
    uint8_t *room;

    if (!o)
        goto fail;
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

/* ---- answers: written and forgotten ---- */

/* One connection after the other answers what it was asked: the same memory, still in
 * the processor's cache, serves all that find their peers ready. */
#define SPARE_ANSWER  (2 * SHARD_INPUT_SIZE) /* what one read may ask for, doubled */
#define ANSWER_PIECES 3

struct buf *conn_try_answer(struct conn *c)
{
    struct shard *s = c->shard;
    struct owed *o = try_owe(c);

    assert(only_answers(c));
    if (!o) {
        conn_close(c, CLOSE_NO_MEMORY);
        return NULL;
    }
    if (!o->output.bytes.mem) {
        o->output.bytes = s->spare_answer;
        s->spare_answer = (struct buf){0};
    }
    return &o->output.bytes;
}

void conn_answered(struct conn *c)
{
    c->tx_frames++;
    conn_make_due(c);
}

/* Bytes that the kernel took; an error is seen again, and acted upon, by the flush. */
static size_t send_pieces(struct conn *c, const struct slice *pieces, size_t count)
{
    struct iovec parts[ANSWER_PIECES];
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t n;

    assert(count <= ANSWER_PIECES);
    for (size_t i = 0; i < count; i++)
        parts[i] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[i].data,
                                  .iov_len = pieces[i].size};
    n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        c->tx_bytes += (uint64_t)n;
    return n > 0 ? (size_t)n : 0;
}

bool conn_try_answer_large(struct conn *c, const struct slice *pieces, size_t count)
{
    size_t taken = 0;
    struct buf *out;

    conn_flush(c); /* what was answered before goes before */
    if (conn_is_closing(c))
        return false;
    if (!c->blocked)
        taken = send_pieces(c, pieces, count);
    for (size_t i = 0; i < count; i++) {
        size_t skipped = taken < pieces[i].size ? taken : pieces[i].size;

        taken -= skipped;
        if (skipped == pieces[i].size)
            continue;
        if (!(out = conn_try_answer(c)))
            return false;
        if (buf_try_append(out, slice_from(pieces[i], skipped)) < 0) {
            conn_close(c, CLOSE_NO_MEMORY);
            return false;
        }
    }
    return true;
}

static void keep_spare_answer(struct shard *s, struct buf *b)
{
    if (s->spare_answer.mem || b->size > SPARE_ANSWER)
        return;
    buf_clear(b);
    s->spare_answer = *b;
    *b = (struct buf){0};
}

static void forget_written(struct conn *c, struct owed *o)
{
    buf_consume(&o->output.bytes, o->output.written);
    o->output.written = 0;
    if (output_is_empty(&o->output)) {
        keep_spare_answer(c->shard, &o->output.bytes);
        conn_release_output(c);
    } else {
        acks_watch(&c->shard->acks, o); /* an orderly end waits for it */
    }
    if (c->listener->ops->on_room &&
        conn_output_size(c) < c->shard->conf.output_limit / 2)
        c->listener->ops->on_room(c);
}

/* ---- writing ---- */

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
    if (only_answers(c)) {
        forget_written(c, o);
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
