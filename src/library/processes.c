/* Several processes of one program: the parent only watches. A child that ends
 * abnormally is started again, one that ends with 0 has done its work. */
#include "base/cores.h"
#include "base/log.h"
#include "holdfast/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORK_PAUSE_US 100000

struct processes {
    pid_t *pids; /* by number; 0: it has ended for good */
    int count;
    int restarts, max_restarts;
    pid_t parent;
    int asked;   /* how often it was told to end */
    bool failed; /* one did not end well, or it gave up */
    sigset_t watched;
    sigset_t former_mask; /* given back to the children */
    struct sigaction former_child;
};

/* ---- signals ---- */

/* What comes while they are watched waits for sigwaitinfo(). */
static void take_signals(struct processes *p)
{
    /* Ignored, it would take the exit status away. */
    struct sigaction child = {.sa_handler = SIG_DFL};
    sigset_t blocked;

    sigaction(SIGCHLD, &child, &p->former_child);
    sigemptyset(&p->watched);
    sigaddset(&p->watched, SIGCHLD);
    sigaddset(&p->watched, SIGTERM);
    sigaddset(&p->watched, SIGINT);
    blocked = p->watched;
    sigaddset(&blocked, SIGPIPE); /* nobody may read our log any more */
    sigprocmask(SIG_BLOCK, &blocked, &p->former_mask);
}

static void give_back_signals(const struct processes *p)
{
    sigaction(SIGCHLD, &p->former_child, NULL);
    sigprocmask(SIG_SETMASK, &p->former_mask, NULL);
}

/* ---- the child ---- */

static void become_child(const struct processes *p)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    if (getppid() != p->parent)
        kill(getpid(), SIGTERM); /* it died before we could ask */
    give_back_signals(p);
    free(p->pids);
}

/* 0: this is the child. */
static pid_t start(struct processes *p, int number)
{
    pid_t pid;

    fflush(NULL); /* what is not written yet would be written twice */
    pid = fork();
    if (pid == 0)
        become_child(p);
    else if (pid > 0)
        p->pids[number] = pid;
    return pid;
}

/* ---- the parent ---- */

static void send_all(const struct processes *p, int signal_number)
{
    for (int i = 0; i < p->count; i++)
        if (p->pids[i])
            kill(p->pids[i], signal_number);
}

static bool is_any_left(const struct processes *p)
{
    for (int i = 0; i < p->count; i++)
        if (p->pids[i])
            return true;
    return false;
}

static void end_all(struct processes *p)
{
    send_all(p, p->asked++ ? SIGKILL : SIGTERM);
}

static void give_up(struct processes *p, const char *reason)
{
    log_error(SUPERVISOR, "program gives up restarts=%d reason=%s", p->restarts,
              reason);
    p->failed = true;
    if (!p->asked)
        end_all(p);
}

/* 0: this is the new child. Where there is no memory or no place for it now, there may
 * be soon: each try counts. */
static pid_t start_again(struct processes *p, int number)
{
    pid_t pid;

    while (p->restarts < p->max_restarts) {
        p->restarts++;
        if ((pid = start(p, number)) >= 0)
            return pid;
        log_error(SUPERVISOR, "process %d failed to start: %s", number,
                  strerror(errno));
        usleep(FORK_PAUSE_US);
    }
    give_up(p, "max_restarts");
    return -1;
}

static void log_end(const struct processes *p, int number, pid_t pid, int status)
{
    if (WIFSIGNALED(status))
        log_error(SUPERVISOR, "process %d died pid=%d signal=SIG%s restarts=%d", number,
                  (int)pid, sigabbrev_np(WTERMSIG(status)), p->restarts);
    else if (WEXITSTATUS(status) != 0)
        log_error(SUPERVISOR, "process %d died pid=%d status=%d restarts=%d", number,
                  (int)pid, WEXITSTATUS(status), p->restarts);
    else
        log_info(SUPERVISOR, "process %d ended pid=%d", number, (int)pid);
}

/* 0: this is the child that takes its place. */
static pid_t on_end(struct processes *p, int number, int status)
{
    pid_t pid = p->pids[number];
    bool is_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    p->pids[number] = 0;
    /* One that does not care for SIGTERM ends by it. */
    if (p->asked && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)
        return pid;
    log_end(p, number, pid, status);
    if (is_well)
        return pid;
    if (!p->asked)
        return start_again(p, number);
    p->failed = true;
    return pid;
}

/* The number, in a new child; -1 in the parent. */
static int reap(struct processes *p)
{
    int status;

    for (int i = 0; i < p->count; i++) {
        pid_t pid = p->pids[i];

        /* Only ours: the program may have children of its own. */
        if (!pid || waitpid(pid, &status, WNOHANG) != pid)
            continue;
        if (on_end(p, i, status) == 0)
            return i;
    }
    return -1;
}

static int watch(struct processes *p)
{
    int number;

    while (is_any_left(p)) {
        int got = sigwaitinfo(&p->watched, NULL);

        if (got == SIGTERM || got == SIGINT)
            end_all(p);
        else if ((number = reap(p)) >= 0)
            return number;
    }
    free(p->pids);
    exit(p->failed ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int fail(struct processes *p)
{
    int error = errno;

    send_all(p, SIGKILL);
    for (int i = 0; i < p->count; i++)
        if (p->pids[i])
            waitpid(p->pids[i], NULL, 0);
    give_back_signals(p);
    free(p->pids);
    errno = error;
    return -1;
}

int hf_fork_processes(int count, int max_restarts)
{
    struct processes p = {
        .count = count > 0 ? count : (int)cores_available(),
        .max_restarts = max_restarts,
        .parent = getpid(),
    };

    if (!(p.pids = calloc((size_t)p.count, sizeof(*p.pids))))
        return -1;
    take_signals(&p);
    for (int i = 0; i < p.count; i++) {
        pid_t pid = start(&p, i);

        if (pid == 0)
            return i;
        if (pid < 0)
            return fail(&p);
    }
    log_info(SUPERVISOR, "program has processes=%d max_restarts=%d", p.count,
             p.max_restarts);
    return watch(&p);
}
