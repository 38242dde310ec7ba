#include "mailbox/writer_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "mailbox/record.h"

#include <stdlib.h>

/* One transaction takes at most so much, but at least one batch. */
#define TRANSACTION_BYTES (32u << 20)
#define TRANSACTION_OPS   32768u

/* The batches of one transaction. */
struct group {
    struct parcel *first;
    uint64_t puts, removals, reads;
};

#define FOREACH_BATCH(group, batch)                                                    \
    for (struct parcel *p_ = (group)->first; p_; p_ = p_->next)                        \
        for (struct mail_batch *batch = CONTAINER_OF(p_, struct mail_batch, parcel);   \
             batch; batch = NULL)

#define FOREACH_OP(batch, op)                                                          \
    for (struct mail_op *op = (batch)->ops; op < (batch)->ops + (batch)->count; op++)

static struct group take_group(struct parcel **waiting)
{
    struct group g = {.first = *waiting};
    struct parcel **end = waiting;
    size_t bytes = 0, ops = 0;

    while (*end) {
        const struct mail_batch *batch = CONTAINER_OF(*end, struct mail_batch, parcel);

        bytes += buf_used(&batch->bytes);
        ops += batch->count;
        if (end != waiting && (bytes > TRANSACTION_BYTES || ops > TRANSACTION_OPS))
            break;
        FOREACH_OP(batch, op)
        {
            g.puts += op->kind == MAIL_PUT;
            g.removals += op->kind == MAIL_REMOVE;
            g.reads += op->kind == MAIL_READ;
        }
        end = &(*end)->next;
    }
    if (end == waiting)
        return g;
    *waiting = *end;
    *end = NULL;
    return g;
}

void writer_owe_removal(struct mail_writer *w, uint64_t seq, uint64_t charge)
{
    if (w->again_count == w->again_room) {
        size_t room = w->again_room ? w->again_room * 2 : 256;
        struct removal *again = realloc(w->again, room * sizeof(*again));

        if (!again) {
            LOG_THROTTLED(
                LOG_ERROR, MAILBOX,
                "store record %llu stays: out of memory; it will be delivered "
                "again after a restart",
                (unsigned long long)seq);
            return;
        }
        w->again = again;
        w->again_room = room;
    }
    w->again[w->again_count++] = (struct removal){.seq = seq, .charge = charge};
}

static uint64_t put_charge(const struct mail_batch *batch, const struct mail_op *op)
{
    return record_charge(record_body(batch_record(batch, op)).size);
}

static int put_record(struct mail_writer *w, const struct mail_batch *batch,
                      struct mail_op *op, int64_t wall_ms)
{
    struct slice record = batch_record(batch, op);
    uint8_t *room;
    int rc;

    op->seq = w->next_seq++;
    rc = w->conf.engine->put(w->keeper.store, op->seq, record.size, &room);
    if (rc < 0)
        return rc;
    memcpy(room, record.data, record.size);
    record_seal(room, wall_ms, op->seq);
    return OK;
}

static int remove_record(struct mail_writer *w, uint64_t seq, uint64_t charge,
                         struct content *loss)
{
    int rc = w->conf.engine->remove(w->keeper.store, seq);

    if (rc == ERR_NOTFOUND)
        return OK;
    if (rc == OK && charge > 0) {
        loss->messages++;
        loss->charge += charge;
    }
    return rc;
}

static int apply_batch(struct mail_writer *w, const struct mail_batch *batch,
                       struct content *gain, struct content *loss, int64_t wall_ms)
{
    int rc = OK;

    FOREACH_OP(batch, op)
    {
        if (op->kind == MAIL_PUT) {
            rc = put_record(w, batch, op, wall_ms);
            gain->messages++;
            gain->charge += put_charge(batch, op);
        } else if (op->kind == MAIL_REMOVE) {
            rc = remove_record(w, op->seq, record_charge(op->size), loss);
        }
        if (rc < 0)
            break;
    }
    return rc;
}

/* What the group asks for, and some of the removals that are owed, in one transaction
 * with one sync. *in_commit tells whether a failure came from the commit. */
static int transact(struct mail_writer *w, const struct group *g, bool *in_commit)
{
    const struct store_engine *engine = w->conf.engine;
    struct content gain = {0}, loss = {0};
    size_t owed = w->again_count < TRANSACTION_OPS ? w->again_count : TRANSACTION_OPS;
    int64_t wall_ms = clock_wall_ms();
    uint64_t first_seq = w->next_seq;
    int rc;

    *in_commit = false;
    if ((rc = engine->begin(w->keeper.store)) < 0)
        return rc;
    for (size_t i = w->again_count - owed; i < w->again_count && rc == OK; i++)
        rc = remove_record(w, w->again[i].seq, w->again[i].charge, &loss);
    FOREACH_BATCH(g, batch)
    {
        if (rc == OK)
            rc = apply_batch(w, batch, &gain, &loss, wall_ms);
    }
    if (rc < 0) {
        engine->abort(w->keeper.store);
        return rc;
    }
    *in_commit = true;
    if ((rc = engine->commit(w->keeper.store)) < 0) {
        if (!w->doubt)
            w->doubt = first_seq;
        return rc;
    }
    w->again_count -= owed;
    if (w->again_count == 0)
        w->doubt = 0; /* what it left behind was owed, too */
    w->content.messages += gain.messages - loss.messages;
    w->content.charge += gain.charge - loss.charge;
    atomic_fetch_sub(&w->gauges.used, loss.charge);
    w->removals_wait = false;
    keeper_committed(&w->keeper);
    return OK;
}

static void report_failure(struct mail_writer *w, int rc, bool in_commit,
                           int64_t now_ms)
{
    if (in_commit || (rc != ERR_FULL && rc != ERR_NOMEM))
        keeper_failed(&w->keeper, rc, in_commit, now_ms);
    /* else this one transaction was too much; the next may fit */
}

void writer_remove_owed(struct mail_writer *w, int64_t now_ms)
{
    struct group nothing = {0};

    while (w->keeper.state != KEEPER_SHUT && !w->removals_wait && w->again_count > 0) {
        bool in_commit;
        int rc = transact(w, &nothing, &in_commit);

        if (rc < 0) {
            report_failure(w, rc, in_commit, now_ms);
            w->removals_wait = w->keeper.state != KEEPER_OPEN;
            return;
        }
    }
}

static void refuse_puts(struct mail_writer *w, const struct group *g, int rc)
{
    FOREACH_BATCH(g, batch)
    {
        FOREACH_OP(batch, op)
        {
            if (op->kind == MAIL_PUT) {
                op->rc = rc;
                atomic_fetch_sub(&w->gauges.used, put_charge(batch, op));
            } else if (op->kind == MAIL_REMOVE) {
                writer_owe_removal(w, op->seq, record_charge(op->size));
            }
        }
    }
}

static void write_group(struct mail_writer *w, const struct group *g, int64_t now_ms)
{
    bool tried = false, in_commit = false;
    int rc;

    /* While there may be records of a failed commit, no others come behind them. */
    if (w->doubt)
        writer_remove_owed(w, now_ms);
    rc = atomic_load(&w->gauges.health);
    if (rc == OK && w->doubt)
        rc = ERR_IO;
    if (rc == OK) {
        if ((rc = transact(w, g, &in_commit)) == OK)
            return;
        tried = true;
    }
    refuse_puts(w, g, rc);
    if (tried)
        report_failure(w, rc, in_commit, now_ms);
    writer_remove_owed(w, now_ms);
}

static int read_record(struct mail_writer *w, struct mail_batch *batch,
                       struct mail_op *op)
{
    struct slice record;
    int rc = w->conf.engine->read(w->keeper.store, op->seq, &record);

    if (rc < 0)
        return rc;
    if (record.size > UINT32_MAX)
        return ERR_DAMAGED;
    op->offset = batch->reads.tail;
    op->size = (uint32_t)record.size;
    return buf_try_append(&batch->reads, record);
}

static void read_group(struct mail_writer *w, const struct group *g)
{
    int begun = w->keeper.store ? w->conf.engine->begin_reads(w->keeper.store) : ERR_IO;

    FOREACH_BATCH(g, batch)
    {
        FOREACH_OP(batch, op)
        {
            if (op->kind == MAIL_READ)
                op->rc = begun < 0 ? begun : read_record(w, batch, op);
        }
    }
    if (begun == OK)
        w->conf.engine->end_reads(w->keeper.store);
}

static void send_home(struct mail_writer *w, struct group *g)
{
    struct parcel *p = g->first;

    while (p) {
        struct mail_batch *batch = CONTAINER_OF(p, struct mail_batch, parcel);

        p = p->next; /* once pushed, it is not ours */
        atomic_fetch_sub(&w->gauges.backlog, batch->charge);
        inbox_push(batch->home, &batch->parcel);
    }
}

void writer_serve(struct mail_writer *w, struct parcel **waiting, int64_t now_ms)
{
    struct group g = take_group(waiting);

    if (g.puts > 0 || g.removals > 0)
        write_group(w, &g, now_ms);
    if (g.reads > 0)
        read_group(w, &g);
    send_home(w, &g);
}
