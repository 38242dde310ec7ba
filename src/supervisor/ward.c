#include "supervisor/ward.h"
#include "base/log.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS     500  /* between two looks at the pulse */
#define STARTING_MS 10   /* the same while it is not ready */
#define DUMP_MS     1000 /* a stuck process's time to write its backtrace */
#define NEVER       INT64_MAX

int ward_init(struct ward *w, size_t number, unsigned crew, struct restart *restart)
{
    *w = (struct ward){
        .number = number,
        .crew = crew,
        .is_worker = crew == 0,
        .phase = WARD_WAITING,
        .kill_ms = NEVER,
        .vital = vital_new(),
        .restart = restart,
    };
    return w->vital ? OK : ERR_NOMEM;
}

void ward_fini(struct ward *w)
{
    vital_free(&w->vital);
}

static void start(struct ward *w, const struct child_setup *setup, int64_t now_ms)
{
    struct child_setup mine = *setup;
    pid_t pid;

    mine.number = w->number;
    mine.crew = w->crew;
    mine.vital = w->vital;
    pid = child_start(&mine);
    w->kill_ms = NEVER;
    if (pid < 0) {
        w->start_ms = now_ms + setup->plan->max_restart_delay_ms;
        return;
    }
    w->phase = WARD_SERVING;
    w->pid = pid;
    w->born_ms = now_ms;
    w->is_killed = false;
    memset(&w->watch, 0, sizeof(w->watch));
}

/* A shard that does not turn gets SIGABRT, of which it writes its backtrace, and the
 * process is killed soon after: a stopped one can do neither. */
static void check_pulse(struct ward *w, const struct supervisor_plan *plan,
                        int64_t now_ms)
{
    int stuck;
    pid_t thread;

    if (w->phase != WARD_SERVING || w->kill_ms != NEVER || w->is_killed)
        return;
    stuck = vital_find_stuck(w->vital, &w->watch, plan->stuck_timeout_ms, now_ms);
    if (stuck < 0)
        return;
    thread = w->vital->shards[stuck].thread;
    log_error(SUPERVISOR, "%s %d is stuck shard=%d thread=%d stuck_timeout_ms=%lld",
              child_word(w->crew), (int)w->pid, stuck, (int)thread,
              (long long)plan->stuck_timeout_ms);
    syscall(SYS_tgkill, w->pid, thread, SIGABRT);
    w->kill_ms = now_ms + DUMP_MS;
}

void ward_act(struct ward *w, const struct child_setup *setup, int64_t now_ms)
{
    if (w->phase == WARD_WAITING && now_ms >= w->start_ms)
        start(w, setup, now_ms);
    if (w->pid && now_ms >= w->kill_ms) {
        log_warn(SUPERVISOR, "%s %d is killed", child_word(w->crew), (int)w->pid);
        kill(w->pid, SIGKILL);
        w->kill_ms = NEVER;
        w->is_killed = true;
    }
    check_pulse(w, setup->plan, now_ms);
}

void ward_end(struct ward *w, int64_t drain_timeout_ms, int64_t now_ms)
{
    if (!w->pid) {
        w->ended_well = w->phase == WARD_OVER ? w->ended_well : true;
        w->phase = WARD_OVER;
        return;
    }
    w->phase = WARD_ENDING;
    kill(w->pid, SIGTERM);
    if (w->kill_ms == NEVER)
        w->kill_ms = now_ms + drain_timeout_ms;
}

static void give_up_hopeless(struct ward *w, const struct supervisor_plan *plan)
{
    w->phase = WARD_OVER;
    if (w->is_worker)
        log_error(SUPERVISOR, "holdfast gives up reason=worker_says_hopeless");
    else
        log_error(SUPERVISOR, "service %s gives up a process reason=it_cannot_serve",
                  plan->crews[w->crew].name);
}

static void give_up_restarting(struct ward *w, const struct supervisor_plan *plan)
{
    w->phase = WARD_OVER;
    if (w->is_worker)
        log_error(SUPERVISOR, "holdfast gives up restarts=%u reason=max_restarts",
                  w->restart->in_row);
    else
        log_error(SUPERVISOR,
                  "service %s gives up a process restarts=%u reason=max_restarts",
                  plan->crews[w->crew].name, w->restart->in_row);
}

static void plan_restart(struct ward *w, const struct supervisor_plan *plan,
                         int64_t now_ms)
{
    int64_t delay_ms = restart_after_death(w->restart, w->born_ms, now_ms);

    if (delay_ms == RESTART_GIVE_UP) {
        give_up_restarting(w, plan);
        return;
    }
    w->phase = WARD_WAITING;
    w->start_ms = now_ms + delay_ms;
    if (delay_ms > 0)
        log_warn(SUPERVISOR, "%s restarts in_ms=%lld restarts=%u", child_word(w->crew),
                 (long long)delay_ms, w->restart->in_row);
}

static void on_death(struct ward *w, const struct supervisor_plan *plan, int status,
                     int64_t now_ms)
{
    bool asked = w->phase == WARD_ENDING;
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    child_log_end(w->crew, w->pid, status, now_ms - w->born_ms, asked, w->vital);
    w->pid = 0;
    w->kill_ms = NEVER;
    w->ended_well = well;
    /* A service that ends by itself and well has done what it wanted. */
    if (asked || (well && !w->is_worker))
        w->phase = WARD_OVER;
    else if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_HOPELESS)
        give_up_hopeless(w, plan);
    else
        plan_restart(w, plan, now_ms);
}

void ward_reap(struct ward *w, const struct supervisor_plan *plan, int64_t now_ms)
{
    int status;

    if (w->pid && waitpid(w->pid, &status, WNOHANG) == w->pid)
        on_death(w, plan, status, now_ms);
}

int64_t ward_next(const struct ward *w, int64_t now_ms)
{
    int64_t next_ms = now_ms + LOOK_MS;

    if (w->phase == WARD_SERVING && !w->vital->ready)
        next_ms = now_ms + STARTING_MS;
    if (w->phase == WARD_WAITING && w->start_ms < next_ms)
        next_ms = w->start_ms;
    if (w->pid && w->kill_ms < next_ms)
        next_ms = w->kill_ms;
    return next_ms;
}
