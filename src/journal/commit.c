#include "journal/journal_inside.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

/* Of each kind of change in one transaction: what an engine must be able to take. */
#define AT_ONCE 16384u

/* ---- taking in ---- */

void journal_add_stale(struct journal *j, uint64_t seq)
{
    if (!stale_try_add(&j->stale, seq))
        LOG_THROTTLED(LOG_ERROR, JOURNAL,
                      "journal entry %llu stays: out of memory; the next start "
                      "removes it",
                      (unsigned long long)seq);
}

bool journal_remember(struct journal *j, uint64_t cursor, struct slice entry)
{
    while (ring_try_append(&j->ring, cursor, entry) < 0) {
        if (j->ring.count == 0)
            return false;
        j->dropped = ring_drop(&j->ring);
        if (j->dropped <= j->saved)
            journal_add_stale(j, j->dropped);
        else
            j->dropped_unsaved = j->dropped;
    }
    return true;
}

static bool number_event(struct journal *j, uint8_t *entry, size_t size)
{
    if (j->next_seq >= j->reach)
        return false;
    entry_seal(entry, size, j->next_seq);
    if (!journal_remember(j, j->next_seq, slice_of(entry, size)))
        return false;
    assert(++j->next_seq < NUMBER_MAX);
    return true;
}

static bool tell_lost(struct journal *j)
{
    struct event gap = {.kind = EVENT_GAP,
                        .lost = j->lost_here,
                        .time_ms = clock_wall_ms()};
    uint8_t entry[MOVE_HEAD];

    if (j->lost_here > 0 && number_event(j, entry, entry_of_event(&gap, entry)))
        j->lost_here = 0;
    return j->lost_here == 0;
}

/* Without events of its own, a batch stands for all that were told before. */
static void take_events(struct journal *j, struct feed_batch *batch)
{
    struct buf *events = &batch->events;

    batch->first = j->next_seq;
    while (buf_used(events) > 0) {
        struct reader r = reader_of(buf_peek(events));
        size_t size = read_u16(&r);
        uint8_t *entry = events->mem + events->head + TOLD_PREFIX;

        if (!tell_lost(j) || !number_event(j, entry, size)) {
            batch->has_lost = true;
            j->lost_here++;
            journal_count_lost(j);
        }
        buf_consume(events, TOLD_PREFIX + size);
    }
}

/* What became of its events, now that they were written as far as possible. */
static int fate_of(const struct journal *j, const struct feed_batch *batch)
{
    if (batch->has_lost || j->dropped_unsaved >= batch->first)
        return ERR_FULL;
    return atomic_load(&j->health);
}

static void take_cards(struct journal *j, const struct feed_batch *batch)
{
    for (uint32_t i = 0; i < batch->card_count; i++) {
        const struct card_note *note = &batch->cards[i];

        if (cards_hold(&j->cards, note->number, slice_of(note->entry, note->size)) < 0)
            LOG_THROTTLED(LOG_ERROR, JOURNAL,
                          "journal card %u not kept: out of memory; after a restart "
                          "its device is remembered as it was before",
                          note->number);
    }
}

/* ---- writing ---- */

/* What a transaction has done so far. */
struct work {
    size_t stale, cards;
    uint64_t saved, claim, last_put;
};

static int put(struct journal *j, struct work *w, uint64_t seq, struct slice entry)
{
    uint8_t *room;
    int rc = j->conf.engine->put(j->keeper.store, seq, entry.size, &room);

    if (rc < 0)
        return rc;
    memcpy(room, entry.data, entry.size);
    w->last_put = seq;
    return OK;
}

static int put_new(struct journal *j, struct work *w, uint8_t *entry, size_t size,
                   uint64_t *seq)
{
    *seq = j->next_seq++;
    assert(j->next_seq < NUMBER_MAX);
    entry_seal(entry, size, *seq);
    return put(j, w, *seq, slice_of(entry, size));
}

static int remove_entry(struct journal *j, uint64_t seq)
{
    int rc = seq ? j->conf.engine->remove(j->keeper.store, seq) : OK;

    return rc == ERR_NOTFOUND ? OK : rc;
}

static int put_events(struct journal *j, struct work *w)
{
    uint32_t i = ring_index_after(&j->ring, j->saved);
    int rc = OK;

    for (uint32_t n = 0; rc == OK && i < j->ring.count && n < AT_ONCE; i++, n++) {
        const struct ring_place *place = ring_at(&j->ring, i);

        rc = put(j, w, place->cursor, ring_entry(place));
        w->saved = place->cursor;
    }
    return rc;
}

/* The next start must jump over all numbers that are in use by then, and it sees only
 * those in the store. */
static bool needs_claim(const struct journal *j)
{
    return j->claim == 0 || j->next_seq + CLAIM_REACH / 2 > j->reach;
}

static int put_claim(struct journal *j, struct work *w)
{
    uint8_t entry[ENTRY_HEAD];
    int rc = remove_entry(j, j->claim);

    return rc < 0 ? rc : put_new(j, w, entry, entry_of_claim(entry), &w->claim);
}

static int put_cards(struct journal *j, struct work *w)
{
    LIST_FOREACH (&j->cards.held, k) {
        struct held_card *h = CONTAINER_OF(k, struct held_card, link);
        int rc = remove_entry(j, h->old_seq);

        if (rc == OK && h->size > 0)
            rc = put_new(j, w, h->entry, h->size, &h->seq);
        if (rc < 0)
            return rc;
        if (++w->cards == AT_ONCE)
            break;
    }
    return OK;
}

/* In growing order: nothing may get a new number before all events are in. */
static int fill(struct journal *j, struct work *w)
{
    int rc;

    rc = stale_remove(&j->stale, j->keeper.store, AT_ONCE, &w->stale);
    if (rc < 0 || (rc = put_events(j, w)) < 0)
        return rc;
    if (w->saved < ring_newest(&j->ring))
        return OK;
    if (needs_claim(j) && (rc = put_claim(j, w)) < 0)
        return rc;
    return put_cards(j, w);
}

static void settle(struct journal *j, const struct work *w)
{
    uint64_t shown = w->claim > w->saved ? w->claim : w->saved;

    atomic_fetch_add_explicit(&j->commits, 1, memory_order_relaxed);
    atomic_store_explicit(&j->disk_bytes, j->conf.engine->disk_bytes(j->keeper.store),
                          memory_order_relaxed);
    stale_settle(&j->stale, w->stale);
    j->last_put = w->last_put;
    j->saved = w->saved;
    j->claim = w->claim;
    if (shown + CLAIM_REACH > j->reach)
        j->reach = shown + CLAIM_REACH;
    for (size_t i = 0; i < w->cards; i++)
        cards_written(&j->cards,
                      CONTAINER_OF(list_first(&j->cards.held), struct held_card, link));
}

static int transact(struct journal *j, bool *in_commit)
{
    const struct store_engine *engine = j->conf.engine;
    struct work w = {.saved = j->saved, .claim = j->claim, .last_put = j->last_put};
    int rc;

    *in_commit = false;
    if ((rc = engine->begin(j->keeper.store)) < 0)
        return rc;
    if ((rc = fill(j, &w)) < 0) {
        engine->abort(j->keeper.store);
        return rc;
    }
    *in_commit = true;
    if ((rc = engine->commit(j->keeper.store)) < 0)
        return rc;
    settle(j, &w);
    keeper_committed(&j->keeper);
    return OK;
}

static bool lacks_something(const struct journal *j)
{
    return j->stale.count > 0 || ring_newest(&j->ring) > j->saved ||
           !list_is_empty(&j->cards.held) || needs_claim(j);
}

void journal_write(struct journal *j, int64_t now_ms)
{
    while (j->keeper.state == KEEPER_OPEN && lacks_something(j)) {
        bool in_commit;
        int rc = transact(j, &in_commit);

        if (rc == OK)
            continue;
        atomic_fetch_add_explicit(&j->failures, 1, memory_order_relaxed);
        keeper_failed(&j->keeper, rc, in_commit, now_ms);
    }
}

/* ---- publishing ---- */

static void publish(struct journal *j)
{
    uint64_t newest = ring_newest(&j->ring);
    uint32_t count = j->ring.count - ring_index_after(&j->ring, j->visible);

    if (count == 0)
        return;
    pthread_mutex_lock(&j->lock);
    j->visible = newest;
    pthread_mutex_unlock(&j->lock);
    atomic_fetch_add_explicit(&j->events, count, memory_order_relaxed);
    if (j->conf.published)
        j->conf.published(j->conf.user);
}

void journal_serve(struct journal *j, struct parcel *waiting, int64_t now_ms)
{
    pthread_mutex_lock(&j->lock);
    for (struct parcel *p = waiting; p; p = p->next)
        take_events(j, CONTAINER_OF(p, struct feed_batch, parcel));
    pthread_mutex_unlock(&j->lock);
    for (struct parcel *p = waiting; p; p = p->next)
        take_cards(j, CONTAINER_OF(p, struct feed_batch, parcel));
    journal_write(j, now_ms);
    publish(j);
    for (struct parcel *p = waiting, *next; p; p = next) {
        struct feed_batch *batch = CONTAINER_OF(p, struct feed_batch, parcel);

        next = p->next; /* once returned, it is not ours */
        batch->rc = fate_of(j, batch);
        feed_return(batch);
    }
}
