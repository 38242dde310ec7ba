/* The HTTP server on its own thread: handles that wait, clients that leave, streams,
 * the end. What it lets through: test_http_rules.c, tests/e2e/test_http_server.py. */
#include "base/clock.h"
#include "http/server.h"

#include "unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define PATIENCE_MS 20000 /* nothing waits for it when all is well */
#define BIG         20000

static struct http_server *server;
static struct sockaddr_in address;
static int listen_fd;

/* Of the test's handler; written on the server's thread. */
static _Atomic uint64_t kept; /* the newest handle that waits */
static _Atomic unsigned kept_count;
static _Atomic unsigned filled; /* bytes that streams gave */
static _Atomic unsigned gone;   /* streams that are over */
static _Atomic unsigned
    to_stream; /* bytes that the stream may give; UINT_MAX: its end */

/* ---- the handler ---- */

static ssize_t fill(void *user, uint8_t *to, size_t room)
{
    unsigned left = to_stream;

    (void)user;
    if (left == UINT_MAX)
        return HTTP_END;
    if (left > room)
        left = (unsigned)room;
    memset(to, 'x', left);
    filled += left;
    to_stream -= left;
    return left;
}

static void on_gone(void *user)
{
    (void)user;
    gone++;
}

static void answer_text(http_handle h, size_t size)
{
    struct http_answer a = {.status = 200, .type = "text/plain"};
    uint8_t *at = buf_try_reserve(&a.body, size + 1);

    assert_non_null(at);
    memset(at, 'a', size);
    buf_commit(&a.body, size);
    http_answer(server, h, &a);
}

static void handle(void *user, const struct http_request *q)
{
    static const struct http_stream stream = {.fill = fill, .gone = on_gone};

    (void)user;
    if (strcmp(q->path, "/now") == 0) {
        answer_text(q->handle, 2);
    } else if (strcmp(q->path, "/big") == 0) {
        answer_text(q->handle, BIG);
    } else if (strcmp(q->path, "/size") == 0) {
        answer_text(q->handle, q->body.size);
    } else if (strcmp(q->path, "/stream") == 0) {
        http_stream(server, q->handle, 200, "text/plain", NULL, &stream);
        kept = q->handle;
        kept_count++;
    } else if (strcmp(q->path, "/later") == 0) {
        if (http_query(q, "deadline"))
            http_set_deadline(server, q->handle, atoi(http_query(q, "deadline")));
        kept = q->handle;
        kept_count++;
    } else {
        http_set_headers(server, q->handle, "Allow: GET\r\n");
        http_problem(server, q->handle, 404, "not-found", "\"oldest\":5", "no `%s`",
                     q->path);
    }
}

static int bind_one(void)
{
    socklen_t n = sizeof(address);

    address = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    return listen_fd < 0 || bind(listen_fd, (struct sockaddr *)&address, n) ||
           listen(listen_fd, 128) ||
           getsockname(listen_fd, (struct sockaddr *)&address, &n);
}

static int set_up(void **state)
{
    struct http_conf conf = {
        .max_connections = 20,
        .max_body = 1000,
        .idle_timeout_ms = PATIENCE_MS,
        .handler = handle,
    };

    (void)state;
    kept = 0;
    kept_count = filled = gone = to_stream = 0;
    if (bind_one())
        return 1;
    conf.listen_fd = listen_fd;
    memcpy(&conf.address, &address, sizeof(address));
    return http_new(&conf, &server) || http_start(server);
}

static int tear_down(void **state)
{
    (void)state;
    http_stop(server, PATIENCE_MS);
    http_free(&server);
    close(listen_fd);
    return 0;
}

/* ---- something done on the server's thread ---- */

struct errand {
    struct parcel parcel;
    void (*run)(struct errand *e);
    sem_t done;
    http_handle handle;
    size_t size;
    const char *path;
    bool alive;
    struct http_stats stats;
};

static void on_errand(struct parcel *parcel, void *receiver)
{
    struct errand *e = CONTAINER_OF(parcel, struct errand, parcel);

    (void)receiver;
    e->run(e);
    sem_post(&e->done);
}

static void do_errand(struct errand *e, void (*run)(struct errand *e))
{
    e->run = run;
    e->parcel.open = on_errand;
    sem_init(&e->done, 0, 0);
    inbox_push(http_inbox(server), &e->parcel);
    while (sem_wait(&e->done) < 0)
        ;
    sem_destroy(&e->done);
}

static void run_answer(struct errand *e)
{
    answer_text(e->handle, e->size);
}

static void run_wake(struct errand *e)
{
    http_wake(server, e->handle);
}

static void run_look(struct errand *e)
{
    e->alive = http_is_alive(server, e->handle);
    e->stats = *http_stats(server);
}

static void answer_later(http_handle h, size_t size)
{
    struct errand e = {.handle = h, .size = size};

    do_errand(&e, run_answer);
}

static void let_stream(unsigned bytes)
{
    struct errand e = {.handle = kept};

    to_stream = bytes;
    do_errand(&e, run_wake);
}

static bool is_alive(http_handle h)
{
    struct errand e = {.handle = h};

    do_errand(&e, run_look);
    return e.alive;
}

static struct http_stats stats(void)
{
    struct errand e = {0};

    do_errand(&e, run_look);
    return e.stats;
}

#define WAIT_FOR(condition)                                                            \
    do {                                                                               \
        int64_t end_ = clock_mono_ms() + PATIENCE_MS;                                  \
        while (!(condition)) {                                                         \
            assert_true(clock_mono_ms() < end_);                                       \
            usleep(500);                                                               \
        }                                                                              \
    } while (0)

/* ---- a client ---- */

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_return_code(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *method, const char *path, const char *headers)
{
    char text[1024];
    int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                     method, path, headers);

    assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

static void read_byte(int fd, char *out)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(recv(fd, out, 1, 0), 1);
}

/* Up to the empty line; lower case would be too much for these. */
static char head[4096];

static int read_head(int fd)
{
    size_t n = 0;

    do {
        assert_true(n + 1 < sizeof(head));
        read_byte(fd, head + n);
        head[++n] = '\0';
    } while (!strstr(head, "\r\n\r\n"));
    assert_int_equal(strncmp(head, "HTTP/1.1 ", 9), 0);
    return atoi(head + 9);
}

static size_t content_length(void)
{
    const char *at = strstr(head, "Content-Length: ");

    assert_non_null(at);
    return (size_t)atol(at + 16);
}

static char body[BIG + 1];

static void read_body(int fd, size_t size)
{
    assert_true(size <= BIG);
    for (size_t n = 0; n < size; n++)
        read_byte(fd, body + n);
    body[size] = '\0';
}

static int read_answer(int fd)
{
    int status = read_head(fd);

    read_body(fd, content_length());
    return status;
}

static bool is_ended(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;

    return poll(&p, 1, PATIENCE_MS) == 1 && recv(fd, &byte, 1, 0) <= 0; /* no byte */
}

/* By itself, rather than by the deadline of idle connections. */
static bool is_ended_soon(int fd)
{
    int64_t begin_ms = clock_mono_ms();

    return is_ended(fd) && clock_mono_ms() < begin_ms + PATIENCE_MS / 2;
}

/* ---- tests ---- */

static void a_connection_serves_one_request_after_the_other(void **state)
{
    int fd = dial();

    (void)state;
    for (int i = 0; i < 50; i++) {
        say(fd, "GET", "/now", "");
        assert_int_equal(read_answer(fd), 200);
        assert_string_equal(body, "aa");
    }
    say(fd, "POST", "/size", "Content-Length: 5\r\n");
    assert_int_equal(send(fd, "12345", 5, 0), 5);
    assert_int_equal(read_answer(fd), 200);
    assert_int_equal(content_length(), 5);
    assert_int_equal(stats().connections, 1);
    assert_int_equal(stats().status[2], 51);
    close(fd);
}

static void a_problem_says_what_was_wrong(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "GET", "/nowhere", "");
    assert_int_equal(read_answer(fd), 404);
    assert_non_null(strstr(head, "Content-Type: application/problem+json\r\n"));
    assert_non_null(strstr(head, "Allow: GET\r\n"));
    assert_string_equal(body,
                        "{\"type\":\"https://holdfast.invalid/problems/not-found\","
                        "\"title\":\"Not Found\",\"status\":404,"
                        "\"detail\":\"no `/nowhere`\",\"oldest\":5}");
    close(fd);
}

static void head_gets_the_headers_alone(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "HEAD", "/big", "");
    assert_int_equal(read_head(fd), 200);
    assert_int_equal(content_length(), BIG);
    say(fd, "GET", "/now", ""); /* and nothing stands between them */
    assert_int_equal(read_answer(fd), 200);
    say(fd, "HEAD", "/stream", "");
    assert_int_equal(read_head(fd), 200);
    assert_true(is_ended(fd));
    WAIT_FOR(gone == 1);
    assert_int_equal(filled, 0);
    close(fd);
}

static void large_answers_are_compressed_for_those_who_ask(void **state)
{
    static uint8_t plain[BIG + 1];
    z_stream z = {0};
    int fd = dial();

    (void)state;
    say(fd, "GET", "/big", "Accept-Encoding: gzip\r\n");
    assert_int_equal(read_answer(fd), 200);
    assert_non_null(strstr(head, "Content-Encoding: gzip\r\n"));
    assert_non_null(strstr(head, "Vary: Accept-Encoding\r\n"));
    z.next_in = (uint8_t *)body;
    z.avail_in = (unsigned)content_length();
    z.next_out = plain;
    z.avail_out = sizeof(plain);
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, BIG);
    inflateEnd(&z);

    say(fd, "GET", "/now", "Accept-Encoding: gzip\r\n");
    assert_int_equal(read_answer(fd), 200);
    assert_null(strstr(head, "Content-Encoding"));
    say(fd, "GET", "/big", "Accept-Encoding: gzip;q=0\r\n");
    assert_int_equal(read_answer(fd), 200);
    assert_null(strstr(head, "Content-Encoding"));
    assert_int_equal(content_length(), BIG);
    close(fd);
}

static void a_request_waits_for_its_answer_from_another_thread(void **state)
{
    int fd = dial(), other = dial();
    http_handle h;

    (void)state;
    say(fd, "GET", "/later", "");
    WAIT_FOR(kept_count == 1);
    h = kept;
    say(other, "GET", "/now", ""); /* nobody else waits meanwhile */
    assert_int_equal(read_answer(other), 200);
    assert_true(is_alive(h));
    answer_later(h, 7);
    assert_int_equal(read_answer(fd), 200);
    assert_int_equal(content_length(), 7);
    WAIT_FOR(!is_alive(h));
    answer_later(h, 8);
    answer_later(12345, 8);
    answer_later(0, 8);
    assert_int_equal(stats().abandoned, 3);
    say(fd, "GET", "/later", "");
    WAIT_FOR(kept_count == 2);
    assert_true(kept != h);
    answer_later(h, 8); /* the former request's handle is not this one's */
    answer_later(kept, 9);
    assert_int_equal(read_answer(fd), 200);
    assert_int_equal(content_length(), 9);
    close(fd);
    close(other);
}

static void a_request_that_nobody_answers_times_out(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "GET", "/later?deadline=30", "");
    assert_int_equal(read_answer(fd), 504);
    assert_non_null(strstr(body, "problems/timeout"));
    answer_later(kept, 1);
    assert_int_equal(stats().abandoned, 1);
    say(fd, "GET", "/now", "");
    assert_int_equal(read_answer(fd), 200);
    close(fd);
}

static void a_client_that_leaves_takes_its_handle_with_it(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "GET", "/later", "");
    WAIT_FOR(kept_count == 1);
    close(fd);
    WAIT_FOR(!is_alive(kept));
    WAIT_FOR(stats().open == 0);
    answer_later(kept, 1);
    assert_int_equal(stats().abandoned, 1);
}

static int half_close(int fd)
{
    return shutdown(fd, SHUT_WR);
}

static void run_last_word(struct errand *e)
{
    say((int)e->size, "GET", e->path, "");
    assert_return_code(half_close((int)e->size), 0);
}

/* A request and the end, both there when the server looks next. */
static void say_last(int fd, const char *path)
{
    struct errand e = {.size = (size_t)fd, .path = path};

    do_errand(&e, run_last_word);
}

/* Leaves without a word's way back: the next look finds it, and has seen by then
 * whoever waited before it. */
static void wait_for_a_look(void)
{
    struct linger at_once = {.l_onoff = 1};
    unsigned before = kept_count;
    http_handle others = kept, own;
    int fd = dial();

    say(fd, "GET", "/later", "");
    WAIT_FOR(kept_count == before + 1);
    own = kept;
    kept = others;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
    WAIT_FOR(!is_alive(own));
}

static void a_client_that_says_its_last_is_answered_and_closed(void **state)
{
    (void)state;
    for (int requests = 1; requests <= 3; requests++) {
        for (int i = 0; i < 15; i++) {
            int fd = dial();

            for (int n = 0; n < requests; n++)
                say(fd, "GET", "/now", "");
            assert_return_code(half_close(fd), 0);
            for (int n = 0; n < requests; n++)
                assert_int_equal(read_answer(fd), 200);
            assert_true(is_ended_soon(fd));
            close(fd);
        }
    }
}

static void an_idle_client_that_says_its_last_is_closed(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "GET", "/now", "");
    assert_int_equal(read_answer(fd), 200);
    assert_return_code(half_close(fd), 0);
    assert_true(is_ended_soon(fd));
    close(fd);
}

static void who_says_its_last_while_its_answer_waits_gets_it(void **state)
{
    int fd = dial();

    (void)state;
    say_last(fd, "/later");
    WAIT_FOR(kept_count == 1);
    wait_for_a_look();
    answer_later(kept, 7);
    assert_int_equal(read_answer(fd), 200);
    assert_int_equal(content_length(), 7);
    assert_true(is_ended_soon(fd));
    close(fd);
}

static void who_says_its_last_later_gets_its_answer_too(void **state)
{
    int fds[5];

    (void)state;
    for (unsigned n = 0; n < ARRAY_LEN(fds); n++) {
        fds[n] = dial();
        say(fds[n], "GET", "/later?deadline=1000", "");
        WAIT_FOR(kept_count == n + 1);
    }
    for (unsigned n = 0; n < ARRAY_LEN(fds); n++)
        assert_return_code(half_close(fds[n]), 0);
    for (unsigned n = 0; n < ARRAY_LEN(fds); n++) {
        assert_int_equal(read_answer(fds[n]), 504);
        assert_true(is_ended_soon(fds[n]));
        close(fds[n]);
    }
}

static void who_says_its_last_is_not_waited_for_long(void **state)
{
    int fd = dial();

    (void)state;
    say_last(fd, "/later");
    assert_int_equal(read_answer(fd), 504); /* before the deadline of others */
    assert_true(is_ended_soon(fd));
    close(fd);
}

/* The size of the chunk that comes, with its bytes read; 0 is the last one. */
static size_t read_chunk(int fd)
{
    char line[16] = "";
    size_t n = 0, size;

    while (!strstr(line, "\r\n")) {
        assert_true(n + 1 < sizeof(line));
        read_byte(fd, line + n);
        line[++n] = '\0';
    }
    size = strtoul(line, NULL, 16);
    read_body(fd, size + 2);
    return size;
}

static void a_stream_gives_what_it_is_woken_for(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "GET", "/stream", "");
    assert_int_equal(read_head(fd), 200);
    assert_non_null(strstr(head, "Transfer-Encoding: chunked\r\n"));
    for (unsigned n = 1; n < 20; n++) {
        let_stream(n);
        assert_int_equal(read_chunk(fd), n);
    }
    assert_int_equal(stats().streaming, 1);
    let_stream(UINT_MAX);
    assert_int_equal(read_chunk(fd), 0);
    WAIT_FOR(gone == 1);
    say(fd, "GET", "/now", ""); /* the connection lives on */
    assert_int_equal(read_answer(fd), 200);
    assert_int_equal(stats().streaming, 0);
    close(fd);
}

static void a_stream_ends_with_its_client(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "GET", "/stream", "");
    WAIT_FOR(kept_count == 1);
    close(fd);
    WAIT_FOR(gone == 1);
    WAIT_FOR(stats().open == 0);
    let_stream(5);
    assert_int_equal(filled, 0);
}

static void a_stream_outlasts_its_clients_last_word(void **state)
{
    int fd = dial();

    (void)state;
    say_last(fd, "/stream");
    assert_int_equal(read_head(fd), 200);
    WAIT_FOR(kept_count == 1);
    wait_for_a_look();
    for (unsigned n = 1; n < 5; n++) {
        let_stream(n);
        assert_int_equal(read_chunk(fd), n);
    }
    let_stream(UINT_MAX);
    assert_int_equal(read_chunk(fd), 0);
    assert_true(is_ended_soon(fd));
    close(fd);
}

static void a_client_that_never_reads_costs_its_socket_buffers(void **state)
{
    int small = 4096, fd = socket(AF_INET, SOCK_STREAM, 0), other = dial();
    unsigned before;

    (void)state;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_return_code(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    say(fd, "GET", "/stream", "");
    WAIT_FOR(kept_count == 1);
    let_stream(1u << 30);
    do {
        before = filled;
        usleep(100000);
    } while (filled != before);
    assert_true(filled > 0 && filled < 64u << 20);
    say(other, "GET", "/now", "");
    assert_int_equal(read_answer(other), 200);
    close(fd);
    WAIT_FOR(gone == 1);
    close(other);
}

static void too_many_connections_are_told_so(void **state)
{
    int fds[21];

    (void)state;
    for (int i = 0; i < 20; i++) {
        fds[i] = dial();
        say(fds[i], "GET", "/now", "");
        assert_int_equal(read_answer(fds[i]), 200);
    }
    fds[20] = dial();
    assert_int_equal(read_answer(fds[20]), 503);
    assert_true(is_ended(fds[20]));
    close(fds[0]);
    WAIT_FOR(stats().open == 19);
    close(fds[20]);
    fds[20] = dial();
    say(fds[20], "GET", "/now", "");
    assert_int_equal(read_answer(fds[20]), 200);
    for (int i = 1; i <= 20; i++)
        close(fds[i]);
}

static void *stop_it(void *timeout_ms)
{
    http_stop(server, *(int64_t *)timeout_ms);
    return NULL;
}

static void the_end_waits_for_answers_and_ends_streams(void **state)
{
    int64_t timeout_ms = PATIENCE_MS;
    int fd = dial(), stream = dial(), idle = dial();
    pthread_t stopper;
    http_handle h;

    (void)state;
    say(idle, "GET", "/now", "");
    assert_int_equal(read_answer(idle), 200);
    say(stream, "GET", "/stream", "");
    WAIT_FOR(kept_count == 1);
    say(fd, "GET", "/later", "");
    WAIT_FOR(kept_count == 2);
    h = kept;
    assert_int_equal(pthread_create(&stopper, NULL, stop_it, &timeout_ms), 0);
    assert_int_equal(read_head(stream), 200);
    assert_int_equal(read_chunk(stream), 0);
    say(idle, "GET", "/now", "");
    assert_int_equal(read_answer(idle), 503);
    answer_later(h, 3);
    assert_int_equal(read_answer(fd), 200);
    assert_non_null(strstr(head, "Connection: close\r\n"));
    assert_true(is_ended(fd));
    pthread_join(stopper, NULL);
    assert_int_equal(gone, 1);
    close(fd);
    close(stream);
    close(idle);
}

static void the_end_does_not_wait_for_ever(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "GET", "/later", "");
    WAIT_FOR(kept_count == 1);
    http_stop(server, 20);
    assert_int_equal(read_answer(fd), 503);
    assert_true(is_ended(fd));
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_connection_serves_one_request_after_the_other),
        TEST(a_problem_says_what_was_wrong),
        TEST(head_gets_the_headers_alone),
        TEST(large_answers_are_compressed_for_those_who_ask),
        TEST(a_request_waits_for_its_answer_from_another_thread),
        TEST(a_request_that_nobody_answers_times_out),
        TEST(a_client_that_leaves_takes_its_handle_with_it),
        TEST(a_client_that_says_its_last_is_answered_and_closed),
        TEST(an_idle_client_that_says_its_last_is_closed),
        TEST(who_says_its_last_while_its_answer_waits_gets_it),
        TEST(who_says_its_last_later_gets_its_answer_too),
        TEST(who_says_its_last_is_not_waited_for_long),
        TEST(a_stream_outlasts_its_clients_last_word),
        TEST(a_stream_gives_what_it_is_woken_for),
        TEST(a_stream_ends_with_its_client),
        TEST(a_client_that_never_reads_costs_its_socket_buffers),
        TEST(too_many_connections_are_told_so),
        TEST(the_end_waits_for_answers_and_ends_streams),
        TEST(the_end_does_not_wait_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
