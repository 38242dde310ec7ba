/* The supervisor with real processes: each test runs it in a child, reads its log as a
 * person would, and waits for what it should say. */
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/supervisor.h"

#include "unit.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000

struct run {
    pid_t pid;
    int log; /* the supervisor's standard error */
    char dir[64];
    size_t used;
    size_t page; /* where expect() begins to look */
    char text[1 << 18];
};

typedef int worker_life(const int *fds, struct vital *vital, int life);

/* What the supervisor's children know; inherited by fork. */
static worker_life *live, *live_as_service;
static _Atomic int *lives; /* shared: how many workers there were; then, of services */
static struct listen_at listeners[2];
static struct crew crews[2] = {{"worker", 1}, {"answers", 2}};
static struct supervisor_plan plan, next_plan;

static const struct supervisor_work *mine; /* in a child */

static int work(void *user, const struct supervisor_work *w)
{
    (void)user;
    mine = w;
    if (w->crew > 0)
        return live_as_service(w->fds, w->vital, ++lives[1]);
    assert(w->fds[0] >= 0);
    return live(w->fds, w->vital, ++lives[0]);
}

static const struct supervisor_plan *reload(void *user)
{
    (void)user;
    return next_plan.data_dir ? &next_plan : NULL;
}

/* As in life: only what differs for the worker needs a new one. */
static bool is_same_work(const struct supervisor_plan *former,
                         const struct supervisor_plan *next)
{
    return former->listener_count == next->listener_count;
}

static void discard(void *user, const struct supervisor_plan *p)
{
    (void)user;
    (void)p;
}

/* Lives */

static int serve(const int *fds, struct vital *vital, int life)
{
    const struct timespec tick = {.tv_nsec = 20000000};
    sigset_t set;

    (void)fds;
    (void)life;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    vital_shard_start(vital, 0);
    vital_set_ready(vital);
    while (sigtimedwait(&set, NULL, &tick) != SIGTERM)
        vital_turn(vital, 0);
    fprintf(stderr, "drained\n");
    return 0;
}

static int fail_an_assert_once(const int *fds, struct vital *vital, int life)
{
    assert(life > 1 && "the sky has fallen");
    return serve(fds, vital, life);
}

static int be_killed_once(const int *fds, struct vital *vital, int life)
{
    if (life == 1)
        raise(SIGKILL);
    return serve(fds, vital, life);
}

static int crash_once(const int *fds, struct vital *vital, int life)
{
    static int *volatile nowhere = (int *)8;

    if (life == 1)
        *nowhere = 1;
    return serve(fds, vital, life);
}

static int hang_once(const int *fds, struct vital *vital, int life)
{
    if (life > 1)
        return serve(fds, vital, life);
    vital_shard_start(vital, 0);
    vital_set_ready(vital);
    for (;;)
        pause();
}

static int stop_once(const int *fds, struct vital *vital, int life)
{
    if (life > 1)
        return serve(fds, vital, life);
    vital_shard_start(vital, 0);
    vital_set_ready(vital);
    raise(SIGSTOP);
    return 0;
}

static int exit_always(const int *fds, struct vital *vital, int life)
{
    (void)fds;
    (void)vital;
    (void)life;
    return 7;
}

static int be_hopeless(const int *fds, struct vital *vital, int life)
{
    (void)fds;
    (void)vital;
    (void)life;
    return WORKER_HOPELESS;
}

static int ignore_the_end(const int *fds, struct vital *vital, int life)
{
    (void)fds;
    vital_set_ready(vital);
    while (life > 0)
        pause();
    return 0;
}

static int greet_in_second_life(const int *fds, struct vital *vital, int life)
{
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    int fd;

    if (life == 1) {
        /* Dies with a connection in the queue. */
        poll(&p, 1, -1);
        raise(SIGKILL);
    }
    poll(&p, 1, -1);
    fd = accept(fds[0], NULL, NULL);
    if (write(fd, "hello", 5) != 5)
        return 1;
    close(fd);
    return serve(fds, vital, life);
}

/* Services have the second listener, and it alone. */

static int greet(const int *fds, struct vital *vital, int life)
{
    struct pollfd p = {.fd = fds[1], .events = POLLIN};

    assert(fds[0] == -1);
    (void)life;
    vital_set_ready(vital);
    for (;;) {
        int fd = poll(&p, 1, 10) == 1 ? accept(fds[1], NULL, NULL) : -1;
        sigset_t pending;

        if (fd >= 0 && write(fd, "hello", 5) == 5)
            close(fd);
        if (sigpending(&pending) == 0 && sigismember(&pending, SIGTERM))
            return 0;
    }
}

static int greet_or_die(const int *fds, struct vital *vital, int life)
{
    if (life <= 2)
        raise(SIGSEGV);
    return greet(fds, vital, life);
}

/* Reads one packet of a line: true, and what it says. */
static bool hears(const struct line *line, char *said)
{
    struct pollfd p = {.fd = line->fd, .events = POLLIN};

    return poll(&p, 1, PATIENCE_MS) == 1 && recv(line->fd, said, 1, 0) == 1;
}

/* Asks all services, dies, and asks them again. */
static int ask_services(const int *fds, struct vital *vital, int life)
{
    char said;

    assert(mine->line_count == 2 && mine->lines[1].crew == 1);
    for (size_t i = 0; i < mine->line_count; i++)
        if (send(mine->lines[i].fd, "?", 1, 0) != 1)
            return 1;
    for (size_t i = 0; i < mine->line_count; i++)
        if (!hears(&mine->lines[i], &said) || said != '!')
            return 1;
    fprintf(stderr, "both have answered worker %d\n", life);
    if (life == 1)
        raise(SIGKILL);
    return serve(fds, vital, life);
}

/* The first ones die without having looked. */
static int answer_in_second_life(const int *fds, struct vital *vital, int life)
{
    char said;

    assert(mine->line_count == 1);
    if (life <= 2)
        raise(SIGKILL);
    for (int i = 0; i < 2; i++)
        if (!hears(mine->lines, &said) || send(mine->lines[0].fd, "!", 1, 0) != 1)
            return 1;
    return serve(fds, vital, life);
}

/* Waits for the end of both lines. */
static int see_services_end(const int *fds, struct vital *vital, int life)
{
    char said;

    for (size_t i = 0; i < mine->line_count; i++) {
        struct pollfd p = {.fd = mine->lines[i].fd, .events = POLLIN};

        if (poll(&p, 1, PATIENCE_MS) != 1 || recv(p.fd, &said, 1, 0) != 0)
            return 1;
    }
    fprintf(stderr, "both lines have ended\n");
    return serve(fds, vital, life);
}

static int end_well(const int *fds, struct vital *vital, int life)
{
    (void)fds;
    (void)life;
    vital_set_ready(vital);
    return 0;
}

static int hang_at_first(const int *fds, struct vital *vital, int life)
{
    if (life > 2)
        return greet(fds, vital, life);
    vital_shard_start(vital, 0);
    vital_set_ready(vital);
    for (;;)
        pause();
}

static int write_to_stderr(const int *fds, struct vital *vital, int life)
{
    fprintf(stderr, "==1== a sanitizer would say this\n");
    return serve(fds, vital, life);
}

static int log_much(const int *fds, struct vital *vital, int life)
{
    for (int i = 0; i < 100000; i++)
        log_info(MAIN, "line %d of far too many for any pipe", i);
    return serve(fds, vital, life);
}

static int debug_when_told(const int *fds, struct vital *vital, int life)
{
    vital_set_ready(vital);
    while (!log_wanted(LOG_DEBUG, LOG_T_MAIN))
        pause();
    log_debug(MAIN, "the worker debugs");
    return serve(fds, vital, life);
}

/* Steps */

static void prepare(struct run *r)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&listeners[0].address;

    memset(r, 0, sizeof(*r));
    strcpy(r->dir, "/tmp/holdfast-test-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    lives = mmap(NULL, 2 * sizeof(*lives), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(lives, MAP_FAILED);
    memset(listeners, 0, sizeof(listeners));
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listeners[0].name = "one";
    listeners[0].where = "x.yaml:1:2";
    listeners[0].address_size = sizeof(*in);
    listeners[1] = listeners[0];
    listeners[1].name = "two";
    memset(&next_plan, 0, sizeof(next_plan));
    plan = (struct supervisor_plan){
        .crews = crews,
        .crew_count = 1,
        .data_dir = r->dir,
        .data_dir_where = "default",
        .listeners = listeners,
        .listener_count = 1,
        .max_restarts = 3,
        .max_restart_delay_ms = 50,
        .stuck_timeout_ms = 1500,
        .drain_timeout_ms = 10000,
        .log_level = LOG_INFO,
    };
}

static void start(struct run *r, worker_life *life)
{
    static const struct supervisor_ops ops = {work, reload, is_same_work, discard};
    int ends[2];

    live = life;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    r->pid = fork();
    assert_true(r->pid >= 0);
    if (r->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0); /* a failed test leaves it behind */
        signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on with the next test */
        dup2(ends[1], STDERR_FILENO);
        exit(supervisor_run(&plan, &ops, NULL));
    }
    close(ends[1]);
    r->log = ends[0];
}

static void run(struct run *r, worker_life *life)
{
    prepare(r);
    start(r, life);
}

/* A worker that serves, and two processes of a service with a listener of its own. */
static void run_both(struct run *r, worker_life *worker, worker_life *service)
{
    prepare(r);
    live_as_service = service;
    listeners[1].crew = 1;
    plan.crew_count = 2;
    plan.listener_count = 2;
    start(r, worker);
}

static void run_with_service(struct run *r, worker_life *life)
{
    run_both(r, serve, life);
}

/* Waits until the log contains `words`, and returns where. */
static const char *expect(struct run *r, const char *words)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    struct pollfd p = {.fd = r->log, .events = POLLIN};
    const char *found;
    ssize_t n;

    while (!(found = strstr(r->text + r->page, words))) {
        int64_t left_ms = until_ms - clock_mono_ms();

        n = 0;
        if (left_ms > 0 && poll(&p, 1, (int)left_ms) > 0)
            n = read(r->log, r->text + r->used, sizeof(r->text) - 1 - r->used);
        if (n <= 0) {
            kill(r->pid, SIGTERM); /* or it would outlive this program */
            fail_msg("the log never said `%s`; it said:\n%s", words, r->text);
        }
        r->used += (size_t)n;
    }
    return found;
}

/* Waits for `words`; the next look is behind them only: one read may bring both. */
static void expect_and_turn_page(struct run *r, const char *words)
{
    r->page = (size_t)(expect(r, words) + strlen(words) - r->text);
}

static int finish(struct run *r)
{
    char path[128];
    int status;

    assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
    close(r->log);
    snprintf(path, sizeof(path), "%s/lock", r->dir);
    unlink(path);
    rmdir(r->dir);
    munmap((void *)lives, 2 * sizeof(*lives));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int end(struct run *r)
{
    kill(r->pid, SIGTERM);
    return finish(r);
}

static int dial(struct run *r, const char *line)
{
    const char *port = strchr(strstr(expect(r, line), "address="), ':') + 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((in_port_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* Tests */

static void a_term_signal_drains_the_worker_and_ends_with_zero(void **state)
{
    struct run r;

    (void)state;
    run(&r, serve);
    expect(&r, "holdfast ready");
    kill(r.pid, SIGTERM);
    expect(&r, "drained\n");
    expect(&r, "holdfast ended status=0");
    assert_int_equal(finish(&r), 0);
}

static void a_killed_worker_is_started_again(void **state)
{
    struct run r;

    (void)state;
    run(&r, be_killed_once);
    expect(&r, "died signal=SIGKILL");
    expect(&r, "holdfast ready");
    assert_int_equal(end(&r), 0);
}

static void the_text_of_a_failed_assert_is_among_the_last_words(void **state)
{
    struct run r;

    (void)state;
    run(&r, fail_an_assert_once);
    expect(&r, "died signal=SIGABRT");
    assert_non_null(strstr(expect(&r, "last_words"), "the sky has fallen"));
    expect(&r, "last_words signal ABRT");
    expect(&r, "holdfast ready");
    assert_int_equal(end(&r), 0);
}

static void a_crash_is_reported_and_survived(void **state)
{
    struct run r;

    (void)state;
    run(&r, crash_once);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    expect(&r, "died signal=SIGSEGV");
    expect(&r, "last_words signal SEGV, address 0x8");
#endif
    expect(&r, "holdfast ready");
    assert_int_equal(end(&r), 0);
}

static void a_worker_that_hangs_is_dumped_and_replaced(void **state)
{
    struct run r;

    (void)state;
    run(&r, hang_once);
    expect(&r, "is stuck shard=0");
    expect(&r, "died signal=SIGABRT");
    expect_and_turn_page(&r, "last_words signal ABRT");
    expect(&r, "holdfast ready");
    assert_int_equal(end(&r), 0);
}

static void a_stopped_worker_is_killed_and_replaced(void **state)
{
    struct run r;

    (void)state;
    run(&r, stop_once);
    expect(&r, "is stuck shard=0");
    expect_and_turn_page(&r, "died signal=SIGKILL");
    expect(&r, "holdfast ready");
    assert_int_equal(end(&r), 0);
}

static void it_gives_up_on_a_worker_that_always_dies(void **state)
{
    struct run r;

    (void)state;
    run(&r, exit_always);
    expect(&r, "gives up restarts=3");
    assert_int_equal(*lives, 4);
    assert_int_equal(finish(&r), 1);
}

static void it_gives_up_on_a_worker_that_sees_no_hope(void **state)
{
    struct run r;

    (void)state;
    run(&r, be_hopeless);
    expect(&r, "gives up reason=worker_says_hopeless");
    assert_int_equal(*lives, 1);
    assert_int_equal(finish(&r), 1);
}

static void a_worker_that_does_not_drain_in_time_is_killed(void **state)
{
    struct run r;

    (void)state;
    prepare(&r);
    plan.drain_timeout_ms = 200;
    start(&r, ignore_the_end);
    expect(&r, "holdfast ready");
    assert_int_equal(end(&r), 1);
}

static void a_second_signal_ends_at_once(void **state)
{
    struct run r;

    (void)state;
    run(&r, ignore_the_end);
    expect(&r, "holdfast ready");
    kill(r.pid, SIGTERM);
    expect(&r, "holdfast ends reason=signal");
    kill(r.pid, SIGINT);
    expect(&r, "reason=second_signal");
    assert_int_equal(finish(&r), 1);
}

static void who_connects_while_the_worker_dies_is_served_by_the_next(void **state)
{
    char answer[6] = "";
    struct run r;
    int fd;

    (void)state;
    run(&r, greet_in_second_life);
    fd = dial(&r, "listener one");
    assert_int_equal(read(fd, answer, 5), 5);
    assert_string_equal(answer, "hello");
    close(fd);
    expect(&r, "holdfast ready");
    assert_int_equal(*lives, 2);
    assert_int_equal(end(&r), 0);
}

static void when_the_supervisor_is_killed_the_worker_drains(void **state)
{
    struct run first, second;

    (void)state;
    run(&first, serve);
    expect(&first, "holdfast ready");
    kill(first.pid, SIGKILL);
    waitpid(first.pid, NULL, 0);
    close(first.log);
    /* The worker holds the lock for as long as it lives. */
    second = first;
    second.used = second.page = 0;
    memset(second.text, 0, sizeof(second.text));
    start(&second, serve);
    expect(&second, "holdfast ready");
    assert_int_equal(end(&second), 0);
}

static void a_second_gateway_on_the_same_data_is_refused(void **state)
{
    struct run first, second;

    (void)state;
    run(&first, serve);
    expect(&first, "holdfast ready");
    memset(&second, 0, sizeof(second));
    start(&second, serve);
    expect(&second, "another gateway uses it");
    waitpid(second.pid, NULL, 0);
    close(second.log);
    assert_int_equal(end(&first), 0);
}

static void raw_lines_of_the_worker_come_out_unchanged(void **state)
{
    struct run r;

    (void)state;
    run(&r, write_to_stderr);
    expect(&r, "\n==1== a sanitizer would say this\n");
    assert_int_equal(end(&r), 0);
}

static void a_log_that_nobody_reads_blocks_nobody(void **state)
{
    struct run r;

    (void)state;
    run(&r, log_much);
    while (*lives == 0)
        usleep(1000);
    /* Not a line is read from here on, and yet it ends when told to. */
    assert_int_equal(end(&r), 0);
}

static void a_reload_opens_and_closes_listeners_and_replaces_the_worker(void **state)
{
    struct run r;

    (void)state;
    prepare(&r);
    next_plan = plan;
    next_plan.listener_count = 2;
    start(&r, serve);
    expect_and_turn_page(&r, "holdfast ready");
    kill(r.pid, SIGHUP);
    expect(&r, "reload done");
    close(dial(&r, "listener two"));
    expect(&r, "drained\n");
    expect(&r, "holdfast ready");
    assert_int_equal(*lives, 2);
    assert_int_equal(end(&r), 0);
}

static void expect_greeting(struct run *r)
{
    char answer[6] = "";
    int fd = dial(r, "listener two");

    assert_int_equal(read(fd, answer, 5), 5);
    assert_string_equal(answer, "hello");
    close(fd);
}

static void a_service_is_served_by_its_own_processes(void **state)
{
    struct run r;

    (void)state;
    run_with_service(&r, greet);
    expect(&r, "holdfast ready");
    expect_greeting(&r);
    assert_int_equal(lives[1], 2);
    assert_int_equal(end(&r), 0);
}

static void a_service_that_crashes_is_started_again_and_alone(void **state)
{
    struct run r;

    (void)state;
    run_with_service(&r, greet_or_die);
    expect(&r, "service");
    expect_greeting(&r);
    expect(&r, "holdfast ready");
    assert_int_equal(lives[0], 1);
    assert_int_equal(lives[1], 4);
    assert_int_equal(end(&r), 0);
}

static void a_service_that_hangs_is_replaced(void **state)
{
    struct run r;

    (void)state;
    run_with_service(&r, hang_at_first);
    expect(&r, "is stuck shard=0");
    expect(&r, "last_words signal ABRT");
    expect_greeting(&r);
    assert_int_equal(lives[0], 1);
    assert_int_equal(end(&r), 0);
}

/* A worker that was forked a moment ago may not have closed its copy yet. */
static void assert_refused(struct run *r)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    const char *port = strchr(strstr(expect(r, "listener two"), "address="), ':') + 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((in_port_t)atoi(port))};
    bool is_refused = false;

    while (!is_refused && clock_mono_ms() < until_ms) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        is_refused = connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0;
        close(fd);
    }
    assert_true(is_refused);
}

static void a_service_that_always_dies_ends_alone(void **state)
{
    struct run r;

    (void)state;
    run_with_service(&r, exit_always);
    expect(&r, "service answers is over");
    assert_int_equal(lives[1], 2 + 3); /* restarts are the crew's */
    assert_refused(&r);
    expect(&r, "holdfast ready"); /* relaying goes on */
    assert_int_equal(end(&r), 0);
}

static void a_service_that_ends_well_is_not_started_again(void **state)
{
    struct run r;

    (void)state;
    run_with_service(&r, end_well);
    expect(&r, "service answers is over");
    assert_refused(&r);
    assert_int_equal(lives[1], 2);
    assert_int_equal(end(&r), 0);
}

static void the_line_to_each_process_outlives_both_ends(void **state)
{
    struct run r;

    (void)state;
    run_both(&r, ask_services, answer_in_second_life);
    expect(&r, "both have answered worker 1");
    expect(&r, "both have answered worker 2");
    assert_int_equal(lives[1], 4);
    assert_int_equal(end(&r), 0);
}

static void the_line_to_a_process_that_is_over_ends(void **state)
{
    struct run r;

    (void)state;
    run_both(&r, see_services_end, end_well);
    expect(&r, "both lines have ended");
    assert_int_equal(end(&r), 0);
}

static void the_worker_takes_its_services_with_it(void **state)
{
    struct run r;

    (void)state;
    run_both(&r, be_hopeless, greet);
    expect(&r, "gives up reason=worker_says_hopeless");
    assert_int_equal(finish(&r), 1);
}

static void a_reload_that_is_nothing_new_to_the_worker_keeps_it(void **state)
{
    struct run r;

    (void)state;
    prepare(&r);
    next_plan = plan;
    next_plan.log_level = LOG_DEBUG;
    start(&r, debug_when_told);
    expect(&r, "holdfast ready");
    kill(r.pid, SIGHUP);
    expect(&r, "reload done worker=kept");
    expect(&r, "the worker debugs");
    assert_int_equal(*lives, 1);
    assert_int_equal(end(&r), 0);
}

static void a_failed_reload_changes_nothing(void **state)
{
    struct run r;

    (void)state;
    run(&r, serve);
    expect(&r, "holdfast ready");
    kill(r.pid, SIGHUP);
    expect(&r, "reload failed");
    assert_int_equal(*lives, 1);
    assert_int_equal(end(&r), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_term_signal_drains_the_worker_and_ends_with_zero),
        cmocka_unit_test(a_killed_worker_is_started_again),
        cmocka_unit_test(the_text_of_a_failed_assert_is_among_the_last_words),
        cmocka_unit_test(a_crash_is_reported_and_survived),
        cmocka_unit_test(a_worker_that_hangs_is_dumped_and_replaced),
        cmocka_unit_test(a_stopped_worker_is_killed_and_replaced),
        cmocka_unit_test(it_gives_up_on_a_worker_that_always_dies),
        cmocka_unit_test(it_gives_up_on_a_worker_that_sees_no_hope),
        cmocka_unit_test(a_worker_that_does_not_drain_in_time_is_killed),
        cmocka_unit_test(a_second_signal_ends_at_once),
        cmocka_unit_test(who_connects_while_the_worker_dies_is_served_by_the_next),
        cmocka_unit_test(when_the_supervisor_is_killed_the_worker_drains),
        cmocka_unit_test(a_second_gateway_on_the_same_data_is_refused),
        cmocka_unit_test(raw_lines_of_the_worker_come_out_unchanged),
        cmocka_unit_test(a_log_that_nobody_reads_blocks_nobody),
        cmocka_unit_test(a_reload_opens_and_closes_listeners_and_replaces_the_worker),
        cmocka_unit_test(a_service_is_served_by_its_own_processes),
        cmocka_unit_test(a_service_that_crashes_is_started_again_and_alone),
        cmocka_unit_test(a_service_that_hangs_is_replaced),
        cmocka_unit_test(a_service_that_always_dies_ends_alone),
        cmocka_unit_test(a_service_that_ends_well_is_not_started_again),
        cmocka_unit_test(the_line_to_each_process_outlives_both_ends),
        cmocka_unit_test(the_line_to_a_process_that_is_over_ends),
        cmocka_unit_test(the_worker_takes_its_services_with_it),
        cmocka_unit_test(a_reload_that_is_nothing_new_to_the_worker_keeps_it),
        cmocka_unit_test(a_failed_reload_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
