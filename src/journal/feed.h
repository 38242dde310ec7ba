/* feed.h - what travels from a shard to the journal's thread.
 *
 *   events   | size entry | size entry | ...     in the order of their telling
 *   cards    | number, entry | ...               one of each number, the newest
 *   index    number -> place in cards            a hash table
 *
 * A batch belongs to its feed for ever; the journal has it between feed_flush and its
 * return, empty: to the feed's `home`, where nobody waits for it, or, if somebody wants
 * to know what came of it, into his inbox. */
#pragma once

#include "journal/entry.h"

#define TOLD_PREFIX 2 /* bytes, before each event's entry */

struct card_note {
    uint32_t number;
    uint8_t size; /* 0: dropped */
    uint8_t entry[CARD_MAX];
};

struct feed_batch {
    struct parcel parcel;
    struct feed *feed;
    struct feed_batch *next_of_feed;
    struct buf events;
    struct card_note *cards;
    uint32_t card_count, card_room;
    uint32_t *index; /* twice card_room; 0: free, else a place + 1 */
    uint64_t charge; /* its part of the backlog */
    uint64_t mark;   /* that feed_expect gave out for it; 0: nobody waits */
    bool has_lost;   /* events that belonged into it were dropped */
    /* The journal's: */
    uint64_t first; /* its events have this number, or a larger one */
    int rc;         /* what became of them */
};

struct feed {
    struct journal *journal;
    struct feed *next;          /* of the journal's */
    struct feed_batch *open;    /* being filled; NULL: none yet */
    struct feed_batch *batches; /* all of them */
    struct inbox home;          /* nobody sleeps on it */
    struct parcel *spare;       /* empty batches */
    uint32_t *free_numbers;
    size_t free_count, free_room;
    uint32_t lost;   /* events, since the last one that was taken */
    int64_t lost_ms; /* when the newest of them happened */
    uint64_t sent;   /* batches: the number of the newest one is its mark */
    bool has_lost;   /* in the batch that is being filled */
    bool is_expected;
    /* Who waits for marks. */
    struct inbox *listener;
    feed_settled *on_settled;
    void *user;
    _Atomic uint64_t settled;
};

void feed_free(struct feed **feed);

/* On the journal's thread: the batch goes home. */
void feed_return(struct feed_batch *batch);
