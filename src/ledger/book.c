#include "ledger/ledger_inside.h"

#include "base/log.h"

#include <stdlib.h>

#define FIRST_OPS  64u
#define KEEP_OPS   4096u
#define KEEP_BYTES (1u << 20)

/* ---- batches ---- */

static void batch_clear(struct book_batch *batch)
{
    batch->count = 0;
    batch->charge = 0;
    buf_clear(&batch->bytes);
    if (batch->bytes.size > KEEP_BYTES)
        buf_fini(&batch->bytes);
    if (batch->room > KEEP_OPS) {
        free(batch->ops);
        batch->ops = NULL;
        batch->room = 0;
    }
}

static void batch_free(struct book_batch *batch)
{
    buf_fini(&batch->bytes);
    free(batch->ops);
    free(batch);
}

/* Home again, on the shard's thread. */
static void on_return(struct parcel *parcel, void *receiver)
{
    struct book_batch *batch = CONTAINER_OF(parcel, struct book_batch, parcel);
    struct book *b = batch->book;

    (void)receiver;
    b->away--;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct book_op *op = &batch->ops[i];

        if (op->frees)
            book_free_number(b, op->line.number);
        if (op->tag)
            b->conf.written(b->conf.user, op->tag, op->rc);
    }
    batch_clear(batch);
    batch->next_spare = b->spare;
    b->spare = batch;
}

void book_return(struct book_batch *batch)
{
    struct book *b = batch->book;

    atomic_fetch_sub(&b->ledger->backlog, batch->charge);
    inbox_push(b->conf.inbox, &batch->parcel); /* it is not ours any more */
}

static struct book_batch *batch_new(struct book *b)
{
    struct book_batch *batch = calloc(1, sizeof(*batch));

    if (batch) {
        batch->book = b;
        batch->parcel.open = on_return;
        batch->next_of_book = b->batches;
        b->batches = batch;
    }
    return batch;
}

static struct book_batch *try_open_batch(struct book *b)
{
    if (b->open)
        return b->open;
    if ((b->open = b->spare))
        b->spare = b->open->next_spare;
    else
        b->open = batch_new(b);
    return b->open;
}

static struct book_op *try_op(struct book_batch *batch)
{
    if (batch->count == batch->room) {
        uint32_t room = batch->room ? batch->room * 2 : FIRST_OPS;
        struct book_op *ops = realloc(batch->ops, room * sizeof(*ops));

        if (!ops)
            return NULL;
        batch->ops = ops;
        batch->room = room;
    }
    return &batch->ops[batch->count];
}

/* ---- its life ---- */

int book_new(struct ledger *l, const struct book_conf *conf, struct book **out)
{
    struct book *b = calloc(1, sizeof(*b));

    if (!b)
        return ERR_NOMEM;
    assert(!l->is_open);
    b->ledger = l;
    b->conf = *conf;
    b->next = l->books;
    l->books = b;
    *out = b;
    return OK;
}

void book_free(struct book **book)
{
    struct book *b = *book;

    *book = NULL;
    if (!b)
        return;
    while (b->batches) {
        struct book_batch *batch = b->batches;

        b->batches = batch->next_of_book;
        batch_free(batch);
    }
    free(b->free_numbers);
    free(b);
}

/* ---- numbers ---- */

uint32_t book_new_number(struct book *b)
{
    _Atomic uint32_t *next = &b->ledger->next_number;
    uint32_t number;

    if (b->free_count > 0)
        return b->free_numbers[--b->free_count];
    number = atomic_fetch_add_explicit(next, 1, memory_order_relaxed);
    if (number < LINE_NUMBER_LIMIT)
        return number;
    atomic_fetch_sub_explicit(next, 1, memory_order_relaxed);
    return 0;
}

void book_free_number(struct book *b, uint32_t number)
{
    if (b->free_count == b->free_room) {
        size_t room = b->free_room ? b->free_room * 2 : 64;
        uint32_t *numbers = realloc(b->free_numbers, room * sizeof(*numbers));

        if (!numbers)
            return; /* it is not used again before the next start */
        b->free_numbers = numbers;
        b->free_room = room;
    }
    b->free_numbers[b->free_count++] = number;
}

/* ---- writing ---- */

static int may_add(const struct book *b, size_t size)
{
    struct ledger *l = b->ledger;
    uint64_t open = b->open ? b->open->charge : 0;
    uint64_t coming = atomic_load_explicit(&l->backlog, memory_order_relaxed) + open +
                      size + RECORD_CHARGE;
    int health = ledger_health(l);

    if (health < 0)
        return health;
    if (coming > l->conf.backlog_bytes)
        return ERR_BUSY;
    if (atomic_load_explicit(&l->used, memory_order_relaxed) + coming >
        l->conf.total_bytes)
        return ERR_NOSPACE;
    return OK;
}

static int add_op(struct book *b, const struct book_op *op)
{
    struct book_batch *batch = try_open_batch(b);
    struct book_op *to = batch ? try_op(batch) : NULL;

    if (!to || buf_try_append(&batch->bytes, op->line.record) < 0)
        return ERR_NOMEM;
    *to = *op;
    to->offset = batch->bytes.tail - op->line.record.size;
    batch->count++;
    batch->charge += op->line.record.size + RECORD_CHARGE;
    return OK;
}

int book_write(struct book *b, uint32_t number, uint8_t form, struct slice record,
               bool is_new, uint64_t tag)
{
    struct book_op op = {
        .line = {.number = number, .form = form, .record = record},
        .is_new = is_new,
        .tag = tag,
    };
    int rc = is_new ? may_add(b, record.size) : OK;

    assert(number > 0 && form > 0 && form < LEDGER_FORM_LIMIT &&
           record.size <= LEDGER_RECORD_MAX);
    if (rc == OK)
        rc = add_op(b, &op);
    if (rc < 0 && is_new) {
        book_free_number(b, number);
        ledger_count(&b->ledger->refused, 1);
    }
    return rc;
}

void book_drop(struct book *b, uint32_t number)
{
    struct book_op op = {.line = {.number = number}};

    assert(number > 0);
    if (add_op(b, &op) < 0)
        LOG_THROTTLED(LOG_ERROR, LEDGER,
                      "ledger record %u stays: out of memory; the next start finds it",
                      number);
}

void book_flush(struct book *b)
{
    struct book_batch *batch = b->open;

    if (!batch || batch->count == 0)
        return;
    b->open = NULL;
    b->away++;
    atomic_fetch_add(&b->ledger->backlog, batch->charge);
    inbox_push(&b->ledger->keeper.inbox, &batch->parcel);
}

bool book_is_settled(const struct book *b)
{
    return b->away == 0 && (!b->open || b->open->count == 0);
}
