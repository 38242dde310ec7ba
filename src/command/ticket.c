/* What happens to a ticket: it begins, changes its state, comes to its end, and is
 * forgotten. */
#include "command/commands_inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "relay/tracker.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* Tickets forgotten in one turn because their time is over. */
#define FORGET_PER_TURN 1000

/* ---- states ---- */

static void count(struct commands *k, const struct ticket *t, uint8_t from)
{
    switch (t->state) {
    case TICKET_ANSWERED:
        k->stats.answered++;
        k->stats.late += from == TICKET_EXPIRED;
        break;
    case TICKET_EXPIRED:
        k->stats.expired++;
        break;
    case TICKET_SUPERSEDED:
        k->stats.superseded++;
        break;
    case TICKET_CANCELLED:
        k->stats.cancelled++;
        break;
    case TICKET_FAILED:
        k->stats.failed++;
        k->stats.late += from == TICKET_EXPIRED;
        break;
    default:
        break;
    }
}

static void tell(struct commands *k, const struct ticket *t, uint8_t from)
{
    const char *reason = t->reason ? ticket_reason_word(t->reason) : "";
    struct event e = {
        .kind = EVENT_COMMAND,
        .from = from,
        .to = t->state,
        .ticket = t->number,
        .message = t->message,
        .content = slice_of(t->name, strlen(t->name)),
        .reason = slice_of(reason, strlen(reason)),
    };

    tracker_tell(k->relay, t->errands->terminal, &e);
    LOG_SESSION(LOG_DEBUG, "ticket %016" PRIx64 " enters state=%s from=%s reason=%s",
                t->number, ticket_state_word(t->state),
                from ? ticket_state_word(from) : "none", ticket_reason_word(t->reason));
}

void ticket_enter(struct commands *k, struct ticket *t, uint8_t state, uint8_t reason)
{
    uint8_t from = t->state;

    assert(from ? ticket_may_become(from, state) : state == TICKET_QUEUED);
    t->state = state;
    t->reason = reason;
    count(k, t, from);
    tell(k, t, from);
}

/* ---- ends ---- */

static void forget_when_due(struct commands *k)
{
    struct link *first = list_first(&k->ended);
    int64_t due_ms;

    if (!first || timer_is_armed(&k->forget))
        return;
    due_ms = CONTAINER_OF(first, struct ticket, of_all)->over_at_ms;
    wheel_arm(&k->relay->shard->loop.wheel, &k->forget, due_ms);
}

void commands_on_forget(struct timer *timer, int64_t now_ms)
{
    struct commands *k = CONTAINER_OF(timer, struct commands, forget);
    struct link *first;

    for (int n = 0; n < FORGET_PER_TURN && (first = list_first(&k->ended)); n++) {
        struct ticket *t = CONTAINER_OF(first, struct ticket, of_all);

        if (t->over_at_ms > now_ms)
            break;
        ticket_forget(k, t);
    }
    forget_when_due(k);
}

void ticket_forget(struct commands *k, struct ticket *t)
{
    struct errands *e = t->errands;

    keep_drop(k, t);
    ticket_free(k, t);
    errands_free_if_empty(k, e);
}

static bool can_be_late(const struct ticket *t)
{
    return (t->state == TICKET_EXPIRED && t->is_durable && t->sendings > 0) ||
           (t->state == TICKET_ANSWERED && t->is_preliminary);
}

int64_t ticket_time(const struct ticket *t)
{
    const int64_t known[] = {t->created_ms, t->sent_ms, t->acknowledged_ms,
                             t->ended_ms};
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i] > now_ms)
            now_ms = known[i];
    return now_ms;
}

/* Where an ended one is remembered. */
void ticket_remember(struct commands *k, struct ticket *t)
{
    struct list *late = &t->errands->in[PLACE_LATE];
    int64_t age_ms = clock_wall_ms() - t->ended_ms;

    if (age_ms < 0 || !t->ended_ms)
        age_ms = 0;
    t->over_at_ms = commands_now(k) + k->group->conf.keep_ms - age_ms;
    ticket_place(k, t, can_be_late(t) ? PLACE_LATE : PLACE_ENDED);
    if (late->length > LATE_MAX)
        ticket_place(k, ticket_at(list_first(late)), PLACE_ENDED);
    forget_when_due(k);
}

void ticket_finish(struct commands *k, struct ticket *t, uint8_t state, uint8_t reason)
{
    ticket_leave_slot(t);
    wheel_stop(&k->relay->shard->loop.wheel, &t->timer);
    ticket_drop_args(k, t);
    ticket_enter(k, t, state, reason);
    ticket_remember(k, t);
    orders_reply(t, OK);
}

void ticket_end(struct commands *k, struct ticket *t, uint8_t state, uint8_t reason)
{
    ticket_leave_slot(t);
    t->ended_ms = ticket_time(t);
    if (!t->is_durable) {
        ticket_finish(k, t, state, reason);
    } else if (state == TICKET_EXPIRED) { /* true after a crash, too */
        ticket_finish(k, t, state, reason);
        keep_note(k, t);
    } else {
        t->next_state = state;
        t->next_reason = reason;
        ticket_place(k, t, PLACE_ENDING);
        keep_end(k, t);
    }
}

/* ---- time ---- */

/* The times of people as times of the loop. */
void ticket_set_clock(const struct commands *k, struct ticket *t, int64_t now_wall_ms)
{
    int64_t zero_ms = commands_now(k) - now_wall_ms;

    /* Not a moment too early: the turn's time is older than `now_wall_ms`, and both
     * clocks tell whole milliseconds. */
    t->ready_at_ms =
        t->not_before_ms ? t->not_before_ms + clock_mono_ms() - now_wall_ms + 1 : 0;
    t->unsent_at_ms = t->not_after_ms ? t->not_after_ms + zero_ms : NEVER;
    t->over_at_ms = t->expires_ms ? t->expires_ms + zero_ms : NEVER;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void ticket_arm(struct commands *k, struct ticket *t)
{
    struct wheel *wheel = &k->relay->shard->loop.wheel;
    int64_t due_ms = t->again_at_ms;

    if (t->place == PLACE_WAITING || t->place == PLACE_SENT)
        due_ms = sooner(due_ms, t->over_at_ms);
    if (t->place == PLACE_WAITING && !t->sendings)
        due_ms = sooner(due_ms, t->unsent_at_ms);
    if (t->place == PLACE_WAITING && t->ready_at_ms > commands_now(k))
        due_ms = sooner(due_ms, t->ready_at_ms);
    if (!t->is_accepted || t->place >= PLACE_LATE)
        due_ms = NEVER; /* the ledger's word comes; or nothing does */
    if (due_ms == NEVER)
        wheel_stop(wheel, &t->timer);
    else
        wheel_arm(wheel, &t->timer, due_ms);
}

/* A preliminary answer is better than none. */
static void expire(struct commands *k, struct ticket *t)
{
    if (t->has_answer)
        ticket_end(k, t, TICKET_ANSWERED, TICKET_BY_NONE);
    else
        ticket_end(k, t, TICKET_EXPIRED,
                   t->sendings ? TICKET_BY_NO_ANSWER : TICKET_BY_UNSENT);
}

bool ticket_is_over_time(const struct ticket *t, int64_t now_ms)
{
    return now_ms >= t->over_at_ms || (!t->sendings && now_ms >= t->unsent_at_ms);
}

/* ---- a beginning ---- */

static bool is_of_same_kind(const struct ticket *a, const struct ticket *b)
{
    return strcmp(a->name, b->name) == 0 && (*a->name || a->message == b->message);
}

/* Those before it that were never sent. */
static void supersede(struct commands *k, const struct ticket *t)
{
    LIST_FOREACH_SAFE (&t->errands->in[PLACE_WAITING], at) {
        struct ticket *before = ticket_at(at);

        if (before->position >= t->position)
            break;
        if (before->is_accepted && !before->sendings && is_of_same_kind(before, t))
            ticket_end(k, before, TICKET_SUPERSEDED, TICKET_BY_NONE);
    }
}

void ticket_accept(struct commands *k, struct ticket *t)
{
    t->is_accepted = true;
    k->stats.created++;
    ticket_enter(k, t, TICKET_QUEUED, TICKET_BY_NONE);
    if (t->supersedes)
        supersede(k, t);
    if (!t->is_durable && !t->errands->is_attached)
        ticket_end(k, t, TICKET_FAILED, TICKET_BY_OFFLINE);
    errands_advance(k, t->errands);
    ticket_arm(k, t);
}

/* ---- from before the start ---- */

static bool is_superseded(const struct ticket *t)
{
    if (!t->errands->has_superseding)
        return false;
    for (int i = 0; i < PLACE_COUNT; i++)
        LIST_FOREACH (&t->errands->in[i], at) {
            const struct ticket *other = ticket_at(at);

            if (other->supersedes && other->position > t->position &&
                is_of_same_kind(other, t))
                return true;
        }
    return false;
}

void ticket_take_up_later(struct commands *k, struct ticket *t)
{
    int64_t now_ms = clock_mono_ms(); /* the loop does not turn yet */

    ticket_set_clock(k, t, clock_wall_ms());
    ticket_place(k, t, PLACE_WAITING);
    wheel_arm(&k->relay->shard->loop.wheel, &t->timer, now_ms);
}

/* Its connection ended with the gateway that had it. */
static void take_up(struct commands *k, struct ticket *t)
{
    t->is_accepted = true;
    if (t->state != TICKET_QUEUED)
        ticket_enter(k, t, TICKET_QUEUED, TICKET_BY_NONE);
    if (!t->sendings && is_superseded(t))
        ticket_end(k, t, TICKET_SUPERSEDED, TICKET_BY_NONE);
    if (t->place == PLACE_WAITING)
        orders_reply_due(t); /* who came in the first turn, before this */
}

void ticket_on_timer(struct timer *timer, int64_t now_ms)
{
    struct ticket *t = CONTAINER_OF(timer, struct ticket, timer);
    struct errands *e = t->errands;
    struct commands *k = e->commands;

    if (!t->is_accepted)
        take_up(k, t);
    if (t->place != PLACE_ENDING && ticket_is_over_time(t, now_ms))
        expire(k, t);
    else if (now_ms >= t->again_at_ms && t->place == PLACE_ENDING)
        keep_end(k, t);
    else if (now_ms >= t->again_at_ms)
        ticket_again(k, t);
    ticket_arm(k, t);
    errands_advance(k, e);
}
