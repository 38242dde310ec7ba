/* The ledger of `holdfast selftest` must find each kind of broken promise. */
#include "cli/selftest_kills.c" /* its ledger is its own */

#include "unit.h"

/* What it starts and connects is not tested here: nothing comes of it. */
int gateway_prepare(struct gateway_under_test *g, const char *name, bool durable)
{
    (void)g, (void)name, (void)durable;
    return OK;
}

int gateway_begin(struct gateway_under_test *g)
{
    (void)g;
    return ERR_IO;
}

void gateway_kill(struct gateway_under_test *g)
{
    (void)g;
}

void gateway_end(struct gateway_under_test *g)
{
    (void)g;
}

int terminal_begin(struct terminal_under_test *t, const struct gateway_under_test *g,
                   uint32_t id)
{
    (void)t, (void)g, (void)id;
    return OK;
}

void terminal_end(struct terminal_under_test *t)
{
    (void)t;
}

int terminal_say(struct terminal_under_test *t, uint32_t to, uint64_t number,
                 size_t size)
{
    (void)t, (void)to, (void)number, (void)size;
    return OK;
}

int terminals_turn(struct terminal_under_test *a, struct terminal_under_test *b,
                   int timeout_ms, terminal_heard *heard, void *user)
{
    (void)a, (void)b, (void)timeout_ms, (void)heard, (void)user;
    return ERR_CLOSED;
}

void selftest_progress(const struct selftest *s, const char *format, ...)
{
    (void)s, (void)format;
}

static struct kills_result found;
static struct ledger_of_ours ledger;

/* 16 messages were sent on a connection that began with the first of them. */
static int begin(void **state)
{
    (void)state;
    found = (struct kills_result){0};
    buf_fini(&ledger.fates);
    ledger = (struct ledger_of_ours){.result = &found};
    return send_more(&ledger, NULL) == OK && ledger.sent == 16 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    buf_fini(&ledger.fates);
    return 0;
}

static void what_was_safe_and_came_is_fine(void **state)
{
    (void)state;
    on_heard(&ledger, TTMS_RECEIPT, 3);
    for (uint64_t i = 0; i < 3; i++)
        on_heard(&ledger, TTMS_DATA, i);
    assert_int_equal(found.safe, 3);
    assert_true(ledger.missing == 0 && found.disordered == 0 && found.repeated == 0);
}

static void what_was_safe_and_did_not_come_is_lost(void **state)
{
    (void)state;
    on_heard(&ledger, TTMS_RECEIPT, 3);
    on_heard(&ledger, TTMS_DATA, 0);
    on_heard(&ledger, TTMS_DATA, 2);
    assert_int_equal(ledger.missing, 1);
}

static void what_was_refused_need_not_come(void **state)
{
    (void)state;
    on_heard(&ledger, TTMS_REFUSAL, 2);
    on_heard(&ledger, TTMS_RECEIPT, 2);
    on_heard(&ledger, TTMS_DATA, 0);
    assert_int_equal(found.safe, 1);
    assert_int_equal(ledger.missing, 0);
}

static void what_no_receipt_was_seen_for_need_not_come(void **state)
{
    (void)state;
    assert_int_equal(ledger.missing, 0);
}

static void a_message_behind_a_later_one_is_out_of_order(void **state)
{
    (void)state;
    on_heard(&ledger, TTMS_DATA, 5);
    on_heard(&ledger, TTMS_DATA, 4);
    assert_int_equal(found.disordered, 1);
}

static void a_message_that_comes_again_is_repeated_not_out_of_order(void **state)
{
    (void)state;
    on_heard(&ledger, TTMS_DATA, 4);
    on_heard(&ledger, TTMS_DATA, 5);
    on_heard(&ledger, TTMS_DATA, 4);
    assert_int_equal(found.repeated, 1);
    assert_int_equal(found.disordered, 0);
}

static void receipts_count_from_their_connections_first_message(void **state)
{
    (void)state;
    ledger.first = 10;
    on_heard(&ledger, TTMS_RECEIPT, 2);
    assert_int_equal(ledger.missing, 2);
    assert_true(*fate_of(&ledger, 10) & SAFE);
    assert_false(*fate_of(&ledger, 0) & SAFE);
}

static void a_receipt_for_more_than_was_sent_is_not_believed(void **state)
{
    (void)state;
    on_heard(&ledger, TTMS_RECEIPT, 1000);
    assert_int_equal(found.safe, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_safe_and_came_is_fine, begin, end),
        cmocka_unit_test_setup_teardown(what_was_safe_and_did_not_come_is_lost, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_was_refused_need_not_come, begin, end),
        cmocka_unit_test_setup_teardown(what_no_receipt_was_seen_for_need_not_come,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_message_behind_a_later_one_is_out_of_order,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            a_message_that_comes_again_is_repeated_not_out_of_order, begin, end),
        cmocka_unit_test_setup_teardown(
            receipts_count_from_their_connections_first_message, begin, end),
        cmocka_unit_test_setup_teardown(
            a_receipt_for_more_than_was_sent_is_not_believed, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
