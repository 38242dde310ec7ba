/* A new configuration for a gateway that runs. */
#include "supervisor/supervisor_inside.h"
#include "base/log.h"
#include "supervisor/notify.h"

#include <signal.h>

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* What is fixed for the life of this process. */
static bool keeps_home(const struct supervisor *s, const struct supervisor_plan *next)
{
    if (same_text(s->plan->data_dir, next->data_dir) &&
        same_text(s->plan->user, next->user))
        return true;
    log_error(SUPERVISOR,
              "holdfast reload refused reason=needs_restart: data_dir and user cannot "
              "change while the gateway runs");
    return false;
}

/* The crews are the same as before. */
static void adopt_limits(struct supervisor *s)
{
    for (unsigned crew = 0; crew < s->plan->crew_count; crew++) {
        s->restarts[crew].max = s->plan->max_restarts;
        s->restarts[crew].max_delay_ms = s->plan->max_restart_delay_ms;
    }
}

/* The children that run go on, and log as the new plan wants. */
static void keep_wards(struct supervisor *s)
{
    adopt_limits(s);
    log_info(SUPERVISOR, "holdfast reload done worker=kept");
    for (size_t i = 0; i < s->ward_count; i++) {
        struct ward *w = &s->wards[i];

        w->vital->log_level = s->plan->log_level;
        w->vital->log_topics = s->plan->log_topics;
        if (w->pid)
            kill(w->pid, SIGUSR1);
    }
    if (s->announced)
        notify_send("READY=1");
}

static void replace_wards(struct supervisor *s, int64_t now_ms)
{
    log_info(SUPERVISOR, "holdfast reload done worker=replaced");
    supervisor_log_listeners(s);
    s->announced = 0;
    s->phase = REPLACING;
    supervisor_end_wards(s, now_ms);
}

void supervisor_reload(struct supervisor *s, int64_t now_ms)
{
    const struct supervisor_plan *former = s->plan;
    const struct supervisor_plan *next;
    bool same;

    if (s->phase == ENDING)
        return;
    if (!(next = s->ops->reload(s->user))) {
        log_error(SUPERVISOR,
                  "holdfast reload failed: the former settings stay in force");
        return;
    }
    if (!keeps_home(s, next) ||
        sockets_hold(&s->sockets, next->listeners, next->listener_count) < 0) {
        log_error(SUPERVISOR,
                  "holdfast reload failed: the former settings stay in force");
        s->ops->discard(s->user, next);
        return;
    }
    notify_reloading();
    same = s->phase == SERVING && worker_of(s)->phase == WARD_SERVING &&
           s->ops->is_same_work(former, next);
    supervisor_adopt(s, next);
    s->ops->discard(s->user, former);
    if (same)
        keep_wards(s);
    else
        replace_wards(s, now_ms);
}
