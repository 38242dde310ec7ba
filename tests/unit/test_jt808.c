#include "jt808rig.h"

static struct buf out;

static int finish(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

static void general_answers_are_read_as_published(void **state)
{
    static const struct {
        const char *frame;
        struct jt808_answer wanted;
    } cases[] = {
        {"7e000100050123456789017fff007b01c803bd7e", {123, 456, 3}},
        {"7e80010005043048325465000000b70002004e7e", {0xb7, 2, 0}},
        {"7e8001400501123456789012345678900000ffff000200c77e", {65535, 2, 0}},
        {"7e8001000501234567890100007fff0002008e7e", {32767, 2, 0}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct published p = published(cases[i].frame);
        struct jt808_answer a;

        assert_int_equal(jt808_read_answer(p.body, &a), OK);
        assert_int_equal(a.serial, cases[i].wanted.serial);
        assert_int_equal(a.message, cases[i].wanted.message);
        assert_int_equal(a.result, cases[i].wanted.result);
        buf_clear(&out);
        assert_int_equal(jt808_write_answer(&out, &a), OK);
        assert_bytes(&out, p.body);
        p.body.size--;
        assert_int_equal(jt808_read_answer(p.body, &a), ERR_TOO_SHORT);
    }
}

static void assert_token(struct slice body, bool is_2019, const char *wanted)
{
    struct slice token;

    assert_int_equal(jt808_read_token(body, is_2019, &token), OK);
    assert_true(slice_equal(token, slice_of(wanted, strlen(wanted))));
}

static void tokens_are_read_as_published(void **state)
{
    struct published p;

    (void)state;
    p = published("7e0102000b01234567890100003137323939383431373338b57e");
    assert_token(p.body, p.is_2019, "17299841738");
    p = published("7e0102402f010000000001729984173800000b31373239393834313733383132"
                  "33343536373839303132333435332e372e313500000000000000000000000000"
                  "00227e");
    assert_token(p.body, p.is_2019, "17299841738");
}

static void a_token_may_end_as_in_c_and_stand_alone(void **state)
{
    struct slice token;

    (void)state;
    assert_token(slice_of("abc\0", 4), false, "abc");
    assert_token(slice_of("", 0), false, "");
    assert_token(slice_of("\3abc", 4), true, "abc");
    assert_token(slice_of("\0", 1), true, "");
    assert_int_equal(jt808_read_token(slice_of("\4abc", 4), true, &token),
                     ERR_TOO_SHORT);
    assert_int_equal(jt808_read_token(slice_of("", 0), true, &token), ERR_TOO_SHORT);
}

static void registrations_are_answered_as_published(void **state)
{
    struct published p;

    (void)state;
    buf_clear(&out);
    p = published("7e8100000e01234567890100000000003132333435363738393031377e");
    assert_int_equal(jt808_write_registered(&out, 0, 0, slice_of("12345678901", 11)),
                     OK);
    assert_bytes(&out, p.body);

    buf_clear(&out);
    p = published("7e81000003012345678900000a006404617e");
    assert_int_equal(jt808_write_registered(&out, 100, 4, slice_of("secret", 6)), OK);
    assert_bytes(&out, p.body);

    buf_clear(&out);
    p = published("7e8100400f0100000000013912344329000000000061757468436f646532303139"
                  "947e");
    assert_int_equal(jt808_write_registered(&out, 0, 0, slice_of("authCode2019", 12)),
                     OK);
    assert_bytes(&out, p.body);
}

static void missing_packages_are_named_as_published(void **state)
{
    static const char *const frames[] = {
        "7e800300090139123443230000006f030002000300049d7e",
        "7e8003400a01000000000139123443290000006f0003000200030004d57e",
    };
    static const uint16_t wanted[] = {2, 3, 4};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        struct published p = published(frames[i]);
        uint16_t first, numbers[4] = {0};
        size_t count;

        assert_int_equal(jt808_read_missing(p.body, p.is_2019, &first, numbers, 4,
                                            &count),
                         OK);
        assert_int_equal(first, 0x6f);
        assert_int_equal(count, 3);
        assert_memory_equal(numbers, wanted, sizeof(wanted));
        buf_clear(&out);
        assert_int_equal(jt808_write_missing(&out, p.is_2019, first, numbers, count),
                         OK);
        assert_bytes(&out, p.body);

        /* More than there is room for; fewer than announced. */
        assert_int_equal(jt808_read_missing(p.body, p.is_2019, &first, numbers, 2,
                                            &count),
                         OK);
        assert_int_equal(count, 2);
        p.body.size--;
        assert_int_equal(jt808_read_missing(p.body, p.is_2019, &first, numbers, 4,
                                            &count),
                         ERR_TOO_SHORT);
        assert_int_equal(count, 0);
    }
}

static void a_2013_header_counts_missing_packages_in_one_byte(void **state)
{
    static uint16_t numbers[256];

    (void)state;
    buf_clear(&out);
    assert_int_equal(jt808_write_missing(&out, false, 1, numbers, 256), ERR_TOO_LARGE);
    assert_int_equal(buf_used(&out), 0);
    assert_int_equal(jt808_write_missing(&out, true, 1, numbers, 256), OK);
    assert_int_equal(buf_used(&out), 4 + 512);
}

static void the_time_is_told_as_published(void **state)
{
    struct published p =
        published("7e8004400601000000001234567890120001191202101010517e");

    (void)state;
    buf_clear(&out);
    assert_int_equal(jt808_write_time(&out, 1575281410999), OK);
    assert_bytes(&out, p.body);
}

static void every_message_of_a_terminal_has_its_reply(void **state)
{
    static const uint16_t general[] = {0x0002, 0x0003, 0x0102, 0x0108, 0x0200,
                                       0x0301, 0x0303, 0x0701, 0x0702, 0x0704,
                                       0x0705, 0x0800, 0x0900, 0x0901};
    static const uint16_t own[] = {0x0100, 0x0004, 0x0005};
    static const uint16_t none[] = {0x0001, 0x0104, 0x0107, 0x0201, 0x0302, 0x0500,
                                    0x0608, 0x0700, 0x0802, 0x0805, 0x0a00};
    size_t known = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(general); i++)
        assert_int_equal(jt808_reply_to(general[i]), JT808_REPLY_GENERAL);
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        assert_int_equal(jt808_reply_to(own[i]), JT808_REPLY_OWN);
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_int_equal(jt808_reply_to(none[i]), JT808_REPLY_NONE);
    for (unsigned message = 0; message <= UINT16_MAX; message++)
        known += jt808_reply_to((uint16_t)message) != JT808_REPLY_UNKNOWN;
    assert_int_equal(known, ARRAY_LEN(general) + ARRAY_LEN(own) + ARRAY_LEN(none));
}

static void what_answers_a_command_is_never_answered(void **state)
{
    (void)state;
    assert_int_equal(jt808_answer_to(0x8104), 0x0104);
    assert_int_equal(jt808_answer_to(0x8106), 0x0104);
    assert_int_equal(jt808_answer_to(0x8107), 0x0107);
    assert_int_equal(jt808_answer_to(0x8201), 0x0201);
    assert_int_equal(jt808_answer_to(0x8801), 0x0805);
    assert_int_equal(jt808_answer_to(0x8105), 0x0001);
    assert_false(jt808_answer_has_serial(0x0107));
    assert_true(jt808_answer_has_serial(0x0104));
    for (unsigned message = 0; message <= UINT16_MAX; message++) {
        uint16_t answer = jt808_answer_to((uint16_t)message);

        /* 0702 comes unasked, too; then it is a report like others. */
        if (answer != 0x0702)
            assert_int_equal(jt808_reply_to(answer), JT808_REPLY_NONE);
    }
}

static void messages_and_results_have_words(void **state)
{
    (void)state;
    assert_string_equal(jt808_message_word(0x0200), "location");
    assert_string_equal(jt808_message_word(0x8300), "text");
    assert_null(jt808_message_word(0x5501));
    assert_string_equal(jt808_result_word(0), "ok");
    assert_string_equal(jt808_result_word(4), "alarm_acknowledged");
    assert_null(jt808_result_word(5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(general_answers_are_read_as_published),
        cmocka_unit_test(tokens_are_read_as_published),
        cmocka_unit_test(a_token_may_end_as_in_c_and_stand_alone),
        cmocka_unit_test(registrations_are_answered_as_published),
        cmocka_unit_test(missing_packages_are_named_as_published),
        cmocka_unit_test(a_2013_header_counts_missing_packages_in_one_byte),
        cmocka_unit_test(the_time_is_told_as_published),
        cmocka_unit_test(every_message_of_a_terminal_has_its_reply),
        cmocka_unit_test(what_answers_a_command_is_never_answered),
        cmocka_unit_test(messages_and_results_have_words),
    };

    return cmocka_run_group_tests(tests, NULL, finish);
}
