/* supervisor_inside.h - what the files of the supervisor share: its life
 * (supervisor.c), and a new configuration (reload.c). */
#pragma once

#include "supervisor/supervisor.h"
#include "supervisor/identity.h"
#include "supervisor/relay.h"
#include "supervisor/ward.h"

enum phase { SERVING, REPLACING, ENDING };

struct supervisor {
    const struct supervisor_plan *plan;
    const struct supervisor_ops *ops;
    void *user;
    struct identity identity;
    int lock;
    struct sockets sockets;
    struct relay relay;
    struct lines lines;
    int signal_fd;
    struct restart *restarts; /* by crew */
    struct ward *wards;       /* the first is the worker's */
    size_t ward_count;

    enum phase phase;
    pid_t announced; /* the worker of which systemd knows that it is ready; or 0 */
    bool ended;
    int exit_status;
};

static inline struct ward *worker_of(const struct supervisor *s)
{
    return &s->wards[0];
}

/* ---- supervisor.c ---- */

void supervisor_end_wards(struct supervisor *s, int64_t now_ms);
void supervisor_log_listeners(const struct supervisor *s);
/* From now on; the former one is the caller's. */
void supervisor_adopt(struct supervisor *s, const struct supervisor_plan *plan);

/* ---- reload.c ---- */

/* Reads the configuration again. If it is good, the children learn of it, or others
 * take their place; if not, everything stays as it is. */
void supervisor_reload(struct supervisor *s, int64_t now_ms);
