#include "mailbox/batch.h"

#include <stdlib.h>

#define FIRST_OPS 64

struct mail_batch *batch_new(struct mailbox *box, struct inbox *home,
                             parcel_open *answered)
{
    struct mail_batch *b = calloc(1, sizeof(*b));

    if (b) {
        b->box = box;
        b->home = home;
        b->parcel.open = answered;
    }
    return b;
}

static void free_memory(struct mail_batch *b)
{
    buf_fini(&b->bytes);
    buf_fini(&b->reads);
    free(b->ops);
    b->ops = NULL;
    b->room = 0;
}

void batch_free(struct mail_batch **batch)
{
    struct mail_batch *b = *batch;

    *batch = NULL;
    if (!b)
        return;
    free_memory(b);
    free(b);
}

size_t batch_memory(const struct mail_batch *batch)
{
    return batch->bytes.size + batch->reads.size + batch->room * sizeof(*batch->ops);
}

void batch_clear(struct mail_batch *batch, size_t keep)
{
    batch->count = 0;
    batch->charge = 0;
    buf_clear(&batch->bytes);
    buf_clear(&batch->reads);
    if (batch_memory(batch) > keep)
        free_memory(batch);
}

struct mail_op *batch_try_op(struct mail_batch *batch, enum mail_op_kind kind)
{
    struct mail_op *op;

    if (batch->count == batch->room) {
        uint32_t room = batch->room ? batch->room * 2 : FIRST_OPS;
        struct mail_op *ops = realloc(batch->ops, room * sizeof(*ops));

        if (!ops)
            return NULL;
        batch->ops = ops;
        batch->room = room;
    }
    op = &batch->ops[batch->count++];
    *op = (struct mail_op){.kind = (uint8_t)kind};
    return op;
}

void batch_drop_op(struct mail_batch *batch)
{
    batch->count--;
}
