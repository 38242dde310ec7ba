#include "mailbox/box.h"

#include <stdlib.h>

#define LARGEST_BODY (UINT32_MAX / 4)

static uint64_t batch_charge(const struct mailbox *box)
{
    return box->batch ? box->batch->charge : 0;
}

static uint64_t backlog(const struct mailbox *box)
{
    return atomic_load_explicit(&box->gauges->backlog, memory_order_relaxed) +
           batch_charge(box);
}

void box_note_congestion(struct mailbox *box)
{
    bool now = backlog(box) > box->conf.limits.backlog_bytes / 2;
    bool before = box->congested;

    box->congested = now;
    if (before && !now)
        box->conf.events->on_room(box->conf.user);
}

/* May this new message come in? */
static int admit(struct mailbox *box, const struct mailqueue *queue, size_t size)
{
    const struct mailbox_limits *most = &box->conf.limits;
    uint64_t charge = record_charge(size), waits = backlog(box);
    uint64_t used = atomic_load_explicit(&box->gauges->used, memory_order_relaxed);
    int rc = mailbox_health(box);

    if (rc < 0)
        return rc;
    if (mailqueue_messages(queue) >= most->max_messages ||
        mailqueue_bytes(queue) + size > most->max_bytes ||
        used + batch_charge(box) + charge > most->total_bytes)
        return ERR_FULL;
    if (waits + charge > most->backlog_bytes / 2)
        box->congested = true;
    if (waits + charge > most->backlog_bytes && waits > 0)
        return ERR_BUSY;
    return OK;
}

void box_count_refusal(struct mailbox *box, int rc)
{
    struct mailbox_stats *s = &box->stats;

    if (rc == ERR_FULL)
        s->refused_full++;
    else if (rc == ERR_BUSY)
        s->refused_busy++;
    else if (rc == ERR_NOSPACE)
        s->refused_nospace++;
    else
        s->refused_io++;
}

/* The encoded record at the end of the batch's bytes and the operation that names it;
 * the caller fills the record in. */
static struct mail_op *try_put_op(struct mailbox *box, size_t size, uint8_t **room)
{
    struct mail_batch *b = box_try_batch(box);
    struct mail_op *op;

    if (!b || !(*room = buf_try_reserve(&b->bytes, size)))
        return NULL;
    if (!(op = batch_try_op(b, MAIL_PUT)))
        return NULL;
    op->offset = b->bytes.tail;
    op->size = (uint32_t)size;
    return op;
}

static int put_new(struct mailbox *box, struct mailqueue_body *q, const struct id *id,
                   uint64_t position, struct slice body, bool is_returned,
                   struct mail_receipt receipt)
{
    uint8_t *room;
    struct mail_op *op = try_put_op(box, record_size(id, body.size), &room);

    if (!op)
        return ERR_NOMEM;
    if (queue_try_insert(q, position, (uint32_t)body.size) < 0) {
        batch_drop_op(box->batch);
        return ERR_NOMEM;
    }
    record_encode(position, id, body, room);
    op->position = position;
    op->body = q;
    op->receipt = receipt;
    op->is_returned = is_returned;
    buf_commit(&box->batch->bytes, op->size);
    box->batch->charge += record_charge(body.size);
    return OK;
}

int box_put_again(struct mailbox *box, struct mail_held *held)
{
    struct mailqueue_body *q = held->body;
    int64_t i = queue_find(q, held->position, ENTRY_HELD);
    uint8_t *room;
    struct mail_op *op;

    if (i < 0)
        return OK; /* delivered from memory, or on its way */
    if (!(op = try_put_op(box, held->size, &room)))
        return ERR_NOMEM;
    memcpy(room, held->record, held->size);
    op->position = held->position;
    op->body = q;
    op->receipt = held->receipt;
    op->is_returned = true;
    buf_commit(&box->batch->bytes, op->size);
    box->batch->charge += record_charge(queue_at(q, (uint32_t)i)->size);
    queue_set_state(q, (uint32_t)i, ENTRY_PENDING);
    box->stats.retried++;
    return OK;
}

static int hold_new(struct mailbox *box, struct mailqueue_body *q, const struct id *id,
                    uint64_t position, struct slice body, struct mail_receipt receipt)
{
    size_t size = record_size(id, body.size);
    struct mail_held *held = malloc(sizeof(*held) + size);
    int64_t i = held ? queue_try_insert(q, position, (uint32_t)body.size) : -1;
    struct mail_entry *e;

    if (i < 0) {
        free(held);
        return ERR_NOMEM;
    }
    *held = (struct mail_held){.body = q,
                               .position = position,
                               .receipt = receipt,
                               .size = (uint32_t)size};
    record_encode(position, id, body, held->record);
    list_append(&box->held, &held->link);
    e = queue_at(q, (uint32_t)i);
    e->held = held;
    e->is_held = true;
    queue_set_state(q, (uint32_t)i, ENTRY_HELD);
    return OK;
}

int mailbox_append(struct mailbox *box, struct mailqueue *queue, const struct id *id,
                   uint64_t position, struct slice body, enum mail_flags flags,
                   struct mail_receipt receipt)
{
    bool is_returned = flags & MAIL_RETURNED;
    struct mailqueue_body *q = NULL;
    int rc = body.size > LARGEST_BODY ? ERR_FULL : OK;

    if (rc == OK && !is_returned)
        rc = admit(box, queue, body.size);
    if (rc < 0)
        goto refused;
    rc = ERR_NOMEM;
    if (!(q = body_try_get(box, queue, id)))
        goto refused;
    if (is_returned && mailbox_health(box) < 0)
        rc = hold_new(box, q, id, position, body, receipt);
    else
        rc = put_new(box, q, id, position, body, is_returned, receipt);
    if (rc < 0)
        goto refused;
    box->stats.messages++;
    box->stats.bytes += body.size;
    return OK;

refused:
    if (q)
        body_let_go_if_empty(box, q);
    box_count_refusal(box, rc);
    return rc;
}
