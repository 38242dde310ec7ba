#include "journal/feed.h"

#include "base/log.h"
#include "journal/journal_inside.h"

#include <stdlib.h>

#define FIRST_CARDS 64

/* ---- batches ---- */

static void batch_release(struct feed_batch *b)
{
    buf_fini(&b->events);
    free(b->cards);
    free(b->index);
    b->cards = NULL;
    b->index = NULL;
    b->card_count = b->card_room = 0;
    b->charge = 0;
}

static void batch_free(struct feed_batch *b)
{
    batch_release(b);
    free(b);
}

static bool batch_is_empty(const struct feed_batch *b)
{
    return buf_used(&b->events) == 0 && b->card_count == 0;
}

/* Where the number is, or would be: consecutive numbers do not meet. */
static uint32_t *index_of(const struct feed_batch *b, uint32_t number)
{
    uint32_t mask = 2 * b->card_room - 1, at = number & mask;

    while (b->index[at] && b->cards[b->index[at] - 1].number != number)
        at = (at + 1) & mask;
    return &b->index[at];
}

static bool grow_cards(struct feed_batch *b)
{
    uint32_t room = b->card_room ? b->card_room * 2 : FIRST_CARDS;
    struct card_note *cards = realloc(b->cards, room * sizeof(*cards));
    uint32_t *index;

    if (!cards)
        return false;
    b->cards = cards;
    if (!(index = calloc(2 * room, sizeof(*index))))
        return false;
    free(b->index);
    b->index = index;
    b->card_room = room;
    for (uint32_t i = 0; i < b->card_count; i++)
        *index_of(b, b->cards[i].number) = i + 1;
    return true;
}

static struct card_note *batch_try_note(struct feed_batch *b, uint32_t number)
{
    uint32_t *place = b->card_room ? index_of(b, number) : NULL;

    if (place && *place)
        return &b->cards[*place - 1];
    if (b->card_count == b->card_room) {
        if (!grow_cards(b))
            return NULL;
        place = index_of(b, number);
    }
    b->cards[b->card_count] = (struct card_note){.number = number};
    *place = ++b->card_count;
    return &b->cards[b->card_count - 1];
}

/* ---- a feed's life ---- */

int feed_new(struct journal *j, struct feed **out)
{
    struct feed *f = calloc(1, sizeof(*f));

    if (!f)
        return ERR_NOMEM;
    f->journal = j;
    f->home.event_fd = -1;
    f->next = j->feeds;
    j->feeds = f;
    *out = f;
    return OK;
}

void feed_free(struct feed **feed)
{
    struct feed *f = *feed;

    *feed = NULL;
    if (!f)
        return;
    while (f->batches) {
        struct feed_batch *b = f->batches;

        f->batches = b->next_of_feed;
        batch_free(b);
    }
    free(f->free_numbers);
    free(f);
}

static void come_home(struct feed_batch *b)
{
    b->parcel.next = b->feed->spare;
    b->feed->spare = &b->parcel;
    atomic_fetch_add(&b->feed->settled, 1);
}

/* On the feed's thread, out of its listener's inbox. */
static void on_settled(struct parcel *parcel, void *receiver)
{
    struct feed_batch *b = CONTAINER_OF(parcel, struct feed_batch, parcel);

    (void)receiver;
    come_home(b);
    b->feed->on_settled(b->feed->user, b->mark, b->rc);
}

static struct feed_batch *batch_new(struct feed *f)
{
    struct feed_batch *b = calloc(1, sizeof(*b));

    if (b) {
        b->parcel.open = on_settled;
        b->feed = f;
        b->next_of_feed = f->batches;
        f->batches = b;
    }
    return b;
}

static struct feed_batch *try_open_batch(struct feed *f)
{
    if (f->open)
        return f->open;
    if (!f->spare)
        f->spare = inbox_take(&f->home);
    if (f->spare) {
        f->open = CONTAINER_OF(f->spare, struct feed_batch, parcel);
        f->spare = f->spare->next;
    } else {
        f->open = batch_new(f);
    }
    return f->open;
}

void feed_return(struct feed_batch *batch)
{
    struct feed *f = batch->feed;

    atomic_fetch_sub(&f->journal->backlog, batch->charge);
    batch_release(batch);
    if (batch->mark) {
        inbox_push(f->listener, &batch->parcel); /* it is not ours any more */
        return;
    }
    inbox_push(&f->home, &batch->parcel);
    atomic_fetch_add(&f->settled, 1);
}

/* ---- events ---- */

static bool has_room(const struct feed *f)
{
    uint64_t here = f->open ? buf_used(&f->open->events) : 0;

    return atomic_load_explicit(&f->journal->backlog, memory_order_relaxed) + here <
           f->journal->conf.backlog_bytes;
}

static bool try_tell(struct feed *f, const struct event *e)
{
    struct feed_batch *b = has_room(f) ? try_open_batch(f) : NULL;
    size_t size = entry_event_size(e);
    uint8_t *to = b ? buf_try_reserve(&b->events, TOLD_PREFIX + size) : NULL;

    if (!to)
        return false;
    put_u16(to, (uint16_t)size);
    (void)entry_of_event(e, to + TOLD_PREFIX);
    buf_commit(&b->events, TOLD_PREFIX + size);
    return true;
}

/* In the place of events that were dropped: how many. */
static bool tell_lost(struct feed *f)
{
    struct event gap = {.kind = EVENT_GAP, .lost = f->lost, .time_ms = f->lost_ms};

    if (f->lost > 0 && try_tell(f, &gap))
        f->lost = 0;
    return f->lost == 0;
}

void feed_tell(struct feed *f, const struct event *e)
{
    if (tell_lost(f) && try_tell(f, e))
        return;
    if (f->lost < UINT32_MAX)
        f->lost++;
    f->lost_ms = e->time_ms;
    f->has_lost = true;
    journal_count_lost(f->journal);
}

/* ---- cards ---- */

uint32_t feed_new_card(struct feed *f)
{
    atomic_fetch_add_explicit(&f->journal->cards_now, 1, memory_order_relaxed);
    if (f->free_count > 0)
        return f->free_numbers[--f->free_count];
    return atomic_fetch_add_explicit(&f->journal->next_number, 1, memory_order_relaxed);
}

static void note(struct feed *f, uint32_t number, const struct card *card)
{
    struct feed_batch *b = try_open_batch(f);
    struct card_note *n = b ? batch_try_note(b, number) : NULL;

    assert(number > 0);
    if (n)
        n->size = card ? (uint8_t)entry_of_card(card, n->entry) : 0;
    else
        LOG_THROTTLED(LOG_ERROR, JOURNAL,
                      "journal card %u not kept: out of memory; after a restart its "
                      "device is remembered as it was before",
                      number);
}

void feed_keep(struct feed *f, uint32_t number, const struct card *card)
{
    note(f, number, card);
}

void feed_drop(struct feed *f, uint32_t number)
{
    note(f, number, NULL);
    atomic_fetch_sub_explicit(&f->journal->cards_now, 1, memory_order_relaxed);
    if (f->free_count == f->free_room) {
        size_t room = f->free_room ? f->free_room * 2 : 64;
        uint32_t *numbers = realloc(f->free_numbers, room * sizeof(*numbers));

        if (!numbers)
            return; /* the number is never used again */
        f->free_numbers = numbers;
        f->free_room = room;
    }
    f->free_numbers[f->free_count++] = number;
}

/* ---- handing over ---- */

static struct feed_batch *batch_to_send(struct feed *f)
{
    (void)tell_lost(f);
    if (f->is_expected)
        return try_open_batch(f);
    return f->open && !batch_is_empty(f->open) ? f->open : NULL;
}

/* Beyond the backlog the batch stays here, where each card is kept but once. */
void feed_flush(struct feed *f)
{
    struct journal *j = f->journal;
    struct feed_batch *b = batch_to_send(f);

    if (!b || atomic_load(&j->backlog) >= j->conf.backlog_bytes)
        return;
    b->charge = buf_used(&b->events) + b->card_count * sizeof(*b->cards);
    atomic_fetch_add(&j->backlog, b->charge);
    f->open = NULL;
    f->sent++;
    b->mark = f->is_expected ? f->sent : 0;
    b->has_lost = f->has_lost;
    f->is_expected = f->has_lost = false;
    inbox_push(&j->keeper.inbox, &b->parcel);
}

bool feed_is_settled(const struct feed *f)
{
    return atomic_load(&f->settled) == f->sent && f->lost == 0 && !f->is_expected &&
           (!f->open || batch_is_empty(f->open));
}

/* ---- waiting until it is safe ---- */

void feed_listen(struct feed *f, struct inbox *inbox, feed_settled *settled, void *user)
{
    f->listener = inbox;
    f->on_settled = settled;
    f->user = user;
}

/* All that is told in one turn goes in one batch, and has one mark. */
uint64_t feed_expect(struct feed *f)
{
    assert(f->listener);
    f->is_expected = true;
    return f->sent + 1;
}
