/* Messages that come in packages: joined, bounded, given up, asked for. */
#include "unit.h"
#include "codec/packages.h"

#include <stdio.h>

static const struct packages_limits limits = {
    .max_groups = 3,
    .max_bytes = 20000,
    .max_age_ms = 60000,
    .ask_after_ms = 5000,
    .max_asks = 2,
};

static struct packages *p;
static int64_t now_ms;

static int begin(void **state)
{
    (void)state;
    now_ms = 1000;
    return 0;
}

static int end(void **state)
{
    (void)state;
    packages_free(&p);
    assert_null(p);
    packages_free(&p);
    return 0;
}

/* What adding led to: "more", the whole body with the first serial ("abc@7"), or why it
 * was refused. Each body is a heap block of its own size, gone after the call. */
static const char *add(uint16_t message, uint16_t total, uint16_t number,
                       uint16_t serial, const char *text)
{
    static char told[4096];
    size_t size = strlen(text);
    uint8_t *body = malloc(size ? size : 1);
    struct device_frame f = {
        .head = {.form = DEVICE_ID_BCD6},
        .message = message,
        .serial = serial,
        .total = total,
        .number = number,
        .body = slice_of(body, size),
    };
    struct slice whole = {0};
    const char *why = NULL;
    uint16_t first = 0;

    memcpy(body, text, size);
    switch (packages_try_add(&p, &limits, &f, now_ms, &whole, &first, &why)) {
    case PACKAGES_MORE:
        strcpy(told, "more");
        break;
    case PACKAGES_WHOLE:
        snprintf(told, sizeof(told), "%.*s@%u", (int)whole.size,
                 whole.size ? (const char *)whole.data : "", first);
        break;
    case PACKAGES_REFUSED:
        strcpy(told, why);
        break;
    }
    free(body);
    return told;
}

struct ticked {
    int64_t next_ms;
    struct packages_missing ask;
    bool asks;
    uint32_t dropped;
};

static struct ticked tick(int64_t passed_ms)
{
    struct ticked t;

    now_ms += passed_ms;
    t.next_ms = packages_tick(p, &limits, now_ms, &t.ask, &t.asks, &t.dropped);
    return t;
}

static void packages_in_order_are_joined(void **state)
{
    (void)state;
    assert_string_equal(add(0x100, 3, 1, 7, "ab"), "more");
    assert_string_equal(add(0x100, 3, 2, 8, "cd"), "more");
    assert_string_equal(add(0x100, 3, 3, 9, "e"), "abcde@7");
    assert_true(tick(0).next_ms == INT64_MAX);
}

static void packages_in_any_order_are_joined(void **state)
{
    (void)state;
    add(0x100, 3, 3, 1250, "e");
    add(0x100, 3, 1, 1233, "ab");
    assert_string_equal(add(0x100, 3, 2, 1240, "cd"), "abcde@1233");
    add(0x100, 2, 2, 0, "z");
    assert_string_equal(add(0x100, 2, 1, 65535, "y"), "yz@65535");
    assert_string_equal(add(0x100, 1, 1, 5, "alone"), "alone@5");
    add(0x100, 2, 1, 1, "");
    assert_string_equal(add(0x100, 2, 2, 2, ""), "@1");
}

static void a_package_that_comes_again_is_known(void **state)
{
    (void)state;
    add(0x100, 2, 1, 7, "ab");
    assert_string_equal(add(0x100, 2, 1, 7, "ab"), "more");
    assert_string_equal(add(0x100, 2, 1, 20, "ab"), "more"); /* with a new serial */
    assert_string_equal(add(0x100, 2, 2, 21, "cd"), "abcd@20");
    /* all of it again: it was not heard that we had it */
    add(0x100, 2, 1, 20, "ab");
    assert_string_equal(add(0x100, 2, 2, 21, "cd"), "abcd@20");
}

static void other_bytes_begin_a_new_message(void **state)
{
    (void)state;
    add(0x100, 3, 1, 7, "ab");
    add(0x100, 3, 2, 8, "cd");
    assert_string_equal(add(0x100, 3, 1, 10, "AB"), "more");
    assert_string_equal(add(0x100, 3, 3, 12, "E"), "more");
    assert_string_equal(add(0x100, 3, 2, 11, "CD"), "ABCDE@10");
}

static void messages_are_told_apart_by_id_and_total(void **state)
{
    (void)state;
    add(0x100, 2, 1, 1, "a");
    add(0x200, 2, 1, 2, "A");
    add(0x200, 3, 1, 3, "x");
    assert_string_equal(add(0x200, 2, 2, 4, "B"), "AB@2");
    assert_string_equal(add(0x100, 2, 2, 5, "b"), "ab@1");
    add(0x200, 3, 2, 6, "y");
    assert_string_equal(add(0x200, 3, 3, 7, "z"), "xyz@3");
}

static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_string_equal(add(1, 0, 0, 1, "a"), "bad_number");
    assert_string_equal(add(1, 0, 1, 1, "a"), "bad_number");
    assert_string_equal(add(1, 2, 0, 1, "a"), "bad_number");
    assert_string_equal(add(1, 2, 3, 1, "a"), "bad_number");
    assert_string_equal(add(1, 65535, 65535, 1, "a"), "too_large");
    assert_string_equal(add(1, 1, 65535, 1, "a"), "bad_number");
}

static void what_is_announced_is_bounded_before_it_comes(void **state)
{
    char kilobyte[DEVICE_BODY_MAX + 1];

    (void)state;
    memset(kilobyte, 'k', DEVICE_BODY_MAX);
    kilobyte[DEVICE_BODY_MAX] = '\0';
    assert_string_equal(add(1, 20, 1, 1, kilobyte), "too_large");
    assert_string_equal(add(1, 18, 1, 1, kilobyte), "more");
    assert_string_equal(add(2, 2, 1, 1, kilobyte), "too_large"); /* both together */
    assert_true(packages_bytes(p) < limits.max_bytes);
    /* one that was small, and grows */
    packages_free(&p);
    assert_string_equal(add(1, 100, 1, 1, "small"), "more");
    assert_string_equal(add(1, 100, 2, 2, kilobyte), "too_large");
    assert_true(tick(0).next_ms == INT64_MAX); /* all of it is gone */
}

static void groups_are_bounded(void **state)
{
    (void)state;
    for (uint16_t message = 1; message <= 3; message++)
        assert_string_equal(add(message, 2, 1, 1, "a"), "more");
    assert_string_equal(add(4, 2, 1, 1, "a"), "too_many_groups");
    assert_string_equal(add(2, 2, 2, 2, "b"), "ab@1");
    assert_string_equal(add(4, 2, 1, 1, "a"), "more");
}

static void what_is_missing_is_asked_for(void **state)
{
    struct ticked t;

    (void)state;
    add(0x704, 4, 2, 101, "b");
    add(0x704, 4, 4, 103, "d");
    t = tick(4999);
    assert_false(t.asks);
    assert_true(t.next_ms == 1000 + 5000);
    t = tick(1);
    assert_true(t.asks);
    assert_int_equal(t.ask.message, 0x704);
    assert_int_equal(t.ask.first, 100);
    assert_int_equal(t.ask.count, 2);
    assert_int_equal(t.ask.numbers[0], 1);
    assert_int_equal(t.ask.numbers[1], 3);
    assert_true(t.next_ms == now_ms + 5000);
    /* what comes is news: the next question waits again */
    tick(3000);
    add(0x704, 4, 1, 100, "a");
    assert_false(tick(3000).asks);
    t = tick(2000);
    assert_true(t.asks);
    assert_int_equal(t.ask.count, 1);
    assert_int_equal(t.ask.numbers[0], 3);
    assert_string_equal(add(0x704, 4, 3, 102, "c"), "abcd@100");
}

static void nobody_is_asked_more_often_than_that(void **state)
{
    struct ticked t;

    (void)state;
    add(0x704, 2, 1, 0, "a");
    assert_true(tick(5000).asks);
    t = tick(5000);
    assert_true(t.asks);
    assert_true(t.next_ms == 1000 + 60000); /* then it is given up */
    t = tick(49999);
    assert_false(t.asks);
    assert_int_equal(t.dropped, 0);
    t = tick(1);
    assert_int_equal(t.dropped, 1);
    assert_true(t.next_ms == INT64_MAX);
    assert_true(packages_bytes(p) < 200); /* the memory went, too */
}

static void two_groups_are_asked_for_one_after_the_other(void **state)
{
    struct ticked t;

    (void)state;
    add(1, 2, 1, 10, "a");
    add(2, 2, 2, 20, "b");
    t = tick(5000);
    assert_true(t.asks && t.ask.message == 1);
    assert_true(t.next_ms <= now_ms);
    t = tick(0);
    assert_true(t.asks && t.ask.message == 2 && t.ask.first == 19);
    assert_false(tick(0).asks);
}

static void a_long_list_of_missing_ones_is_cut(void **state)
{
    struct ticked t;

    (void)state;
    assert_string_equal(add(1, 300, 300, 0, "z"), "more");
    t = tick(5000);
    assert_true(t.asks);
    assert_int_equal(t.ask.count, 255);
    assert_int_equal(t.ask.numbers[254], 255);
    assert_int_equal(t.ask.first, (uint16_t)(0 - 299));
}

/* Many groups at random, a model beside them: what is whole is right, and the bounds
 * hold. */
static void anything_at_random_stays_within_the_bounds(void **state)
{
    (void)state;
    srand(808);
    for (int i = 0; i < 50000; i++) {
        uint16_t total = (uint16_t)(rand() % 6);
        uint16_t number = (uint16_t)(rand() % 7);
        uint16_t message = (uint16_t)(rand() % 5);
        char text[2] = {(char)('a' + number), '\0'};
        char expected[16] = "";
        const char *told;

        for (int k = 1; k <= total; k++)
            expected[k - 1] = (char)('a' + k);
        strcat(expected, "@1");
        told = add(message, total, number, 1, rand() % 50 ? text : "other");
        if (strchr(told, '@') && !strstr(told, "other"))
            assert_string_equal(told, expected);
        if (p)
            assert_true(packages_bytes(p) < limits.max_bytes);
        if (p && rand() % 4 == 0)
            tick(rand() % 3000);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(packages_in_order_are_joined),
        CASE(packages_in_any_order_are_joined),
        CASE(a_package_that_comes_again_is_known),
        CASE(other_bytes_begin_a_new_message),
        CASE(messages_are_told_apart_by_id_and_total),
        CASE(numbers_out_of_range_are_refused),
        CASE(what_is_announced_is_bounded_before_it_comes),
        CASE(groups_are_bounded),
        CASE(what_is_missing_is_asked_for),
        CASE(nobody_is_asked_more_often_than_that),
        CASE(two_groups_are_asked_for_one_after_the_other),
        CASE(a_long_list_of_missing_ones_is_cut),
        CASE(anything_at_random_stays_within_the_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
