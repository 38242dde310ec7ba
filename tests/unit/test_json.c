#include "base/json.h"

#include "unit.h"

static struct buf out;

static struct json fresh(void)
{
    buf_clear(&out);
    return json_to(&out);
}

static void assert_says(const struct json *j, const char *text)
{
    assert_false(j->failed);
    assert_int_equal(buf_used(j->out), strlen(text));
    assert_memory_equal(buf_peek(j->out).data, text, strlen(text));
}

static void commas_stand_between_values_only(void **state)
{
    struct json j = fresh();

    (void)state;
    json_open(&j, '{');
    json_key(&j, "a");
    json_open(&j, '[');
    json_close(&j, ']');
    json_key(&j, "b");
    json_open(&j, '[');
    json_int(&j, -1);
    json_uint(&j, UINT64_MAX);
    json_open(&j, '{');
    json_close(&j, '}');
    json_none(&j);
    json_close(&j, ']');
    json_key(&j, "c");
    json_bool(&j, true);
    json_close(&j, '}');
    assert_says(&j, "{\"a\":[],\"b\":[-1,18446744073709551615,{},null],\"c\":true}");
}

static void what_must_not_stand_in_a_string_is_escaped(void **state)
{
    struct json j = fresh();

    (void)state;
    json_text(&j, slice_of("a\"\\\n\x1f\x7f\0é€𐍈<b>", 19));
    assert_says(&j, "\"a\\\"\\\\\\u000a\\u001f\\u007f\\u0000é€𐍈\\u003cb>\"");
}

static void what_is_not_utf8_is_replaced_byte_by_byte(void **state)
{
    static const char *const bad[] = {
        "\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char wanted[64] = "\"";
        struct json j = fresh();

        for (size_t n = strlen(bad[i]); n > 0; n--)
            strcat(wanted, "\xef\xbf\xbd");
        strcat(wanted, "\"");
        json_text(&j, slice_of(bad[i], strlen(bad[i])));
        assert_says(&j, wanted);
    }
}

static void bytes_become_pairs_of_digits(void **state)
{
    struct json j = fresh();

    (void)state;
    json_open(&j, '[');
    json_hex(&j, slice_of("\x00\x7e\xff", 3));
    json_hex(&j, slice_of(NULL, 0));
    json_close(&j, ']');
    assert_says(&j, "[\"007eff\",\"\"]");
}

static void times_are_rfc_3339(void **state)
{
    struct json j = fresh();

    (void)state;
    json_open(&j, '[');
    json_time(&j, 0);
    json_time(&j, 951782400007);
    json_close(&j, ']');
    assert_says(&j, "[null,\"2000-02-29T00:00:00.007Z\"]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_values_only),
        cmocka_unit_test(what_must_not_stand_in_a_string_is_escaped),
        cmocka_unit_test(what_is_not_utf8_is_replaced_byte_by_byte),
        cmocka_unit_test(bytes_become_pairs_of_digits),
        cmocka_unit_test(times_are_rfc_3339),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    buf_fini(&out);
    return failed;
}
