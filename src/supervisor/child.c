#include "supervisor/child.h"
#include "base/log.h"
#include "supervisor/crash.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORD_LINE_MAX 512

static struct vital *page; /* for the handler */

/* Two atomic stores: allowed in a handler. */
static void on_log_change(int signal_number)
{
    (void)signal_number;
    log_setup((enum log_level)page->log_level, page->log_topics);
}

static void set_signals(void)
{
    struct sigaction log_change = {.sa_handler = on_log_change, .sa_flags = SA_RESTART};
    sigset_t blocked;

    signal(SIGINT,
           SIG_IGN); /* Ctrl-C reaches the whole group; the supervisor decides */
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGUSR1, &log_change, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* To be called after identity_assume(): a change of user clears it. */
static void follow_to_the_grave(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    if (getppid() != parent)
        kill(getpid(), SIGTERM); /* it died before we could ask */
}

const char *child_word(unsigned crew)
{
    return crew == 0 ? "worker" : "service";
}

/* What `ps` shows: 15 characters at most. */
static void set_name(const struct child_setup *c)
{
    char name[16];

    snprintf(name, sizeof(name), "holdfast-%s", c->plan->crews[c->crew].name);
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

static int run_child(const struct child_setup *c, pid_t parent)
{
    struct supervisor_work work = {
        .plan = c->plan,
        .crew = c->crew,
        .fds = c->sockets->fds,
        .vital = c->vital,
    };

    close(c->signal_fd);
    close(c->relay->in);
    dup2(c->relay->out, STDERR_FILENO);
    set_name(c);
    sockets_keep_crew(c->sockets, c->crew);
    lines_keep(c->lines, c->number, &work);
    page = c->vital;
    set_signals();
    crash_setup(c->vital);
    if (identity_assume(c->identity) < 0)
        return WORKER_HOPELESS;
    follow_to_the_grave(parent);
    return c->ops->work(c->user, &work);
}

pid_t child_start(const struct child_setup *setup)
{
    pid_t parent = getpid();
    pid_t pid;

    vital_clear(setup->vital);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        exit(run_child(setup, parent));
    if (pid < 0)
        log_error(SUPERVISOR, "%s failed to start: %s", child_word(setup->crew),
                  strerror(errno));
    else
        log_info(SUPERVISOR, "%s %d started%s%s", child_word(setup->crew), (int)pid,
                 setup->crew ? " name=" : "",
                 setup->crew ? setup->plan->crews[setup->crew].name : "");
    return pid;
}

static void log_words(const char *child, pid_t pid, const struct vital *vital)
{
    const char *at = vital->words;
    const char *end = at + strnlen(at, sizeof(vital->words));
    char shown[WORD_LINE_MAX * 4];

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((stop ? stop : end) - at);

        /* Word by word, so that blanks stay blanks and everything else is escaped. */
        for (size_t i = 0, used = 0; i <= n && used < sizeof(shown) - 16;) {
            size_t w = strcspn(at + i, " \n");

            if (w > n - i)
                w = n - i;
            log_escape(slice_of(at + i, w < WORD_LINE_MAX ? w : WORD_LINE_MAX),
                       shown + used, sizeof(shown) - used);
            used += strlen(shown + used);
            i += w + 1;
            if (i <= n)
                shown[used++] = ' ';
        }
        log_error(SUPERVISOR, "%s %d last_words %s", child, (int)pid, shown);
        at = stop ? stop + 1 : end;
    }
}

void child_log_end(unsigned crew, pid_t pid, int status, int64_t lived_ms,
                   bool was_asked, const struct vital *vital)
{
    enum log_level level = was_asked ? LOG_INFO : LOG_ERROR;
    double lived_s = (double)lived_ms / 1000;
    const char *child = child_word(crew);

    if (WIFSIGNALED(status))
        LOG_AT(LOG_ERROR, LOG_T_SUPERVISOR, "%s %d died signal=SIG%s lived_s=%.1f",
               child, (int)pid, sigabbrev_np(WTERMSIG(status)), lived_s);
    else if (WEXITSTATUS(status) != 0)
        LOG_AT(LOG_ERROR, LOG_T_SUPERVISOR, "%s %d died status=%d lived_s=%.1f", child,
               (int)pid, WEXITSTATUS(status), lived_s);
    else
        LOG_AT(level, LOG_T_SUPERVISOR, "%s %d ended lived_s=%.1f%s", child, (int)pid,
               lived_s, was_asked ? "" : " reason=unasked");
    log_words(child, pid, vital);
}
