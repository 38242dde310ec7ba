/* test_presence.c - the rules tick by tick; and random messages under random policies,
 * against a model that looks at every millisecond. */
#include "device/presence.h"

#include "unit.h"

#include <string.h>

#define SECOND 1000
#define BEGIN  (12345 * SECOND)

static const struct presence_policy usual = {
    .rule = PRESENCE_RULE_CURSOR,
    .rejoin = PRESENCE_LEAVE,
    .threshold = 5,
    .strikes = 3,
    .recover = 5,
    .interval_ms = 10 * SECOND,
    .leave_hold_ms = 1800 * SECOND,
};

static struct presence_watch watch;
static struct presence_policy policy;

static void begin(enum presence state, const struct presence_policy *p)
{
    policy = *p;
    presence_begin(&watch, &policy, state, BEGIN);
}

static void expect_none(int64_t second)
{
    struct presence_move m;

    assert_false(presence_judge(&watch, &policy, BEGIN + second * SECOND, &m));
}

/* Nothing until just before it, then this move, and nothing more. */
static void expect_move_at(int64_t due_ms, enum presence to, enum presence_reason why)
{
    struct presence_move m;
    uint8_t from = watch.state;

    assert_int_equal(presence_next(&watch, &policy), due_ms);
    assert_false(presence_judge(&watch, &policy, due_ms - 1, &m));
    assert_int_equal(presence_next(&watch, &policy), due_ms);
    assert_true(presence_judge(&watch, &policy, due_ms, &m));
    assert_int_equal(m.from, from);
    assert_int_equal(m.to, to);
    assert_string_equal(presence_reason_word(m.reason),
                        presence_reason_word((uint8_t)why));
    assert_int_equal(m.at_ms, due_ms);
    assert_int_equal(watch.state, to);
}

static void expect_move(int64_t second, enum presence to, enum presence_reason why)
{
    struct presence_move m;

    expect_move_at(BEGIN + second * SECOND, to, why);
    if (to != PRESENCE_CLOSE)
        assert_false(presence_judge(&watch, &policy, BEGIN + second * SECOND, &m));
}

static void hear_at(int64_t at_ms)
{
    struct presence_move m;

    assert_false(presence_judge(&watch, &policy, at_ms, &m));
    presence_heard(&watch, &policy, at_ms);
}

/* In the middle of each of these intervals. */
static void hear_in(int64_t first, int64_t last)
{
    for (int64_t k = first; k <= last; k++)
        hear_at(BEGIN + (k * 10 + 5) * SECOND);
}

/* ---- the cursor rule ---- */

static void three_strikes_turn_alive_into_leave(void **state)
{
    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    for (int64_t second = 0; second < 150; second++)
        expect_none(second);
    expect_move(150, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);
}

static void a_message_takes_one_off_the_cursor_and_never_below_zero(void **state)
{
    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    hear_in(0, 3); /* the cursor stays 0: this buys four intervals, no more */
    expect_move(40 + 150, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);

    begin(PRESENCE_ALIVE, &usual);
    hear_in(4, 4); /* 4 silent, one heard: the cursor is 3, not 4 */
    expect_none(50);
    assert_int_equal(watch.cursor, 3);
    expect_move(50 + 20 + 100, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);
}

static void many_messages_in_one_interval_count_once(void **state)
{
    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    hear_in(3, 3);
    for (int i = 0; i < 1000; i++)
        hear_at(BEGIN + 35 * SECOND + i);
    expect_move(40 + 30 + 100, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);
}

static void one_message_every_other_interval_never_strikes(void **state)
{
    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    for (int64_t k = 1; k < 10000; k += 2)
        hear_in(k, k);
    assert_int_equal(watch.strikes, 0);
    assert_true(watch.cursor <= 1);
}

static void a_steady_run_clears_the_strikes_of_an_alive_device(void **state)
{
    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    expect_none(100);
    assert_int_equal(watch.strikes, 2);
    hear_in(10, 14);
    expect_none(149); /* the fifth is judged at its end */
    assert_int_equal(watch.strikes, 2);
    expect_none(150);
    assert_int_equal(watch.strikes, 0);
    expect_move(150 + 150, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);
}

static void a_run_that_is_one_short_clears_nothing(void **state)
{
    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    expect_none(100);
    hear_in(10, 13);
    expect_move(140 + 50, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);
}

static void a_steady_run_turns_leave_into_alive(void **state)
{
    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    expect_move(150, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);
    hear_in(20, 23); /* four, then a gap */
    expect_none(250);
    hear_in(25, 29);
    expect_move(300, PRESENCE_ALIVE, PRESENCE_BY_RECOVERED);
    expect_move(300 + 150, PRESENCE_LEAVE, PRESENCE_BY_STRIKES); /* all strikes anew */
}

static void entering_leave_forgets_cursor_strikes_and_run(void **state)
{
    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    expect_move(150, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);
    assert_int_equal(watch.cursor, 0);
    assert_int_equal(watch.strikes, 0);
    assert_int_equal(watch.good, 0);
}

static void in_leave_the_next_move_may_come_nearer(void **state)
{
    (void)state;
    begin(PRESENCE_LEAVE, &usual);
    hear_in(0, 3);
    assert_int_equal(presence_next(&watch, &policy), BEGIN + 1800 * SECOND);
    hear_in(4, 4);
    assert_int_equal(presence_next(&watch, &policy), BEGIN + 50 * SECOND);
}

static void leave_hold_closes_a_device_that_does_not_recover(void **state)
{
    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    expect_move(150, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);
    for (int64_t k = 15; k < 190; k += 5) /* strikes in leave change nothing more */
        hear_in(k, k + 3);
    expect_move(150 + 1800, PRESENCE_CLOSE, PRESENCE_BY_LEAVE_HOLD);
    assert_true(presence_next(&watch, &policy) == INT64_MAX);
}

static void leave_hold_counts_from_a_return_too(void **state)
{
    (void)state;
    begin(PRESENCE_LEAVE, &usual);
    expect_move(1800, PRESENCE_CLOSE, PRESENCE_BY_LEAVE_HOLD);
}

static void a_returned_device_earns_alive(void **state)
{
    (void)state;
    begin(PRESENCE_LEAVE, &usual);
    hear_in(0, 4);
    expect_move(50, PRESENCE_ALIVE, PRESENCE_BY_RECOVERED);
}

static void recovery_wins_when_leave_hold_ends_at_the_same_moment(void **state)
{
    struct presence_policy p = usual;

    (void)state;
    p.leave_hold_ms = 100 * SECOND;
    begin(PRESENCE_LEAVE, &p);
    hear_in(5, 9);
    expect_move(100, PRESENCE_ALIVE, PRESENCE_BY_RECOVERED);

    p.leave_hold_ms = 100 * SECOND - 1;
    begin(PRESENCE_LEAVE, &p);
    hear_in(5, 9);
    expect_move_at(BEGIN + 100 * SECOND - 1, PRESENCE_CLOSE, PRESENCE_BY_LEAVE_HOLD);
}

static void a_message_at_the_edge_belongs_to_the_interval_that_begins(void **state)
{
    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    hear_at(BEGIN + 40 * SECOND); /* intervals 0 to 3 silent, 4 heard */
    expect_none(50);
    assert_int_equal(watch.cursor, 3);

    begin(PRESENCE_ALIVE, &usual);
    hear_at(BEGIN + 40 * SECOND - 1); /* 0 to 2 silent, 3 heard, 4 silent */
    expect_none(50);
    assert_int_equal(watch.cursor, 3);
    expect_none(40);
    begin(PRESENCE_ALIVE, &usual);
    hear_at(BEGIN + 40 * SECOND - 1);
    expect_none(40);
    assert_int_equal(watch.cursor, 2);
}

static void a_message_at_the_very_end_comes_too_late(void **state)
{
    struct presence_move m;

    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    assert_true(presence_judge(&watch, &policy, BEGIN + 150 * SECOND, &m));
    assert_int_equal(m.to, PRESENCE_LEAVE);
    presence_heard(&watch, &policy, BEGIN + 150 * SECOND);
    assert_int_equal(watch.state, PRESENCE_LEAVE);
}

static void after_a_year_of_sleep_both_moves_are_told_with_their_times(void **state)
{
    struct presence_move m;
    int64_t now_ms = BEGIN + 365ll * 24 * 3600 * SECOND;

    (void)state;
    begin(PRESENCE_ALIVE, &usual);
    assert_true(presence_judge(&watch, &policy, now_ms, &m));
    assert_int_equal(m.to, PRESENCE_LEAVE);
    assert_int_equal(m.at_ms, BEGIN + 150 * SECOND);
    assert_true(presence_judge(&watch, &policy, now_ms, &m));
    assert_int_equal(m.to, PRESENCE_CLOSE);
    assert_int_equal(m.at_ms, BEGIN + (150 + 1800) * SECOND);
}

static void the_end_of_time_is_no_trap(void **state)
{
    struct presence_policy p = usual;
    struct presence_move m;

    (void)state;
    begin(PRESENCE_ALIVE, &p);
    hear_in(0, 0);
    assert_true(presence_judge(&watch, &policy, INT64_MAX, &m));
    assert_int_equal(m.at_ms, BEGIN + 160 * SECOND);
    assert_true(presence_judge(&watch, &policy, INT64_MAX, &m));
    assert_int_equal(m.to, PRESENCE_CLOSE);

    p.threshold = p.strikes = p.recover = UINT32_MAX;
    p.interval_ms = 1;
    begin(PRESENCE_ALIVE, &p);
    assert_true(presence_next(&watch, &policy) == INT64_MAX);
    assert_false(presence_judge(&watch, &policy, 9000000000000000, &m));
    hear_at(9000000000000000);
    assert_false(presence_judge(&watch, &policy, 9000000000000001, &m));

    p.leave_hold_ms = INT64_MAX;
    begin(PRESENCE_LEAVE, &p);
    assert_true(presence_next(&watch, &policy) == INT64_MAX);
    expect_none(1000000);
    assert_int_equal(watch.state, PRESENCE_LEAVE);
}

static void parameters_of_one_judge_every_interval(void **state)
{
    struct presence_policy p = usual;

    (void)state;
    p.threshold = p.strikes = p.recover = 1;
    p.leave_hold_ms = 30 * SECOND;
    begin(PRESENCE_ALIVE, &p);
    hear_in(0, 1);
    expect_move(30, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);
    hear_in(3, 3);
    expect_move(40, PRESENCE_ALIVE, PRESENCE_BY_RECOVERED);
    expect_move(50, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);
    expect_move(80, PRESENCE_CLOSE, PRESENCE_BY_LEAVE_HOLD);
}

static void a_leave_hold_of_zero_closes_at_the_same_moment(void **state)
{
    struct presence_policy p = usual;
    struct presence_move m;

    (void)state;
    p.leave_hold_ms = 0;
    begin(PRESENCE_ALIVE, &p);
    expect_move_at(BEGIN + 150 * SECOND, PRESENCE_LEAVE, PRESENCE_BY_STRIKES);
    assert_true(presence_judge(&watch, &policy, BEGIN + 150 * SECOND, &m));
    assert_int_equal(m.to, PRESENCE_CLOSE);
    assert_int_equal(m.at_ms, BEGIN + 150 * SECOND);
}

/* ---- the other rules ---- */

static const struct presence_policy silence = {
    .rule = PRESENCE_RULE_TIMEOUT,
    .timeout_ms = 60 * SECOND,
};

static void silence_closes_through_leave_at_one_moment(void **state)
{
    struct presence_move m;

    (void)state;
    begin(PRESENCE_ALIVE, &silence);
    hear_at(BEGIN + 59 * SECOND);
    hear_at(BEGIN + 118 * SECOND);
    expect_move_at(BEGIN + 178 * SECOND, PRESENCE_LEAVE, PRESENCE_BY_TIMEOUT);
    assert_int_equal(presence_next(&watch, &policy), BEGIN + 178 * SECOND);
    assert_true(presence_judge(&watch, &policy, BEGIN + 178 * SECOND, &m));
    assert_int_equal(m.from, PRESENCE_LEAVE);
    assert_int_equal(m.to, PRESENCE_CLOSE);
    assert_int_equal(m.reason, PRESENCE_BY_TIMEOUT);
    assert_int_equal(m.at_ms, BEGIN + 178 * SECOND);
    assert_true(presence_next(&watch, &policy) == INT64_MAX);
}

static void without_a_rule_no_silence_is_too_long(void **state)
{
    const struct presence_policy p = {.rule = PRESENCE_RULE_NONE};
    struct presence_move m;

    (void)state;
    begin(PRESENCE_ALIVE, &p);
    assert_true(presence_next(&watch, &policy) == INT64_MAX);
    assert_false(presence_judge(&watch, &policy, INT64_MAX - 1, &m));
}

static void rules_without_leave_take_a_device_out_of_it_at_once(void **state)
{
    const struct presence_policy none = {.rule = PRESENCE_RULE_NONE};
    struct presence_move m;

    (void)state;
    begin(PRESENCE_LEAVE, &none);
    assert_int_equal(presence_next(&watch, &policy), BEGIN);
    assert_true(presence_judge(&watch, &policy, BEGIN + 1, &m));
    assert_int_equal(m.to, PRESENCE_ALIVE);
    assert_int_equal(m.reason, PRESENCE_BY_RECOVERED);
    assert_int_equal(m.at_ms, BEGIN);
    assert_true(presence_next(&watch, &policy) == INT64_MAX);
    begin(PRESENCE_LEAVE, &silence);
    assert_true(presence_judge(&watch, &policy, BEGIN + 300 * SECOND, &m));
    assert_int_equal(m.to, PRESENCE_ALIVE);
    assert_int_equal(m.at_ms, BEGIN);
    assert_true(presence_judge(&watch, &policy, BEGIN + 300 * SECOND, &m));
    assert_int_equal(m.to, PRESENCE_LEAVE);
    assert_int_equal(m.at_ms, BEGIN + 60 * SECOND);
    assert_true(presence_judge(&watch, &policy, BEGIN + 300 * SECOND, &m));
    assert_int_equal(m.to, PRESENCE_CLOSE);
}

static void only_single_steps_are_allowed(void **state)
{
    (void)state;
    for (int from = 0; from < PRESENCE_COUNT; from++)
        for (int to = 0; to < PRESENCE_COUNT; to++)
            assert_int_equal(presence_may_move((enum presence)from, (enum presence)to),
                             abs(from - to) == 1);
}

static void a_watch_is_small(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct presence_watch), 32);
}

/* ---- against a model ---- */

#define LONGEST 6000 /* milliseconds of a round */
#define MOVES   (2 * LONGEST)

struct moves {
    struct presence_move at[MOVES];
    size_t count;
};

static struct {
    bool heard[LONGEST]; /* a message in this millisecond */
    struct presence_policy policy;
    enum presence first;
    struct moves naive, lazy;
} round_;

static void note(struct moves *all, struct presence_move m)
{
    assert_true(all->count < MOVES);
    all->at[all->count++] = m;
}

/* What the rules say, word for word: looks at every millisecond. */
struct naive {
    enum presence state;
    unsigned cursor, strikes, run;
    bool message;
    int64_t since, last;
};

static void naive_move(struct naive *n, enum presence to, enum presence_reason why,
                       int64_t t)
{
    note(&round_.naive, (struct presence_move){.from = (uint8_t)n->state,
                                               .to = (uint8_t)to,
                                               .reason = (uint8_t)why,
                                               .at_ms = t});
    n->state = to;
    n->since = t;
}

static void naive_interval(struct naive *n, int64_t t)
{
    const struct presence_policy *p = &round_.policy;
    bool strike = false;

    if (n->message) {
        n->cursor -= n->cursor > 0;
    } else if (++n->cursor >= p->threshold) {
        n->cursor = 0;
        n->strikes++;
        strike = true;
    }
    n->run = n->message && !strike ? n->run + 1 : 0;
    n->message = false;
    if (n->state == PRESENCE_ALIVE) {
        if (n->run >= p->recover)
            n->strikes = 0;
        if (n->strikes < p->strikes)
            return;
        naive_move(n, PRESENCE_LEAVE, PRESENCE_BY_STRIKES, t);
        n->cursor = n->strikes = n->run = 0;
    } else if (n->run >= p->recover) {
        naive_move(n, PRESENCE_ALIVE, PRESENCE_BY_RECOVERED, t);
        n->strikes = 0;
    }
}

static void naive_millisecond(struct naive *n, int64_t t)
{
    const struct presence_policy *p = &round_.policy;

    if (p->rule == PRESENCE_RULE_CURSOR) {
        if (t > 0 && t % p->interval_ms == 0)
            naive_interval(n, t);
        if (n->state == PRESENCE_LEAVE && t - n->since >= p->leave_hold_ms)
            naive_move(n, PRESENCE_CLOSE, PRESENCE_BY_LEAVE_HOLD, t);
        return;
    }
    if (n->state == PRESENCE_LEAVE)
        naive_move(n, PRESENCE_ALIVE, PRESENCE_BY_RECOVERED, t);
    if (p->rule == PRESENCE_RULE_TIMEOUT && t - n->last >= p->timeout_ms) {
        naive_move(n, PRESENCE_LEAVE, PRESENCE_BY_TIMEOUT, t);
        naive_move(n, PRESENCE_CLOSE, PRESENCE_BY_TIMEOUT, t);
    }
}

static void run_naive(void)
{
    struct naive n = {.state = round_.first};

    for (int64_t t = 0; t < LONGEST && n.state != PRESENCE_CLOSE; t++) {
        naive_millisecond(&n, t);
        if (round_.heard[t]) {
            n.message = true;
            n.last = t;
        }
    }
}

static int below(int n)
{
    return rand() % n;
}

static void make_policy(void)
{
    round_.policy = (struct presence_policy){
        .rule = below(6) ? PRESENCE_RULE_CURSOR : 1 + (uint8_t)below(2),
        .threshold = 1 + (uint32_t)below(below(2) ? 3 : 8),
        .strikes = 1 + (uint32_t)below(4),
        .recover = 1 + (uint32_t)below(6),
        .interval_ms = 1 + below(below(2) ? 4 : 25),
        .leave_hold_ms = below(below(2) ? 100 : 2000),
        .timeout_ms = 1 + below(200),
    };
    if (round_.policy.rule == PRESENCE_RULE_TIMEOUT && below(4) == 0)
        round_.policy.rule = PRESENCE_RULE_NONE;
    round_.first = below(2) ? PRESENCE_ALIVE : PRESENCE_LEAVE;
}

/* Steady phases, silent ones, and edges of intervals hit exactly. */
static void make_messages(void)
{
    int interval = (int)round_.policy.interval_ms;
    int t = 0;

    memset(round_.heard, 0, sizeof(round_.heard));
    while (t < LONGEST) {
        int style = below(5);
        int end = t + 1 + below(below(3) ? 40 * interval : 1000);
        int step = style == 1 ? 1 : style == 2 ? interval : 1 + below(2 * interval);

        for (; t < end && t < LONGEST; t += step)
            if (style == 1 ? below(interval) == 0 : style > 1)
                round_.heard[t] = style != 4 || below(8);
        t -= style == 2 ? t % interval : 0; /* the next phase begins at an edge */
        if (t < end)
            t = end;
    }
}

/* Every move that is due, each a single step and none before the one before it. */
static void take_moves(struct presence_watch *w, int64_t now_ms)
{
    struct presence_move m;

    while (w->state != PRESENCE_CLOSE &&
           presence_judge(w, &round_.policy, now_ms, &m)) {
        const struct moves *so_far = &round_.lazy;

        assert_true(presence_may_move(m.from, m.to));
        assert_int_equal(m.from, so_far->count ? so_far->at[so_far->count - 1].to
                                               : round_.first);
        if (so_far->count)
            assert_true(m.at_ms >= so_far->at[so_far->count - 1].at_ms);
        assert_true(m.at_ms <= now_ms);
        assert_int_equal(w->state, m.to);
        note(&round_.lazy, m);
    }
    assert_true(presence_next(w, &round_.policy) > now_ms);
}

/* As a tracker does: asks at messages, and when presence_next said; sometimes too often
 * or, with `late`, too late. What it said must come true to the millisecond if nothing
 * was heard meanwhile. */
static void run_lazy(bool late)
{
    struct presence_watch w;
    int64_t due, grace = 0;
    bool quiet = true; /* since `due` was told */

    presence_begin(&w, &round_.policy, round_.first, 0);
    due = presence_next(&w, &round_.policy);
    for (int64_t t = 0; t < LONGEST && w.state != PRESENCE_CLOSE; t++) {
        size_t before = round_.lazy.count;

        if ((due <= t && t - due >= grace) || below(400) == 0 || t == LONGEST - 1) {
            bool came_true = quiet && due <= t;

            take_moves(&w, t);
            if (came_true) {
                assert_true(round_.lazy.count > before);
                assert_int_equal(round_.lazy.at[before].at_ms, due);
            } else if (quiet) {
                assert_true(round_.lazy.count == before);
            }
            due = presence_next(&w, &round_.policy);
            quiet = true;
            grace = late ? below(100) : 0;
        }
        if (!round_.heard[t] || w.state == PRESENCE_CLOSE)
            continue;
        take_moves(&w, t);
        if (w.state == PRESENCE_CLOSE)
            return;
        presence_heard(&w, &round_.policy, t);
        if (w.state == PRESENCE_LEAVE || below(3) == 0) {
            due = presence_next(&w, &round_.policy);
            quiet = true;
        } else {
            assert_true(presence_next(&w, &round_.policy) >= due);
            quiet = false;
        }
    }
}

static void compare(void)
{
    const struct moves *a = &round_.naive, *b = &round_.lazy;

    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->at[i].at_ms, b->at[i].at_ms);
        assert_int_equal(a->at[i].from, b->at[i].from);
        assert_int_equal(a->at[i].to, b->at[i].to);
        assert_int_equal(a->at[i].reason, b->at[i].reason);
    }
}

static unsigned running_seed;

static int tell_seed(void **state)
{
    (void)state;
    if (running_seed)
        print_error("the seed was %u\n", running_seed);
    return 0;
}

static void any_pattern_is_judged_as_if_every_interval_was_looked_at(void **state)
{
    unsigned by_reason[4] = {0};

    (void)state;
    for (running_seed = 1; running_seed <= 20000; running_seed++) {
        srand(running_seed);
        make_policy();
        make_messages();
        round_.naive.count = round_.lazy.count = 0;
        run_naive();
        run_lazy(running_seed % 4 == 0);
        compare();
        for (size_t i = 0; i < round_.naive.count; i++)
            by_reason[round_.naive.at[i].reason]++;
    }
    running_seed = 0;
    for (unsigned i = 0; i < 4; i++) {
        print_message("%s %u\n", presence_reason_word((uint8_t)i), by_reason[i]);
        assert_true(by_reason[i] > 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_strikes_turn_alive_into_leave),
        cmocka_unit_test(a_message_takes_one_off_the_cursor_and_never_below_zero),
        cmocka_unit_test(many_messages_in_one_interval_count_once),
        cmocka_unit_test(one_message_every_other_interval_never_strikes),
        cmocka_unit_test(a_steady_run_clears_the_strikes_of_an_alive_device),
        cmocka_unit_test(a_run_that_is_one_short_clears_nothing),
        cmocka_unit_test(a_steady_run_turns_leave_into_alive),
        cmocka_unit_test(entering_leave_forgets_cursor_strikes_and_run),
        cmocka_unit_test(in_leave_the_next_move_may_come_nearer),
        cmocka_unit_test(leave_hold_closes_a_device_that_does_not_recover),
        cmocka_unit_test(leave_hold_counts_from_a_return_too),
        cmocka_unit_test(a_returned_device_earns_alive),
        cmocka_unit_test(recovery_wins_when_leave_hold_ends_at_the_same_moment),
        cmocka_unit_test(a_message_at_the_edge_belongs_to_the_interval_that_begins),
        cmocka_unit_test(a_message_at_the_very_end_comes_too_late),
        cmocka_unit_test(after_a_year_of_sleep_both_moves_are_told_with_their_times),
        cmocka_unit_test(the_end_of_time_is_no_trap),
        cmocka_unit_test(parameters_of_one_judge_every_interval),
        cmocka_unit_test(a_leave_hold_of_zero_closes_at_the_same_moment),
        cmocka_unit_test(silence_closes_through_leave_at_one_moment),
        cmocka_unit_test(without_a_rule_no_silence_is_too_long),
        cmocka_unit_test(rules_without_leave_take_a_device_out_of_it_at_once),
        cmocka_unit_test(only_single_steps_are_allowed),
        cmocka_unit_test(a_watch_is_small),
        cmocka_unit_test_teardown(
            any_pattern_is_judged_as_if_every_interval_was_looked_at, tell_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
