/* commands.h - asking devices: a command becomes a ticket, waits for its turn, is sent,
 * and is completed by the device's answer.
 *
 *   order (http) ==parcel==> shard: ticket --> its device's queue --> dialect.send
 *      ^                       |  ledger: durable, if it has a ttl         |
 *      |                       |  journal: an event for each state         v
 *      '==parcel== answered, or its wait is over  <-- commands_answered() <-- session
 *
 * A ticket lives on its device's shard. Without a ttl its life is its `wait`, and it
 * fails at once if the device has no connection. With one it is durable before it is
 * sent, survives restarts, and goes out when the device comes back; if its answer did
 * not come before the connection ended, it is sent again, with the same serial, so that
 * a device can tell a repetition. That an answer came is told only when it is durable.
 *
 * Of one device at most `in_flight` commands await their answers; the others wait in
 * order. An answer counts only on the device's own connection, and completes the ticket
 * that was sent with its serial; others are counted and dropped. */
#pragma once

#include "command/dialect.h"
#include "device/ticket.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "relay/relay.h"
#include "relay/trip.h"

#define IDEMPOTENCY_KEY_MAX 64
#define ORDER_IDS_MAX       2
#define LIST_BODIES_MAX     (1u << 20)

struct commands;       /* one shard's */
struct commands_group; /* what they share */

struct commands_conf {
    struct ledger *ledger;
    const struct listener *listeners; /* by their index */
    size_t listener_count;
    uint32_t max_queued;  /* per device */
    uint32_t max_tickets; /* all shards together, ended ones included */
    int64_t keep_ms;      /* an ended ticket is remembered for so long */
};

MUST_CHECK int commands_group_new(const struct commands_conf *conf,
                                  struct commands_group **out);
void commands_group_free(struct commands_group **g);

/* While starting: a ticket that the ledger found. The devices are known already. */
MUST_CHECK int commands_adopt(struct relay_group *g, uint32_t number,
                              struct slice record);

/* ---- one shard's ---- */

/* A part of the relay (relay/part.h), if its group has commands. */
MUST_CHECK int commands_new(struct relay *r);
/* The gateway is ending: whoever waits is told. */
void commands_end(struct relay *r);

/* ---- for sessions ---- */

struct answer {
    uint16_t answers;    /* the message that it answers, */
    uint16_t or_answers; /* ... or this one, if it does not say; 0: none */
    uint16_t serial;     /* of that */
    bool has_serial;
    bool is_refusal;     /* the device will not, or cannot */
    bool is_preliminary; /* accepted; the answer proper may follow */
    uint8_t version;     /* of its header */
    uint16_t message;    /* its own */
    struct slice body;   /* borrowed */
};

/* False: nobody waits for it; counted. */
bool commands_answered(struct relay *r, struct terminal *t, const struct answer *a);

/* The peer's TCP has all of it. */
void commands_delivered(struct relay *r, struct terminal *t, uint64_t ticket);

/* These packages of the command sent with this serial are asked for again. False: there
 * is no such command. `first`: serial of its first package. */
bool commands_resend(struct relay *r, struct terminal *t, uint16_t first,
                     const uint16_t *numbers, size_t count);

/* ---- orders: from another thread, answered by a parcel ---- */

enum order_kind {
    ORDER_CREATE,
    ORDER_SHOW,   /* one ticket, by its number */
    ORDER_CANCEL, /* ... if it is unsent */
    ORDER_LIST,   /* a device's, with LIST_BODIES_MAX bytes of answers */
};

struct ticket_view {
    uint64_t ticket;
    struct id device;
    uint16_t listener; /* of its device, when it was made: its index; beyond the last
                          one: it is not configured any more */
    uint8_t state, reason;           /* enum ticket_state, ticket_reason */
    char name[COMMAND_NAME_MAX + 1]; /* empty: raw */
    uint16_t message;
    int64_t created_ms, not_before_ms, expires_ms; /* wall clock; 0: none */
    int64_t sent_ms, acknowledged_ms, ended_ms;
    uint32_t sendings;
    bool is_durable;
    bool has_answer;
    bool is_left_out; /* its body, which is not in `answer`: a list would be too long */
    uint16_t answer_message, answer_serial;
    uint8_t answer_version;
    uint32_t answer_size;
    int16_t found_state; /* by `only_if`'s question; -1: it was not asked */
    struct buf answer;   /* the body; whoever has the order frees it */
};

struct order {
    struct trip trip;
    uint8_t kind;
    /* CREATE, LIST: which device, one candidate per protocol: exactly one must exist.
     * On return ids[0] is that one. */
    struct id ids[ORDER_IDS_MAX];
    uint8_t id_count;
    int64_t
        wait_ms; /* CREATE, SHOW: until the ticket is over. Without a ttl, its life */
    uint64_t ticket; /* SHOW, CANCEL */
    uint32_t limit;  /* LIST: at most so many, the newest */
    /* CREATE */
    struct command command;
    struct buf args; /* command.args points into it; the sender frees it */
    int64_t ttl_ms;  /* 0: none */
    int64_t not_before_ms, not_after_ms; /* wall clock; 0: none */
    char only_if[32];                    /* empty: in any state */
    bool supersedes;                     /* an unsent one of the same name */
    char key[IDEMPOTENCY_KEY_MAX + 1]; /* empty: none. The ticket that was made with it
                                          before is returned instead of a new one */
    /* What came of it. OK: views[0..count) hold it. ERR_NOTFOUND: no such device or
     * ticket; with a `why`: its protocol has no such command. ERR_EXISTS: the id exists
     * in several protocols. ERR_INVALID, ERR_TOO_LARGE: `why` says what is wrong with
     * the command. ERR_FULL: a queue or table is full. ERR_BUSY: CANCEL: it was sent
     * already. ERR_MALFORMED: the key was used for another command. ERR_NOSPACE,
     * ERR_IO: the store fails. ERR_CLOSED: the gateway is ending. */
    int rc;
    bool is_known; /* the ticket of that key, made before */
    char why[DIALECT_WHY_SIZE];
    struct ticket_view view;   /* CREATE, SHOW, CANCEL (also with ERR_BUSY) */
    struct ticket_view *views; /* LIST, newest first; the sender frees them */
    size_t count;
    /* The shards' business until then. */
    struct timer timer;
    struct link link;
    struct ticket *on; /* waits for it */
    uint16_t hops;
    uint8_t found; /* a bit for each of `ids` */
};

/* Any thread: sends it on its way. It comes back once, whatever happens, as long as the
 * shards run. */
void commands_order(struct relay_group *g, struct order *o);

#define COMMANDS_COUNTERS(X)                                                           \
    X(created, "tickets made")                                                         \
    X(sent, "commands sent, repetitions included")                                     \
    X(repeated, "... of them repetitions")                                             \
    X(answered, "tickets answered")                                                    \
    X(expired, "tickets whose time was over")                                          \
    X(failed, "tickets that failed")                                                   \
    X(superseded, "tickets superseded")                                                \
    X(cancelled, "tickets cancelled")                                                  \
    X(late, "answers that completed a ticket after its time")                          \
    X(stray, "answers that nobody waited for")                                         \
    X(refused, "commands refused: a limit, the store")

struct commands_stats {
#define X(name, text) uint64_t name;
    COMMANDS_COUNTERS(X)
#undef X
    uint64_t queued, in_flight, tickets; /* now */
};
struct commands_stats commands_stats(const struct relay *r);
