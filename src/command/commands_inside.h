/* commands_inside.h - what the files of the command engine share: its tables and its
 * tickets' life (commands.c, table.c, ticket.c), orders (order.c, route.c), sending
 * (send.c), answers (answer.c), the ledger (keep.c).
 *
 * A ticket is on one of its queue's lists, which says what it is there for:
 *
 *   WAITING --sent--> SENT --answered--> ENDING --durable--> ENDED (or LATE)
 *      ^---- connection ended ----'         '- without a ttl: at once -^
 *
 * Its state (device/ticket.h) is what others are told. The two differ while an end is
 * on its way to the disk: nobody is told of it before it is there. Tickets are freed at
 * the turn's end only, so that a pointer to one holds during a turn. */
#pragma once

#include "command/commands.h"
#include "base/slab.h"
#include "relay/part.h"
#include "relay/session.h"

#define NEVER INT64_MAX

/* An answer is not longer than a command. */
#define ANSWER_MAX COMMAND_BODY_MAX

enum ticket_place {
    PLACE_WAITING,
    PLACE_SENT,
    PLACE_ENDING, /* its end is being written */
    PLACE_LATE,   /* ended, but an answer still counts */
    PLACE_ENDED,
    PLACE_COUNT
};

/* So many of a device's expired tickets can be completed by a late answer. */
#define LATE_MAX 256

/* Packages sent again because the device asked, for one sending: it may not make us
 * talk for ever. */
#define RESENDS_MAX 16

/* What to do with a ticket that a device has. Zeroed: nothing. */
struct ticket {
    uint64_t number;
    struct errands *errands;
    struct ticket *next_by_number, *next_by_key;
    struct link link;    /* on one of its queue's lists */
    struct link of_all;  /* on its shard's: live, or ended */
    struct list waiters; /* orders */
    struct timer timer;
    uint64_t position; /* in its device's order */
    uint64_t sameness; /* of what was asked: a hash */
    /* Monotonic; NEVER. */
    int64_t over_at_ms;   /* ENDED: then it is forgotten; else its time is over */
    int64_t unsent_at_ms; /* ... if it was not sent by then */
    int64_t ready_at_ms;  /* not to be sent earlier */
    int64_t again_at_ms; /* sent again, or its slot given away; ENDING: written again */
    /* Wall clock; 0: none. */
    int64_t created_ms, not_before_ms, not_after_ms, expires_ms;
    int64_t sent_ms, acknowledged_ms, ended_ms;
    uint32_t sendings;
    uint32_t record; /* its number in the ledger; 0: it has none */
    uint16_t listener;
    uint16_t message, serial, serials;
    uint16_t expects;    /* the message that answers it */
    uint16_t ask_serial; /* of `only_if`'s question */
    uint16_t answer_message, answer_serial;
    int16_t found_state;
    uint8_t answer_version;
    uint8_t place; /* enum ticket_place */
    uint8_t state, reason;
    uint8_t next_state, next_reason; /* ENDING */
    uint8_t tries;                   /* sendings on this connection */
    uint8_t resends;
    bool is_durable;
    bool is_accepted;    /* false: it is not durable yet, or was not taken up yet */
    bool has_slot;       /* one of its device's `in_flight` */
    bool is_asking;      /* `only_if`'s question is out */
    bool is_encoded;     /* `wire` is what it is in the device's protocol */
    bool fixed_serial;   /* the profile prescribes it */
    bool plain_answer;   /* its answer quotes no serial */
    bool is_preliminary; /* its answer: the answer proper may follow */
    bool has_answer;
    bool supersedes;
    char name[COMMAND_NAME_MAX + 1];
    char only_if[32];
    char *key; /* or NULL */
    struct buf args, answer;
    struct wire_command wire; /* of the command; while asking: of the question */
};

/* One device's. */
struct errands {
    struct commands *commands;
    struct terminal *terminal;
    struct errands *next; /* in the table */
    struct link arrived;  /* on its shard's list of those; then nothing is sent yet */
    struct list in[PLACE_COUNT];
    struct ticket *asking; /* nothing else may be sent now; or NULL */
    uint32_t in_flight;
    uint16_t serial; /* of the newest command */
    bool is_attached;
    bool has_superseding; /* ever since it is here */
};

/* What a device is spoken to in. */
struct speech {
    const struct dialect *dialect;
    const void *conf;
    const struct command_policy *policy;
    uint16_t listener;
    uint8_t version;
};

/* Serials that a listener's profile prescribes. */
struct prescribed {
    uint16_t *serials;
    size_t count;
};

struct commands_group {
    struct commands_conf conf;
    struct prescribed *prescribed; /* per listener */
    uint64_t max_bytes;
    /* All shards together: tickets that are not over, all of them; and what they hold.
     */
    _Atomic uint64_t live, tickets, bytes;
};

struct commands {
    struct part part;
    struct relay *relay;
    struct commands_group *group;
    struct book *book; /* NULL: nothing is durable */
    struct slab tickets, errands;
    struct ticket **by_number, **by_key; /* tables of `places`, a power of two */
    struct errands **by_device;
    size_t places;
    struct hash_key numbers; /* makes ticket numbers of `made` */
    uint64_t made;
    uint64_t position; /* of the newest ticket */
    struct list live, ended;
    struct list arrived; /* devices that came in this turn */
    struct timer forget; /* the first of `ended` */
    size_t unwritten;    /* tickets that wait for the ledger's word */
    struct buf scratch;  /* a record */
    bool is_ending;
    struct commands_stats stats;
};

static inline int64_t commands_now(const struct commands *k)
{
    return k->relay->shard->loop.now_ms;
}

static inline struct ticket *ticket_at(struct link *k)
{
    return CONTAINER_OF(k, struct ticket, link);
}

/* ---- commands.c ---- */

/* False: it is not known how. */
bool speech_of(const struct commands *k, const struct terminal *t, struct speech *out);

/* ---- table.c: who has which tickets ---- */

MUST_CHECK int tables_init(struct commands *k);
void tables_fini(struct commands *k); /* with all tickets */

struct errands *errands_find(const struct commands *k, const struct terminal *t);
MUST_CHECK struct errands *errands_try_get(struct commands *k, struct terminal *t);
void errands_free_if_empty(struct commands *k, struct errands *e);
size_t errands_live(const struct errands *e);

uint64_t ticket_new_number(struct commands *k);
struct ticket *ticket_find(const struct commands *k, uint64_t number);
struct ticket *ticket_find_key(const struct commands *k, const struct errands *e,
                               const char *key);

/* On none of the lists. */
MUST_CHECK struct ticket *ticket_try_new(struct commands *k, struct errands *e,
                                         uint64_t number, const char *key);
void ticket_free(struct commands *k, struct ticket *t);
void ticket_place(struct commands *k, struct ticket *t, enum ticket_place place);
MUST_CHECK int ticket_set_args(struct commands *k, struct ticket *t, struct slice args);
void ticket_drop_args(struct commands *k, struct ticket *t);
MUST_CHECK int ticket_set_answer(struct commands *k, struct ticket *t,
                                 struct slice body);

/* ---- ticket.c: what happens to one ---- */

/* Tells everybody. The only place where a ticket changes its state. */
void ticket_enter(struct commands *k, struct ticket *t, uint8_t state, uint8_t reason);

/* It may be sent from now on. */
void ticket_accept(struct commands *k, struct ticket *t);
/* ... one from before the start, in the first turn. */
void ticket_take_up_later(struct commands *k, struct ticket *t);

/* The wall clock's time of what happens to it now: never before what has happened to it
 * already, though the clock was set back. */
int64_t ticket_time(const struct ticket *t);

/* It comes to its end: at once, or when that is durable. */
void ticket_end(struct commands *k, struct ticket *t, uint8_t state, uint8_t reason);
/* ... now. */
void ticket_finish(struct commands *k, struct ticket *t, uint8_t state, uint8_t reason);
void ticket_remember(struct commands *k, struct ticket *t);
void ticket_forget(struct commands *k, struct ticket *t);
void commands_on_forget(struct timer *timer, int64_t now_ms);

void ticket_set_clock(const struct commands *k, struct ticket *t, int64_t now_wall_ms);
bool ticket_is_over_time(const struct ticket *t, int64_t now_ms);
void ticket_on_timer(struct timer *timer, int64_t now_ms);
/* For the next thing that its time brings. */
void ticket_arm(struct commands *k, struct ticket *t);

/* ---- send.c ---- */

/* Sends what may be sent. */
void errands_advance(struct commands *k, struct errands *e);
uint16_t errands_new_serial(const struct commands *k, struct errands *e,
                            uint16_t listener, uint16_t count);

MUST_CHECK int ticket_encode(struct ticket *t, const struct speech *s,
                             char why[DIALECT_WHY_SIZE]);
/* The state that `only_if` wants was found. */
void ticket_go_on(struct commands *k, struct ticket *t, const struct speech *s);
/* It was not answered in time. */
void ticket_again(struct commands *k, struct ticket *t);
void ticket_leave_slot(struct ticket *t);

/* ---- order.c, route.c ---- */

/* <0: it was not made, and the order is still the caller's. */
MUST_CHECK int order_create(struct commands *k, struct terminal *t, struct order *o);

/* Back it goes. */
void order_reply(struct order *o, int rc);
void order_reply_view(struct order *o, const struct ticket *t, int rc);

/* Until the ticket is over, at most for `wait_ms` (NEVER). */
void order_wait(struct commands *k, struct order *o, struct ticket *t, int64_t wait_ms);

/* All that wait for it; those whose wait is over; those that would cancel it. */
void orders_reply(struct ticket *t, int rc);
void orders_reply_due(struct ticket *t);
void orders_reply_cancels(struct ticket *t, int rc);

/* `room`: for bodies of answers; what is taken of it is subtracted. */
MUST_CHECK int view_ticket(const struct ticket *t, struct ticket_view *v, size_t *room);

/* ---- keep.c ---- */

MUST_CHECK int keep_open(struct commands *k);
void keep_flush(struct commands *k);
bool keep_is_settled(const struct commands *k);

/* Its first record: ticket_accept() when it is durable. */
MUST_CHECK int keep_new(struct commands *k, struct ticket *t);
/* Nobody waits for it. */
void keep_note(struct commands *k, struct ticket *t);
/* Its end: ticket_finish() when it is durable. */
void keep_end(struct commands *k, struct ticket *t);
void keep_drop(struct commands *k, struct ticket *t);
