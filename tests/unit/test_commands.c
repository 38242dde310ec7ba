#include "commandsrig.h"

/* Serials begin at a random place: what a device heard, without them. */
static unsigned last_serial;

static const char *heard_message(int fd)
{
    static char text[256];
    unsigned message;
    int used = 0;
    const char *line = heard(fd);

    text[0] = '\0';
    if (sscanf(line, "%u %u %n", &message, &last_serial, &used) == 2)
        snprintf(text, sizeof(text), "%u%s%s", message, line[used] ? " " : "",
                 line + used);
    return text;
}

static void reply(int fd, const char *how, unsigned message, const char *body)
{
    char line[300];

    snprintf(line, sizeof(line), "%s %u %u %s", how, message, last_serial, body);
    say(fd, line);
    take_back();
}

static void a_device_that_is_here_is_asked_and_answers(void **state)
{
    int fd = device("T1");
    struct order o;

    (void)state;
    ask(&o, "T1", "status", 0);
    assert_string_equal(fate(&o), "not back");
    assert_string_equal(heard_message(fd), "5");
    reply(fd, "A", 5, "5ready");
    assert_string_equal(fate(&o), "answered");
    assert_string_equal(answer_of(&o), "5ready");
    assert_string_equal(state_of(o.view.ticket), "answered");
    order_done_with(&o);
    hang_up(fd);
}

static void one_that_is_away_fails_at_once(void **state)
{
    struct order o;

    (void)state;
    hang_up(device("T1"));
    ask(&o, "T1", "status", 0);
    assert_string_equal(fate(&o), "failed offline");
    ask(&o, "T2", "status", 0);
    assert_string_equal(fate(&o), "notfound");
}

static void no_answer_in_time_expires_it(void **state)
{
    int fd = device("T1");
    struct order o, second;

    (void)state;
    ask(&o, "T1", "status", 0);
    ask(&second, "T1", "on", 0);
    pass(5 * SECOND);
    take_back();
    assert_string_equal(fate(&o), "expired no_answer");
    assert_string_equal(fate(&second), "expired unsent");
    assert_string_equal(heard_message(fd), "5");
    reply(fd, "A", 5, "late");
    assert_string_equal(state_of(o.view.ticket), "expired no_answer");
    hang_up(fd);
}

int main(void)
{
#define TEST(name)                                                                     \
    cmocka_unit_test_setup_teardown(name, commands_rig_begin, commands_rig_end)
    const struct CMUnitTest tests[] = {
        TEST(a_device_that_is_here_is_asked_and_answers),
        TEST(one_that_is_away_fails_at_once),
        TEST(no_answer_in_time_expires_it),
    };

    log_setup(LOG_ERROR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
