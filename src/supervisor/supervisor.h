/* supervisor.h - the process that stays: it holds the data directory's lock and the
 * listening sockets, starts the worker, and starts it again when it dies.
 *
 *     WAITING --pause over--> SERVING --died--> WAITING
 *                                |
 *                             SIGHUP --> REPLACING --died--> SERVING
 *                            (unless the worker may stay as it is)
 *     any --SIGTERM, SIGINT--> ENDING --died--> the end
 *
 * It reads no byte of the network. What a configuration is it does not know either: it
 * gets a plan. */
#pragma once

#include "supervisor/sockets.h"
#include "supervisor/vital.h"

#include <stdint.h>

struct supervisor_plan {
    const char *data_dir;
    const char *data_dir_where; /* in which line of which file; for messages */
    const char *user;           /* NULL: the worker stays who we are */
    const char *user_where;
    const struct listen_at *listeners;
    size_t listener_count;
    unsigned max_restarts; /* in a row */
    int64_t max_restart_delay_ms;
    int64_t stuck_timeout_ms;
    int64_t drain_timeout_ms;
    int log_level; /* enum log_level; both reach a running worker too */
    uint32_t log_topics;
};

/* The worker's exit status when starting it again cannot help: the supervisor gives up.
 */
#define WORKER_HOPELESS 3

struct supervisor_ops {
    /* The worker's life, in the child; returns its exit status. SIGTERM is blocked and
     * means: drain and return 0. It also comes when the supervisor dies. SIGINT, SIGHUP
     * and SIGPIPE are ignored. Call vital_set_ready() when it serves, and vital_turn()
     * in every shard. `fds` are in the order of plan->listeners. */
    int (*work)(void *user, const struct supervisor_plan *plan, const int *fds,
                struct vital *vital);
    /* SIGHUP: the next plan, or NULL when it is not usable (the reason was logged). */
    const struct supervisor_plan *(*reload)(void *user);
    /* After a reload: may a worker that has `former` stay and serve `next`? */
    bool (*is_same_work)(const struct supervisor_plan *former,
                         const struct supervisor_plan *next);
    /* This plan is not used any more: the former one, the next one that failed, or the
     * last one at the end. */
    void (*discard)(void *user, const struct supervisor_plan *plan);
};

/* Runs until a signal ends it. Returns the exit status: 0 after a drain, else 1. */
int supervisor_run(const struct supervisor_plan *plan, const struct supervisor_ops *ops,
                   void *user);
