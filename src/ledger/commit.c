#include "ledger/ledger_inside.h"

#include "base/log.h"

/* What one transaction takes at most: what an engine must be able to. */
#define TRANSACTION_BYTES   (32u << 20)
#define TRANSACTION_CHANGES 16384u

#define FOREACH_BATCH(waiting, batch)                                                  \
    for (struct parcel *p_ = (waiting); p_; p_ = p_->next)                             \
        for (struct book_batch *batch = CONTAINER_OF(p_, struct book_batch, parcel);   \
             batch; batch = NULL)

#define FOREACH_OP(batch, op)                                                          \
    for (struct book_op *op = (batch)->ops; op < (batch)->ops + (batch)->count; op++)

void ledger_add_stale(struct ledger *l, uint64_t seq)
{
    if (!stale_try_add(&l->stale, seq))
        LOG_THROTTLED(LOG_ERROR, LEDGER,
                      "ledger entry %llu stays: out of memory; the next start finds it",
                      (unsigned long long)seq);
}

/* ---- taking in ---- */

static uint64_t charge_of(const struct places *p, uint32_t number)
{
    const struct held *h = places_held(p, number);

    if (!places_has(p, number))
        return 0;
    return RECORD_CHARGE + (h ? h->line.record.size : p->at[number].size);
}

/* After a place has changed. */
static void gauge(struct ledger *l, uint32_t number, uint64_t before)
{
    uint64_t charge = charge_of(&l->places, number);

    atomic_fetch_add_explicit(&l->used, charge - before, memory_order_relaxed);
    if (charge > 0 && before == 0)
        atomic_fetch_add_explicit(&l->records, 1, memory_order_relaxed);
    if (charge == 0 && before > 0)
        atomic_fetch_sub_explicit(&l->records, 1, memory_order_relaxed);
}

/* A record that was refused is not there to be changed or dropped, though its book may
 * not know that yet. */
static void take_op(struct ledger *l, struct book_op *op)
{
    uint32_t number = op->line.number;
    uint64_t before = charge_of(&l->places, number);

    if (!op->is_new && before == 0) {
        op->rc = ERR_IO;
        return;
    }
    if ((op->rc = places_hold(&l->places, &op->line, op->is_new)) < 0)
        LOG_THROTTLED(LOG_ERROR, LEDGER,
                      "ledger record %u not kept: out of memory; after a restart it is "
                      "as it was before",
                      number);
    gauge(l, number, before);
    op->is_taken = op->rc == OK;
    op->frees = op->is_taken ? op->line.form == 0 : op->is_new;
}

static void take(struct ledger *l, struct book_batch *batch)
{
    FOREACH_OP(batch, op)
    {
        op->line.record.data = batch->bytes.mem + op->offset;
        take_op(l, op);
    }
}

/* ---- writing ---- */

static enum scope scope_now(const struct ledger *l)
{
    switch (l->keeper.state) {
    case KEEPER_OPEN:
        return SCOPE_ALL;
    case KEEPER_FULL:
        return l->when_full;
    default:
        return SCOPE_NOTHING;
    }
}

static enum scope scope_for(const struct held *h)
{
    if (h->line.form == 0)
        return SCOPE_DROPS;
    return h->is_new ? SCOPE_ALL : SCOPE_CHANGES;
}

struct share {
    size_t changes, bytes;
};

static void gather_from(struct places *p, struct list *list, enum scope scope,
                        struct share *share)
{
    LIST_FOREACH_SAFE (list, k) {
        struct held *h = CONTAINER_OF(k, struct held, link);

        if (share->changes >= TRANSACTION_CHANGES || share->bytes >= TRANSACTION_BYTES)
            return;
        if (scope < scope_for(h))
            continue;
        list_remove(list, k);
        list_append(&p->writing, k);
        share->changes++;
        share->bytes += h->line.record.size;
    }
}

/* False: there is nothing that may be written now. */
static bool gather(struct ledger *l, enum scope scope)
{
    struct share share = {0};

    if (scope == SCOPE_NOTHING)
        return false;
    gather_from(&l->places, &l->places.kept, scope, &share);
    gather_from(&l->places, &l->places.fresh, scope, &share);
    return share.changes > 0 || l->stale.count > 0;
}

static int write_one(struct ledger *l, struct held *h)
{
    const struct store_engine *engine = l->conf.engine;
    int rc = h->old_seq ? engine->remove(l->keeper.store, h->old_seq) : OK;
    uint8_t *room;

    if ((rc < 0 && rc != ERR_NOTFOUND) || h->line.form == 0)
        return rc == ERR_NOTFOUND ? OK : rc;
    h->seq = l->next_seq++;
    rc = engine->put(l->keeper.store, h->seq, LINE_HEAD + h->line.record.size, &room);
    if (rc == OK)
        line_encode(&h->line, h->seq, room);
    return rc;
}

static int fill(struct ledger *l, size_t *stale)
{
    int rc = stale_remove(&l->stale, l->keeper.store, TRANSACTION_CHANGES, stale);

    LIST_FOREACH (&l->places.writing, k) {
        if (rc < 0)
            break;
        rc = write_one(l, CONTAINER_OF(k, struct held, link));
    }
    return rc;
}

static void settle(struct ledger *l, size_t stale)
{
    struct list *writing = &l->places.writing;
    uint64_t written = 0;

    stale_settle(&l->stale, stale);
    l->last_put = l->next_seq - 1;
    while (!list_is_empty(writing)) {
        struct held *h = CONTAINER_OF(list_first(writing), struct held, link);

        written += h->line.form > 0;
        places_settle(&l->places, h);
    }
    ledger_count(&l->written, written);
    ledger_count(&l->commits, 1);
    atomic_store_explicit(&l->disk_bytes, l->conf.engine->disk_bytes(l->keeper.store),
                          memory_order_relaxed);
    keeper_committed(&l->keeper);
}

static int transact(struct ledger *l, bool *in_commit)
{
    const struct store_engine *engine = l->conf.engine;
    size_t stale = 0;
    int rc;

    *in_commit = false;
    if ((rc = engine->begin(l->keeper.store)) < 0)
        return rc;
    if ((rc = fill(l, &stale)) < 0) {
        engine->abort(l->keeper.store);
        return rc;
    }
    *in_commit = true;
    if ((rc = engine->commit(l->keeper.store)) == OK)
        settle(l, stale);
    return rc;
}

void ledger_write(struct ledger *l, int64_t now_ms)
{
    while (gather(l, scope_now(l))) {
        bool was_full = l->keeper.state == KEEPER_FULL, in_commit;
        int rc = transact(l, &in_commit);

        if (rc == OK)
            continue;
        ledger_count(&l->failures, 1);
        places_put_back(&l->places);
        keeper_failed(&l->keeper, rc, in_commit, now_ms);
        l->when_full = was_full ? l->when_full - 1 : SCOPE_CHANGES;
    }
}

/* ---- answering ---- */

static void answer(struct ledger *l, struct book_batch *batch)
{
    int rc = ledger_health(l);

    FOREACH_OP(batch, op)
    {
        const struct held *h = places_held(&l->places, op->line.number);

        if (!h || !op->is_taken || op->line.form == 0)
            continue;
        op->rc = rc;
        op->frees = op->is_new && h->is_new;
    }
}

/* What is still FRESH was not written. */
static void cope(struct ledger *l)
{
    struct list *fresh = &l->places.fresh;

    while (!list_is_empty(fresh)) {
        struct held *h = CONTAINER_OF(list_first(fresh), struct held, link);
        uint32_t number = h->line.number;
        uint64_t before = charge_of(&l->places, number);

        if (h->is_new) {
            places_refuse(&l->places, h);
            ledger_count(&l->refused, 1);
        } else if (places_keep(&l->places, h) < 0) {
            places_let_go(&l->places, h);
            LOG_THROTTLED(LOG_ERROR, LEDGER,
                          "ledger record %u not kept: out of memory; after a restart "
                          "it is as it was before",
                          number);
        }
        gauge(l, number, before);
    }
}

void ledger_serve(struct ledger *l, struct parcel *waiting, int64_t now_ms)
{
    FOREACH_BATCH(waiting, batch)
    take(l, batch);
    ledger_write(l, now_ms);
    FOREACH_BATCH(waiting, batch)
    answer(l, batch);
    cope(l);
    for (struct parcel *p = waiting, *next; p; p = next) {
        next = p->next; /* once returned, it is not ours */
        book_return(CONTAINER_OF(p, struct book_batch, parcel));
    }
}
