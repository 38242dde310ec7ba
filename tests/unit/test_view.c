/* What others may see of a shard's connections, on the spot and by way of a line. */
#include "service/look.h"

#include "answersrig.h"

#include "unit.h"

#include <stdio.h>

static struct hf_later *later;

static void keep_for_later(void *state, struct hf_request *q)
{
    (void)state;
    later = hf_answer_later(q);
}

static const struct hf_service deferred = {HF_SERVICE_HEAD, .name = "deferred",
                                           .logic = keep_for_later};

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    answers_rig_turn();
}

/* All that pass, from slot `at` on, at most `room`. */
static struct conn_view views[200];
static uint32_t slots[200];

static unsigned look(const struct view_filter *filter, uint32_t *at, unsigned room,
                     bool *ended)
{
    static const struct view_filter any;

    *ended = false;
    return view_collect(&answers_rig.shard, filter ? filter : &any, at, views, slots,
                        room, ended);
}

static const struct conn_view *look_at_one(void)
{
    uint32_t at = 0;
    bool ended;

    assert_int_equal(look(NULL, &at, 200, &ended), 1);
    assert_true(ended);
    return &views[0];
}

static void an_incomplete_request_is_seen_with_what_it_wants(void **state)
{
    const struct conn_view *v;
    int fd;

    (void)state;
    answers_rig_open(answers_builtin("echo"), NULL);
    fd = answers_rig_connect();
    say(fd, "00000");
    v = look_at_one();
    assert_int_equal(v->rest, 5);
    assert_int_equal(v->wanted, 0);
    assert_int_equal(v->state, CONN_ACCEPT);
    say(fd, "00020half");
    v = look_at_one();
    assert_int_equal(v->rest, 14);
    assert_int_equal(v->wanted, 30);
    assert_string_equal(v->listener, "answers");
    assert_string_equal(v->extra, "\"requests\":0,\"answering\":false");
    close(fd);
    answers_rig_close();
}

static void an_answer_that_is_awaited_is_seen(void **state)
{
    const struct conn_view *v;
    int fd;

    (void)state;
    answers_rig_open(&deferred, NULL);
    fd = answers_rig_connect();
    say(fd, "0000000001a0000000002b");
    v = look_at_one();
    assert_int_equal(v->state, CONN_PROCESS);
    assert_int_equal(v->holds, 1);
    assert_int_equal(v->rest, 11); /* the next one waits */
    assert_string_equal(v->extra, "\"requests\":1,\"answering\":true");
    assert_int_equal(hf_later_answer(later, "A", 1), 0);
    answers_rig_turn();
    v = look_at_one();
    assert_int_equal(v->state, CONN_READ);
    assert_int_equal(v->tx_bytes, 11);
    close(fd);
    answers_rig_close();
}

static void what_a_client_does_not_take_is_to_be_written(void **state)
{
    static char request[10 + 900000];
    const struct conn_view *v;
    int fd;

    (void)state;
    answers_rig_open(answers_builtin("echo"), NULL);
    fd = answers_rig_connect();
    memset(request, 'x', sizeof(request));
    memcpy(request, "0000900000", 10);
    for (size_t sent = 0; sent < sizeof(request);) {
        ssize_t n = write(fd, request + sent, sizeof(request) - sent);

        sent += n > 0 ? (size_t)n : 0;
        answers_rig_turn();
    }
    v = look_at_one();
    assert_true(v->to_write > 0);
    assert_int_equal(v->to_write + v->tx_bytes, sizeof(request));
    close(fd);
    answers_rig_close();
}

static void a_look_goes_on_where_the_last_one_ended(void **state)
{
    int fds[130];
    bool seen[4096] = {false};
    uint32_t at = 0;
    unsigned total = 0;
    bool ended = false;

    (void)state;
    answers_rig_open(answers_builtin("echo"), NULL);
    for (int i = 0; i < 130; i++)
        fds[i] = answers_rig_connect();
    while (!ended) {
        unsigned n = look(NULL, &at, 7, &ended);

        assert_true(n <= 7);
        total += n;
        for (unsigned i = 0; i < n; i++) {
            assert_false(seen[slots[i]]);
            seen[slots[i]] = true;
        }
    }
    assert_int_equal(total, 130);
    for (int i = 0; i < 130; i++)
        close(fds[i]);
    answers_rig_close();
}

static void a_filter_lets_pass_what_fits(void **state)
{
    struct view_filter reading = {.has_state = true, .state = CONN_READ};
    struct view_filter other = {.listener = "other"}, same = {.listener = "answers"};
    int one, two;
    uint32_t at = 0;
    bool ended;

    (void)state;
    answers_rig_open(answers_builtin("echo"), NULL);
    one = answers_rig_connect();
    two = answers_rig_connect();
    say(one, "0000000001a");
    assert_int_equal(look(&reading, &at, 200, &ended), 1);
    at = 0;
    assert_int_equal(look(&other, &at, 200, &ended), 0);
    at = 0;
    assert_int_equal(look(&same, &at, 200, &ended), 2);
    close(one);
    close(two);
    answers_rig_close();
}

/* ---- over a line ---- */

static struct look_answer answer;

/* Returns the size of the packet that comes; -1: none. */
static ssize_t ask(int fd, const void *question, size_t size)
{
    assert_int_equal(send(fd, question, size, 0), (ssize_t)size);
    answers_rig_turn();
    return recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
}

static void a_process_answers_what_it_is_asked(void **state)
{
    struct look_question q = {.number = 7, .kind = LOOK_CONNECTIONS, .room = 200};
    struct look l;
    int line[2], fds[70];

    (void)state;
    answers_rig_open(answers_builtin("echo"), NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line), 0);
    assert_int_equal(look_begin(&l, &answers_rig.answers, line[0]), OK);
    for (int i = 0; i < 70; i++)
        fds[i] = answers_rig_connect();
    say(fds[3], "0000000001a");
    assert_int_equal(ask(line[1], &q, sizeof(q)),
                     offsetof(struct look_answer, views[LOOK_VIEWS]));
    assert_int_equal(answer.number, 7);
    assert_int_equal(answer.process, getpid());
    assert_int_equal(answer.views[3].process, getpid());
    assert_int_equal(answer.count, LOOK_VIEWS);
    assert_false(answer.ended);
    q.at = answer.at;
    assert_true(ask(line[1], &q, sizeof(q)) > 0);
    assert_int_equal(answer.count, 70 - LOOK_VIEWS);
    assert_true(answer.ended);
    q.kind = LOOK_FIGURES;
    assert_int_equal(ask(line[1], &q, sizeof(q)), offsetof(struct look_answer, views));
    assert_int_equal(answer.figures.answered, 1);
    assert_int_equal(answer.figures.connections[CONN_READ], 1);
    assert_int_equal(answer.figures.connections[CONN_ACCEPT], 69);
    for (int i = 0; i < 70; i++)
        close(fds[i]);
    close(line[0]);
    close(line[1]);
    answers_rig_close();
}

static void what_is_no_question_is_not_answered(void **state)
{
    struct look_question q = {.kind = LOOK_FIGURES};
    struct look l;
    int line[2];

    (void)state;
    answers_rig_open(answers_builtin("echo"), NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line), 0);
    assert_int_equal(look_begin(&l, &answers_rig.answers, line[0]), OK);
    assert_int_equal(ask(line[1], "?", 1), -1);
    assert_true(ask(line[1], &q, sizeof(q)) > 0);
    close(line[1]);
    answers_rig_turn(); /* nobody is there any more: nothing spins, nothing breaks */
    close(line[0]);
    answers_rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_incomplete_request_is_seen_with_what_it_wants),
        cmocka_unit_test(an_answer_that_is_awaited_is_seen),
        cmocka_unit_test(what_a_client_does_not_take_is_to_be_written),
        cmocka_unit_test(a_look_goes_on_where_the_last_one_ended),
        cmocka_unit_test(a_filter_lets_pass_what_fits),
        cmocka_unit_test(a_process_answers_what_it_is_asked),
        cmocka_unit_test(what_is_no_question_is_not_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
