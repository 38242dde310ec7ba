/* ward.h - one child process in the supervisor's care: started, watched, and started
 * again when it dies.
 *
 *     WAITING --pause over--> SERVING --died--> WAITING (by restart.h's rule)
 *        ^                       |
 *        '---- could not start --'--asked--> ENDING --died--> OVER
 *
 * OVER is also one that must not be started again: it gave up, or has nothing to do. */
#pragma once

#include "supervisor/child.h"
#include "supervisor/restart.h"

enum ward_phase { WARD_WAITING, WARD_SERVING, WARD_ENDING, WARD_OVER };

struct ward {
    size_t number; /* among all */
    unsigned crew;
    bool is_worker; /* of the first crew: a kind without which there is no gateway */
    enum ward_phase phase;
    pid_t pid; /* 0: there is none */
    int64_t born_ms;
    int64_t start_ms; /* WAITING: when to start the next one */
    int64_t kill_ms;  /* when to kill it, whatever it does */
    bool is_killed;   /* and will be gone soon */
    bool ended_well;  /* OVER: with exit status 0 */
    struct vital *vital;
    struct vital_watch watch;
    struct restart *restart; /* its crew's */
};

/* Returns OK or ERR_NOMEM. It starts with the next ward_act(). */
MUST_CHECK int ward_init(struct ward *w, size_t number, unsigned crew,
                         struct restart *restart);
void ward_fini(struct ward *w); /* there is no process any more */

/* Starts, kills, looks for its pulse: whatever is due. */
void ward_act(struct ward *w, const struct child_setup *setup, int64_t now_ms);

/* Asks it to end, for good; it is killed when it takes too long. */
void ward_end(struct ward *w, int64_t drain_timeout_ms, int64_t now_ms);

/* Has its process died? Then this says so in the log, and what follows. */
void ward_reap(struct ward *w, const struct supervisor_plan *plan, int64_t now_ms);

/* When ward_act() has to be called next, at the latest. */
int64_t ward_next(const struct ward *w, int64_t now_ms);

/* It serves, or never will. */
static inline bool ward_is_settled(const struct ward *w)
{
    return w->phase == WARD_OVER || (w->phase == WARD_SERVING && w->vital->ready);
}
