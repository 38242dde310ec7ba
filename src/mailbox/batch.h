/* batch.h - what travels between a mailbox and the writer.
 *
 *   ops    | put | put | remove | read | loaded | ...      in the order of their making
 *            |     |              |
 *   bytes  | record | record |    |                        made by the mailbox
 *   reads                     | record |                   filled in by the writer
 *
 * A batch belongs to its mailbox for ever; the writer has it between batch_send and its
 * return to the mailbox's inbox. The same memory goes round: in the long run a message
 * costs no allocation. */
#pragma once

#include "base/buf.h"
#include "base/inbox.h"
#include "base/list.h"
#include "mailbox/mailbox.h"

/* The mailbox closes a batch and begins another above these. They also bound one
 * transaction: what an engine must be able to take. */
#define BATCH_MAX_BYTES (16u << 20)
#define BATCH_MAX_OPS   16384u

enum mail_op_kind {
    MAIL_PUT,     /* for the writer: store it; answer: seq, rc */
    MAIL_REMOVE,  /* for the writer; it sees to it, whatever happens: no answer */
    MAIL_READ,    /* for the writer; answer: rc, and the record in `reads` */
    MAIL_RECALL,  /* for the mailbox when the batch returns: show a message that is held
                   */
    MAIL_LOADED,  /* likewise: the end of a load */
    MAIL_LOST,    /* likewise: tell that a message was given up; rc says why */
    MAIL_DECIDED, /* likewise: tell that a held message was delivered after all */
};

struct mail_op {
    uint8_t kind;
    bool is_returned; /* PUT: MAIL_RETURNED */
    int rc;
    uint32_t size; /* of the record; REMOVE: of the body */
    uint32_t load; /* READ, RECALL, LOADED: which load */
    uint64_t seq;
    uint64_t position;
    size_t offset;               /* of the record in bytes (PUT) or reads (READ) */
    struct mailqueue_body *body; /* pinned by the entry or by body->unanswered */
    union {
        struct mail_receipt receipt; /* PUT */
        struct mail_held *held;      /* DECIDED */
    };
};

struct mail_batch {
    struct parcel parcel;
    struct link link; /* among the mailbox's spare ones */
    struct mail_batch *next_of_box;
    struct mailbox *box;
    struct inbox *home;
    struct mail_op *ops;
    uint32_t count, room;
    struct buf bytes;
    struct buf reads;
    uint64_t charge; /* of all puts: see record_charge */
};

MUST_CHECK struct mail_batch *batch_new(struct mailbox *box, struct inbox *home,
                                        parcel_open *answered);
void batch_free(struct mail_batch **batch);

/* The bytes that it has room for. */
size_t batch_memory(const struct mail_batch *batch);

/* Empties it; gives its memory back if that is more than `keep`. */
void batch_clear(struct mail_batch *batch, size_t keep);

static inline bool batch_is_full(const struct mail_batch *batch)
{
    return batch->count >= BATCH_MAX_OPS || buf_used(&batch->bytes) >= BATCH_MAX_BYTES;
}

/* A new zeroed operation, or NULL when memory is out. batch_drop_op takes it back. */
MUST_CHECK struct mail_op *batch_try_op(struct mail_batch *batch,
                                        enum mail_op_kind kind);
void batch_drop_op(struct mail_batch *batch);

static inline struct slice batch_record(const struct mail_batch *batch,
                                        const struct mail_op *op)
{
    const struct buf *b = op->kind == MAIL_PUT ? &batch->bytes : &batch->reads;

    return slice_of(b->mem + op->offset, op->size);
}

/* What the shards know of the writer without asking: written by both sides, read at any
 * time, exact only when all is quiet. */
struct mail_gauges {
    _Alignas(CACHE_LINE) _Atomic uint64_t used; /* charges: stored, or on the way */
    _Atomic uint64_t backlog; /* charges: handed over, not committed */
    _Atomic int health;       /* OK, ERR_IO, ERR_NOSPACE */
};

struct mail_gauges *mail_writer_gauges(struct mail_writer *w);

/* Any thread. The batch comes back to its home with every answer filled in. */
void mail_writer_send(struct mail_writer *w, struct mail_batch *batch);
