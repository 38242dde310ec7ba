/* The request/answer conversation over a socket pair, one shard turned by hand. */
#include "answersrig.h"

#include "unit.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    struct hf_later *later[8];
    unsigned later_count;
} rig;

static void open_rig(const struct hf_service *service, const struct framing *framing)
{
    memset(&rig, 0, sizeof(rig));
    answers_rig_open(service, framing);
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    answers_rig_turn();
}

/* Everything that has come; "-" behind it when the other end is closed. */
static const char *heard(int fd)
{
    static char text[4096];
    size_t used = 0;
    ssize_t n;

    while ((n = read(fd, text + used, sizeof(text) - used - 2)) > 0)
        used += (size_t)n;
    strcpy(text + used, n == 0 || errno == ECONNRESET ? "-" : "");
    return text;
}

static unsigned closed(enum close_reason reason)
{
    return (unsigned)answers_rig.shard.stats.closed[reason];
}

/* ---- services ---- */

static void keep_for_later(void *state, struct hf_request *q)
{
    (void)state;
    rig.later[rig.later_count++] = hf_answer_later(q);
}

static void say_nothing(void *state, struct hf_request *q)
{
    (void)state;
    (void)q;
}

static void answer_twice(void *state, struct hf_request *q)
{
    (void)state;
    assert_int_equal(hf_answer(q, "one", 3), 0);
    assert_int_equal(hf_answer(q, "two", 3), -1);
}

static void say_who_asks(void *state, struct hf_request *q)
{
    (void)state;
    assert_int_equal(hf_answer(q, hf_request_peer(q), strlen(hf_request_peer(q))), 0);
}

static const struct hf_service *service_of(void (*logic)(void *, struct hf_request *))
{
    static struct hf_service s;

    s = (struct hf_service){HF_SERVICE_HEAD, .name = "test", .logic = logic};
    return &s;
}

/* ---- tests ---- */

static void the_vector_is_answered(void **state)
{
    int fd;

    (void)state;
    open_rig(answers_builtin("echo"), NULL);
    fd = answers_rig_connect();
    say(fd, "0000000002hi");
    assert_string_equal(heard(fd), "0000000002hi");
    close(fd);
    answers_rig_close();
}

static void pipelined_requests_are_answered_in_order_at_every_cut(void **state)
{
    static const char all[] = "0000000002ab0000000003cde0000000001f";

    (void)state;
    for (size_t cut = 0; cut < sizeof(all); cut++) {
        char first[sizeof(all)] = "";
        int fd;

        open_rig(answers_builtin("reverse"), NULL);
        fd = answers_rig_connect();
        memcpy(first, all, cut);
        say(fd, first);
        say(fd, all + cut);
        assert_string_equal(heard(fd), "0000000002ba0000000003edc0000000001f");
        close(fd);
        answers_rig_close();
    }
}

static void a_header_that_is_not_ten_digits_above_zero_closes(void **state)
{
    static const struct {
        const char *bytes;
        enum close_reason reason;
    } table[] = {
        {"0000000000", CLOSE_BAD_LENGTH},   {"+000000002hi", CLOSE_BAD_LENGTH},
        {"-000000002hi", CLOSE_BAD_LENGTH}, {" 000000002hi", CLOSE_BAD_LENGTH},
        {"00000 0002hi", CLOSE_BAD_LENGTH}, {"000000002\nhi", CLOSE_BAD_LENGTH},
        {"0x00000002hi", CLOSE_BAD_LENGTH}, {"GET / HTTP/1.1\r\n", CLOSE_BAD_LENGTH},
        {"9999999999", CLOSE_TOO_LARGE},    {"4294967298hi", CLOSE_TOO_LARGE},
        {"0001048577", CLOSE_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int fd;

        open_rig(answers_builtin("echo"), NULL);
        fd = answers_rig_connect();
        say(fd, table[i].bytes);
        assert_string_equal(heard(fd), "-");
        assert_int_equal(closed(table[i].reason), 1);
        close(fd);
        answers_rig_close();
    }
}

static void the_largest_request_is_served(void **state)
{
    static char body[1 << 20];
    size_t got = 0, sent = 0;
    char head[11];
    int fd;

    (void)state;
    open_rig(answers_builtin("echo"), NULL);
    fd = answers_rig_connect();
    say(fd, "0001048576");
    while (sent < sizeof(body) || got < sizeof(body) + 10) {
        static char in[1 << 16];
        ssize_t n = write(fd, body + sent, sizeof(body) - sent);

        sent += n > 0 ? (size_t)n : 0;
        answers_rig_turn();
        n = read(fd, in, sizeof(in));
        if (got == 0 && n >= 10)
            assert_string_equal(strcpy(head, memcpy(head, in, 10) ? "ok" : ""), "ok");
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, sizeof(body) + 10);
    assert_int_equal(answers_rig.answers.answered, 1);
    close(fd);
    answers_rig_close();
}

static void who_never_reads_is_not_read_from_until_it_does(void **state)
{
    static char request[10 + 60000];
    uint64_t answered;
    size_t got = 0;
    int fd;

    (void)state;
    open_rig(answers_builtin("echo"), NULL);
    fd = answers_rig_connect();
    memset(request, 'x', sizeof(request));
    memcpy(request, "0000060000", 10);
    do { /* the last write may be partial: the client gives up then */
        answered = answers_rig.answers.answered;
        for (int i = 0; i < 3; i++)
            if (write(fd, request, sizeof(request)) < (ssize_t)sizeof(request))
                break;
        answers_rig_turn();
    } while (answers_rig.answers.answered > answered);
    assert_true(answers_rig.answers.answered * sizeof(request) <
                16 * ANSWERS_OUTPUT_LIMIT);
    for (int quiet = 0; quiet < 10; quiet++) {
        static char in[1 << 16];
        ssize_t n = read(fd, in, sizeof(in));

        if (n > 0) {
            got += (size_t)n;
            quiet = 0;
        }
        answers_rig_turn();
    }
    assert_int_equal(got, answers_rig.answers.answered * sizeof(request));
    assert_true(answers_rig.answers.answered > answered); /* it was read on */
    close(fd);
    answers_rig_close();
}

static void a_later_answer_holds_its_connection_only(void **state)
{
    int one, two;

    (void)state;
    open_rig(service_of(keep_for_later), NULL);
    one = answers_rig_connect();
    two = answers_rig_connect();
    say(one, "0000000001a0000000001b");
    say(two, "0000000001c");
    assert_int_equal(rig.later_count, 2); /* b waits for a */
    assert_int_equal(hf_later_answer(rig.later[1], "C", 1), 0);
    answers_rig_turn();
    assert_string_equal(heard(two), "0000000001C");
    assert_string_equal(heard(one), "");
    assert_int_equal(hf_later_answer(rig.later[0], "A", 1), 0);
    answers_rig_turn();
    assert_string_equal(heard(one), "0000000001A");
    assert_int_equal(rig.later_count, 3);
    hf_later_close(rig.later[2]);
    answers_rig_turn();
    assert_string_equal(heard(one), "-");
    assert_int_equal(closed(CLOSE_UNANSWERED), 1);
    close(one);
    close(two);
    answers_rig_close();
}

static void a_later_answer_for_one_who_left_goes_nowhere(void **state)
{
    int fd;

    (void)state;
    open_rig(service_of(keep_for_later), NULL);
    fd = answers_rig_connect();
    say(fd, "0000000001a");
    close(fd);
    answers_rig_turn();
    assert_int_equal(hf_later_answer(rig.later[0], "A", 1), 0);
    answers_rig_turn();
    assert_int_equal(answers_rig.answers.open_later, 0);
    answers_rig_close();
}

static void *answer_from_a_thread(void *later)
{
    assert_int_equal(hf_later_answer(later, "from afar", 9), 0);
    return NULL;
}

static void a_later_answer_may_come_from_another_thread(void **state)
{
    pthread_t thread;
    int fd;

    (void)state;
    open_rig(service_of(keep_for_later), NULL);
    fd = answers_rig_connect();
    say(fd, "0000000001a");
    assert_int_equal(pthread_create(&thread, NULL, answer_from_a_thread, rig.later[0]),
                     0);
    pthread_join(thread, NULL);
    answers_rig_turn();
    assert_string_equal(heard(fd), "0000000009from afar");
    close(fd);
    answers_rig_close();
}

static void a_later_answer_that_comes_after_the_end_is_dropped(void **state)
{
    int fd;

    (void)state;
    open_rig(service_of(keep_for_later), NULL);
    fd = answers_rig_connect();
    say(fd, "0000000001a");
    assert_int_equal(hf_later_answer(rig.later[0], "A", 1), 0);
    close(fd);
    answers_rig_close(); /* the leak checker watches */
}

static void no_answer_closes(void **state)
{
    int fd;

    (void)state;
    open_rig(service_of(say_nothing), NULL);
    fd = answers_rig_connect();
    say(fd, "0000000001a");
    assert_string_equal(heard(fd), "-");
    assert_int_equal(closed(CLOSE_UNANSWERED), 1);
    close(fd);
    answers_rig_close();
}

static void two_answers_are_one_too_many(void **state)
{
    int fd;

    (void)state;
    open_rig(service_of(answer_twice), NULL);
    fd = answers_rig_connect();
    say(fd, "0000000001a");
    assert_string_equal(heard(fd), "0000000003one-");
    close(fd);
    answers_rig_close();
}

static void a_service_knows_who_asks(void **state)
{
    int fd;

    (void)state;
    open_rig(service_of(say_who_asks), NULL);
    fd = answers_rig_connect();
    say(fd, "0000000001a");
    assert_string_equal(heard(fd), "0000000009[::]:5000");
    close(fd);
    answers_rig_close();
}

static void any_declared_framing_serves(void **state)
{
    struct framing line = {.end = {.size = 1, .bytes = "\n"}, .max_frame = 100};
    int fd;

    (void)state;
    open_rig(answers_builtin("reverse"), &line);
    fd = answers_rig_connect();
    say(fd, "abc\nde");
    say(fd, "f\n");
    assert_string_equal(heard(fd), "cba\nfed\n");
    close(fd);
    answers_rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_is_answered),
        cmocka_unit_test(pipelined_requests_are_answered_in_order_at_every_cut),
        cmocka_unit_test(a_header_that_is_not_ten_digits_above_zero_closes),
        cmocka_unit_test(the_largest_request_is_served),
        cmocka_unit_test(who_never_reads_is_not_read_from_until_it_does),
        cmocka_unit_test(a_later_answer_holds_its_connection_only),
        cmocka_unit_test(a_later_answer_for_one_who_left_goes_nowhere),
        cmocka_unit_test(a_later_answer_may_come_from_another_thread),
        cmocka_unit_test(a_later_answer_that_comes_after_the_end_is_dropped),
        cmocka_unit_test(no_answer_closes),
        cmocka_unit_test(two_answers_are_one_too_many),
        cmocka_unit_test(a_service_knows_who_asks),
        cmocka_unit_test(any_declared_framing_serves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
