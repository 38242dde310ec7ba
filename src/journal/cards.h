/* cards.h - where each card stands in the store, and what is still to be written.
 *
 *   slots   number -> seq of its newest entry in the store, or else
 *                     |
 *   held    cards that no commit has taken yet, the newest of each number
 *
 * The journal's thread only. */
#pragma once

#include "base/list.h"
#include "base/slab.h"
#include "journal/entry.h"

struct held_card {
    struct link link;
    uint64_t old_seq; /* in the store until then; 0: not in it */
    uint64_t seq;     /* in the transaction that is being made, or failed last; 0 */
    uint32_t number;
    uint8_t size; /* 0: the card is dropped */
    uint8_t entry[CARD_MAX];
};

/* The number of the card's entry in the store, 0 when there is none; or, with the
 * highest bit set, which no entry's number has, where its held_card is. There is one
 * for each device, and nearly all are the former. */
typedef uint64_t card_slot;

struct cards {
    card_slot *slots; /* by number; the first one is nobody's */
    size_t room;
    struct list held;
    size_t most_held;
    struct slab slab;
};

void cards_init(struct cards *c);
void cards_fini(struct cards *c);

/* A number's slot, made if need be; NULL when memory is out. */
MUST_CHECK card_slot *cards_try_slot(struct cards *c, uint32_t number);

/* Replaces what was held; an empty entry drops the card. Returns OK or ERR_NOMEM. */
MUST_CHECK int cards_hold(struct cards *c, uint32_t number, struct slice entry);

/* It is written as h->seq: lets it go. */
void cards_written(struct cards *c, struct held_card *h);

/* The commit that wrote a held card as `seq` failed, and reached the disk all the
 * same: that is what the next one replaces. False: none was written as that. Quick for
 * those of one commit, in their order. */
bool cards_reached(struct cards *c, uint64_t seq);
