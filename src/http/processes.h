/* processes.h - questions to the processes of services (service/look.h).
 *
 *   process_ask() --> waiting --> under way --packet--> the process
 *   answered()  <---- its answer, or NULL when the time is over -'
 *
 * One question is under way per process, and nobody waits for one that did not answer
 * the last one in time: it is hung, or being started. It is tried again now and then,
 * and whatever it answers, even late, shows that it is back. All on the server's
 * thread; `answered` never runs inside process_ask(). */
#pragma once

#include "service/look.h"

#define PROCESS_DEADLINE_MS 500

struct process_conf {
    const char *listener; /* that it serves */
    int fd;               /* the worker's end of its channel */
};

struct process_question {
    struct link link;
    struct look_question ask; /* all but its number is the asker's */
    /* `a` is NULL: no answer came. It is the asker's again. */
    void (*answered)(struct process_question *q, const struct look_answer *a);
    /* No answer will come, for everything ends: free it. */
    void (*drop)(struct process_question *q);
};

struct process {
    struct process_conf conf;
    struct source source;
    struct timer deadline;
    struct loop *loop;
    struct list waiting;  /* the first one is under way */
    uint64_t last_number; /* of a question */
    int64_t sent_ms;
    bool is_overdue;
    bool is_gone; /* for good */
    pid_t pid;    /* that answered last */
    /* Counters never fall: those of former ones, and the last ones. */
    struct look_figures former, latest;
};

struct processes {
    struct process *each;
    size_t count;
};

MUST_CHECK int processes_init(struct processes *p, struct loop *loop,
                              const struct process_conf *confs, size_t count);
void processes_fini(struct processes *p); /* the loop has ended */

void process_ask(struct process *p, struct process_question *q);

/* Adds what a listener's processes counted, also those that are gone. */
void process_add_figures(const struct process *p, struct look_figures *sum);
