/* What libholdfast refuses and why, its options, and the life of hf_serve(). What it
 * serves is test_answers' and the end-to-end tests' business. */
#include "holdfast/serve.h"

#include "unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    int starts, stops;
    int start_answers;
    char argument[32];
} seen;

static int start(const char *argument, void **state)
{
    *state = &seen;
    seen.starts++;
    snprintf(seen.argument, sizeof(seen.argument), "%s", argument);
    return seen.start_answers;
}

static void stop(void *state)
{
    assert_ptr_equal(state, &seen);
    seen.stops++;
}

static void logic(void *state, struct hf_request *request)
{
    (void)state;
    hf_close(request);
}

static const struct hf_service service = {HF_SERVICE_HEAD, .name = "test",
                                          .start = start, .stop = stop, .logic = logic};

static int begin(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    return 0;
}

static struct hf_options options(void)
{
    struct hf_options o;

    hf_options_init(&o);
    o.address = "127.0.0.1:0";
    o.log_level = HF_LOG_NONE;
    return o;
}

static void expect_refused(const struct hf_options *o, int error)
{
    errno = 0;
    assert_int_equal(hf_serve(&service, o), -1);
    assert_int_equal(errno, error);
    assert_int_equal(seen.stops, 0);
}

/* ---- options ---- */

static void a_program_that_knows_fewer_options_gets_those(void **state)
{
    struct {
        struct hf_options options;
        char behind[8];
    } o;

    (void)state;
    memset(&o, 0x55, sizeof(o));
    hf_options_fill(&o.options, offsetof(struct hf_options, log_level));
    assert_int_equal(o.options.max_frame, 16 << 20);
    assert_int_equal(((unsigned char *)&o.options.log_level)[0], 0x55);
}

static void a_program_that_knows_more_options_gets_zeros_there(void **state)
{
    struct {
        struct hf_options options;
        char behind[8];
    } o;

    (void)state;
    memset(&o, 0x55, sizeof(o));
    hf_options_fill(&o.options, sizeof(o));
    assert_memory_equal(o.behind, "\0\0\0\0\0\0\0\0", sizeof(o.behind));
    o.options.address = "127.0.0.1:0";
    o.options.log_level = HF_LOG_NONE;
    hf_stop();
    assert_int_equal(hf_serve(&service, &o.options), 0);
}

static void options_without_sense_are_refused(void **state)
{
    (void)state;
#define REFUSED(member, value)                                                         \
    do {                                                                               \
        struct hf_options o = options();                                               \
        o.member = value;                                                              \
        expect_refused(&o, EINVAL);                                                    \
    } while (0)
    REFUSED(size, 0);
    REFUSED(size, UINT32_MAX);
    REFUSED(address, "localhost:9000");
    REFUSED(address, "127.0.0.1");
    REFUSED(listen_fd, -1);
    REFUSED(listen_fd, STDERR_FILENO);
    REFUSED(length, 99);
    REFUSED(length, HF_LENGTH_NONE); /* without an end */
    REFUSED(digits, 0);
    REFUSED(digits, 11);
    REFUSED(digits, 256 + 10);
    REFUSED(end_size, 8);
    REFUSED(end_size, 1); /* without bytes */
    REFUSED(max_frame, 0);
    REFUSED(max_frame, UINT32_MAX);
    REFUSED(read_timeout_ms, 0);
    REFUSED(drain_timeout_ms, -1);
    REFUSED(output_limit, 1);
    REFUSED(log_level, 17);
#undef REFUSED
    assert_int_equal(seen.starts, 0);
}

static void a_service_without_logic_is_refused(void **state)
{
    struct hf_service odd[] = {service, service, service};
    struct hf_options o = options();

    (void)state;
    odd[0].logic = NULL;
    odd[1].name = NULL;
    odd[2].version++;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hf_serve(&odd[i], &o), -1);
        assert_int_equal(errno, EINVAL);
    }
    assert_int_equal(hf_serve(NULL, &o), -1);
}

/* ---- listening ---- */

static int port_of(int fd)
{
    struct sockaddr_in at;
    socklen_t size = sizeof(at);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    return ntohs(at.sin_port);
}

static void an_address_in_use_is_named(void **state)
{
    struct hf_options o = options();
    int fd = hf_listen("127.0.0.1:0");
    char address[32];

    (void)state;
    assert_true(fd >= 0);
    snprintf(address, sizeof(address), "127.0.0.1:%d", port_of(fd));
    o.address = address;
    expect_refused(&o, EADDRINUSE);
    assert_int_equal(hf_listen("nowhere"), -1);
    assert_int_equal(errno, EINVAL);
    close(fd);
}

static void a_socket_that_was_given_stays_open(void **state)
{
    struct hf_options o = options();

    (void)state;
    o.listen_fd = hf_listen("[::1]:0");
    if (o.listen_fd < 0)
        skip(); /* a machine without IPv6 */
    hf_stop();
    assert_int_equal(hf_serve(&service, &o), 0);
    assert_int_equal(close(o.listen_fd), 0);
}

/* ---- life ---- */

static void a_stop_that_came_first_ends_the_next_run_alone(void **state)
{
    struct hf_options o = options();

    (void)state;
    o.argument = "from the options";
    for (int i = 1; i <= 3; i++) {
        hf_stop();
        hf_stop();
        assert_int_equal(hf_serve(&service, &o), 0);
        assert_int_equal(seen.starts, i);
        assert_int_equal(seen.stops, i);
    }
    assert_string_equal(seen.argument, "from the options");
}

static void a_start_that_refuses_is_told(void **state)
{
    struct hf_options o = options();

    (void)state;
    seen.start_answers = 7;
    expect_refused(&o, ECANCELED);
    assert_int_equal(seen.starts, 1);
}

static void on_usr1(int number)
{
    (void)number;
    hf_stop();
}

static int signal_from_start(const char *argument, void **state)
{
    (void)state;
    return raise(argument[0] == 't' ? SIGTERM : SIGUSR1);
}

static void signals_end_it_and_handlers_come_back(void **state)
{
    struct hf_service s = {HF_SERVICE_HEAD, .name = "test", .start = signal_from_start,
                           .logic = logic};
    struct hf_options o = options();
    struct sigaction now;

    (void)state;
    signal(SIGTERM, SIG_IGN);
    o.argument = "term";
    assert_int_equal(hf_serve(&s, &o), 0);
    sigaction(SIGTERM, NULL, &now);
    assert_ptr_equal(now.sa_handler, SIG_IGN);

    signal(SIGUSR1, on_usr1);
    o.argument = "usr1";
    o.leave_signals = 1;
    assert_int_equal(hf_serve(&s, &o), 0);
}

static int serve_inside(const char *argument, void **state)
{
    struct hf_options o = options();

    (void)argument;
    (void)state;
    expect_refused(&o, EBUSY);
    hf_stop();
    return 0;
}

static void one_runs_at_a_time(void **state)
{
    struct hf_service s = {HF_SERVICE_HEAD, .name = "test", .start = serve_inside,
                           .logic = logic};
    struct hf_options o = options();

    (void)state;
    assert_int_equal(hf_serve(&s, &o), 0);
}

static void *stop_soon(void *nothing)
{
    usleep(1000);
    hf_stop();
    return nothing;
}

static void another_thread_stops_it(void **state)
{
    struct hf_options o = options();

    (void)state;
    for (int i = 0; i < 20; i++) {
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, stop_soon, NULL), 0);
        assert_int_equal(hf_serve(&service, &o), 0);
        pthread_join(thread, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_program_that_knows_fewer_options_gets_those, begin),
        cmocka_unit_test_setup(a_program_that_knows_more_options_gets_zeros_there,
                               begin),
        cmocka_unit_test_setup(options_without_sense_are_refused, begin),
        cmocka_unit_test_setup(a_service_without_logic_is_refused, begin),
        cmocka_unit_test_setup(an_address_in_use_is_named, begin),
        cmocka_unit_test_setup(a_socket_that_was_given_stays_open, begin),
        cmocka_unit_test_setup(a_stop_that_came_first_ends_the_next_run_alone, begin),
        cmocka_unit_test_setup(a_start_that_refuses_is_told, begin),
        cmocka_unit_test_setup(signals_end_it_and_handlers_come_back, begin),
        cmocka_unit_test_setup(one_runs_at_a_time, begin),
        cmocka_unit_test_setup(another_thread_stops_it, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
