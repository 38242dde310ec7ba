/* relay.h - what the sessions of one shard share: who is here, whose mail waits, and
 * the way to the other shards.
 *
 *   session (ttms.c) --frame--> route --local--> delivery.c --> output or mailbox
 *                                 '--remote--> exchange.c ==> that shard's delivery.c
 *
 * A terminal lives on the shard that its id's hash says; a connection that registers
 * moves there. So everything about a terminal happens on one thread. */
#pragma once

#include "device/registry.h"
#include "mailbox/mailbox.h"
#include "net/shard.h"

/* How a terminal gets its messages.
 *
 *             registers                  nothing waits
 *   OFFLINE ------------> DRAINING <-------------------> DIRECT
 *      ^   to the mailbox    |   mailbox first,             |  straight to
 *      |                     |   new ones behind it         |  the output
 *      '---------------------+------------------------------'
 *                      connection ends
 *
 * DIRECT goes back to DRAINING when the output is full, or when a frame must be durable
 * first: it waits in the mailbox, and whatever follows waits behind it. */
#define DELIVERIES(X) X(OFFLINE, "offline") X(DRAINING, "draining") X(DIRECT, "direct")

enum delivery {
#define X(name, word) DELIVERY_##name,
    DELIVERIES(X)
#undef X
        DELIVERY_COUNT
};

struct waiters; /* holds.h */
struct watch;   /* tracker_inside.h */

/* A device, and what the gateway knows of it. The first of its two cache lines is what
 * relaying a message touches. Times are wall clock unless said otherwise. */
struct terminal {
    struct device device; /* first: the registry allocates it */
    struct conn *conn;    /* NULL: offline */
    struct mailqueue mail;
    uint64_t messages_out : 48; /* that its TCP acknowledged, ever */
    uint8_t delivery;           /* enum delivery */
    bool slow : 1;              /* holding its senders did not help: mail is for it */
    bool is_idle : 1;           /* at the front of the offline ones: may be forgotten */
    bool has_commands : 1;      /* command/ knows more */
    union {
        struct {                   /* while connected */
            uint32_t delivered_ms; /* when its TCP last took something; low half of the
                                    * monotonic clock */
            uint32_t counted_in;   /* frames of this connection in messages_in */
            struct waiters *waiters; /* senders held until it has caught up; or NULL */
            struct watch *watch;     /* what its rule notes; NULL: not judged */
        };
        struct { /* while offline; zero if it never was anything else */
            int64_t last_seen_ms : 48;
            in_port_t last_port; /* host order */
            struct in6_addr last_ip;
        };
    };
    struct link link;      /* on its relay's list of its delivery state */
    int64_t since_ms : 48; /* in its state */
    uint16_t listener;     /* of its newest connection; see tracker_group */
    uint64_t messages_in : 48;
    uint8_t presence;         /* enum presence */
    uint32_t epoch, sequence; /* connections and events, ever */
    uint32_t card;            /* its number in the journal; 0: it has none */
};

static_assert(sizeof(struct terminal) == 128, "memory per terminal is a promise");
static_assert(offsetof(struct terminal, counted_in) == 60, "the line of a message");

#define RELAY_COUNTERS(X)                                                              \
    X(frames_in, "data frames that terminals sent")                                    \
    X(frames_direct, "... of them straight to an output")                              \
    X(frames_mailed, "... of them by way of the mailbox")                              \
    X(frames_delivered, "frames that the target's TCP acknowledged")                   \
    X(frames_returned, "frames that came back from an ended connection")               \
    X(frames_refused, "frames refused: a limit, the store")                            \
    X(bad_checksums, "frames whose last byte was wrong")                               \
    X(bad_frames, "frames of devices dropped: checksum, length, escapes, id")          \
    X(packages_dropped, "messages in packages that stayed incomplete for too long")    \
    X(empty_frames, "frames without a text, skipped")                                  \
    X(takeovers, "connections replaced by a newer one with the same id")               \
    X(holds, "times a sender was made to wait")

struct relay_stats {
#define X(name, text) uint64_t name;
    RELAY_COUNTERS(X)
#undef X
};

/* Shared by all shards, never changed once they run, but for the count of devices. */
struct relay_group {
    struct relay *relays; /* one per shard */
    unsigned count;
    struct hash_key key; /* for ids */
    struct tracker_group *tracker;
    struct commands_group *commands;
    struct ledger *ledger; /* of credentials; NULL: no vehicle terminals */
    _Atomic uint32_t credentials;
    uint32_t max_devices; /* all shards together; each may exceed it by one */
    _Atomic uint32_t devices;
    uint64_t max_messages, max_bytes; /* of a mailbox: senders are held before these */
};

struct batch; /* exchange.c */

/* Batches on their way to one other shard. */
struct outbound {
    struct batch *filling;
    size_t outstanding;      /* bytes given and not yet worked off there */
    struct waiters *waiters; /* senders held until that shrinks; or NULL */
};

struct relay {
    struct relay_group *group;
    struct shard *shard;
    struct registry terminals;
    struct tracker *tracker;
    struct part *parts;        /* part.h; two of them are asked for by name: */
    struct commands *commands; /* NULL: there are none */
    struct vehicles *vehicles;
    uint64_t last_position; /* of the newest message accepted here, for any terminal */
    struct mailbox *mailbox;
    struct outbound *to; /* per shard */
    struct batch *spare;
    struct buf scratch; /* a frame on its way to the mailbox */
    struct list in[DELIVERY_COUNT];
    size_t idle; /* of in[OFFLINE], at its front: may be forgotten at the turn's end */
    struct list receipts_due; /* connections to be told something at the turn's end */
    struct waiters *store_waiters; /* senders held until the store catches up */
    struct list crowded;           /* terminals that have waiters */
    struct timer tick;
    struct timer review; /* of the crowded ones */
    struct relay_stats stats;
};

/* `relays` has room for group->count; the shard and the mailbox come from the caller,
 * who passes relay_mailbox_events with the relay as user to mailbox_new. */
MUST_CHECK int relay_init(struct relay *r, struct relay_group *group,
                          struct shard *shard);
void relay_fini(struct relay *r);
extern const struct mailbox_events relay_mailbox_events;

/* The shard's hooks; the shard's app is the relay. */
void relay_before_writes(struct shard *s);
void relay_after_writes(struct shard *s);

static inline unsigned relay_index(const struct relay *r)
{
    return r->shard->conf.index;
}

static inline struct relay *relay_of(const struct conn *c)
{
    return c->shard->app;
}

static inline struct terminal *terminal_of(struct device *d)
{
    return CONTAINER_OF(d, struct terminal, device);
}

uint64_t relay_hash(const struct relay_group *g, const struct id *id);
unsigned relay_shard_of(const struct relay_group *g, uint64_t hash);

/* Found or made. NULL: the limit of devices is reached, or memory is out. Another one
 * may be forgotten for it, one that is offline and has no mail. */
MUST_CHECK struct terminal *relay_terminal(struct relay *r, const struct id *id,
                                           uint64_t hash);
/* At start-up: whatever the limit. */
MUST_CHECK struct terminal *relay_remember(struct relay_group *g, const struct id *id,
                                           struct relay **home);
/* One that is offline and has no mail. */
void relay_forget(struct relay *r, struct terminal *t);

/* A mailbox entry found at start-up: no thread runs yet. */
MUST_CHECK int relay_adopt(struct relay_group *g, const struct id *id,
                           const struct mail_record *record);

/* ---- sending ---- */

/* What the sender's side says of a frame. */
struct envelope {
    uint64_t session; /* the sender's connection; or the outsider's address */
    uint32_t number;  /* of the frame, if the sender wants a receipt; else 0 */
    uint16_t shard;   /* the sender's; or SHARD_OUTSIDE */
    bool durable;     /* store it before it is forwarded */
};

/* A sender that is no connection. It has time, so nobody holds it. */
struct outsider {
    void (*decided)(struct relay *r, struct outsider *o, bool safe);
};

#define SHARD_OUTSIDE UINT16_MAX

/* Where a target is, remembered by the sender's session for the next frame. */
struct route {
    union {
        struct terminal *local; /* if it is on this shard */
        uint64_t hash;          /* of its id, if on another one */
    };
    uint32_t epoch; /* of the registry: `local` is valid while it is the same */
    uint16_t shard;
    bool known;
};

/* True if relay_begin does without the target's id for this route. */
bool relay_knows(const struct relay *r, const struct route *way);

/* A frame being sent: relay_begin, write its bytes, relay_commit. */
struct sending {
    struct route *route;
    const struct id *id; /* the target's; unused if relay_knows(route) */
    size_t size;
    struct envelope from;
    /* relay_begin's notes for relay_commit */
    struct terminal *target;
    bool direct;
};

/* Room for the frame's bytes. NULL: refused (counted, logged, the sender is told). */
MUST_CHECK uint8_t *relay_begin(struct relay *r, struct sending *s);
void relay_commit(struct relay *r, struct sending *s);

/* The fate of a frame whose sender waits on this or another shard. */
void relay_decide(struct relay *r, unsigned shard, uint64_t session, uint32_t number,
                  bool safe);

/* Holds, or releases, a sender that may be on another shard. */
void relay_hold(struct relay *r, unsigned shard, uint64_t session);
void relay_release(struct relay *r, unsigned shard, uint64_t session);

/* Nothing is on its way to other shards or to the store any more. */
bool relay_is_settled(const struct relay *r);
