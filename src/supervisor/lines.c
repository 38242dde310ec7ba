#include "supervisor/lines.h"
#include "base/err.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void shut(struct line *line)
{
    if (line->fd >= 0)
        close(line->fd);
    line->fd = -1;
}

static int open_line(struct lines *l, unsigned crew)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return ERR_IO;
    l->worker[l->count] = (struct line){.crew = crew, .fd = ends[0]};
    l->service[l->count] = (struct line){.crew = crew, .fd = ends[1]};
    l->count++;
    return OK;
}

int lines_open(struct lines *l, const struct supervisor_plan *plan)
{
    size_t count = 0;
    int rc;

    for (size_t crew = 1; crew < plan->crew_count; crew++)
        count += plan->crews[crew].processes;
    *l = (struct lines){.worker = calloc(count + 1, sizeof(*l->worker)),
                        .service = calloc(count + 1, sizeof(*l->service))};
    if (!l->worker || !l->service)
        return ERR_NOMEM;
    for (unsigned crew = 1; crew < plan->crew_count; crew++)
        for (unsigned i = 0; i < plan->crews[crew].processes; i++)
            if ((rc = open_line(l, crew)) < 0)
                return rc;
    return OK;
}

void lines_close(struct lines *l)
{
    for (size_t i = 0; i < l->count; i++) {
        shut(&l->worker[i]);
        shut(&l->service[i]);
    }
    free(l->worker);
    free(l->service);
    *l = (struct lines){0};
}

void lines_end(struct lines *l, size_t number)
{
    shut(&l->service[number]);
}

void lines_keep(struct lines *l, size_t ward, struct supervisor_work *w)
{
    for (size_t i = 0; i < l->count; i++) {
        if (ward > 0)
            shut(&l->worker[i]);
        if (i + 1 != ward)
            shut(&l->service[i]);
    }
    w->lines = ward > 0 ? &l->service[ward - 1] : l->worker;
    w->line_count = ward > 0 ? 1 : l->count;
}
