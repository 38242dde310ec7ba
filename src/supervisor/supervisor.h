/* supervisor.h - the process that stays: it holds the data directory's lock and the
 * listening sockets, starts its children, and starts them again when they die (ward.h).
 *
 *     SERVING --SIGHUP--> REPLACING --all ended--> SERVING
 *        |               (unless the children may stay as they are)
 *     any --SIGTERM, SIGINT, the worker gave up--> ENDING --all ended--> the end
 *
 * The children come in crews: the worker, and for each service as many processes as the
 * plan says. They share the crew's listening sockets, so that whoever waits to be
 * accepted when one dies is served by the next. The supervisor reads no byte of the
 * network. What a configuration is it does not know either: it gets a plan. */
#pragma once

#include "supervisor/sockets.h"
#include "supervisor/vital.h"

#include <stdint.h>

/* One kind of children. The first crew is the worker, alone: without it there is no
 * gateway. A service's process that ends with 0 is not started again; when none is left
 * its listeners close. */
struct crew {
    const char *name;
    unsigned processes;
};

struct supervisor_plan {
    const struct crew *crews;
    size_t crew_count;
    const char *data_dir;
    const char *data_dir_where; /* in which line of which file; for messages */
    const char *user;           /* NULL: the worker stays who we are */
    const char *user_where;
    const struct listen_at *listeners;
    size_t listener_count;
    unsigned max_restarts; /* in a row, of each crew */
    int64_t max_restart_delay_ms;
    int64_t stuck_timeout_ms;
    int64_t drain_timeout_ms;
    int log_level; /* enum log_level; both reach a running worker too */
    uint32_t log_topics;
};

/* An end of the channel between the worker and a process of a service: packets, never
 * blocking. Both may die and come again; the channel stays. */
struct line {
    unsigned crew; /* the service's */
    int fd;
};

/* What a child gets. */
struct supervisor_work {
    const struct supervisor_plan *plan;
    unsigned crew;
    /* Listening, in the order of plan->listeners; those of other crews are -1. */
    const int *fds;
    struct vital *vital;
    /* The worker has one to each process of the services, which shows its end when the
     * process ended for good; such a process has one, to the worker. */
    const struct line *lines;
    size_t line_count;
};

/* A child's exit status when starting it again cannot help: the supervisor gives up on
 * it. */
#define WORKER_HOPELESS 3

struct supervisor_ops {
    /* A child's life, in the child; returns its exit status. SIGTERM is blocked and
     * means: drain and return 0. It also comes when the supervisor dies. SIGINT, SIGHUP
     * and SIGPIPE are ignored. Call vital_set_ready() when it serves, and vital_turn()
     * in every shard. */
    int (*work)(void *user, const struct supervisor_work *w);
    /* SIGHUP: the next plan, or NULL when it is not usable (the reason was logged). */
    const struct supervisor_plan *(*reload)(void *user);
    /* After a reload: may children that have `former` stay and serve `next`? */
    bool (*is_same_work)(const struct supervisor_plan *former,
                         const struct supervisor_plan *next);
    /* This plan is not used any more: the former one, the next one that failed, or the
     * last one at the end. */
    void (*discard)(void *user, const struct supervisor_plan *plan);
};

/* Runs until a signal ends it. Returns the exit status: 0 after a drain, else 1. */
int supervisor_run(const struct supervisor_plan *plan, const struct supervisor_ops *ops,
                   void *user);
