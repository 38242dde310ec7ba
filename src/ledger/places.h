/* places.h - where each record stands in the store, and what the store still lacks.
 *
 *            places_hold               a transaction takes it
 *   PLACED -------------> FRESH ----------------------------> WRITING --.
 *     ^                     |                                  |  ^     |
 *     |     the round ended,|      it failed, or takes no more |  |     |
 *     |     and it must stay '----------> KEPT <---------------'--'     |
 *     '-------------------------- committed ----------------------------'
 *
 * PLACED: the store has it as it is. FRESH: its bytes are borrowed from the batch that
 * brought them; KEPT: they are a copy, for a store that fails. Which of the two a
 * failed transaction leads back to depends on whose the bytes are. The ledger's thread
 * only. */
#pragma once

#include "base/list.h"
#include "base/slab.h"
#include "ledger/line.h"

struct held {
    struct link link; /* fresh, kept or writing */
    struct line line; /* form 0: it is dropped */
    uint64_t old_seq; /* in the store until then; 0: not in it */
    uint32_t old_size;
    bool is_new;  /* no commit has taken any version of it */
    bool is_own;  /* the bytes are a copy */
    uint64_t seq; /* in the transaction that is being made */
};

struct place {
    union {
        uint64_t seq; /* in the store; 0: not in it */
        struct held *held;
    };
    uint32_t size; /* of the record in the store */
    bool is_held;
};

struct places {
    struct place *at; /* by number; the first one is nobody's */
    size_t room;
    struct list fresh, kept, writing;
    struct slab slab;
};

void places_init(struct places *p);
void places_fini(struct places *p);

/* A number's place, made if need be; NULL when memory is out. Valid until the next
 * call. */
MUST_CHECK struct place *places_try_at(struct places *p, uint32_t number);

/* What waits to be written under that number; NULL: nothing. */
struct held *places_held(const struct places *p, uint32_t number);

/* There is a record: in the store, or on its way into it. */
bool places_has(const struct places *p, uint32_t number);

/* Where the store has it, if a transaction does not change that; 0: nowhere. */
uint64_t places_seq(const struct places *p, uint32_t number);

/* A commit failed, and yet the store has what it would have written, in place of what
 * it had. False: nobody knows the record. */
MUST_CHECK bool places_move(struct places *p, uint32_t number, uint64_t seq);

/* Replaces what was held; it is FRESH, and borrows the record. A new one that is
 * dropped before a commit has seen it leaves nothing. OK or ERR_NOMEM. */
MUST_CHECK int places_hold(struct places *p, const struct line *line, bool is_new);

/* A FRESH one that is new is refused: nothing is there, as before. */
void places_refuse(struct places *p, struct held *h);

/* Gives another FRESH one its own bytes: it is KEPT. OK or ERR_NOMEM. */
MUST_CHECK int places_keep(struct places *p, struct held *h);

/* ... or not: the store's version stands. */
void places_let_go(struct places *p, struct held *h);

/* What is WRITING goes back. */
void places_put_back(struct places *p);

/* One that is WRITING was written as h->seq, or removed. */
void places_settle(struct places *p, struct held *h);
