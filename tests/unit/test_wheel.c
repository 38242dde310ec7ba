#include "net/wheel.h"

#include "unit.h"

#include <stdlib.h>

#define TIMERS 500

struct probe {
    struct timer timer;
    int64_t fired_ms; /* -1: not yet */
};

static void note(struct timer *t, int64_t now_ms)
{
    CONTAINER_OF(t, struct probe, timer)->fired_ms = now_ms;
}

static int64_t random_span(void)
{
    static const int64_t spans[] = {1, 60, 64, 65, 4096, 300000, 20000000, 2000000000};
    int64_t span = spans[(size_t)rand() % 8];

    return (int64_t)(((uint64_t)rand() << 20 ^ (uint64_t)rand()) % (uint64_t)span) + 1;
}

static void timers_fire_at_their_time_and_never_before(void **state)
{
    static struct probe probes[TIMERS];
    struct wheel w;
    int64_t now_ms = 123456789;

    (void)state;
    srand(7);
    wheel_init(&w, now_ms);
    for (int i = 0; i < TIMERS; i++) {
        probes[i] = (struct probe){.timer.expired = note, .fired_ms = -1};
        wheel_arm(&w, &probes[i].timer, now_ms + random_span());
    }
    for (int step = 0; step < 20000; step++) {
        int64_t next = wheel_next(&w);
        struct probe *p = &probes[rand() % TIMERS];

        /* Sometimes just on time, sometimes late, sometimes early. */
        now_ms =
            step % 3 == 0 && next != INT64_MAX ? next : now_ms + random_span() / 50;
        wheel_advance(&w, now_ms);
        for (int i = 0; i < TIMERS; i++) {
            struct probe *q = &probes[i];

            if (timer_is_armed(&q->timer))
                assert_true(q->timer.due_ms > now_ms);
            else if (q->fired_ms >= 0)
                assert_true(q->timer.due_ms <= q->fired_ms);
        }
        assert_true(wheel_next(&w) > now_ms);
        if (rand() % 4 == 0)
            wheel_stop(&w, &p->timer);
        p->fired_ms = -1;
        wheel_arm(&w, &p->timer, now_ms + random_span());
    }
}

static void a_timer_fires_in_the_very_tick_it_is_due(void **state)
{
    struct probe p = {.timer.expired = note, .fired_ms = -1};
    struct wheel w;

    (void)state;
    wheel_init(&w, 1000);
    for (int64_t due = 1001; due < 20000; due += 37) {
        wheel_arm(&w, &p.timer, due);
        wheel_advance(&w, due - 1);
        assert_true(timer_is_armed(&p.timer));
        wheel_advance(&w, due);
        assert_false(timer_is_armed(&p.timer));
        assert_int_equal(p.fired_ms, due);
    }
}

static struct wheel *ringing_wheel;
static int rings;

static void ring_again(struct timer *t, int64_t now_ms)
{
    rings++;
    wheel_arm(ringing_wheel, t, now_ms); /* already due: the next tick */
}

static void a_timer_rearmed_for_now_waits_for_the_next_tick(void **state)
{
    struct timer t = {.expired = ring_again};
    struct wheel w;

    (void)state;
    rings = 0;
    wheel_init(&w, 0);
    ringing_wheel = &w;
    wheel_arm(&w, &t, 1);
    wheel_advance(&w, 10);
    assert_int_equal(rings, 10);
    wheel_stop(&w, &t);
    assert_true(wheel_next(&w) == INT64_MAX);
    assert_int_equal(w.armed, 0);
}

#define CROWD   50000
#define AT_ONCE 4096 /* as in wheel.c */

/* All due within a slot of four seconds; stopped and armed again while they move. */
static void a_crowd_moves_down_in_steps_and_loses_nobody(void **state)
{
    static struct probe crowd[CROWD];
    const int64_t slot_ms = 4096, begin_ms = 40 * slot_ms;
    size_t before = 0, stopped = 0, fired = 0;
    struct wheel w;

    (void)state;
    srand(11);
    wheel_init(&w, 0);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = (struct probe){.timer.expired = note, .fired_ms = -1};
        wheel_arm(&w, &crowd[i].timer, begin_ms + rand() % slot_ms);
    }
    wheel_advance(&w, begin_ms - 1);
    before = w.slots[2][40].length;
    assert_int_equal(before, CROWD);
    for (int64_t now_ms = begin_ms; now_ms < begin_ms + slot_ms + 20; now_ms++) {
        struct probe *p = &crowd[rand() % CROWD];

        wheel_advance(&w, now_ms);
        assert_true(before - w.slots[2][40].length <= AT_ONCE + 1);
        if (w.slots[2][40].length)
            assert_true(wheel_next(&w) == now_ms + 1);
        if (timer_is_armed(&p->timer) && rand() % 2)
            wheel_arm(&w, &p->timer, begin_ms + slot_ms + rand() % 10);
        else if (timer_is_armed(&p->timer) && ++stopped)
            wheel_stop(&w, &p->timer);
        before = w.slots[2][40].length;
    }
    for (int i = 0; i < CROWD; i++) {
        const struct probe *p = &crowd[i];

        if (p->fired_ms >= 0) {
            assert_true(p->fired_ms >= p->timer.due_ms);
            assert_true(p->fired_ms <= p->timer.due_ms + CROWD / AT_ONCE + 1);
            fired++;
        }
    }
    assert_int_equal(fired + stopped, CROWD);
    assert_int_equal(w.armed, 0);
    assert_true(wheel_next(&w) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_at_their_time_and_never_before),
        cmocka_unit_test(a_timer_fires_in_the_very_tick_it_is_due),
        cmocka_unit_test(a_timer_rearmed_for_now_waits_for_the_next_tick),
        cmocka_unit_test(a_crowd_moves_down_in_steps_and_loses_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
