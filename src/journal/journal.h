/* journal.h - what happened to devices, in one numbered log; and what is remembered of
 * each of them across restarts, on its card.
 *
 *   shard --feed--.                                     .--> readers, woken once
 *   shard --feed--+--> journal's thread --commit, sync--+--> ring of the last events
 *   shard --feed--'    numbers the events
 *
 * A feed hands over one batch per turn; the thread writes everything that came since
 * the last commit in one transaction and syncs once, then publishes: a cursor that a
 * reader has seen is never given to another event, whatever crashes. Per device the
 * order is that of its shard; there is one order for all readers.
 *
 * Both live in one store (store/store.h) as records of growing sequence numbers. An
 * event's number is its cursor. A card that changes is written again under a new number
 * and the old one removed: so everything is appended. Each start leaves a large gap in
 * the numbers, so that events published while the disk failed are not numbered again.
 *
 * When the store fails, events are published all the same (the ring has them) and cards
 * are kept in memory; both are written when it works again. journal_health() says so.
 */
#pragma once

#include "base/id.h"
#include "base/inbox.h"
#include "store/store.h"

#include <netinet/in.h>

#define LISTENER_NAME_MAX 31
#define EVENT_REASON_MAX  23
#define EVENT_CONTENT_MAX 4096

/* Stored: never renumber, only add. */
#define EVENT_KINDS(X)                                                                 \
    X(PRESENCE, 1, "presence") /* a device moved from one state to another */          \
    X(GAP, 2, "gap")           /* `lost` events before this one were not kept */       \
    X(COMMAND, 3, "command")   /* a ticket moved from one state to another */          \
    X(REPORT, 4, "report")     /* a device sent something of its own accord */

enum event_kind {
#define X(name, number, word) EVENT_##name = number,
    EVENT_KINDS(X)
#undef X
        EVENT_KIND_LIMIT
};

struct event {
    uint64_t cursor; /* given by the journal: growing, from 1, with gaps */
    int64_t time_ms; /* wall clock, when it happened */
    struct id device;
    uint32_t epoch;        /* the device's connections so far */
    uint32_t sequence;     /* the device's events so far, this one included */
    uint32_t lost;         /* GAP */
    uint8_t kind;          /* enum event_kind */
    uint8_t from, to;      /* PRESENCE: enum presence; COMMAND: enum ticket_state */
    uint8_t version;       /* REPORT: of the device's header, for who reads the body */
    uint16_t message;      /* REPORT, COMMAND: the protocol's message */
    uint16_t serial;       /* REPORT: of the message */
    uint32_t size;         /* REPORT: of the whole body, of which `content` may be the
                            * beginning */
    uint64_t ticket;       /* COMMAND */
    struct slice content;  /* REPORT: the body; COMMAND: its name, empty if it is raw */
    struct slice listener; /* its name; at most LISTENER_NAME_MAX */
    struct slice reason;   /* one word; at most EVENT_REASON_MAX */
};

/* What is remembered of one device. */
struct card {
    struct id device;
    struct slice listener; /* of its newest connection */
    int64_t since_ms;      /* wall clock: in this state since */
    int64_t last_seen_ms;  /* wall clock */
    struct in6_addr ip;    /* of its newest connection; IPv4 as ::ffff:a.b.c.d */
    in_port_t port;        /* host order */
    uint8_t state;         /* enum presence */
    uint32_t epoch;
    uint32_t sequence;
    uint64_t messages_in, messages_out; /* of ended connections */
};

struct journal;
struct feed;

struct journal_conf {
    const struct store_engine *engine;
    const char *dir;        /* the data directory */
    uint32_t keep;          /* events in the ring and in the store ... */
    uint64_t max_bytes;     /* ... and how long they may be, together */
    uint32_t max_cards;     /* sizes the store */
    uint64_t backlog_bytes; /* handed over and not written: beyond it events are lost */
    /* On the journal's thread, after something was published. */
    void (*published)(void *user);
    void *user;
};

MUST_CHECK int journal_new(const struct journal_conf *conf, struct journal **out);

/* One per shard, used by its thread; made before journal_open, freed by journal_close.
 */
MUST_CHECK int feed_new(struct journal *j, struct feed **out);

/* Opens the store and shows every card, with the number to use for it from now on
 * (never 0). `card` is valid during the call; returning <0 ends the scan with that
 * error. Returns OK or what mail_writer_open returns, logged. No thread runs yet. */
typedef int card_found(void *user, uint32_t number, const struct card *card);
MUST_CHECK int journal_open(struct journal *j, card_found *found, void *user);

/* Starts the thread. Without it (tests) journal_turn() does one round of work. */
MUST_CHECK int journal_start(struct journal *j);
void journal_turn(struct journal *j, int64_t mono_ms);

/* Writes what was handed over, joins the thread, closes the store. Accept NULL. */
void journal_stop(struct journal *j);
void journal_close(struct journal **j);

/* ---- for shards ---- */

/* Copies the event; the cursor is ignored. */
void feed_tell(struct feed *f, const struct event *e);

/* A number for a new device's card; 0: memory is out. */
MUST_CHECK uint32_t feed_new_card(struct feed *f);
void feed_keep(struct feed *f, uint32_t number, const struct card *card);
/* The device is forgotten; the number may be given to another one. */
void feed_drop(struct feed *f, uint32_t number);

/* At the turn's end: hands everything over, as far as the backlog has room. What stays
 * is handed over by a later call, so call it also in turns without news. */
void feed_flush(struct feed *f);

/* Everything handed over by this feed is written, or was tried. */
bool feed_is_settled(const struct feed *f);

/* For who must not answer before an event is safe. feed_expect returns a mark for what
 * was told until now; settled(user, mark, rc) follows on the feed's thread, by a parcel
 * into `inbox`, in the order of the marks. One call may stand for several marks: all up
 * to this one. OK: the disk has it. ERR_NOSPACE, ERR_IO, ERR_FULL (it was dropped): it
 * has not, though it may be published. */
typedef void feed_settled(void *user, uint64_t mark, int rc);
void feed_listen(struct feed *f, struct inbox *inbox, feed_settled *settled,
                 void *user);
uint64_t feed_expect(struct feed *f);

/* ---- for readers, on any thread ---- */

/* Cursors of the newest and the oldest event that can be read; 0: there is none. */
uint64_t journal_newest(struct journal *j);
uint64_t journal_oldest(struct journal *j);

/* Shows the events behind `after`, oldest first, until `visit` says false; `after` 0
 * means from the oldest one. The event is valid during the call, and no other call of
 * this journal may be made from it. Returns OK; ERR_NOTFOUND: events behind `after`
 * were dropped, the reader came too late; ERR_INVALID: `after` was never given. */
typedef bool event_visit(void *user, const struct event *e);
MUST_CHECK int journal_read(struct journal *j, uint64_t after, event_visit *visit,
                            void *user);

/* OK, or why nothing is written now: ERR_NOSPACE, ERR_IO. */
int journal_health(struct journal *j);

/* Growing counters unless said otherwise. */
#define JOURNAL_COUNTERS(X)                                                            \
    X(events, "events published")                                                      \
    X(lost, "events dropped because the backlog was full")                             \
    X(commits, "transactions synced")                                                  \
    X(failures, "transactions that failed")

struct journal_stats {
#define X(name, text) uint64_t name;
    JOURNAL_COUNTERS(X)
#undef X
    uint64_t cards;      /* now */
    uint64_t backlog;    /* bytes, now */
    uint64_t disk_bytes; /* now */
};
struct journal_stats journal_stats(struct journal *j);
