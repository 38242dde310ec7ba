/* The simulator's judgement: it must be able to say that something went wrong. */
#include "sim/terminals/flow.h"
#include "sim/terminals/receipts.h"
#include "base/compiler.h"

#include "unit.h"

static enum arrival arrive(struct flow *f, uint64_t number, uint32_t epoch)
{
    bool awaited;

    return flow_arrive(f, number, epoch, &awaited);
}

static void what_arrives_once_and_in_order_is_new(void **state)
{
    struct flow f = {.sent = 3};

    (void)state;
    assert_int_equal(flow_awaited(&f), 3);
    for (uint64_t n = 0; n < 3; n++)
        assert_int_equal(arrive(&f, n, 1), ARRIVAL_NEW);
    assert_int_equal(flow_awaited(&f), 0);
    assert_null(f.odd); /* good order costs no memory */
}

static void what_never_arrives_is_lost_in_the_middle_and_at_the_end(void **state)
{
    struct flow f = {.sent = 10};
    struct range r;

    (void)state;
    for (uint64_t n = 0; n < 8; n++)
        if (n != 4 && n != 5)
            assert_int_equal(arrive(&f, n, 1), ARRIVAL_NEW);
    assert_int_equal(flow_awaited(&f), 4);
    assert_true(flow_first_awaited(&f, &r));
    assert_int_equal(r.from, 4);
    assert_int_equal(r.to, 6);
    flow_fini(&f);
}

static void the_lost_tail_is_found_when_nothing_is_missing_before(void **state)
{
    struct flow f = {.sent = 5, .next = 2};
    struct range r;

    (void)state;
    assert_true(flow_first_awaited(&f, &r));
    assert_int_equal(r.from, 2);
    assert_int_equal(r.to, 5);
    f.next = 5;
    assert_false(flow_first_awaited(&f, &r));
}

static void a_message_behind_a_later_one_is_late_and_not_lost(void **state)
{
    struct flow f = {.sent = 3};

    (void)state;
    assert_int_equal(arrive(&f, 0, 1), ARRIVAL_NEW);
    assert_int_equal(arrive(&f, 2, 1), ARRIVAL_NEW);
    assert_int_equal(arrive(&f, 1, 1), ARRIVAL_LATE);
    assert_int_equal(flow_awaited(&f), 0);
    flow_fini(&f);
}

static void a_gap_that_is_filled_on_the_next_connection_is_late_too(void **state)
{
    struct flow f = {.sent = 3};

    (void)state;
    assert_int_equal(arrive(&f, 2, 1), ARRIVAL_NEW);
    assert_int_equal(arrive(&f, 0, 2), ARRIVAL_LATE);
    assert_int_equal(arrive(&f, 1, 2), ARRIVAL_LATE);
    flow_fini(&f);
}

static void twice_on_one_connection_is_repeated(void **state)
{
    struct flow f = {.sent = 3};

    (void)state;
    assert_int_equal(arrive(&f, 0, 1), ARRIVAL_NEW);
    assert_int_equal(arrive(&f, 0, 1), ARRIVAL_REPEATED);
    assert_int_equal(arrive(&f, 1, 1), ARRIVAL_NEW);
    assert_int_equal(arrive(&f, 0, 1), ARRIVAL_REPEATED);
    assert_int_equal(flow_awaited(&f), 1);
}

static void a_new_connection_may_begin_with_duplicates_in_order(void **state)
{
    struct flow f = {.sent = 5};

    (void)state;
    for (uint64_t n = 0; n < 3; n++)
        assert_int_equal(arrive(&f, n, 1), ARRIVAL_NEW);
    assert_int_equal(arrive(&f, 1, 2), ARRIVAL_AGAIN);
    assert_int_equal(arrive(&f, 2, 2), ARRIVAL_AGAIN);
    assert_int_equal(arrive(&f, 3, 2), ARRIVAL_NEW);
    assert_int_equal(arrive(&f, 2, 2), ARRIVAL_REPEATED); /* but not amid new ones */
    assert_int_equal(arrive(&f, 4, 2), ARRIVAL_NEW);
}

static void duplicates_out_of_order_are_not_excused_by_a_new_connection(void **state)
{
    struct flow f = {.sent = 3};

    (void)state;
    for (uint64_t n = 0; n < 3; n++)
        assert_int_equal(arrive(&f, n, 1), ARRIVAL_NEW);
    assert_int_equal(arrive(&f, 2, 2), ARRIVAL_AGAIN);
    assert_int_equal(arrive(&f, 1, 2), ARRIVAL_REPEATED);
}

static void a_number_that_was_never_sent_is_unknown(void **state)
{
    struct flow f = {.sent = 3};

    (void)state;
    assert_int_equal(arrive(&f, 3, 1), ARRIVAL_UNKNOWN);
    assert_int_equal(flow_awaited(&f), 3);
}

static void what_was_under_way_when_its_sender_broke_is_doubtful_not_lost(void **state)
{
    struct flow f = {.sent = 10};
    bool awaited;

    (void)state;
    for (uint64_t n = 0; n < 4; n++)
        assert_int_equal(arrive(&f, n, 1), ARRIVAL_NEW);
    assert_int_equal(flow_doubt(&f, false), 6);
    assert_int_equal(flow_awaited(&f), 0);
    f.sent = 12; /* on a new connection */
    assert_int_equal(flow_arrive(&f, 4, 1, &awaited),
                     ARRIVAL_NEW); /* it came after all */
    assert_false(awaited);
    assert_int_equal(flow_doubtful(&f), 5);
    assert_int_equal(flow_arrive(&f, 10, 1, &awaited), ARRIVAL_NEW);
    assert_true(awaited);
    assert_int_equal(flow_awaited(&f), 1);
    flow_fini(&f);
}

static void what_was_receipted_is_lost_even_if_its_sender_broke(void **state)
{
    struct flow f = {.sent = 10};
    struct range r;

    (void)state;
    assert_int_equal(arrive(&f, 3, 1), ARRIVAL_NEW); /* 0 .. 2 are missing */
    for (uint64_t n = 0; n < 6; n++)
        flow_accept(&f, n);
    assert_int_equal(flow_doubt(&f, false), 4); /* 6 .. 9 */
    assert_int_equal(flow_awaited(&f), 5);      /* 0 1 2 and 4 5 */
    assert_true(flow_first_awaited(&f, &r));
    assert_int_equal(r.from, 0);
    assert_int_equal(r.to, 3);
    flow_fini(&f);
}

static void a_gap_before_what_arrived_is_lost_even_if_its_sender_broke(void **state)
{
    struct flow f = {.sent = 4};

    (void)state;
    assert_int_equal(arrive(&f, 2, 1), ARRIVAL_NEW);
    assert_int_equal(flow_doubt(&f, false), 1); /* 3 */
    assert_int_equal(flow_awaited(&f), 2);
    flow_fini(&f);
}

static void a_gap_that_may_have_been_refused_without_a_word_is_doubtful(void **state)
{
    struct flow f = {.sent = 6};

    (void)state;
    flow_accept(&f, 0);
    assert_int_equal(arrive(&f, 3, 1), ARRIVAL_NEW);
    assert_int_equal(flow_doubt(&f, true), 4); /* 1 2 and 4 5 */
    assert_int_equal(flow_awaited(&f), 1);     /* 0 was receipted */
    f.sent = 8;                                /* on the next connection */
    assert_int_equal(arrive(&f, 7, 1), ARRIVAL_NEW);
    flow_accept(&f, 6);
    flow_accept(&f, 7);
    assert_int_equal(flow_doubt(&f, true), 0);
    assert_int_equal(flow_awaited(&f), 2); /* 0 and 6 */
    flow_fini(&f);
}

static void what_a_connection_sent_that_ended_in_order_stays_beyond_doubt(void **state)
{
    struct flow f = {.sent = 4};

    (void)state;
    flow_insist(&f);
    f.sent = 7; /* on the next connection, which breaks */
    assert_int_equal(flow_doubt(&f, false), 3);
    assert_int_equal(flow_awaited(&f), 4);
    flow_fini(&f);
}

static void a_second_break_doubts_only_what_was_sent_since(void **state)
{
    struct flow f = {.sent = 4};

    (void)state;
    assert_int_equal(flow_doubt(&f, false), 4);
    f.sent = 6;
    assert_int_equal(flow_doubt(&f, false), 2);
    assert_int_equal(flow_doubtful(&f), 6);
    flow_fini(&f);
}

static void what_was_refused_is_not_lost_but_must_not_arrive(void **state)
{
    struct flow f = {.sent = 2};
    bool contradicted;

    (void)state;
    assert_true(flow_refuse(&f, 0, &contradicted));
    assert_false(contradicted);
    assert_int_equal(flow_awaited(&f), 1);
    assert_int_equal(arrive(&f, 0, 1), ARRIVAL_REFUSED);
    assert_int_equal(flow_awaited(&f), 1);
    flow_fini(&f);
}

static void a_refusal_of_what_has_arrived_is_a_contradiction(void **state)
{
    struct flow f = {.sent = 2};
    bool contradicted;

    (void)state;
    assert_int_equal(arrive(&f, 0, 1), ARRIVAL_NEW);
    assert_false(flow_refuse(&f, 0, &contradicted));
    assert_true(contradicted);
    assert_int_equal(flow_awaited(&f), 1);
}

static void receipts_tell_which_frames_they_mean(void **state)
{
    struct receipts r = {0};
    struct undecided u;

    (void)state;
    for (uint32_t i = 1; i <= 4; i++)
        assert_int_equal(receipts_sent(&r, 7, 100 + i), OK);
    assert_int_equal(receipts_refuse(&r, 2), OK);
    assert_int_equal(receipts_decide(&r, 3), OK);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_true(receipts_next(&r, 3, &u));
        assert_int_equal(u.number, 100 + i);
        assert_int_equal(u.refused, i == 2);
    }
    assert_false(receipts_next(&r, 3, &u));
    assert_int_equal(receipts_waiting(&r), 1);
    receipts_fini(&r);
}

static void impossible_receipts_are_recognised(void **state)
{
    struct receipts r = {0};
    struct undecided u;

    (void)state;
    assert_int_equal(receipts_decide(&r, 1), ERR_INVALID);
    for (uint32_t i = 1; i <= 4; i++)
        assert_int_equal(receipts_sent(&r, 7, i), OK);
    assert_int_equal(receipts_decide(&r, 5), ERR_INVALID); /* not sent */
    assert_int_equal(receipts_refuse(&r, 5), ERR_INVALID);
    assert_int_equal(receipts_refuse(&r, 0), ERR_INVALID);
    assert_int_equal(receipts_refuse(&r, 3), OK);
    assert_int_equal(receipts_refuse(&r, 3), ERR_INVALID); /* twice */
    assert_int_equal(receipts_decide(&r, 2), OK);
    while (receipts_next(&r, 2, &u))
        ;
    assert_int_equal(receipts_refuse(&r, 2), ERR_INVALID); /* decided */
    assert_int_equal(receipts_decide(&r, 1), ERR_INVALID); /* backwards */
    receipts_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_arrives_once_and_in_order_is_new),
        cmocka_unit_test(what_never_arrives_is_lost_in_the_middle_and_at_the_end),
        cmocka_unit_test(the_lost_tail_is_found_when_nothing_is_missing_before),
        cmocka_unit_test(a_message_behind_a_later_one_is_late_and_not_lost),
        cmocka_unit_test(a_gap_that_is_filled_on_the_next_connection_is_late_too),
        cmocka_unit_test(twice_on_one_connection_is_repeated),
        cmocka_unit_test(a_new_connection_may_begin_with_duplicates_in_order),
        cmocka_unit_test(duplicates_out_of_order_are_not_excused_by_a_new_connection),
        cmocka_unit_test(a_number_that_was_never_sent_is_unknown),
        cmocka_unit_test(what_was_under_way_when_its_sender_broke_is_doubtful_not_lost),
        cmocka_unit_test(what_was_receipted_is_lost_even_if_its_sender_broke),
        cmocka_unit_test(a_gap_before_what_arrived_is_lost_even_if_its_sender_broke),
        cmocka_unit_test(a_gap_that_may_have_been_refused_without_a_word_is_doubtful),
        cmocka_unit_test(what_a_connection_sent_that_ended_in_order_stays_beyond_doubt),
        cmocka_unit_test(a_second_break_doubts_only_what_was_sent_since),
        cmocka_unit_test(what_was_refused_is_not_lost_but_must_not_arrive),
        cmocka_unit_test(a_refusal_of_what_has_arrived_is_a_contradiction),
        cmocka_unit_test(receipts_tell_which_frames_they_mean),
        cmocka_unit_test(impossible_receipts_are_recognised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
