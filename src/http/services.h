/* services.h - what the processes of services count, for /metrics: all are asked at
 * once, so it takes the time of one. */
#pragma once

#include "http/exposition.h"
#include "http/processes.h"

struct survey_part {
    struct process_question question;
    struct survey *survey;
    bool answered;
    uint64_t connections[CONN_STATE_COUNT];
};

struct survey {
    struct processes *processes;
    struct survey_part *parts; /* per process */
    size_t open;               /* parts that are under way */
    void (*done)(struct survey *s);
    void (*drop)(struct survey *s); /* it will not be done: free it */
};

/* Returns OK or ERR_NOMEM. */
MUST_CHECK int survey_init(struct survey *s, struct processes *processes);
void survey_fini(struct survey *s);

/* `done` and `drop` are set; `done` may run inside. */
void survey_begin(struct survey *s);

void expose_services(struct exposition *e, const struct survey *s);
