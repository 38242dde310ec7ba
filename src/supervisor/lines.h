/* lines.h - channels between the worker and each process of a service. The supervisor
 * makes them before the children and keeps both ends, so a child that is started again
 * has the same ones as the former. */
#pragma once

#include "supervisor/supervisor.h"

/* By number: that of the ward, less the worker's. */
struct lines {
    struct line *worker;  /* the worker's ends */
    struct line *service; /* the services' ends */
    size_t count;
};

/* Returns OK, ERR_NOMEM, or ERR_IO (no descriptors). */
MUST_CHECK int lines_open(struct lines *l, const struct supervisor_plan *plan);
void lines_close(struct lines *l);

/* There is no such process any more, for good: the worker sees the end. */
void lines_end(struct lines *l, size_t number);

/* In a child: closes what is another's and tells it what it has. `ward`: the child's
 * number; the worker's is 0. */
void lines_keep(struct lines *l, size_t ward, struct supervisor_work *w);
