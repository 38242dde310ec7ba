#include "relay/receipts.h"

#include "unit.h"

#include <stdlib.h>

static void nothing_is_done_before_the_first_number_is_decided(void **state)
{
    struct receipts *r;

    (void)state;
    assert_int_equal(receipts_new(1, &r), OK);
    for (uint32_t n = 1; n <= 3; n++)
        assert_int_equal(receipts_number(r), n);
    assert_false(receipts_decide(r, 2, true));
    assert_int_equal(r->done, 0);
    assert_true(receipts_are_open(r));
    assert_true(receipts_decide(r, 1, true));
    assert_int_equal(r->done, 2);
    receipts_free(&r);
}

static void refused_numbers_are_named_in_order_and_only_once_done(void **state)
{
    struct receipts *r;
    uint32_t named[2];

    (void)state;
    assert_int_equal(receipts_new(1, &r), OK);
    for (int i = 0; i < 4; i++)
        (void)receipts_number(r);
    (void)receipts_decide(r, 3, false);
    (void)receipts_decide(r, 2, false);
    assert_int_equal(buf_used(&r->refused), 0);
    (void)receipts_decide(r, 1, true);
    assert_int_equal(r->done, 3);
    assert_int_equal(buf_used(&r->refused), sizeof(named));
    memcpy(named, buf_peek(&r->refused).data, sizeof(named));
    assert_int_equal(named[0], 2);
    assert_int_equal(named[1], 3);
    receipts_free(&r);
}

/* Numbers are decided in random order over a window that grows and shrinks; `done` is
 * always the largest number below which everything is decided. */
static void any_order_of_decisions_gives_the_same_end(void **state)
{
    enum { N = 5000 };
    static bool decided[N + 2];
    struct receipts *r;
    uint32_t given = 0, done = 0;

    (void)state;
    srand(11);
    assert_int_equal(receipts_new(1, &r), OK);
    while (done < N) {
        uint32_t window = given - done;

        if (given < N && (window == 0 || rand() % 3)) {
            assert_int_equal(receipts_number(r), ++given);
        } else {
            uint32_t n = done + 1 + (uint32_t)rand() % window;

            if (decided[n])
                continue;
            decided[n] = true;
            (void)receipts_decide(r, n, true);
            while (decided[done + 1])
                done++;
        }
        assert_int_equal(r->done, done);
        assert_int_equal(receipts_are_open(r), done != given);
    }
    receipts_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_done_before_the_first_number_is_decided),
        cmocka_unit_test(refused_numbers_are_named_in_order_and_only_once_done),
        cmocka_unit_test(any_order_of_decisions_gives_the_same_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
