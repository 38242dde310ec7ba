/* box.h - the mailbox's inside, for the files that make it up:
 *
 *   mailbox.c   what the session calls
 *   append.c    how a message comes in
 *   answers.c   what happens when a batch comes back, and what time brings
 *   bodies.c    where queues get their memory, and lose it again
 *
 * The mailbox has a clock of its own for the age of messages: it follows the wall clock
 * from tick to tick, but does not jump with it, so that a clock set a year ahead by
 * mistake expires nothing. */
#pragma once

#include "base/log.h"
#include "base/slab.h"
#include "mailbox/batch.h"
#include "mailbox/queue.h"
#include "mailbox/record.h"

/* A message that came back from a connection while the store fails. */
struct mail_held {
    struct link link; /* on mailbox->held until stored or delivered */
    struct mailqueue_body *body;
    uint64_t position;
    struct mail_receipt receipt;
    uint32_t size;
    uint8_t record[]; /* encoded, not sealed */
};

/* While the disk is slow there is a batch for each turn of the loop; later each of them
 * would grow to the size of the largest. */
#define BOX_SPARE_BYTES ((size_t)8 << 20)

struct mailbox {
    struct mailbox_conf conf;
    struct mail_gauges *gauges;
    struct mail_batch *batch;  /* being filled; NULL: none begun */
    struct list spare_batches; /* the last one used is the next */
    size_t spare_bytes;        /* what these have room for; at most BOX_SPARE_BYTES */
    struct mail_batch *all_batches;
    size_t unanswered;
    struct list bodies;       /* of queues that are not idle */
    struct list leaving;      /* let go; answers that name them are under way */
    struct list spare_bodies; /* empty, kept for the next queue */
    struct slab slab;         /* of bodies */
    struct list held;         /* struct mail_held, in the order of their coming */
    struct list reloads;      /* bodies whose load met an error that may pass */
    int64_t wall_ms;          /* at the last tick */
    int64_t clock_ms;         /* see above */
    bool congested;
    struct mailbox_stats stats;
};

static inline struct mailqueue_body *body_of_link(struct link *k)
{
    return CONTAINER_OF(k, struct mailqueue_body, link);
}

/* bodies.c */
MUST_CHECK struct mailqueue_body *
body_try_get(struct mailbox *box, struct mailqueue *queue, const struct id *id);
/* If nothing keeps it: lets go of its queue, which is idle then. Returns true if so. */
bool body_let_go_if_empty(struct mailbox *box, struct mailqueue_body *q);
void bodies_fini(struct mailbox *box);
/* "ttms/00000002", for log lines; valid until the next call by this thread. */
const char *body_name(const struct mailqueue_body *q);

/* mailbox.c */
parcel_open mailbox_on_answer; /* answers.c */

/* The batch being filled, or NULL when memory is out. */
MUST_CHECK struct mail_batch *box_try_batch(struct mailbox *box);
/* Adds an operation that names `q` but no entry of it; false when memory is out. */
MUST_CHECK struct mail_op *box_try_note(struct mailbox *box, struct mailqueue_body *q,
                                        enum mail_op_kind kind);
MUST_CHECK int box_put_again(struct mailbox *box, struct mail_held *held);
/* Takes an entry that is not pending out of the index, and what it names out of the
 * store. */
void box_forget(struct mailbox *box, struct mailqueue_body *q, uint32_t i);
void box_drop(struct mailbox *box, struct mailqueue_body *q, uint32_t i);
void box_request_load(struct mailbox *box, struct mailqueue_body *q);
void box_count_refusal(struct mailbox *box, int rc);
/* answers.c: drops expired messages from the front; at most `most` of them. */
uint32_t box_expire(struct mailbox *box, struct mailqueue_body *q, uint32_t most);
void box_note_congestion(struct mailbox *box);
void held_free(struct mailbox *box, struct mail_held *held);
