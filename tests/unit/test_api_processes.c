/* Connections and figures of service processes: the test is the processes, at the other
 * ends of two lines. */
#include "apirig.h"

#include <stdio.h>

#define PROCESSES 2

static int ends[PROCESSES]; /* of the processes; -1: closed */
static struct look_question asked;
static unsigned questions;

static int open_all(void **state)
{
    static struct process_conf confs[PROCESSES];

    (void)state;
    for (int i = 0; i < PROCESSES; i++) {
        int line[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, line) < 0)
            return -1;
        confs[i] = (struct process_conf){.listener = "answers", .fd = line[0]};
        ends[i] = line[1];
    }
    questions = 0;
    api_rig.processes = confs;
    api_rig.process_count = PROCESSES;
    return api_rig_begin(1000);
}

static void hang_up(int i)
{
    if (ends[i] >= 0)
        close(ends[i]);
    ends[i] = -1;
}

static int close_all(void **state)
{
    (void)state;
    for (int i = 0; i < PROCESSES; i++) {
        hang_up(i);
        close(api_rig.processes[i].fd);
    }
    api_rig.processes = NULL;
    api_rig.process_count = 0;
    return api_rig_end();
}

/* Takes a question, if there is one. */
static bool is_asked(int i)
{
    bool is = recv(ends[i], &asked, sizeof(asked), MSG_DONTWAIT) == sizeof(asked);

    questions += is;
    return is;
}

/* Process `i` has so many connections and answered as many requests. */
static void answer_as(int i, unsigned connections, uint64_t number, pid_t pid)
{
    static struct look_answer a;

    memset(&a, 0, sizeof(a));
    a.number = number;
    a.kind = asked.kind;
    a.process = pid;
    a.figures.answered = connections;
    a.figures.connections[CONN_READ] = connections;
    for (a.at = asked.at; asked.kind == LOOK_CONNECTIONS && a.at < connections;) {
        if (a.count == asked.room || a.count == LOOK_VIEWS)
            break;
        a.views[a.count] = (struct conn_view){.number = (unsigned)i * 1000u + a.at,
                                              .listener = "answers",
                                              .process = pid};
        a.slots[a.count++] = a.at++;
    }
    a.ended = a.at >= connections;
    assert_int_equal(send(ends[i], &a, look_answer_size(&a), 0),
                     (ssize_t)look_answer_size(&a));
}

/* Until nobody asks any more. */
static void serve(unsigned first, unsigned second)
{
    bool busy = true;

    while (busy) {
        api_rig_settle();
        busy = is_asked(0);
        if (busy)
            answer_as(0, first, asked.number, 100);
        if (ends[1] >= 0 && is_asked(1)) {
            answer_as(1, second, asked.number, 200);
            busy = true;
        }
    }
}

/* The loop's clock goes ahead of the real one. */
static void let_pass(int64_t ms)
{
    struct loop *l = &http_rig.loop;
    int64_t from_ms = l->wheel.now_ms > l->now_ms ? l->wheel.now_ms : l->now_ms;

    l->now_ms = from_ms + ms;
    wheel_advance(&l->wheel, l->now_ms);
    api_rig_settle();
}

static void let_the_deadline_pass(void)
{
    let_pass(PROCESS_DEADLINE_MS + 1);
}

static void let_a_tick_pass(void)
{
    let_pass(2);
}

static void connections_of_processes_come_behind_those_of_shards(void **state)
{
    int fd = relay_rig_connect(0);
    unsigned n;

    (void)state;
    relay_rig_settle();
    n = http_rig_get("/api/v1/connections");
    serve(1, 70);
    assert_int_equal(http_rig_status(n), 200);
    assert_int_equal(times_in(http_rig_body(n), "\"session\""), 1 + 1 + 70);
    assert_int_equal(times_in(http_rig_body(n), "\"shard\""), 1);
    assert_int_equal(times_in(http_rig_body(n), "\"process\":200"), 70);
    assert_null(strstr(http_rig_body(n), "incomplete"));
    close(fd);
}

static void a_cursor_may_stand_in_a_process(void **state)
{
    char target[128] = "/api/v1/connections?limit=2";
    unsigned found = 0, pages = 0;

    (void)state;
    for (;; pages++) {
        unsigned n = http_rig_get(target);
        const char *next;

        serve(3, 4);
        assert_int_equal(http_rig_status(n), 200);
        found += times_in(http_rig_body(n), "\"session\"");
        next = text_of(http_rig_body(n), "next");
        if (!*next)
            break;
        snprintf(target, sizeof(target), "/api/v1/connections?limit=2&cursor=%s", next);
    }
    assert_int_equal(found, 7);
    assert_int_equal(pages, 3);
}

static void who_does_not_answer_is_left_out_and_not_waited_for_again(void **state)
{
    unsigned n = http_rig_get("/api/v1/connections");

    (void)state;
    api_rig_settle();
    assert_int_equal(http_rig_status(n), 0);
    let_the_deadline_pass();
    assert_true(is_asked(1));
    answer_as(1, 1, asked.number, 200);
    api_rig_settle();
    assert_int_equal(times_in(http_rig_body(n), "\"process\":200"), 1);
    assert_non_null(strstr(http_rig_body(n), "\"incomplete\":true"));
    n = api_rig_get("/api/v1/connections?listener=answers");
    let_a_tick_pass();
    assert_true(is_asked(1)); /* the first one was passed over at once */
    answer_as(1, 1, asked.number, 200);
    api_rig_settle();
    assert_int_equal(http_rig_status(n), 200);
}

static void a_late_answer_shows_that_a_process_is_back(void **state)
{
    unsigned n = http_rig_get("/api/v1/connections");
    uint64_t late;

    (void)state;
    api_rig_settle();
    let_the_deadline_pass();
    assert_true(is_asked(0));
    late = asked.number;
    serve(0, 0);
    assert_non_null(strstr(http_rig_body(n), "incomplete"));
    answer_as(0, 5, late, 100);
    api_rig_settle();
    n = http_rig_get("/api/v1/connections");
    serve(2, 0);
    assert_int_equal(times_in(http_rig_body(n), "\"session\""), 2);
    assert_null(strstr(http_rig_body(n), "incomplete"));
}

static void an_answer_to_another_question_is_not_taken(void **state)
{
    unsigned n = http_rig_get("/api/v1/connections");

    (void)state;
    api_rig_settle();
    assert_true(is_asked(0));
    answer_as(0, 3, asked.number - 1, 100);
    api_rig_settle();
    assert_int_equal(http_rig_status(n), 0);
    answer_as(0, 1, asked.number, 100);
    serve(1, 0);
    assert_int_equal(times_in(http_rig_body(n), "\"session\""), 1);
}

static void packets_that_are_no_answers_are_passed_over(void **state)
{
    static struct look_answer bad;
    unsigned n = http_rig_get("/api/v1/connections");

    (void)state;
    api_rig_settle();
    assert_true(is_asked(0));
    assert_int_equal(send(ends[0], "?", 1, 0), 1);
    bad = (struct look_answer){.number = asked.number, .count = LOOK_VIEWS + 1};
    assert_true(send(ends[0], &bad, sizeof(bad), 0) > 0);
    bad.count = 2; /* but more are sent */
    assert_true(send(ends[0], &bad, sizeof(bad), 0) > 0);
    api_rig_settle();
    assert_int_equal(http_rig_status(n), 0);
    answer_as(0, 1, asked.number, 100);
    serve(1, 0);
    assert_int_equal(times_in(http_rig_body(n), "\"session\""), 1);
}

static void a_process_that_is_gone_is_not_missed(void **state)
{
    unsigned n = http_rig_get("/api/v1/connections");

    (void)state;
    api_rig_settle();
    hang_up(1);
    serve(1, 0);
    let_a_tick_pass();
    assert_int_equal(http_rig_status(n), 200);
    assert_null(strstr(http_rig_body(n), "incomplete"));
}

static void another_listener_s_list_does_not_ask_them(void **state)
{
    unsigned n = api_rig_get("/api/v1/connections?listener=terminals");

    (void)state;
    assert_int_equal(http_rig_status(n), 200);
    assert_false(is_asked(0));
}

static void a_client_that_leaves_meanwhile_hurts_nobody(void **state)
{
    unsigned n = http_rig_get("/api/v1/connections");

    (void)state;
    api_rig_settle();
    http_rig_leave(n);
    serve(1, 1);
    n = http_rig_get("/api/v1/connections"); /* still asked when everything ends */
    (void)n;
    api_rig_settle();
}

static void expect_figure(const char *line)
{
    unsigned n = http_rig_get("/metrics");

    serve(4, 6);
    if (!strstr(http_rig_body(n), line))
        fail_msg("%s is not in %s", line, http_rig_body(n));
}

static void figures_are_sums_and_do_not_fall_when_a_process_dies(void **state)
{
    unsigned n;

    (void)state;
    expect_figure("holdfast_service_answered_total{listener=\"answers\"} 10\n");
    expect_figure("holdfast_service_processes{listener=\"answers\"} 2\n");
    n = http_rig_get("/metrics");
    api_rig_settle();
    assert_true(is_asked(0));
    answer_as(0, 1, asked.number, 101); /* a new one, which has answered one */
    assert_true(is_asked(1));
    api_rig_settle();
    let_the_deadline_pass();
    assert_non_null(
        strstr(http_rig_body(n), "answered_total{listener=\"answers\"} 11\n"));
    assert_non_null(
        strstr(http_rig_body(n), "service_processes{listener=\"answers\"} 1\n"));
    assert_non_null(
        strstr(http_rig_body(n), "listener=\"answers\",state=\"read\"} 1\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connections_of_processes_come_behind_those_of_shards),
        TEST(a_cursor_may_stand_in_a_process),
        TEST(who_does_not_answer_is_left_out_and_not_waited_for_again),
        TEST(a_late_answer_shows_that_a_process_is_back),
        TEST(an_answer_to_another_question_is_not_taken),
        TEST(packets_that_are_no_answers_are_passed_over),
        TEST(a_process_that_is_gone_is_not_missed),
        TEST(another_listener_s_list_does_not_ask_them),
        TEST(a_client_that_leaves_meanwhile_hurts_nobody),
        TEST(figures_are_sums_and_do_not_fall_when_a_process_dies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
