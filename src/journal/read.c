#include "journal/journal_inside.h"

static uint64_t oldest(const struct journal *j)
{
    uint64_t cursor = ring_oldest(&j->ring);

    return cursor <= j->visible ? cursor : 0;
}

uint64_t journal_newest(struct journal *j)
{
    uint64_t cursor;

    pthread_mutex_lock(&j->lock);
    cursor = j->visible;
    pthread_mutex_unlock(&j->lock);
    return cursor;
}

uint64_t journal_oldest(struct journal *j)
{
    uint64_t cursor;

    pthread_mutex_lock(&j->lock);
    cursor = oldest(j);
    pthread_mutex_unlock(&j->lock);
    return cursor;
}

/* An earlier start may have published more than it could write: who saw that has
 * missed what followed. */
static bool is_of_lost_part(const struct journal *j, uint64_t cursor)
{
    return cursor > j->before_jump && cursor < j->after_jump;
}

static int check_cursor(const struct journal *j, uint64_t after)
{
    if (after == 0)
        return OK;
    if (is_of_lost_part(j, after))
        return ERR_NOTFOUND;
    if (after > j->visible)
        return ERR_INVALID;
    return after < j->dropped ? ERR_NOTFOUND : OK;
}

static void show(const struct journal *j, uint64_t after, event_visit *visit,
                 void *user)
{
    for (uint32_t i = ring_index_after(&j->ring, after); i < j->ring.count; i++) {
        const struct ring_place *place = ring_at(&j->ring, i);
        struct event e;

        if (place->cursor > j->visible)
            return;
        entry_read_event(ring_entry(place), place->cursor, &e);
        if (!visit(user, &e))
            return;
    }
}

int journal_read(struct journal *j, uint64_t after, event_visit *visit, void *user)
{
    int rc;

    pthread_mutex_lock(&j->lock);
    if ((rc = check_cursor(j, after)) == OK)
        show(j, after, visit, user);
    pthread_mutex_unlock(&j->lock);
    return rc;
}

int journal_health(struct journal *j)
{
    return atomic_load(&j->health);
}

void journal_count_lost(struct journal *j)
{
    atomic_fetch_add_explicit(&j->lost, 1, memory_order_relaxed);
}

struct journal_stats journal_stats(struct journal *j)
{
    return (struct journal_stats){
#define X(name, text) .name = atomic_load_explicit(&j->name, memory_order_relaxed),
        JOURNAL_COUNTERS(X)
#undef X
            .cards = atomic_load_explicit(&j->cards_now, memory_order_relaxed),
        .backlog = atomic_load_explicit(&j->backlog, memory_order_relaxed),
        .disk_bytes = atomic_load_explicit(&j->disk_bytes, memory_order_relaxed),
    };
}
