/* Times as texts. */
#include "base/rfc3339.h"
#include "base/json.h"

#include "unit.h"

static int64_t read_text(const char *text)
{
    int64_t ms = -7;

    return rfc3339_read(slice_of(text, strlen(text)), &ms) == OK ? ms : -1;
}

static void a_time_is_read_wherever_its_clock_stands(void **state)
{
    (void)state;
    assert_int_equal(read_text("2026-11-21T11:20:40.123Z"), 1795260040123);
    assert_int_equal(read_text("2026-11-21T11:20:40Z"), 1795260040000);
    assert_int_equal(read_text("2026-11-21t11:20:40z"), 1795260040000);
    assert_int_equal(read_text("2026-11-21T19:20:40.5+08:00"), 1795260040500);
    assert_int_equal(read_text("2026-11-21T06:50:40-04:30"), 1795260040000);
    assert_int_equal(read_text("2026-11-21T11:20:40.1239999999999Z"), 1795260040123);
    assert_int_equal(read_text("2028-02-29T00:00:00Z"), 1835395200000);
    assert_int_equal(read_text("2016-12-31T23:59:60Z"), 1483228800000);
    assert_int_equal(read_text("9999-12-31T23:59:59Z"), 253402300799000);
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "now",
        "2026-11-21",
        "2026-11-21T11:20:40",
        "2026-11-21 11:20:40Z",
        "2026-13-21T11:20:40Z",
        "2026-00-21T11:20:40Z",
        "2026-11-31T11:20:40Z",
        "2026-11-00T11:20:40Z",
        "2026-02-29T11:20:40Z",
        "2100-02-29T11:20:40Z",
        "2026-11-21T24:20:40Z",
        "2026-11-21T11:60:40Z",
        "2026-11-21T11:20:61Z",
        "2026-11-21T11:20:40.Z",
        "2026-11-21T11:20:40+8",
        "2026-11-21T11:20:40+08:00Z",
        "2026-11-21T11:20:40+24:00",
        "2026-11-21T11:20:40Z ",
        " 2026-11-21T11:20:40Z",
        "26-11-21T11:20:40Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00+01:00",
        "+026-11-21T11:20:40Z",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (read_text(bad[i]) != -1)
            fail_msg("`%s` was read", bad[i]);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    for (int64_t ms = 1; ms < INT64_C(250000000000000); ms = ms * 3 + 12345) {
        struct buf text = {0};
        struct json j = json_to(&text);
        int64_t again = 0;

        json_time(&j, ms);
        assert_int_equal(rfc3339_read(slice_of(buf_peek(&text).data + 1,
                                               buf_used(&text) - 2),
                                      &again),
                         OK);
        assert_int_equal(again, ms);
        buf_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_read_wherever_its_clock_stands),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(what_is_written_is_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
