/* The heartbeat clients of the simulator: their command line, scripts and bytes. */
#include "sim/heartbeats/crowd.h"
#include "base/reader.h"
#include "codec/heartbeat.h"

#include "unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char *errors;

/* Reads options, given in the form "--a", "b", NULL. */
static int read_all(struct options *o, const char *first, ...)
{
    char *argv[32];
    int argc = 0, rc;
    size_t size;
    FILE *out;
    va_list va;

    free(errors);
    out = open_memstream(&errors, &size);
    va_start(va, first);
    for (const char *word = first; word; word = va_arg(va, const char *))
        argv[argc++] = (char *)(uintptr_t)word;
    va_end(va);
    rc = options_read(o, argc, argv, out);
    fclose(out);
    return rc;
}

static void refuse(const char *option, const char *value, const char *complaint)
{
    struct options o;

    assert_int_equal(read_all(&o, option, value, NULL), ERR_INVALID);
    if (!strstr(errors, complaint))
        fail_msg("%s %s: \"%s\" does not say \"%s\"", option, value, errors, complaint);
}

static void without_options_ten_clients_stay_alive_for_a_minute(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(read_all(&o, NULL), OK);
    assert_int_equal(o.count, 10);
    assert_int_equal(o.interval_ns, 10000000000);
    assert_int_equal(o.time_ns, 60000000000);
    assert_int_equal(ntohs(o.address.sin_port), 14000);
    assert_int_equal(o.script_count, 1);
    assert_false(options_provoke(&o));
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(script_at(options_script(&o, i % 10), i), DEED_ALIVE);
}

static void a_script_goes_from_step_to_step_and_begins_anew(void **state)
{
    static const char expected[] = "aasssxAaasssxA";
    static const char letters[] = {[DEED_ALIVE] = 'a',
                                   [DEED_LEAVE] = 'l',
                                   [DEED_CLOSE] = 'x',
                                   [DEED_SILENT] = 's',
                                   [DEED_AWAY] = 'A'};
    struct script s;

    (void)state;
    assert_int_equal(script_parse(NULL, "alive 2, silent 3,close 1,  away 1", &s), OK);
    assert_int_equal(s.intervals, 7);
    for (size_t i = 0; expected[i]; i++)
        assert_int_equal(letters[script_at(&s, i)], expected[i]);
}

static void a_script_that_says_nothing_clear_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "alive",
        "alive 0",
        "alive -1",
        "5 alive",
        "alive 5 6",
        "asleep 5",
        "alive 5,",
        ",alive 5",
        "alive 1.5",
        "alive 5; silent 2",
        "alive 1000001",
        "Alive 5",
        "alive 99999999999999999999",
    };
    static const char *const shares[] = {"",  "%",  "0%",  "101%",
                                         "5", "x%", "5%%", "-1%"};
    struct script s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (script_parse(NULL, texts[i], &s) == OK)
            fail_msg("\"%s\" is accepted", texts[i]);
    for (size_t i = 0; i < ARRAY_LEN(shares); i++)
        if (script_parse(shares[i], "alive 1", &s) == OK)
            fail_msg("\"%s\" is accepted", shares[i]);
}

static void scripts_are_dealt_out_by_their_shares(void **state)
{
    unsigned counts[DEED_COUNT] = {0};
    struct options o;

    (void)state;
    assert_int_equal(read_all(&o, "--count", "200", "--script", "leave 1", "--script",
                              "25%:silent 1", "--script=0.5%:away 1", NULL),
                     OK);
    assert_true(options_provoke(&o));
    for (uint64_t i = 0; i < o.count; i++)
        counts[script_at(options_script(&o, i), 0)]++;
    assert_int_equal(counts[DEED_SILENT], 50);
    assert_int_equal(counts[DEED_AWAY], 1);
    assert_int_equal(counts[DEED_LEAVE], 149);
}

static void what_makes_no_sense_is_refused(void **state)
{
    struct options o;

    (void)state;
    refuse("--count", "0", "--count must be");
    refuse("--interval", "0", "--interval must be");
    refuse("--first-port", "65530", "--first-port");
    refuse("--address", "127.0.0.1", "expected an IPv4 HOST:PORT");
    refuse("--ip", "a\"b", "--ip");
    refuse("--ip", "0123456789012345678901234567890123456789012345", "--ip");
    refuse("--script", "asleep 5", "expected [SHARE%:]STEPS");
    refuse("--scrpt", "alive 5", "did you mean --script?");
    assert_int_equal(read_all(&o, "--script", "alive 1", "--script", "silent 1", NULL),
                     ERR_INVALID);
    assert_non_null(strstr(errors, "only one --script"));
    assert_int_equal(read_all(&o, "--script", "60%:alive 1", "--script", "41%:silent 1",
                              NULL),
                     ERR_INVALID);
    assert_non_null(strstr(errors, "exceed 100%"));
}

static void the_gateway_understands_both_encodings(void **state)
{
    uint8_t bytes[CROWD_MESSAGE_MAX];
    struct heartbeat beat;
    struct options o;
    const char *why;

    (void)state;
    assert_int_equal(read_all(&o, "--ip", "10.0.0.1", NULL), OK);
    for (int i = 0; i < 2; i++) {
        size_t size = crowd_form(&o, DEED_LEAVE, 7, bytes);

        assert_int_equal(size, 4 + bytes[3]);
        assert_int_equal(bytes[4], i ? '"' : '{');
        assert_int_equal(heartbeat_decode(slice_of(bytes + 4, size - 4), &beat, &why),
                         OK);
        assert_memory_equal(beat.ip, "10.0.0.1", beat.ip_size);
        assert_int_equal(beat.status, HEARTBEAT_LEAVE);
        assert_int_equal(beat.pid, 7);
        o.double_encoding = true;
    }
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
        cmocka_unit_test(without_options_ten_clients_stay_alive_for_a_minute),
        cmocka_unit_test(a_script_goes_from_step_to_step_and_begins_anew),
        cmocka_unit_test(a_script_that_says_nothing_clear_is_refused),
        cmocka_unit_test(scripts_are_dealt_out_by_their_shares),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(the_gateway_understands_both_encodings),
    };

    return cmocka_run_group_tests(tests, NULL, free_errors);
}
