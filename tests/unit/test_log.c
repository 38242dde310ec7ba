#include "base/log.h"

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int ends[2];

/* A pipe in the place of standard error; what is in it is read without waiting. */
static int start(void **state)
{
    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    log_setup(LOG_DEBUG, 0);
    log_redirect(ends[1]);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    log_redirect(STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static size_t read_all(char *to, size_t size)
{
    ssize_t n = read(ends[0], to, size - 1);

    to[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static void each_byte_is_shown_in_plain_characters(void **state)
{
    char shown[16], want[16];

    (void)state;
    for (int c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;

        if (c > 0x20 && c < 0x7f)
            snprintf(want, sizeof(want), c == '\\' ? "\\\\" : "%c", c);
        else
            snprintf(want, sizeof(want), "\\x%02x", (unsigned)c);
        assert_string_equal(log_escape(slice_of(&byte, 1), shown, sizeof(shown)), want);
    }
}

static void what_is_too_long_is_cut_between_two_characters(void **state)
{
    uint8_t bytes[100];
    char shown[64];

    (void)state;
    memset(bytes, '\n', sizeof(bytes));
    for (size_t size = 8; size < sizeof(shown); size++) {
        size_t n;

        memset(shown, '#', sizeof(shown));
        (void)log_escape(slice_of(bytes, sizeof(bytes)), shown, size);
        n = strlen(shown);
        assert_true(n < size && (n - 3) % 4 == 0);
        assert_string_equal(shown + n - 3, "...");
        assert_int_equal(shown[size], '#');
    }
}

static void a_line_of_any_length_is_one_line(void **state)
{
    static char text[100000], read[200000];

    (void)state;
    for (size_t size = 1; size < sizeof(text); size = size * 3 / 2 + 1) {
        size_t n;

        memset(text, 'x', size);
        text[size] = '\0';
        log_info(MAIN, "said=%s", text);
        n = read_all(read, sizeof(read));
        assert_true(n > 0 && read[n - 1] == '\n');
        assert_ptr_equal(strchr(read, '\n'), read + n - 1);
    }
}

static void lines_that_nobody_reads_are_counted_and_wait_for_nobody(void **state)
{
    static char read[1 << 20];
    unsigned lost = 0;
    char *told;

    (void)state;
    for (int i = 0; i < 20000; i++)
        log_info(MAIN, "line number=%d", i);
    (void)read_all(read, sizeof(read));
    assert_null(strstr(read, "log lost"));
    log_info(MAIN, "after");
    (void)read_all(read, sizeof(read));
    assert_non_null(told = strstr(read, "log lost lines="));
    assert_int_equal(sscanf(told, "log lost lines=%u", &lost), 1);
    assert_true(lost > 0 && lost < 20000);
    assert_non_null(strstr(told, "after"));
}

static void what_peers_can_trigger_is_throttled_and_counted(void **state)
{
    static char read[1 << 16];
    struct log_throttle throttle = {0};
    unsigned admitted = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        admitted += log_admit(&throttle, LOG_BURST, LOG_INFO, LOG_T_MAIN);
    assert_true(admitted >= LOG_BURST && admitted < 1000);
    throttle.window_s--; /* a second passes */
    assert_true(log_admit(&throttle, LOG_BURST, LOG_INFO, LOG_T_MAIN));
    (void)read_all(read, sizeof(read));
    assert_non_null(strstr(read, "log suppressed n="));
}

int main(void)
{
#define LOGGED(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        LOGGED(each_byte_is_shown_in_plain_characters),
        LOGGED(what_is_too_long_is_cut_between_two_characters),
        LOGGED(a_line_of_any_length_is_one_line),
        LOGGED(lines_that_nobody_reads_are_counted_and_wait_for_nobody),
        LOGGED(what_peers_can_trigger_is_throttled_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
