#include "supervisor/supervisor_inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/datadir.h"
#include "supervisor/notify.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 500 /* between two looks at the children */

/* ---- the children ---- */

static void free_wards(struct supervisor *s)
{
    for (size_t i = 0; i < s->ward_count; i++)
        ward_fini(&s->wards[i]);
    lines_close(&s->lines);
    free(s->wards);
    free(s->restarts);
    s->wards = NULL;
    s->restarts = NULL;
    s->ward_count = 0;
}

static int make_wards(struct supervisor *s)
{
    const struct supervisor_plan *plan = s->plan;
    size_t count = 0;
    int rc;

    for (size_t i = 0; i < plan->crew_count; i++)
        count += plan->crews[i].processes;
    s->wards = calloc(count, sizeof(*s->wards));
    s->restarts = calloc(plan->crew_count, sizeof(*s->restarts));
    if (!s->wards || !s->restarts)
        return ERR_NOMEM;
    if ((rc = lines_open(&s->lines, plan)) < 0)
        return rc;
    for (unsigned crew = 0; crew < plan->crew_count; crew++) {
        s->restarts[crew] = (struct restart){
            .max = plan->max_restarts,
            .max_delay_ms = plan->max_restart_delay_ms,
        };
        for (unsigned i = 0; i < plan->crews[crew].processes; i++) {
            size_t n = s->ward_count;

            if ((rc = ward_init(&s->wards[n], n, crew, &s->restarts[crew])) < 0)
                return rc;
            s->ward_count++;
        }
    }
    return OK;
}

static void end(struct supervisor *s, int exit_status)
{
    s->ended = true;
    s->exit_status = exit_status;
}

static bool all_are_over(const struct supervisor *s)
{
    for (size_t i = 0; i < s->ward_count; i++)
        if (s->wards[i].phase != WARD_OVER)
            return false;
    return true;
}

void supervisor_end_wards(struct supervisor *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->ward_count; i++)
        ward_end(&s->wards[i], s->plan->drain_timeout_ms, now_ms);
}

/* A service of which no process is left: whoever connects is to be refused at once. */
static void close_deserted(struct supervisor *s)
{
    for (unsigned crew = 1; crew < s->plan->crew_count; crew++) {
        bool deserted = true;

        for (size_t i = 0; i < s->ward_count; i++)
            deserted &= s->wards[i].crew != crew || s->wards[i].phase == WARD_OVER;
        if (!deserted || !sockets_close_crew(&s->sockets, crew))
            continue;
        log_warn(SUPERVISOR, "service %s is over listener=closed",
                 s->plan->crews[crew].name);
    }
}

static void end_lines(struct supervisor *s)
{
    for (size_t i = 1; i < s->ward_count; i++)
        if (s->wards[i].phase == WARD_OVER)
            lines_end(&s->lines, i - 1);
}

static void act_on_endings(struct supervisor *s, int64_t now_ms)
{
    if (s->phase == SERVING && worker_of(s)->phase == WARD_OVER) {
        s->phase = ENDING; /* there is no gateway without it */
        s->exit_status = 1;
        supervisor_end_wards(s, now_ms);
    }
    if (s->phase == SERVING) {
        close_deserted(s);
        end_lines(s);
    } else if (all_are_over(s)) {
        if (s->phase == ENDING) {
            end(s, s->exit_status || !worker_of(s)->ended_well);
            return;
        }
        free_wards(s);
        s->phase = SERVING;
        if (make_wards(s) < 0) {
            log_error(SUPERVISOR, "holdfast gives up reason=nomem");
            end(s, 1);
        }
    }
}

static void look_after_wards(struct supervisor *s, int64_t now_ms)
{
    const struct child_setup setup = {
        .plan = s->plan,
        .ops = s->ops,
        .user = s->user,
        .identity = &s->identity,
        .sockets = &s->sockets,
        .relay = &s->relay,
        .lines = &s->lines,
        .signal_fd = s->signal_fd,
    };

    for (size_t i = 0; i < s->ward_count; i++)
        ward_reap(&s->wards[i], s->plan, now_ms);
    act_on_endings(s, now_ms);
    for (size_t i = 0; i < s->ward_count; i++)
        ward_act(&s->wards[i], &setup, now_ms);
}

/* ---- signals ---- */

static void on_end_signal(struct supervisor *s, int64_t now_ms)
{
    if (s->phase == ENDING) {
        log_warn(SUPERVISOR, "holdfast ends at=once reason=second_signal");
        for (size_t i = 0; i < s->ward_count; i++)
            s->wards[i].kill_ms = now_ms;
        return;
    }
    log_info(SUPERVISOR, "holdfast ends reason=signal drain_timeout_ms=%lld",
             (long long)s->plan->drain_timeout_ms);
    notify_send("STOPPING=1");
    s->phase = ENDING;
    s->exit_status = 0;
    supervisor_end_wards(s, now_ms);
}

void supervisor_log_listeners(const struct supervisor *s)
{
    char text[SOCKETS_TEXT_MAX];

    for (size_t i = 0; i < s->sockets.count; i++)
        log_info(SUPERVISOR, "listener %s listens address=%s",
                 s->plan->listeners[i].name,
                 sockets_text(s->sockets.fds[i], text, sizeof(text)));
}

void supervisor_adopt(struct supervisor *s, const struct supervisor_plan *plan)
{
    s->plan = plan;
    log_setup((enum log_level)plan->log_level, plan->log_topics);
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
            supervisor_reload(s, now_ms);
            break;
        default:
            break; /* SIGCHLD only wakes us */
        }
    }
}

static void announce(struct supervisor *s)
{
    if (s->phase != SERVING || s->announced == worker_of(s)->pid)
        return;
    for (size_t i = 0; i < s->ward_count; i++)
        if (!ward_is_settled(&s->wards[i]))
            return;
    s->announced = worker_of(s)->pid;
    log_info(SUPERVISOR, "holdfast ready worker=%d", (int)worker_of(s)->pid);
    notify_send("READY=1");
}

static int time_to_sleep(const struct supervisor *s, int64_t now_ms)
{
    int64_t until_ms = now_ms + LOOK_MS;

    for (size_t i = 0; i < s->ward_count; i++) {
        int64_t next_ms = ward_next(&s->wards[i], now_ms);

        if (next_ms < until_ms)
            until_ms = next_ms;
    }
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
        look_after_wards(s, clock_mono_ms());
        announce(s);
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
    if ((rc = make_wards(s)) < 0)
        return rc;
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

    supervisor_adopt(&s, plan);
    if ((rc = prepare(&s)) < 0) {
        log_error(SUPERVISOR, "holdfast failed to start reason=%s", err_word(rc));
    } else {
        supervisor_log_listeners(&s);
        look_after_wards(&s, clock_mono_ms());
        loop(&s);
        log_info(SUPERVISOR, "holdfast ended status=%d", s.exit_status);
    }
    relay_close(&s.relay);
    sockets_close(&s.sockets);
    free_wards(&s);
    if (s.signal_fd >= 0)
        close(s.signal_fd);
    if (s.lock >= 0)
        close(s.lock);
    ops->discard(user, s.plan);
    return s.exit_status;
}
