#include "relay/holds.h"

#include <stdlib.h>

#define FIRST_SIZE 8

/* A terminal that took nothing for so long does not hold its senders any more. */
#define STALLED_MS 1000

/* So long a sender waits for a terminal that only needs a moment. One that needs longer
 * is slow: its messages go to the mailbox, and its senders go on. */
#define PATIENCE_MS 100
#define REVIEW_MS   20

struct waiter {
    uint64_t session;
    unsigned shard;
};

struct waiters {
    struct link crowded; /* a terminal's: on relay->crowded */
    struct terminal *terminal;
    int64_t since_ms;
    size_t count;
    size_t size;
    struct waiter each[];
};

static struct waiter *try_add(struct waiters **list)
{
    struct waiters *w = *list;

    if (!w || w->count == w->size) {
        size_t size = w ? w->size * 2 : FIRST_SIZE;
        struct waiters *bigger;

        if (w && link_is_on_list(&w->crowded))
            return NULL; /* never moved while listed: its owner takes it off first */
        if (!(bigger = realloc(w, sizeof(*w) + size * sizeof(w->each[0]))))
            return NULL;
        if (!w)
            *bigger = (struct waiters){0};
        bigger->size = size;
        *list = w = bigger;
    }
    return &w->each[w->count++];
}

static bool is_newest(const struct waiters *w, unsigned shard, uint64_t session)
{
    return w && w->count && w->each[w->count - 1].session == session &&
           w->each[w->count - 1].shard == shard;
}

void holds_add(struct relay *r, struct waiters **list, unsigned shard, uint64_t session)
{
    struct waiter *w;

    if (is_newest(*list, shard, session) || !(w = try_add(list)))
        return;
    *w = (struct waiter){.session = session, .shard = shard};
    r->stats.holds++;
    relay_hold(r, shard, session);
}

static struct waiters *take_off(struct relay *r, struct waiters **list)
{
    struct waiters *w = *list;

    *list = NULL;
    if (w && link_is_on_list(&w->crowded))
        list_remove(&r->crowded, &w->crowded);
    return w;
}

void holds_release(struct relay *r, struct waiters **list)
{
    struct waiters *w = take_off(r, list);

    for (size_t i = 0; w && i < w->count; i++)
        relay_release(r, w->each[i].shard, w->each[i].session);
    free(w);
}

void holds_drop(struct relay *r, struct waiters **list)
{
    free(take_off(r, list));
}

static bool is_moving(const struct relay *r, const struct terminal *t)
{
    uint32_t now_ms = (uint32_t)r->shard->loop.now_ms;

    return t->conn && now_ms - t->delivered_ms < STALLED_MS;
}

static bool is_above(const struct terminal *t, uint64_t messages, uint64_t bytes)
{
    return mailqueue_messages(&t->mail) > messages || mailqueue_bytes(&t->mail) > bytes;
}

static bool is_nearly_full(const struct relay *r, const struct terminal *t)
{
    const struct relay_group *g = r->group;

    return is_above(t, g->max_messages - g->max_messages / 4,
                    g->max_bytes - g->max_bytes / 4);
}

static bool is_half_empty(const struct relay *r, const struct terminal *t)
{
    return !is_above(t, r->group->max_messages / 2, r->group->max_bytes / 2);
}

/* More waits for it than it can take at once, in the output or in the mail behind. */
static bool is_behind(const struct relay *r, const struct terminal *t)
{
    size_t limit = r->shard->conf.output_limit;

    return t->delivery == DELIVERY_DIRECT ? conn_output_size(t->conn) > limit
                                          : mailqueue_bytes(&t->mail) > 2 * limit;
}

static bool has_caught_up(const struct relay *r, const struct terminal *t)
{
    return t->delivery == DELIVERY_DIRECT &&
           conn_output_size(t->conn) < r->shard->conf.output_limit / 2;
}

static void hold_for_target(struct relay *r, struct terminal *t, unsigned shard,
                            uint64_t session)
{
    struct waiters *w = t->waiters;

    if (w)
        list_remove(&r->crowded, &w->crowded); /* it may move in memory */
    holds_add(r, &t->waiters, shard, session);
    if (!t->waiters)
        return;
    if (!w)
        t->waiters->since_ms = r->shard->loop.now_ms;
    t->waiters->terminal = t;
    list_append(&r->crowded, &t->waiters->crowded);
    if (!timer_is_armed(&r->review))
        wheel_arm(&r->shard->loop.wheel, &r->review, r->shard->loop.now_ms + REVIEW_MS);
}

void holds_after_frame(struct relay *r, struct terminal *t, unsigned shard,
                       uint64_t session)
{
    if (!is_moving(r, t))
        return;
    if ((!t->slow && is_behind(r, t)) || is_nearly_full(r, t))
        hold_for_target(r, t, shard, session);
}

void holds_after_mail(struct relay *r, struct terminal *t, unsigned shard,
                      uint64_t session)
{
    if (mailbox_is_congested(r->mailbox))
        holds_add(r, &r->store_waiters, shard, session);
    holds_after_frame(r, t, shard, session);
}

void holds_review(struct relay *r, struct terminal *t)
{
    bool caught_up = t->conn && has_caught_up(r, t);
    bool patient = r->shard->loop.now_ms - t->waiters->since_ms < PATIENCE_MS;

    if (!caught_up && !patient)
        t->slow = true;
    if (caught_up || !is_moving(r, t) || (!patient && is_half_empty(r, t)))
        holds_release(r, &t->waiters);
}

void holds_on_review(struct timer *t, int64_t now_ms)
{
    struct relay *r = CONTAINER_OF(t, struct relay, review);

    LIST_FOREACH_SAFE (&r->crowded, k) {
        holds_review(r, CONTAINER_OF(k, struct waiters, crowded)->terminal);
    }
    if (!list_is_empty(&r->crowded))
        wheel_arm(&r->shard->loop.wheel, t, now_ms + REVIEW_MS);
}
