#include "mailbox/mailbox.h"

#include "base/clock.h"
#include "mailbox/box.h"

#include <assert.h>
#include <stdlib.h>

#define LARGEST_BODY (UINT32_MAX / 4)

int mailbox_new(const struct mailbox_conf *conf, struct mailbox **out)
{
    struct mailbox *box = calloc(1, sizeof(*box));

    if (!box)
        return ERR_NOMEM;
    box->conf = *conf;
    box->gauges = mail_writer_gauges(conf->writer);
    box->wall_ms = box->clock_ms = clock_wall_ms();
    list_init(&box->spare_batches);
    list_init(&box->bodies);
    list_init(&box->leaving);
    list_init(&box->spare_bodies);
    list_init(&box->held);
    list_init(&box->reloads);
    slab_init(&box->slab, sizeof(struct mailqueue_body));
    *out = box;
    return OK;
}

void mailbox_free(struct mailbox **box)
{
    struct mailbox *b = *box;

    *box = NULL;
    if (!b)
        return;
    while (b->all_batches) {
        struct mail_batch *batch = b->all_batches;

        b->all_batches = batch->next_of_box;
        for (uint32_t i = 0; i < batch->count; i++)
            if (batch->ops[i].kind == MAIL_DECIDED)
                free(batch->ops[i].held);
        batch_free(&batch);
    }
    while (!list_is_empty(&b->held))
        held_free(b, CONTAINER_OF(list_first(&b->held), struct mail_held, link));
    bodies_fini(b);
    free(b);
}

static void send_batch(struct mailbox *box)
{
    struct mail_batch *batch = box->batch;

    box->batch = NULL;
    box->unanswered++;
    atomic_fetch_add(&box->gauges->used, batch->charge);
    atomic_fetch_add(&box->gauges->backlog, batch->charge);
    mail_writer_send(box->conf.writer, batch);
}

struct mail_batch *box_try_batch(struct mailbox *box)
{
    if (box->batch && batch_is_full(box->batch))
        send_batch(box);
    if (!box->batch) {
        struct link *k = list_pop(&box->spare_batches);

        if (k) {
            box->batch = CONTAINER_OF(k, struct mail_batch, link);
            box->spare_bytes -= batch_memory(box->batch);
        } else if ((box->batch = batch_new(box, box->conf.inbox, mailbox_on_answer))) {
            box->batch->next_of_box = box->all_batches;
            box->all_batches = box->batch;
        }
    }
    return box->batch;
}

struct mail_op *box_try_note(struct mailbox *box, struct mailqueue_body *q,
                             enum mail_op_kind kind)
{
    struct mail_batch *batch = box_try_batch(box);
    struct mail_op *op = batch ? batch_try_op(batch, kind) : NULL;

    if (op) {
        op->body = q;
        op->load = q->load;
        q->unanswered++;
        if (kind == MAIL_LOST || kind == MAIL_DECIDED)
            q->notes++;
    }
    return op;
}

void held_free(struct mailbox *box, struct mail_held *held)
{
    if (link_is_on_list(&held->link))
        list_remove(&box->held, &held->link);
    free(held);
}

static void uncount(struct mailbox *box, const struct mail_entry *e)
{
    box->stats.messages--;
    box->stats.bytes -= e->size;
}

void box_drop(struct mailbox *box, struct mailqueue_body *q, uint32_t i)
{
    if (queue_at(q, i)->state != ENTRY_DOOMED)
        uncount(box, queue_at(q, i));
    queue_drop(q, i);
}

/* It stays in the index until the writer has answered, but nobody counts it. */
static void doom(struct mailbox *box, struct mailqueue_body *q, uint32_t i)
{
    uncount(box, queue_at(q, i));
    queue_set_state(q, i, ENTRY_DOOMED);
}

static void remove_record(struct mailbox *box, uint64_t seq, uint32_t size)
{
    struct mail_batch *batch = box_try_batch(box);
    struct mail_op *op = batch ? batch_try_op(batch, MAIL_REMOVE) : NULL;

    if (op) {
        op->seq = seq;
        op->size = size;
    } else {
        LOG_THROTTLED(LOG_ERROR, MAILBOX,
                      "mailbox record %llu stays: out of memory; it will be delivered "
                      "again after a restart",
                      (unsigned long long)seq);
    }
}

/* Delivered without having been stored: its sender hears of it in the next turn. */
static void decide_held(struct mailbox *box, struct mailqueue_body *q,
                        struct mail_held *held)
{
    struct mail_op *op = box_try_note(box, q, MAIL_DECIDED);

    list_remove(&box->held, &held->link);
    if (op)
        op->held = held;
    else
        free(held);
}

void box_forget(struct mailbox *box, struct mailqueue_body *q, uint32_t i)
{
    struct mail_entry e = *queue_at(q, i);

    assert(e.state != ENTRY_PENDING);
    if (e.is_held)
        decide_held(box, q, e.held);
    else
        remove_record(box, e.seq, e.size);
    box_drop(box, q, i);
}

void box_request_load(struct mailbox *box, struct mailqueue_body *q)
{
    uint32_t count = queue_count(q);
    size_t bytes = 0;

    for (uint32_t i = q->next; i < count && bytes < q->load_bytes; i++) {
        const struct mail_entry *e = queue_at(q, i);
        struct mail_op *op;

        if (e->state == ENTRY_LOADED)
            continue;
        if (e->state != ENTRY_STORED && e->state != ENTRY_HELD)
            break;
        op = box_try_note(box, q, e->is_held ? MAIL_RECALL : MAIL_READ);
        if (!op)
            break;
        op->position = e->position;
        op->seq = e->is_held ? 0 : e->seq;
        bytes += e->size + 1u; /* empty ones too come to an end */
    }
    if (!box_try_note(box, q, MAIL_LOADED))
        list_append(&box->reloads, &q->reload_link);
}

void mailbox_load(struct mailbox *box, struct mailqueue *queue, size_t max_bytes)
{
    struct mailqueue_body *q = queue->body;

    if (!q || q->loading)
        return;
    box_expire(box, q, UINT32_MAX);
    q->loading = true;
    q->load++;
    q->load_bytes = max_bytes ? max_bytes : 1;
    box_request_load(box, q);
}

bool mailbox_take(struct mailbox *box, struct mailqueue *queue, uint64_t position)
{
    struct mailqueue_body *q = queue->body;
    struct mail_entry *e = q && !q->loading ? queue_next(q) : NULL;

    (void)box;
    if (!e || e->position != position || e->state != ENTRY_STORED)
        return false;
    queue_set_state(q, q->next, ENTRY_LOADED);
    return true;
}

void mailbox_remove(struct mailbox *box, struct mailqueue *queue, uint64_t position)
{
    struct mailqueue_body *q = queue->body;
    int64_t i = q ? queue_find(q, position, ENTRY_LOADED) : -1;

    if (i < 0)
        return; /* purged while it was being delivered */
    box_forget(box, q, (uint32_t)i);
    box->stats.delivered++;
    body_let_go_if_empty(box, q);
}

static void forget_load(struct mailbox *box, struct mailqueue_body *q)
{
    if (link_is_on_list(&q->reload_link))
        list_remove(&box->reloads, &q->reload_link);
    q->loading = false;
    q->stumbled = false;
}

void mailbox_unload(struct mailbox *box, struct mailqueue *queue)
{
    struct mailqueue_body *q = queue->body;

    if (!q)
        return;
    forget_load(box, q);
    for (uint32_t i = 0; q->loaded > 0; i++) {
        const struct mail_entry *e = queue_at(q, i);

        if (e->state == ENTRY_LOADED)
            queue_set_state(q, i, e->is_held ? ENTRY_HELD : ENTRY_STORED);
    }
    body_let_go_if_empty(box, q);
}

uint64_t mailbox_purge(struct mailbox *box, struct mailqueue *queue)
{
    struct mailqueue_body *q = queue->body;
    uint64_t purged = mailqueue_messages(queue);

    for (uint32_t i = q ? queue_count(q) : 0; i-- > 0;) {
        enum entry_state state = queue_at(q, i)->state;

        if (state == ENTRY_PENDING)
            doom(box, q, i);
        else if (state != ENTRY_DOOMED)
            box_forget(box, q, i);
    }
    box->stats.purged += purged;
    if (q)
        body_let_go_if_empty(box, q);
    return purged;
}

void mailbox_flush(struct mailbox *box)
{
    /* While nothing of ours is at the writer, an empty batch finds out when the work of
     * the others is done. */
    bool ask = box->congested && box->unanswered == 0;

    if (ask && !box_try_batch(box))
        return;
    if (box->batch && (box->batch->count > 0 || ask))
        send_batch(box);
}

bool mailbox_is_congested(const struct mailbox *box)
{
    return box->congested;
}

int mailbox_health(const struct mailbox *box)
{
    return atomic_load_explicit(&box->gauges->health, memory_order_relaxed);
}

size_t mailbox_unanswered(const struct mailbox *box)
{
    return box->unanswered;
}

struct mailbox_stats mailbox_stats(const struct mailbox *box)
{
    return box->stats;
}

int mailbox_adopt(struct mailbox *box, struct mailqueue *queue, const struct id *id,
                  const struct mail_record *record)
{
    struct mailqueue_body *q = body_try_get(box, queue, id);
    struct mail_entry *e;

    if (!q)
        return ERR_NOMEM;
    if (!(e = entries_try_insert(&q->entries, queue_count(q)))) {
        body_let_go_if_empty(box, q);
        return ERR_NOMEM;
    }
    *e = (struct mail_entry){
        .position = record->position,
        .seq = record->seq,
        .stored_ms = record->stored_ms,
        .size = record->size,
        .state = ENTRY_STORED,
    };
    q->bytes += record->size;
    box->stats.messages++;
    box->stats.bytes += record->size;
    return OK;
}

void mailbox_adopted(struct mailbox *box)
{
    LIST_FOREACH (&box->bodies, k)
        entries_sort(&body_of_link(k)->entries);
}
