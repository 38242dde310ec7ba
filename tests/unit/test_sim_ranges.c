#include "sim/random.h"
#include "sim/ranges.h"
#include "base/compiler.h"

#include "unit.h"

#define SPAN 200

/* Sorted, disjoint, not even touching, and the total is right. */
static void ranges_check(const struct ranges *set)
{
    uint64_t total = 0;

    for (size_t i = 0; i < set->length; i++) {
        assert_true(set->list[i].from < set->list[i].to);
        assert_true(i == 0 || set->list[i - 1].to <= set->list[i].from);
        total += set->list[i].to - set->list[i].from;
    }
    assert_int_equal(set->total, total);
}

static void it_agrees_with_an_array_of_flags_after_every_random_step(void **state)
{
    struct ranges set = {0};
    bool flags[SPAN] = {false};
    struct random r = random_of(3);

    (void)state;
    for (int step = 0; step < 20000; step++) {
        uint32_t from = random_below(&r, SPAN);
        uint32_t to = from + random_below(&r, 12);
        bool found;

        if (random_below(&r, 3) == 0) {
            to = to < SPAN ? to : SPAN;
            assert_int_equal(ranges_add(&set, from, to), OK);
            for (uint32_t i = from; i < to; i++)
                flags[i] = true;
        } else {
            assert_int_equal(ranges_take(&set, from, &found), OK);
            assert_int_equal(found, flags[from]);
            flags[from] = false;
        }
        ranges_check(&set);
        for (uint32_t i = 0; i < SPAN; i++)
            assert_int_equal(ranges_contain(&set, i), flags[i]);
    }
    ranges_fini(&set);
}

static void ranges_that_touch_become_one(void **state)
{
    struct ranges set = {0};

    (void)state;
    assert_int_equal(ranges_add(&set, 10, 20), OK);
    assert_int_equal(ranges_add(&set, 30, 40), OK);
    assert_int_equal(ranges_add(&set, 20, 30), OK);
    assert_int_equal(set.length, 1);
    assert_int_equal(set.total, 30);
    ranges_fini(&set);
}

static void an_empty_set_contains_nothing(void **state)
{
    struct ranges set = {0};
    bool found = true;

    (void)state;
    assert_false(ranges_contain(&set, 0));
    assert_int_equal(ranges_take(&set, 0, &found), OK);
    assert_false(found);
    assert_int_equal(ranges_add(&set, 5, 5), OK);
    assert_int_equal(set.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_an_array_of_flags_after_every_random_step),
        cmocka_unit_test(ranges_that_touch_become_one),
        cmocka_unit_test(an_empty_set_contains_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
