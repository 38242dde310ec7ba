/* The command line of the simulator: args.c by way of the table in settings.c. */
#include "sim/args.h"
#include "sim/terminals/settings.h"
#include "codec/ttms.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static char *errors;

/* Reads a line of options; what it complained of is in `errors` until the next call. */
static int read_line(struct settings *s, const char *line)
{
    char copy[256];
    char *argv[32];
    int argc = 0;
    size_t size;
    FILE *out;
    int rc;

    free(errors);
    out = open_memstream(&errors, &size);
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    rc = settings_read(s, argc, argv, out);
    fclose(out);
    return rc;
}

static void expect(const char *line, const char *complaint)
{
    struct settings s;

    assert_int_equal(read_line(&s, line), ERR_INVALID);
    if (!strstr(errors, complaint))
        fail_msg("%s: \"%s\" does not say \"%s\"", line, errors, complaint);
}

static void without_options_a_hundred_terminals_send_one_a_second(void **state)
{
    struct settings s;

    (void)state;
    assert_int_equal(read_line(&s, ""), OK);
    assert_int_equal(s.count, 100);
    assert_true(s.rate > 99.9 && s.rate < 100.1);
    assert_int_equal(s.window, 0);
    assert_int_equal(ntohs(s.address.sin_port), 7222);
    assert_int_equal(settings_length(&s), TTMS_LENGTH_TOTAL);
    assert_false(settings_have_faults(&s));
}

static void units_and_both_spellings_are_understood(void **state)
{
    struct settings s;

    (void)state;
    assert_int_equal(read_line(&s, "--count=2k --rate 1.5M --time 2min --size 1KiB "
                                   "--away 250ms --length content2 --pattern fan-in"),
                     OK);
    assert_int_equal(s.count, 2000);
    assert_true(s.rate > 1499999 && s.rate < 1500001);
    assert_int_equal(s.time_ns, 120000000000);
    assert_int_equal(s.size, 1024);
    assert_int_equal(s.away_ns, 250000000);
    assert_int_equal(settings_length(&s), TTMS_LENGTH_CONTENT2);
    assert_int_equal(s.pattern, PATTERN_FAN_IN);
}

static void pairs_of_values_are_split_at_the_colon(void **state)
{
    struct settings s;

    (void)state;
    assert_int_equal(read_line(&s, "--reconnect 2.5:RST --slow-reader 3:1KiB"), OK);
    assert_true(s.reconnect_s > 2.4 && s.reconnect_s < 2.6);
    assert_int_equal(s.ending, ENDING_RST);
    assert_int_equal(s.slow_readers, 3);
    assert_int_equal(s.slow_bytes_per_s, 1024);
    assert_true(settings_have_faults(&s));
    assert_int_equal(read_line(&s, "--reconnect 5 --slow-reader 1"), OK);
    assert_int_equal(s.ending, ENDING_BOTH);
    assert_int_equal(s.slow_bytes_per_s, 1000);
    expect("--reconnect 5:KILL", "expected SECONDS[:RST|FIN]");
    expect("--reconnect 0", "expected SECONDS[:RST|FIN]");
}

static void a_flood_has_a_window_unless_it_is_told_otherwise(void **state)
{
    struct settings s;

    (void)state;
    assert_int_equal(read_line(&s, "--flood"), OK);
    assert_int_equal(s.window, 64);
    assert_int_equal(read_line(&s, "--flood --burst 100"), OK);
    assert_int_equal(s.window, 400);
    assert_int_equal(read_line(&s, "--flood --window 0"), OK);
    assert_int_equal(s.window, 0);
}

static void large_fleets_spread_over_source_addresses_by_themselves(void **state)
{
    struct settings s;

    (void)state;
    assert_int_equal(read_line(&s, "--count 10k"), OK);
    assert_int_equal(s.source_addresses, 0);
    assert_int_equal(read_line(&s, "--count 50k"), OK);
    assert_int_equal(s.source_addresses, 5);
    assert_int_equal(read_line(&s, "--count 50k --address 192.0.2.1:7222"), OK);
    assert_int_equal(s.source_addresses, 0);
}

static void an_unknown_option_is_answered_with_the_nearest_one(void **state)
{
    (void)state;
    expect("--patern ring", "did you mean --pattern?");
    expect("--half_open 3", "did you mean --half-open?");
    expect("--qwertyuiop", "--help lists them");
    expect("count 5", "\"count\" is not an option");
}

static void values_that_make_no_sense_are_refused_with_what_is_expected(void **state)
{
    (void)state;
    expect("--count many", "--count many: expected a whole number");
    expect("--count -5", "expected a whole number");
    expect("--count 1.5", "expected a whole number");
    expect("--count nan", "expected a whole number");
    expect("--count 1e300", "expected a whole number");
    expect("--count", "--count (nothing): expected");
    expect("--time 5x", "expected a time such as");
    expect("--size 5q", "expected a size such as");
    expect("--pattern star", "expected pairs|ring|random|fan-in|none");
    expect("--pattern pair", "expected pairs|");
    expect("--flood=yes", "--flood takes no value");
    expect("--address 127.0.0.1", "expected an IPv4 HOST:PORT");
    expect("--address 127.0.0.1:0", "expected an IPv4 HOST:PORT");
}

static void combinations_that_cannot_be_are_refused(void **state)
{
    (void)state;
    expect("--flood --rate 5", "one of --flood and --rate");
    expect("--size 48", "at least 49 bytes");
    expect("--size 49 --length content2", "at least 49 bytes");
    expect("--size 64KiB", "must not exceed 65535");
    expect("--burst 16 --window 8", "--window must not be smaller than --burst");
    expect("--count 1", "--pattern none");
    expect("--count 4 --threads 5", "--threads");
    expect("--count 10 --half-open 6 --slow-reader 5", "together exceed --count");
    expect("--first-id 4294967295", "--first-id");
}

static void help_is_not_hindered_by_other_mistakes(void **state)
{
    struct settings s;

    (void)state;
    assert_int_equal(read_line(&s, "--count 1 --help"), OK);
    assert_true(s.help);
}

static int free_errors(void **state)
{
    (void)state;
    free(errors);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_a_hundred_terminals_send_one_a_second),
        cmocka_unit_test(units_and_both_spellings_are_understood),
        cmocka_unit_test(pairs_of_values_are_split_at_the_colon),
        cmocka_unit_test(a_flood_has_a_window_unless_it_is_told_otherwise),
        cmocka_unit_test(large_fleets_spread_over_source_addresses_by_themselves),
        cmocka_unit_test(an_unknown_option_is_answered_with_the_nearest_one),
        cmocka_unit_test(values_that_make_no_sense_are_refused_with_what_is_expected),
        cmocka_unit_test(combinations_that_cannot_be_are_refused),
        cmocka_unit_test(help_is_not_hindered_by_other_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, free_errors);
}
