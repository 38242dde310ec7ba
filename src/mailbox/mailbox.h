/* mailbox.h - messages waiting for devices that are away.
 *
 * One mailbox per shard; call it from that shard's thread only. It keeps the index
 * (which messages wait for whom, in which order) in memory and hands the bytes to the
 * writer, one thread for all shards, in batches: everything that came in one turn of
 * the loop is one batch, everything that came since the last commit is one transaction.
 *
 *   session --append--> mailbox --batch--> writer --one commit--> store
 *      ^---- on_fate, on_mail ---- the same batch, with results <----'
 *
 * Order: the session gives each message for a device a position, growing by arrival.
 * The mailbox yields messages in order of position, whatever the order they were stored
 * in, also after a restart: so what comes back from a broken connection stands before
 * what arrived later.
 *
 * A message's life:   append          commit          load           remove
 *                 (-) ------> PENDING ------> STORED ------> LOADED ------> (-)
 *                              |  ^ failed      ^--unload-----'
 *                              |  '--------,
 *                              '-> refused; or, if it came back from a connection, HELD
 *                                  in memory until the store works, and loadable
 *
 * What was appended counts as safe only when on_fate said OK. */
#pragma once

#include "base/buf.h"
#include "base/id.h"
#include "base/inbox.h"

struct mailbox;
struct mail_writer; /* writer.h */

/* One device's queue, embedded in the device; zeroed = empty, and an empty one owns
 * nothing. Its device may not be freed while mailqueue_is_idle() says no. */
struct mailqueue {
    struct mailqueue_body *body; /* NULL while empty */
};

struct mailbox_limits {
    uint64_t max_messages;  /* per device */
    uint64_t max_bytes;     /* per device */
    uint64_t max_age_ms;    /* 0: no limit */
    uint64_t total_bytes;   /* all shards together */
    uint64_t backlog_bytes; /* handed to the writer and not yet committed, all shards */
};

/* Whom to tell about a message's fate; the mailbox only carries it. */
struct mail_receipt {
    uint64_t session; /* 0: nobody waits for it */
    uint32_t number;
    uint32_t shard;
};

enum mail_flags {
    MAIL_NEW = 0,
    /* It had been accepted before and comes back from a connection: quotas and backlog
     * do not refuse it, and while the store fails it is kept in memory and tried again.
     */
    MAIL_RETURNED = 1,
};

/* All run on the shard's thread, from mailbox_flush or when the writer's answer
 * arrives, never from inside mailbox_append. They may call any mailbox_ function of
 * that queue. */
struct mailbox_events {
    /* Once for each append that returned OK. OK: it is durable, and now STORED.
     * ERR_FULL, ERR_NOSPACE, ERR_IO...: refused, it is gone. `body` is valid during the
     * call. */
    void (*on_fate)(void *user, struct mailqueue *queue, uint64_t position,
                    struct slice body, struct mail_receipt receipt, int rc);
    /* One message that mailbox_load asked for, in order of position; now LOADED. */
    void (*on_mail)(void *user, struct mailqueue *queue, uint64_t position,
                    struct slice body);
    /* The load is over; all of it was shown. More may wait: mailqueue_waiting(). Also
     * called without a load when what was PENDING became HELD: it can be loaded. */
    void (*on_loaded)(void *user, struct mailqueue *queue);
    /* An accepted message left without delivery: ERR_DAMAGED (could not be read back),
     * or ERR_NOTFOUND with age (expired). Logged and counted here already. */
    void (*on_lost)(void *user, struct mailqueue *queue, uint64_t position, int why);
    /* After mailbox_is_congested() was true: it is not any more. */
    void (*on_room)(void *user);
};

struct mailbox_conf {
    struct mailbox_limits limits;
    struct mail_writer *writer; /* shared by all shards; outlives the mailbox */
    struct inbox *inbox;        /* the shard's; answers arrive there as parcels */
    const struct mailbox_events *events;
    void *user;
};

MUST_CHECK int mailbox_new(const struct mailbox_conf *conf, struct mailbox **out);
/* Only after the writer stopped or answered everything (mailbox_unanswered() == 0). */
void mailbox_free(struct mailbox **box);

/* Copies body. Returns OK (on_fate follows), ERR_FULL (a limit of the device or the
 * total: refused), ERR_BUSY (the backlog is full: refused), ERR_IO or ERR_NOSPACE (the
 * store is known to fail: refused), ERR_NOMEM. Positions need not grow: see
 * MAIL_RETURNED. */
MUST_CHECK int mailbox_append(struct mailbox *box, struct mailqueue *queue,
                              const struct id *id, uint64_t position, struct slice body,
                              enum mail_flags flags, struct mail_receipt receipt);

/* Asks for the next STORED messages, in order, up to `max_bytes` (at least one
 * message); stops before a PENDING one. on_mail for each, then on_loaded. One load at a
 * time. */
void mailbox_load(struct mailbox *box, struct mailqueue *queue, size_t max_bytes);

/* Inside on_fate(OK) only: if this message is the next one to be delivered (everything
 * before it is LOADED or gone, no load under way), it becomes LOADED: the caller has
 * the body at hand and delivers it. False: it stays STORED and comes by mailbox_load.
 */
bool mailbox_take(struct mailbox *box, struct mailqueue *queue, uint64_t position);

/* LOADED -> gone (delivered), for one position. LOADED -> STORED for all that are
 * LOADED (their connection ended; a load under way is forgotten). */
void mailbox_remove(struct mailbox *box, struct mailqueue *queue, uint64_t position);
void mailbox_unload(struct mailbox *box, struct mailqueue *queue);

/* Removes everything that waits for this device; returns how many messages. */
uint64_t mailbox_purge(struct mailbox *box, struct mailqueue *queue);

/* Hands this turn's work to the writer. Call once per loop turn. */
void mailbox_flush(struct mailbox *box);

/* Once a second or so: expiry, second tries, age of the oldest work. */
void mailbox_tick(struct mailbox *box, int64_t wall_ms);

/* Should senders wait? True above half of backlog_bytes, until on_room. */
bool mailbox_is_congested(const struct mailbox *box);
/* OK, or why appends are refused now: ERR_IO, ERR_NOSPACE. */
int mailbox_health(const struct mailbox *box);
/* Batches that the writer has not answered yet. */
size_t mailbox_unanswered(const struct mailbox *box);

/* While starting, before any other call: an entry that the store's scan found. After
 * the last one, mailbox_adopted sorts each queue. Returns OK or ERR_NOMEM. */
struct mail_record {
    uint64_t seq; /* key in the store */
    uint64_t position;
    int64_t stored_ms; /* wall clock */
    uint32_t size;     /* of the body */
};
MUST_CHECK int mailbox_adopt(struct mailbox *box, struct mailqueue *queue,
                             const struct id *id, const struct mail_record *record);
void mailbox_adopted(struct mailbox *box);

/* Looking at a queue. */
bool mailqueue_is_idle(const struct mailqueue *q);      /* nothing in any state */
uint64_t mailqueue_messages(const struct mailqueue *q); /* all but purged ones */
uint64_t mailqueue_bytes(const struct mailqueue *q);
uint64_t mailqueue_waiting(const struct mailqueue *q);  /* PENDING and STORED */
bool mailqueue_has_loadable(const struct mailqueue *q); /* next one is STORED */
bool mailqueue_is_loading(const struct mailqueue *q);

/* Figures, for logs and metrics. */
#define MAILBOX_COUNTERS(X)                                                            \
    X(stored, "messages stored")                                                       \
    X(delivered, "stored messages delivered")                                          \
    X(expired, "messages dropped because of their age")                                \
    X(damaged, "messages that could not be read back")                                 \
    X(purged, "messages dropped on request")                                           \
    X(retried, "messages stored at a second try")                                      \
    X(refused_full, "messages refused: a limit is reached")                            \
    X(refused_busy, "messages refused: the store cannot follow")                       \
    X(refused_io, "messages refused: the store fails")                                 \
    X(refused_nospace, "messages refused: the disk is full")

struct mailbox_stats {
    uint64_t messages, bytes; /* now */
#define X(name, text) uint64_t name;
    MAILBOX_COUNTERS(X)
#undef X
};
struct mailbox_stats mailbox_stats(const struct mailbox *box);
