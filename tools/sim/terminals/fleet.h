/* fleet.h - the simulated terminals of one thread.
 *
 *            .--------- RETRY <---- refused ----.
 *            v                                  |
 *    ----> IDLE ----> CONNECTING ----> REGISTERING ----> ONLINE
 *            ^                                           |  |  |
 *            |---- AWAY <------- reset ------------------'  |  |
 *            |       ^----------- LEAVING <---- FIN --------'  |
 *            '---- FROZEN <------- cable cut ------------------'
 *
 * and back to IDLE or RETRY whenever the gateway ends a connection. The state is the
 * list that a terminal is on, in order of entering it, so the head of a list is the
 * next whose time is over. contact.c moves terminals between states, traffic.c sends,
 * receive.c checks what comes, faults.c makes trouble. */
#pragma once

#include "sim/loop.h"
#include "sim/peer.h"
#include "sim/random.h"
#include "sim/terminals/flow.h"
#include "sim/terminals/receipts.h"
#include "sim/terminals/settings.h"
#include "sim/terminals/tally.h"
#include "base/list.h"

#include <stdatomic.h>

#define MS 1000000 /* nanoseconds */

enum terminal_state {
    TERMINAL_IDLE,  /* wants to connect */
    TERMINAL_RETRY, /* could not, tries again soon */
    TERMINAL_CONNECTING,
    TERMINAL_REGISTERING, /* until its probe or echo comes */
    TERMINAL_ONLINE,
    TERMINAL_LEAVING, /* sent FIN, waits for the gateway's */
    TERMINAL_AWAY,
    TERMINAL_FROZEN, /* its old connection looks alive, but is not */
    TERMINAL_STATES
};

enum terminal_role { ROLE_PLAIN, ROLE_SLOW, ROLE_HALF_OPEN };

struct terminal {
    struct link link;  /* on fleet.in[state] */
    struct link beat;  /* on fleet.beats while online */
    struct link ready; /* on fleet.ready: may have room in its window */
    struct peer peer;
    struct receipts receipts; /* of this connection */
    int64_t since_ns;         /* in this state, or its last probe while registering */
    int64_t began_ns;         /* to connect */
    int64_t online_ns;        /* registered on this connection */
    int64_t beat_ns;
    uint64_t awaited; /* its messages under way */
    uint32_t id;
    uint32_t place;
    uint32_t epoch; /* counts its connections */
    uint32_t first_flow;
    uint32_t flow_count;
    int ghost; /* descriptor of the connection that froze, or -1 */
    uint8_t state;
    uint8_t role;
    bool in_storm; /* lost its connection by a restart, not back yet */
};

enum phase { PHASE_CONNECT, PHASE_RUN, PHASE_SETTLE, PHASE_LINGER, PHASE_DONE };

struct fleet {
    const struct settings *settings;
    struct peer_target target;
    struct loop loop;
    struct scratch scratch;
    uint8_t *burst; /* frames being formed */
    uint8_t *content;
    struct random random;
    uint32_t run;
    double rate; /* this thread's share */
    uint64_t messages;

    struct terminal *terminals;
    uint32_t count;
    struct flow *flows;
    uint32_t flow_count;
    struct list in[TERMINAL_STATES];
    struct list beats;
    struct list ready;

    enum phase phase;
    int64_t now_ns;   /* of this turn */
    int64_t phase_ns; /* when this phase began */
    int64_t news_ns;  /* last time that anything went forward */
    int64_t published_ns;
    int64_t opened_ns;
    int64_t complete_ns; /* all were registered */
    int64_t run_ns;      /* sending began */
    int64_t stopped_ns;  /* sending ended */
    int64_t last_ns;     /* the last arrival */
    int64_t run_cpu_ns;  /* what the thread had used when sending began */
    double connects_begun;
    double bursts_begun; /* with --rate */
    bool stalled;        /* nobody could take the burst that was due */
    uint32_t turn;       /* who sends next */

    int64_t next_drop_ns;
    int64_t next_freeze_ns;
    int64_t next_sip_ns;
    uint32_t next_frozen;
    uint32_t storm_left;
    unsigned storms;
    int64_t storm_began_ns;
    int64_t storm_ended_ns;
    int64_t storm_worst_ns;

    double cpu; /* cores used while sending */
    struct tallies tally;
    struct histogram latency;    /* to a terminal that was online */
    struct histogram waited;     /* to one that was not: through the mailbox */
    struct histogram registered; /* from connect() to knowing it */
    struct tally_window window;
    unsigned complaints;
    char fatal[256]; /* why it could not go on; empty: it could */
    _Atomic bool *stop;
};

/* `share` of `shares` of the fleet that the settings describe. fleet_close() accepts a
 * half-built one. */
MUST_CHECK int fleet_open(struct fleet *f, const struct settings *s, uint32_t share,
                          _Atomic bool *stop, uint32_t run);
void fleet_close(struct fleet *f);

/* Runs until all is done, or *stop was set (then it settles). */
void fleet_run(struct fleet *f);

/* For the files of the fleet. */
void fleet_enter(struct fleet *f, struct terminal *t, enum terminal_state next);
PRINTF(2, 3) void fleet_fail(struct fleet *f, const char *format, ...);
/* Says on standard error what went wrong, the first few times. */
PRINTF(2, 3) void fleet_complain(struct fleet *f, const char *format, ...);

static inline void fleet_count(struct fleet *f, enum tally what)
{
    f->tally.n[what]++;
}
