/* queue.h - what stands behind a mailqueue that is not empty.
 *
 *   position   1      2      3     |  4       5       6      7
 *              LOADED LOADED LOADED|  STORED  STORED  PENDING STORED
 *              at the session     next
 *
 * Everything before `next` is LOADED; behind it an entry is LOADED only if something
 * was put in before it. The verbs here keep the sums and `next` right; who may do what
 * when is mailbox.c's. */
#pragma once

#include "base/id.h"
#include "base/list.h"
#include "mailbox/entries.h"

struct mailqueue;

struct mailqueue_body {
    struct mailqueue *owner; /* NULL: let go, and waits for its last answers */
    struct link link;        /* on the mailbox's list of bodies, or of spare ones */
    struct link reload_link; /* on the mailbox's list of loads to try again */
    struct entries entries;
    uint64_t bytes;    /* of all entries but the doomed ones */
    size_t load_bytes; /* what the load under way asked for */
    uint32_t next;
    uint32_t loaded, doomed; /* entries in these states */
    uint32_t unanswered;     /* operations under way that name this body but no entry */
    uint32_t notes;          /* those of them that tell the session something */
    uint32_t load;           /* counts the loads, also the forgotten ones */
    bool loading;
    bool stumbled; /* the load under way met an error that may pass */
    struct id id;
};

static inline struct mail_entry *queue_at(const struct mailqueue_body *q, uint32_t i)
{
    return entries_at(&q->entries, i);
}

static inline uint32_t queue_count(const struct mailqueue_body *q)
{
    return entries_count(&q->entries);
}

/* The entry that is to be delivered next, or NULL. */
struct mail_entry *queue_next(const struct mailqueue_body *q);

/* Puts in a PENDING entry; its index, or -1 when memory is out. */
MUST_CHECK int64_t queue_try_insert(struct mailqueue_body *q, uint64_t position,
                                    uint32_t size);
void queue_drop(struct mailqueue_body *q, uint32_t i);
void queue_set_state(struct mailqueue_body *q, uint32_t i, enum entry_state state);

/* Index of the entry with this position in this state, or -1. */
int64_t queue_find(const struct mailqueue_body *q, uint64_t position,
                   enum entry_state state);

/* For tests: aborts if the sums are wrong. */
void queue_check(const struct mailqueue_body *q);
