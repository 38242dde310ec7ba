#include "supervisor/supervisor.h"
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/child.h"
#include "supervisor/datadir.h"
#include "supervisor/identity.h"
#include "supervisor/notify.h"
#include "supervisor/relay.h"
#include "supervisor/restart.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS     500  /* between two looks at the worker's pulse */
#define STARTING_MS 10   /* the same while it is not ready */
#define DUMP_MS     1000 /* a stuck worker's time to write its backtrace */
#define NEVER       INT64_MAX

enum phase { WAITING, SERVING, REPLACING, ENDING };

struct supervisor {
    const struct supervisor_plan *plan;
    const struct supervisor_ops *ops;
    void *user;
    struct identity identity;
    int lock;
    struct sockets sockets;
    struct relay relay;
    int signal_fd;
    struct vital *vital;
    struct vital_watch watch;
    struct restart restart;

    enum phase phase;
    pid_t worker; /* 0: there is none */
    int64_t born_ms;
    int64_t start_ms; /* WAITING: when to start the next one */
    int64_t kill_ms;  /* when to kill the worker, whatever it does */
    bool announced;   /* systemd knows that we are ready */
    bool ended;
    int exit_status;
};

static void end(struct supervisor *s, int exit_status)
{
    s->ended = true;
    s->exit_status = exit_status;
}

static void start_worker(struct supervisor *s, int64_t now_ms)
{
    struct child_setup setup = {
        .plan = s->plan,
        .ops = s->ops,
        .user = s->user,
        .identity = &s->identity,
        .sockets = &s->sockets,
        .relay = &s->relay,
        .vital = s->vital,
        .signal_fd = s->signal_fd,
    };
    pid_t pid = child_start(&setup);

    s->kill_ms = NEVER;
    if (pid < 0) {
        s->phase = WAITING;
        s->start_ms = now_ms + s->plan->max_restart_delay_ms;
        return;
    }
    s->phase = SERVING;
    s->worker = pid;
    s->born_ms = now_ms;
    s->announced = false;
    memset(&s->watch, 0, sizeof(s->watch));
}

/* Asks the worker to end; it is killed when it takes too long. */
static void drain_worker(struct supervisor *s, int64_t now_ms)
{
    kill(s->worker, SIGTERM);
    if (s->kill_ms == NEVER)
        s->kill_ms = now_ms + s->plan->drain_timeout_ms;
}

static void plan_restart(struct supervisor *s, int64_t now_ms)
{
    int64_t delay_ms = restart_after_death(&s->restart, s->born_ms, now_ms);

    if (delay_ms == RESTART_GIVE_UP) {
        log_error(SUPERVISOR, "holdfast gives up restarts=%u reason=max_restarts",
                  s->restart.in_row);
        end(s, 1);
        return;
    }
    s->phase = WAITING;
    s->start_ms = now_ms + delay_ms;
    if (delay_ms > 0)
        log_warn(SUPERVISOR, "worker restarts in_ms=%lld restarts=%u",
                 (long long)delay_ms, s->restart.in_row);
}

static void on_worker_death(struct supervisor *s, int status, int64_t now_ms)
{
    bool asked = s->phase == REPLACING || s->phase == ENDING;
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    child_log_end(s->worker, status, now_ms - s->born_ms, asked, s->vital);
    s->worker = 0;
    s->kill_ms = NEVER;
    if (s->phase == ENDING) {
        end(s, well ? 0 : 1);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_HOPELESS) {
        log_error(SUPERVISOR, "holdfast gives up reason=worker_says_hopeless");
        end(s, 1);
    } else if (s->phase == REPLACING) {
        start_worker(s, now_ms);
    } else {
        plan_restart(s, now_ms);
    }
}

static void on_end_signal(struct supervisor *s, int64_t now_ms)
{
    if (s->phase == ENDING) {
        log_warn(SUPERVISOR, "holdfast ends at=once reason=second_signal");
        s->kill_ms = now_ms;
        return;
    }
    log_info(SUPERVISOR, "holdfast ends reason=signal drain_timeout_ms=%lld",
             (long long)s->plan->drain_timeout_ms);
    notify_send("STOPPING=1");
    s->phase = ENDING;
    if (s->worker)
        drain_worker(s, now_ms);
    else
        end(s, 0);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* What is fixed for the life of this process. */
static bool keeps_home(const struct supervisor *s, const struct supervisor_plan *next)
{
    if (same_text(s->plan->data_dir, next->data_dir) &&
        same_text(s->plan->user, next->user))
        return true;
    log_error(SUPERVISOR,
              "holdfast reload refused reason=needs_restart: data_dir and user cannot "
              "change while the gateway runs");
    return false;
}

static void log_listeners(const struct supervisor *s)
{
    char text[SOCKETS_TEXT_MAX];

    for (size_t i = 0; i < s->sockets.count; i++)
        log_info(SUPERVISOR, "listener %s listens address=%s",
                 s->plan->listeners[i].name,
                 sockets_text(s->sockets.fds[i], text, sizeof(text)));
}

static void adopt_plan(struct supervisor *s, const struct supervisor_plan *plan)
{
    s->plan = plan;
    s->restart.max = plan->max_restarts;
    s->restart.max_delay_ms = plan->max_restart_delay_ms;
    log_setup((enum log_level)plan->log_level, plan->log_topics);
}

/* The worker that runs goes on, and logs as the new plan wants. */
static void keep_worker(struct supervisor *s)
{
    log_info(SUPERVISOR, "holdfast reload done worker=kept");
    s->vital->log_level = s->plan->log_level;
    s->vital->log_topics = s->plan->log_topics;
    kill(s->worker, SIGUSR1);
    if (s->announced)
        notify_send("READY=1");
}

static void replace_worker(struct supervisor *s, int64_t now_ms)
{
    log_info(SUPERVISOR, "holdfast reload done worker=replaced");
    log_listeners(s);
    s->announced = false;
    if (s->worker) {
        s->phase = REPLACING;
        drain_worker(s, now_ms);
    } else {
        s->start_ms = now_ms;
    }
}

static void on_reload_signal(struct supervisor *s, int64_t now_ms)
{
    const struct supervisor_plan *former = s->plan;
    const struct supervisor_plan *next;
    bool same;

    if (s->phase == ENDING)
        return;
    if (!(next = s->ops->reload(s->user))) {
        log_error(SUPERVISOR,
                  "holdfast reload failed: the former settings stay in force");
        return;
    }
    if (!keeps_home(s, next) ||
        sockets_hold(&s->sockets, next->listeners, next->listener_count) < 0) {
        log_error(SUPERVISOR,
                  "holdfast reload failed: the former settings stay in force");
        s->ops->discard(s->user, next);
        return;
    }
    notify_reloading();
    same = s->phase == SERVING && s->ops->is_same_work(former, next);
    adopt_plan(s, next);
    s->ops->discard(s->user, former);
    if (same)
        keep_worker(s);
    else
        replace_worker(s, now_ms);
}

static void read_signals(struct supervisor *s, int64_t now_ms)
{
    struct signalfd_siginfo info;

    while (!s->ended && read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGTERM:
        case SIGINT:
            on_end_signal(s, now_ms);
            break;
        case SIGHUP:
            on_reload_signal(s, now_ms);
            break;
        default:
            break; /* SIGCHLD only wakes us */
        }
    }
}

static void reap(struct supervisor *s, int64_t now_ms)
{
    int status;

    if (s->worker && waitpid(s->worker, &status, WNOHANG) == s->worker)
        on_worker_death(s, status, now_ms);
}

/* A shard that does not turn gets SIGABRT, of which it writes its backtrace, and the
 * worker is killed soon after: a stopped process can do neither. */
static void check_pulse(struct supervisor *s, int64_t now_ms)
{
    int stuck;
    pid_t thread;

    if (!s->worker || s->phase != SERVING || s->kill_ms != NEVER)
        return;
    stuck = vital_find_stuck(s->vital, &s->watch, s->plan->stuck_timeout_ms, now_ms);
    if (stuck < 0)
        return;
    thread = s->vital->shards[stuck].thread;
    log_error(SUPERVISOR, "worker %d is stuck shard=%d thread=%d stuck_timeout_ms=%lld",
              (int)s->worker, stuck, (int)thread, (long long)s->plan->stuck_timeout_ms);
    syscall(SYS_tgkill, s->worker, thread, SIGABRT);
    s->kill_ms = now_ms + DUMP_MS;
}

static void announce(struct supervisor *s)
{
    if (s->phase != SERVING || s->announced || !s->vital->ready)
        return;
    s->announced = true;
    log_info(SUPERVISOR, "holdfast ready worker=%d", (int)s->worker);
    notify_send("READY=1");
}

static void act_on_time(struct supervisor *s, int64_t now_ms)
{
    if (s->phase == WAITING && now_ms >= s->start_ms)
        start_worker(s, now_ms);
    if (s->worker && now_ms >= s->kill_ms) {
        log_warn(SUPERVISOR, "worker %d is killed", (int)s->worker);
        kill(s->worker, SIGKILL);
        s->kill_ms = NEVER;
    }
    check_pulse(s, now_ms);
    announce(s);
}

static int time_to_sleep(const struct supervisor *s, int64_t now_ms)
{
    int64_t until_ms = now_ms + LOOK_MS;

    if (s->phase == SERVING && !s->announced)
        until_ms = now_ms + STARTING_MS;
    if (s->phase == WAITING && s->start_ms < until_ms)
        until_ms = s->start_ms;
    if (s->worker && s->kill_ms < until_ms)
        until_ms = s->kill_ms;
    return until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
}

static void loop(struct supervisor *s)
{
    while (!s->ended) {
        struct pollfd fds[] = {
            {.fd = s->signal_fd, .events = POLLIN},
            relay_wants(&s->relay),
        };

        if (poll(fds, ARRAY_LEN(fds), time_to_sleep(s, clock_mono_ms())) < 0)
            continue;
        relay_turn(&s->relay, fds[1].revents);
        if (fds[0].revents)
            read_signals(s, clock_mono_ms());
        if (!s->ended)
            reap(s, clock_mono_ms());
        if (!s->ended)
            act_on_time(s, clock_mono_ms());
    }
}

static int catch_signals(struct supervisor *s)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signal_fd < 0 ? ERR_IO : OK;
}

static int prepare(struct supervisor *s)
{
    const struct supervisor_plan *plan = s->plan;
    int rc;

    umask(0077); /* what we create is for our user alone */
    sockets_allow_many();
    if ((rc = identity_find(plan->user, plan->user_where, &s->identity)) < 0)
        return rc;
    /* The lock first: it waits for a worker that may still hold the addresses too. */
    if ((rc = datadir_open(plan->data_dir, plan->data_dir_where, &s->identity,
                           plan->drain_timeout_ms + 2000, &s->lock)) < 0)
        return rc;
    if ((rc = sockets_hold(&s->sockets, plan->listeners, plan->listener_count)) < 0)
        return rc;
    if (!(s->vital = vital_new()))
        return ERR_NOMEM;
    if ((rc = catch_signals(s)) < 0)
        return rc;
    return relay_open(&s->relay);
}

int supervisor_run(const struct supervisor_plan *plan, const struct supervisor_ops *ops,
                   void *user)
{
    struct supervisor s = {
        .ops = ops,
        .user = user,
        .lock = -1,
        .signal_fd = -1,
        .relay = {.in = -1, .out = -1},
        .exit_status = 1,
    };
    int rc;

    adopt_plan(&s, plan);
    if ((rc = prepare(&s)) < 0) {
        log_error(SUPERVISOR, "holdfast failed to start reason=%s", err_word(rc));
    } else {
        log_listeners(&s);
        start_worker(&s, clock_mono_ms());
        loop(&s);
        log_info(SUPERVISOR, "holdfast ended status=%d", s.exit_status);
    }
    relay_close(&s.relay);
    sockets_close(&s.sockets);
    vital_free(&s.vital);
    if (s.signal_fd >= 0)
        close(s.signal_fd);
    if (s.lock >= 0)
        close(s.lock);
    ops->discard(user, s.plan);
    return s.exit_status;
}
