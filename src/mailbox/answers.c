#include "mailbox/box.h"

#include <assert.h>
#include <stdlib.h>

/* The wall clock may go this far between two ticks; more is a jump, not time. */
#define LONGEST_TICK_MS 60000

/* Bodies looked at per tick: a sweep over all of them may take its time. */
#define SWEEP_BODIES 2048
#define SWEEP_EXPIRE 1024

/* ---- puts ---- */

/* Called last of all that is done for an answer: the session may do anything in it, and
 * `q` may be gone after it. */
static void tell_fate(struct mailbox *box, struct mailqueue *owner,
                      const struct mail_op *op, struct slice body, int rc)
{
    box->conf.events->on_fate(box->conf.user, owner, op->position, body, op->receipt,
                              rc);
}

/* Keeps a returned message that could not be stored; false when memory is out. */
static bool hold(struct mailbox *box, struct mailqueue_body *q, uint32_t i,
                 const struct mail_op *op, struct slice record)
{
    struct mail_entry *e = queue_at(q, i);

    if (!e->is_held) {
        struct mail_held *held = malloc(sizeof(*held) + record.size);

        if (!held)
            return false;
        *held = (struct mail_held){.body = q,
                                   .position = op->position,
                                   .receipt = op->receipt,
                                   .size = (uint32_t)record.size};
        memcpy(held->record, record.data, record.size);
        list_append(&box->held, &held->link);
        e->held = held;
        e->is_held = true;
    }
    queue_set_state(q, i, ENTRY_HELD);
    return true;
}

static void unhold(struct mailbox *box, struct mail_entry *e)
{
    if (e->is_held)
        held_free(box, e->held);
    e->is_held = false;
}

static void put_stored(struct mailbox *box, struct mailqueue_body *q, uint32_t i,
                       const struct mail_op *op, struct slice body)
{
    struct mail_entry *e = queue_at(q, i);
    struct mailqueue *owner = q->owner;

    unhold(box, e);
    e->seq = op->seq;
    e->stored_ms = box->clock_ms;
    box->stats.stored++;
    if (e->state == ENTRY_DOOMED) {
        box_forget(box, q, i);
        body_let_go_if_empty(box, q);
    } else {
        queue_set_state(q, i, ENTRY_STORED);
    }
    tell_fate(box, owner, op, body, OK);
}

static void put_refused(struct mailbox *box, struct mailqueue_body *q, uint32_t i,
                        const struct mail_op *op, struct slice body)
{
    struct mailqueue *owner = q->owner;

    unhold(box, queue_at(q, i));
    box_drop(box, q, i);
    body_let_go_if_empty(box, q);
    box_count_refusal(box, op->rc);
    tell_fate(box, owner, op, body, op->rc);
}

static void answer_put(struct mailbox *box, const struct mail_batch *batch,
                       const struct mail_op *op)
{
    struct mailqueue_body *q = op->body;
    struct slice record = batch_record(batch, op), body = record_body(record);
    int64_t i = queue_find(q, op->position, ENTRY_PENDING);
    bool wanted = i >= 0;

    if (!wanted)
        i = queue_find(q, op->position, ENTRY_DOOMED);
    assert(i >= 0);
    if (op->rc == OK)
        put_stored(box, q, (uint32_t)i, op, body);
    else if (!wanted || !op->is_returned || !hold(box, q, (uint32_t)i, op, record))
        put_refused(box, q, (uint32_t)i, op, body);
    else if (!q->loading)
        box->conf.events->on_loaded(box->conf.user, q->owner);
}

/* ---- loads ---- */

static bool belongs_to_load(const struct mailqueue_body *q, const struct mail_op *op)
{
    return q->loading && q->load == op->load;
}

static void lose_damaged(struct mailbox *box, struct mailqueue_body *q, uint32_t i)
{
    const struct mail_entry *e = queue_at(q, i);

    log_error(MAILBOX,
              "mailbox %s lost reason=damaged record=%llu position=%llu size=%u; "
              "`holdfast mail check` examines the store",
              body_name(q), (unsigned long long)e->seq, (unsigned long long)e->position,
              e->size);
    box->stats.damaged++;
    box_drop(box, q, i); /* the record stays in the store, for whoever looks into it */
}

static void answer_read(struct mailbox *box, const struct mail_batch *batch,
                        const struct mail_op *op)
{
    struct mailqueue_body *q = op->body;
    struct mail_entry *e = belongs_to_load(q, op) ? queue_next(q) : NULL;
    struct mailqueue *owner = q->owner;
    struct record record;
    int rc = op->rc;

    q->unanswered--;
    if (!e || e->state != ENTRY_STORED || e->seq != op->seq) {
        /* Forgotten, or something came before it: then the next load has both. */
        body_let_go_if_empty(box, q);
        return;
    }
    if (rc == OK && record_decode(batch_record(batch, op), op->seq, &record) < 0)
        rc = ERR_DAMAGED;
    if (rc == OK && record.position != op->position)
        rc = ERR_DAMAGED;
    if (rc == OK) {
        queue_set_state(q, q->next, ENTRY_LOADED);
        box->conf.events->on_mail(box->conf.user, owner, op->position, record.body);
    } else if (rc == ERR_DAMAGED || rc == ERR_NOTFOUND) {
        lose_damaged(box, q, q->next);
        box->conf.events->on_lost(box->conf.user, owner, op->position, ERR_DAMAGED);
    } else {
        q->stumbled = true;
    }
}

static void answer_recall(struct mailbox *box, const struct mail_op *op)
{
    struct mailqueue_body *q = op->body;
    struct mail_entry *e = belongs_to_load(q, op) ? queue_next(q) : NULL;

    q->unanswered--;
    if (!e || e->state != ENTRY_HELD || e->position != op->position) {
        body_let_go_if_empty(box, q);
        return;
    }
    queue_set_state(q, q->next, ENTRY_LOADED);
    box->conf.events->on_mail(box->conf.user, q->owner, op->position,
                              record_body(slice_of(e->held->record, e->held->size)));
}

static void answer_loaded(struct mailbox *box, const struct mail_op *op)
{
    struct mailqueue_body *q = op->body;
    struct mailqueue *owner = q->owner;

    q->unanswered--;
    if (belongs_to_load(q, op)) {
        if (q->stumbled) {
            q->stumbled = false;
            list_append(&box->reloads, &q->reload_link);
            return;
        }
        q->loading = false;
        body_let_go_if_empty(box, q);
        box->conf.events->on_loaded(box->conf.user, owner);
    } else {
        body_let_go_if_empty(box, q);
    }
}

/* ---- notes ---- */

static void answer_note(struct mailbox *box, const struct mail_op *op)
{
    struct mailqueue_body *q = op->body;
    struct mailqueue *owner = q->owner;

    q->unanswered--;
    q->notes--;
    body_let_go_if_empty(box, q);
    if (op->kind == MAIL_DECIDED) {
        struct mail_held *held = op->held;

        box->conf.events->on_fate(box->conf.user, owner, held->position,
                                  record_body(slice_of(held->record, held->size)),
                                  held->receipt, OK);
        free(held);
    } else {
        box->conf.events->on_lost(box->conf.user, owner, op->position, op->rc);
    }
}

void mailbox_on_answer(struct parcel *parcel, void *receiver)
{
    struct mail_batch *batch = CONTAINER_OF(parcel, struct mail_batch, parcel);
    struct mailbox *box = batch->box;

    (void)receiver;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct mail_op *op = &batch->ops[i];

        switch ((enum mail_op_kind)op->kind) {
        case MAIL_PUT:
            answer_put(box, batch, op);
            break;
        case MAIL_READ:
            answer_read(box, batch, op);
            break;
        case MAIL_RECALL:
            answer_recall(box, op);
            break;
        case MAIL_LOADED:
            answer_loaded(box, op);
            break;
        case MAIL_LOST:
        case MAIL_DECIDED:
            answer_note(box, op);
            break;
        case MAIL_REMOVE:
            break;
        }
    }
    batch_clear(batch, BOX_SPARE_BYTES - box->spare_bytes);
    box->spare_bytes += batch_memory(batch);
    list_prepend(&box->spare_batches, &batch->link);
    box->unanswered--;
    box_note_congestion(box);
}

/* ---- time ---- */

uint32_t box_expire(struct mailbox *box, struct mailqueue_body *q, uint32_t most)
{
    uint64_t max_age_ms = box->conf.limits.max_age_ms;
    uint32_t expired = 0;

    while (max_age_ms && !q->loading && expired < most) {
        const struct mail_entry *e = queue_next(q);
        int64_t age_ms = e ? box->clock_ms - e->stored_ms : 0;
        struct mail_op *op;

        if (!e || e->state != ENTRY_STORED || age_ms <= 0 ||
            (uint64_t)age_ms <= max_age_ms)
            break;
        if (!(op = box_try_note(box, q, MAIL_LOST)))
            break;
        op->position = e->position;
        op->rc = ERR_NOTFOUND;
        box_forget(box, q, q->next);
        expired++;
    }
    if (expired) {
        box->stats.expired += expired;
        LOG_THROTTLED(LOG_WARN, MAILBOX, "mailbox %s expired messages=%u", body_name(q),
                      expired);
    }
    return expired;
}

/* The list is a ring: whoever was looked at goes to its end. */
static void sweep(struct mailbox *box)
{
    size_t most = box->bodies.length;
    uint32_t expired = 0;

    if (most > SWEEP_BODIES)
        most = SWEEP_BODIES;
    for (size_t n = 0; n < most && expired < SWEEP_EXPIRE; n++) {
        struct link *k = list_pop(&box->bodies);

        list_append(&box->bodies, k);
        expired += box_expire(box, body_of_link(k), SWEEP_EXPIRE - expired);
    }
}

static void try_again(struct mailbox *box)
{
    size_t loads = box->reloads.length;

    LIST_FOREACH (&box->held, k)
        if (box_put_again(box, CONTAINER_OF(k, struct mail_held, link)) < 0)
            return;
    while (loads-- > 0) {
        struct mailqueue_body *q =
            CONTAINER_OF(list_pop(&box->reloads), struct mailqueue_body, reload_link);

        box_request_load(box, q);
    }
}

void mailbox_tick(struct mailbox *box, int64_t wall_ms)
{
    int64_t passed = wall_ms - box->wall_ms;

    box->wall_ms = wall_ms;
    if (passed > 0 && passed <= LONGEST_TICK_MS)
        box->clock_ms += passed;
    sweep(box);
    if (mailbox_health(box) == OK)
        try_again(box);
    box_note_congestion(box);
}
