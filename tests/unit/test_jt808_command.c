#include "jt808rig.h"

static struct buf out;
static char why[JT808_WHY_SIZE];

static int begin(void **state)
{
    (void)state;
    return jt808_init();
}

static int finish(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

static int command(const char *name, const char *args, bool is_2019, uint16_t *message)
{
    buf_clear(&out);
    return jt808_command(name, slice_of(args, strlen(args)), is_2019, message, &out,
                         why);
}

static void commands_are_written_as_published(void **state)
{
    static const struct {
        const char *name, *args, *frame;
    } cases[] = {
        {"query_parameters", "", "7e810400000144199999990003437e"},
        {"query_parameters", "{}", "7e8104400001000000000144199999990003027e"},
        {"set_parameters", "{\"parameters\": {\"heartbeat_s\": 10}}",
         "7e8103000a000123456789000a0100000001040000000a057e"},
        {"set_parameters", "{\"parameters\": {\"0001\": {\"hex\": \"0000000A\"}}}",
         "7e8103000a000123456789000a0100000001040000000a057e"},
        {"control", "{\"action\": \"factory_reset\"}",
         "7e81050001012345678900000105087e"},
        {"control", "{\"action\": 4}", "7e810540010100000000013912344329000004b47e"},
        {"query_attributes", "", "7e8107400001000000000139123443290000b37e"},
        {"query_attributes", "", "7e810700000139123443230001f97e"},
        {"text", "{\"text\": \"smallchi 518\", \"flags\": [\"urgent\", \"display\"]}",
         "7e8300000d012345678900000105736d616c6c63686920353138027e"},
        {"text", "{\"text\": \"smallchi 518\", \"flags\": [\"service\", \"display\"]}",
         "7e8300400e010000000001234567890000010501736d616c6c63686920353138417e"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct published p = published(cases[i].frame);
        uint16_t message;

        assert_int_equal(command(cases[i].name, cases[i].args, p.is_2019, &message),
                         OK);
        assert_int_equal(message, p.message);
        assert_bytes(&out, p.body);
    }
}

static void assert_body(const char *name, const char *args, bool is_2019,
                        const char *wanted, size_t size)
{
    uint16_t message;

    assert_int_equal(command(name, args, is_2019, &message), OK);
    assert_bytes(&out, slice_of(wanted, size));
}

#define ASSERT_BODY(name, args, is_2019, wanted)                                       \
    assert_body(name, args, is_2019, wanted, sizeof(wanted) - 1)

static void text_goes_out_as_gbk(void **state)
{
    (void)state;
    ASSERT_BODY("text", "{\"text\": \"粤A~\\u3002\"}", false,
                "\4\xd4\xc1"
                "A~\xa1\xa3");
    ASSERT_BODY("text", "{\"text\": \"停\", \"type\": \"service\", \"flags\": []}",
                true, "\0\2\xcd\xa3");
    ASSERT_BODY("text", "{\"text\": {\"hex\": \"00ff\"}, \"flags\": [129]}", true,
                "\x81\1\0\xff");
}

static void the_same_flags_suit_2013_and_2019(void **state)
{
    static const char args[] = "{\"text\": \"\", \"type\": \"service\", \"flags\": "
                               "[\"notice\", \"speak\", \"advert\", \"fault_code\"]}";

    (void)state;
    ASSERT_BODY("text", args, false, "\x38");
    ASSERT_BODY("text", args, true, "\x3b\2");
}

static void parameters_are_set_by_their_types(void **state)
{
    (void)state;
    ASSERT_BODY("set_parameters",
                "{\"parameters\": {\"server\": \"a.b\", \"plate_colour\": 255,"
                " \"fence_radius_m\": 258, \"plate\": \"粤\","
                " \"f001\": {\"hex\": \"\"}, \"0100F001\": {\"hex\": \"01\"}}}",
                false,
                "\6"
                "\0\0\0\x13\3"
                "a.b"
                "\0\0\0\x84\1\xff"
                "\0\0\0\x31\2\1\2"
                "\0\0\0\x83\2\xd4\xc1"
                "\0\0\xf0\1\0"
                "\1\0\xf0\1\1\1");
    ASSERT_BODY("query_some_parameters",
                "{\"parameters\": [\"heartbeat_s\", \"0083\", \"0100f001\"]}", false,
                "\3\0\0\0\1\0\0\0\x83\1\0\xf0\1");
}

static void control_takes_its_parameters_as_they_are(void **state)
{
    (void)state;
    ASSERT_BODY("control", "{\"action\": \"connect\", \"parameters\": \"1;2\"}", false,
                "\2"
                "1;2");
    ASSERT_BODY("control", "{\"action\": 240, \"parameters\": {\"hex\": \"3b00\"}}",
                false, "\xf0;\0");
}

static void wrong_arguments_are_told(void **state)
{
    static const struct {
        const char *name, *args, *why;
    } cases[] = {
        {"control", "",
         "`action` knows upgrade, connect, power_off, reset, "
         "factory_reset, close_data, close_radio, or a number up to "
         "255"},
        {"control", "[]", "`args` is no JSON object"},
        {"control", "{\"action\": 4, \"action\": 5}", "`args` is no JSON object"},
        {"control", "{\"action\": 256}", NULL},
        {"control", "{\"action\": -1}", NULL},
        {"control", "{\"action\": 4, \"parameters\": 5}",
         "`parameters` is a text, or {\"hex\": \"...\"}"},
        {"control", "{\"action\": 4, \"parameters\": {\"hex\": \"0\"}}",
         "`parameters`: `hex` is not two hex digits for each byte"},
        {"control", "{\"action\": 4, \"parameters\": {\"hex\": \"\", \"a\": 1}}", NULL},
        {"control", "{\"action\": 4, \"speed\": 5}",
         "`control` takes no argument `speed`"},
        {"query_parameters", "{\"parameters\": []}",
         "`query_parameters` takes no argument `parameters`"},
        {"text", "{}", "`text` is wanted"},
        {"text", "{\"text\": 5}", "`text` is a text, or {\"hex\": \"...\"}"},
        {"text", "{\"text\": \"\xf0\x9f\x98\x80\"}",
         "`text` has a character that GBK does not have"},
        {"text", "{\"text\": \"\", \"flags\": \"urgent\"}",
         "`flags` is an array of words"},
        {"text", "{\"text\": \"\", \"flags\": [\"loud\"]}",
         "`flags` knows urgent, service, notice, display, speak, advert, fault_code, "
         "or a number up to 255"},
        {"text", "{\"text\": \"\", \"type\": \"loud\"}",
         "`type` knows notice, service, or a number up to 255"},
        {"set_parameters", "{}", "`parameters` is wanted: an object, name and value"},
        {"set_parameters", "{\"parameters\": {}}", "`parameters` are 1 to 255"},
        {"set_parameters", "{\"parameters\": {\"beat\": 1}}",
         "`beat` is no parameter: its name or 4 or 8 hex digits"},
        {"set_parameters", "{\"parameters\": {\"heartbeat_s\": \"1\"}}",
         "`heartbeat_s` is a number, or {\"hex\": \"...\"}"},
        {"set_parameters", "{\"parameters\": {\"heartbeat_s\": 4294967296}}",
         "`heartbeat_s` is a number from 0 to 4294967295"},
        {"set_parameters", "{\"parameters\": {\"province\": 65536}}",
         "`province` is a number from 0 to 65535"},
        {"set_parameters", "{\"parameters\": {\"plate\": 5}}",
         "`plate` is a text, or {\"hex\": \"...\"}"},
        {"set_parameters", "{\"parameters\": {\"f001\": 5}}",
         "`f001` is {\"hex\": \"...\"}"},
        {"query_some_parameters", "{\"parameters\": \"apn\"}",
         "`parameters` is wanted: an array of names"},
        {"query_some_parameters", "{\"parameters\": [1]}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint16_t message;

        assert_int_equal(command(cases[i].name, cases[i].args, false, &message),
                         ERR_INVALID);
        assert_int_equal(buf_used(&out), 0);
        assert_true(*why);
        if (cases[i].why)
            assert_string_equal(why, cases[i].why);
    }
}

static void a_text_of_2019_has_one_urgency(void **state)
{
    static const char args[] = "{\"text\": \"\", \"flags\": [\"urgent\", \"notice\"]}";
    uint16_t message;

    (void)state;
    assert_int_equal(command("text", args, true, &message), ERR_INVALID);
    assert_string_equal(why, "`flags`: of urgent, service and notice only one");
    ASSERT_BODY("text", args, false, "\1");
}

static void what_does_not_fit_a_byte_is_refused(void **state)
{
    char args[512] = "{\"parameters\": {\"server\": \"";
    uint16_t message;
    size_t n = strlen(args);

    (void)state;
    memset(args + n, 'x', 255);
    strcpy(args + n + 255, "\"}}");
    assert_int_equal(command("set_parameters", args, false, &message), OK);
    assert_int_equal(buf_used(&out), 1 + 5 + 255);
    memset(args + n, 'x', 256);
    strcpy(args + n + 256, "\"}}");
    assert_int_equal(command("set_parameters", args, false, &message), ERR_INVALID);
    assert_string_equal(why, "`server` is longer than 255 bytes");
}

static void every_command_has_a_message_of_its_name(void **state)
{
    uint16_t message = 0;

    (void)state;
    for (size_t i = 0; jt808_commands[i]; i++) {
        int rc = command(jt808_commands[i], "", true, &message);

        assert_true(rc == OK || rc == ERR_INVALID);
        assert_string_equal(jt808_message_word(message), jt808_commands[i]);
    }
    assert_int_equal(command("explode", "", true, &message), ERR_NOTFOUND);
    assert_string_equal(why, "JT/T 808 has no command `explode`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_written_as_published),
        cmocka_unit_test(text_goes_out_as_gbk),
        cmocka_unit_test(the_same_flags_suit_2013_and_2019),
        cmocka_unit_test(parameters_are_set_by_their_types),
        cmocka_unit_test(control_takes_its_parameters_as_they_are),
        cmocka_unit_test(wrong_arguments_are_told),
        cmocka_unit_test(a_text_of_2019_has_one_urgency),
        cmocka_unit_test(what_does_not_fit_a_byte_is_refused),
        cmocka_unit_test(every_command_has_a_message_of_its_name),
    };

    return cmocka_run_group_tests(tests, begin, finish);
}
