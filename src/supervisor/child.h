/* child.h - a child process, from fork to exit status. */
#pragma once

#include "supervisor/identity.h"
#include "supervisor/lines.h"
#include "supervisor/relay.h"
#include "supervisor/supervisor.h"

struct child_setup {
    const struct supervisor_plan *plan;
    const struct supervisor_ops *ops;
    void *user;
    const struct identity *identity;
    struct sockets *sockets;
    const struct relay *relay;
    struct lines *lines;
    size_t number; /* of its ward */
    unsigned crew;
    struct vital *vital;
    int signal_fd; /* the supervisor's, to be closed in the child */
};

/* What the log calls one: "worker", "service". */
const char *child_word(unsigned crew);

/* Returns the process id, or -1 (logged). */
pid_t child_start(const struct child_setup *setup);

/* Logs how it ended, and its last words. */
void child_log_end(unsigned crew, pid_t pid, int status, int64_t lived_ms,
                   bool was_asked, const struct vital *vital);
