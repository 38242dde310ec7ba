#include "supervisor/restart.h"

#include "unit.h"

static struct restart fresh(void)
{
    return (struct restart){.max = 100, .max_delay_ms = 30000};
}

static void the_first_restart_is_at_once(void **state)
{
    struct restart r = fresh();

    (void)state;
    assert_int_equal(restart_after_death(&r, 0, 500), 0);
}

static void the_pause_doubles_up_to_its_limit(void **state)
{
    static const int64_t pauses[] = {0,    100,  200,   400,   800,   1600,
                                     3200, 6400, 12800, 25600, 30000, 30000};
    struct restart r = fresh();

    (void)state;
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++)
        assert_int_equal(restart_after_death(&r, 1000, 1001), pauses[i]);
}

static void a_worker_that_lived_a_minute_ends_the_row(void **state)
{
    struct restart r = fresh();

    (void)state;
    for (int i = 0; i < 7; i++)
        assert_true(restart_after_death(&r, 0, 59999) >= 0);
    assert_int_equal(r.in_row, 7);
    assert_int_equal(restart_after_death(&r, 0, 60000), 0);
    assert_int_equal(r.in_row, 1);
    assert_int_equal(restart_after_death(&r, 0, 10), 100);
}

static void it_gives_up_after_so_many_in_a_row(void **state)
{
    struct restart r = fresh();

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(restart_after_death(&r, 0, 10) >= 0);
    assert_int_equal(restart_after_death(&r, 0, 10), RESTART_GIVE_UP);
}

static void zero_restarts_means_none(void **state)
{
    struct restart r = {.max = 0, .max_delay_ms = 30000};

    (void)state;
    assert_int_equal(restart_after_death(&r, 0, 10), RESTART_GIVE_UP);
    assert_int_equal(restart_after_death(&r, 0, 90000), RESTART_GIVE_UP);
}

static void without_a_longest_pause_every_restart_is_at_once(void **state)
{
    struct restart r = {.max = 10, .max_delay_ms = 0};

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(restart_after_death(&r, 0, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_restart_is_at_once),
        cmocka_unit_test(the_pause_doubles_up_to_its_limit),
        cmocka_unit_test(a_worker_that_lived_a_minute_ends_the_row),
        cmocka_unit_test(it_gives_up_after_so_many_in_a_row),
        cmocka_unit_test(zero_restarts_means_none),
        cmocka_unit_test(without_a_longest_pause_every_restart_is_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
