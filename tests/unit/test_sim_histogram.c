#include "sim/histogram.h"
#include "sim/random.h"

#include "unit.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void
percentiles_of_random_values_are_at_most_1_6_percent_above_the_true_ones(void **state)
{
    static struct histogram h;
    static uint64_t values[20000];
    struct random r = random_of(1);
    const double asked[] = {0.01, 1, 50, 90, 99, 99.9, 99.99};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        values[i] = random_next(&r) >> (24 + random_below(&r, 40));
        histogram_record(&h, values[i]);
    }
    qsort(values, ARRAY_LEN(values), sizeof(values[0]), by_value);
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        size_t at = (size_t)(asked[i] / 100 * ARRAY_LEN(values));
        uint64_t exact = values[at > 0 ? at - 1 : 0];
        uint64_t got = histogram_percentile(&h, asked[i]);

        assert_true(got >= exact);
        assert_true((double)got <= (double)exact * (1 + 1 / 64.0));
    }
    assert_int_equal(histogram_percentile(&h, 100), values[ARRAY_LEN(values) - 1]);
}

static void small_values_are_exact(void **state)
{
    static struct histogram h;

    (void)state;
    for (uint64_t v = 1; v <= 100; v++)
        histogram_record(&h, v);
    for (unsigned p = 1; p <= 100; p++)
        assert_int_equal(histogram_percentile(&h, p), p);
}

static void every_bucket_ends_where_the_next_begins(void **state)
{
    (void)state;
    for (uint64_t v = 1; v < 1ull << 40; v += v / 50 + 1) {
        static struct histogram h;

        h = (struct histogram){0};
        histogram_record(&h, v);
        histogram_record(&h, 1ull << 42);
        assert_true(histogram_percentile(&h, 50) >= v);
        assert_true(histogram_percentile(&h, 50) <= v + v / 64);
    }
}

static void an_empty_histogram_says_0(void **state)
{
    static struct histogram h;

    (void)state;
    assert_int_equal(histogram_percentile(&h, 50), 0);
    assert_int_equal(histogram_percentile(&h, 100), 0);
}

static void a_value_beyond_the_range_keeps_the_maximum_exact(void **state)
{
    static struct histogram h;

    (void)state;
    histogram_record(&h, UINT64_MAX - 5);
    histogram_record(&h, 7);
    assert_int_equal(histogram_percentile(&h, 50), 7);
    assert_int_equal(histogram_percentile(&h, 99), UINT64_MAX - 5);
}

static void merging_equals_recording_into_one(void **state)
{
    static struct histogram a, b, both;
    struct random r = random_of(2);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = random_next(&r) >> 30;

        histogram_record(i % 3 ? &a : &b, v);
        histogram_record(&both, v);
    }
    histogram_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            percentiles_of_random_values_are_at_most_1_6_percent_above_the_true_ones),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(every_bucket_ends_where_the_next_begins),
        cmocka_unit_test(an_empty_histogram_says_0),
        cmocka_unit_test(a_value_beyond_the_range_keeps_the_maximum_exact),
        cmocka_unit_test(merging_equals_recording_into_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
