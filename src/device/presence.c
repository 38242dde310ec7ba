/* presence.c - the rules, and the one function that moves.
 *
 * Nothing is done at an interval's end. The intervals since the last question are
 * judged together when somebody asks: a message is noted by advancing to its interval,
 * so that only the first interval not judged can have had one, and all after it were
 * silent. A run of silence is arithmetic, however long it is.
 *
 *        mark_ms                               asked now
 *   judged | heard? | silent | silent | silent |  ...
 */
#include "device/presence.h"

#include <assert.h>

static const uint8_t may_become[PRESENCE_COUNT] = {
    [PRESENCE_ALIVE] = BIT(PRESENCE_LEAVE),
    [PRESENCE_LEAVE] = BIT(PRESENCE_ALIVE) | BIT(PRESENCE_CLOSE),
    [PRESENCE_CLOSE] = BIT(PRESENCE_LEAVE),
};

bool presence_may_move(enum presence from, enum presence to)
{
    return may_become[from] & BIT(to);
}

const char *presence_word(uint8_t state)
{
    static const char *const words[] = {
#define X(name, word) word,
        PRESENCE_STATES(X)
#undef X
    };

    return state < PRESENCE_COUNT ? words[state] : "unknown";
}

const char *presence_reason_word(uint8_t reason)
{
    static const char *const words[] = {
#define X(name, word, text) word,
        PRESENCE_REASONS(X)
#undef X
    };

    return reason < sizeof(words) / sizeof(*words) ? words[reason] : "unknown";
}

/* Times and policies are ours to choose; too late to be told is never. */
static int64_t later(int64_t from_ms, uint64_t count, int64_t span_ms)
{
    int64_t whole, sum;

    if (__builtin_mul_overflow(count, span_ms, &whole) ||
        __builtin_add_overflow(from_ms, whole, &sum))
        return INT64_MAX;
    return sum;
}

static bool move(struct presence_watch *w, enum presence to,
                 enum presence_reason reason, int64_t at_ms, struct presence_move *out)
{
    assert(presence_may_move(w->state, to));
    *out = (struct presence_move){.from = w->state,
                                  .to = (uint8_t)to,
                                  .reason = (uint8_t)reason,
                                  .at_ms = at_ms};
    w->state = (uint8_t)to;
    if (to == PRESENCE_LEAVE) {
        w->left_ms = at_ms;
        w->cursor = 0;
        w->good = 0;
    }
    w->strikes = 0;
    return true;
}

/* ---- the cursor rule ---- */

static void count_good(struct presence_watch *w, const struct presence_policy *p)
{
    if (w->cursor > 0)
        w->cursor--;
    if (w->good < p->recover)
        w->good++;
    if (w->good == p->recover)
        w->strikes = 0;
}

static void count_silent(struct presence_watch *w, const struct presence_policy *p,
                         uint64_t intervals)
{
    uint64_t cursor = w->cursor + intervals;

    if (intervals == 0)
        return;
    w->good = 0;
    w->cursor = (uint32_t)(cursor % p->threshold);
    w->strikes += (uint32_t)(cursor / p->threshold); /* nobody asks in LEAVE */
}

/* Silent intervals that an alive device can still afford, and one. */
static uint64_t until_last_strike(const struct presence_watch *w,
                                  const struct presence_policy *p)
{
    return (uint64_t)(p->strikes - w->strikes) * p->threshold - w->cursor;
}

static int64_t hold_over(const struct presence_watch *w,
                         const struct presence_policy *p)
{
    return w->state == PRESENCE_LEAVE ? later(w->left_ms, 1, p->leave_hold_ms)
                                      : INT64_MAX;
}

/* Intervals that are over at `now_ms`. */
static uint64_t intervals_over(const struct presence_watch *w,
                               const struct presence_policy *p, int64_t now_ms)
{
    return now_ms > w->mark_ms ? (uint64_t)((now_ms - w->mark_ms) / p->interval_ms) : 0;
}

static bool judge_by_cursor(struct presence_watch *w, const struct presence_policy *p,
                            int64_t now_ms, struct presence_move *out)
{
    int64_t end_ms = hold_over(w, p);
    uint64_t over = intervals_over(w, p, now_ms < end_ms ? now_ms : end_ms);

    if (w->heard && over > 0) {
        over--;
        w->heard = false;
        w->mark_ms += p->interval_ms;
        count_good(w, p);
        if (w->state == PRESENCE_LEAVE && w->good == p->recover)
            return move(w, PRESENCE_ALIVE, PRESENCE_BY_RECOVERED, w->mark_ms, out);
    }
    if (w->state == PRESENCE_ALIVE && over >= until_last_strike(w, p)) {
        w->mark_ms += (int64_t)until_last_strike(w, p) * p->interval_ms;
        return move(w, PRESENCE_LEAVE, PRESENCE_BY_STRIKES, w->mark_ms, out);
    }
    w->mark_ms += (int64_t)over * p->interval_ms;
    count_silent(w, p, over);
    return now_ms >= end_ms &&
           move(w, PRESENCE_CLOSE, PRESENCE_BY_LEAVE_HOLD, end_ms, out);
}

static int64_t next_by_cursor(const struct presence_watch *w,
                              const struct presence_policy *p)
{
    struct presence_watch then = *w;
    int64_t end_ms = hold_over(w, p);

    if (w->heard) {
        then.mark_ms = later(w->mark_ms, 1, p->interval_ms);
        count_good(&then, p);
    }
    if (w->state == PRESENCE_ALIVE)
        return later(then.mark_ms, until_last_strike(&then, p), p->interval_ms);
    return w->heard && then.good == p->recover && then.mark_ms < end_ms ? then.mark_ms
                                                                        : end_ms;
}

/* ---- the rules that know no LEAVE ---- */

static int64_t silence_over(const struct presence_watch *w,
                            const struct presence_policy *p)
{
    return p->rule == PRESENCE_RULE_TIMEOUT ? later(w->mark_ms, 1, p->timeout_ms)
                                            : INT64_MAX;
}

/* LEAVE is then either the way to CLOSE, or what the connection began with. */
static bool began_in_leave(const struct presence_watch *w,
                           const struct presence_policy *p)
{
    return w->state == PRESENCE_LEAVE && w->left_ms < silence_over(w, p);
}

static bool judge_by_silence(struct presence_watch *w, const struct presence_policy *p,
                             int64_t now_ms, struct presence_move *out)
{
    int64_t end_ms = silence_over(w, p);

    if (began_in_leave(w, p))
        return move(w, PRESENCE_ALIVE, PRESENCE_BY_RECOVERED, w->left_ms, out);
    return now_ms >= end_ms &&
           move(w, w->state == PRESENCE_ALIVE ? PRESENCE_LEAVE : PRESENCE_CLOSE,
                PRESENCE_BY_TIMEOUT, end_ms, out);
}

/* ---- */

void presence_begin(struct presence_watch *w, const struct presence_policy *p,
                    enum presence state, int64_t now_ms)
{
    assert(state != PRESENCE_CLOSE);
    assert(p->rule != PRESENCE_RULE_CURSOR ||
           (p->threshold > 0 && p->strikes > 0 && p->recover > 0 &&
            p->interval_ms > 0 && p->leave_hold_ms >= 0));
    assert(p->rule != PRESENCE_RULE_TIMEOUT || p->timeout_ms > 0);
    *w = (struct presence_watch){.mark_ms = now_ms,
                                 .left_ms = now_ms,
                                 .state = (uint8_t)state};
}

bool presence_judge(struct presence_watch *w, const struct presence_policy *p,
                    int64_t now_ms, struct presence_move *out)
{
    assert(w->state != PRESENCE_CLOSE);
    return p->rule == PRESENCE_RULE_CURSOR ? judge_by_cursor(w, p, now_ms, out)
                                           : judge_by_silence(w, p, now_ms, out);
}

void presence_heard(struct presence_watch *w, const struct presence_policy *p,
                    int64_t now_ms)
{
    struct presence_move none;
    bool moved = presence_judge(w, p, now_ms, &none);

    assert(!moved);
    w->heard = true;
    if (p->rule == PRESENCE_RULE_TIMEOUT)
        w->mark_ms = now_ms;
}

int64_t presence_next(const struct presence_watch *w, const struct presence_policy *p)
{
    if (w->state == PRESENCE_CLOSE)
        return INT64_MAX;
    if (p->rule == PRESENCE_RULE_CURSOR)
        return next_by_cursor(w, p);
    return began_in_leave(w, p) ? w->left_ms : silence_over(w, p);
}
