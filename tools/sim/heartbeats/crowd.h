/* crowd.h - all simulated clients, on one thread.
 *
 *         its interval says so        connected
 *   AWAY ---------------------> CONNECTING ----> ONLINE
 *    ^---------------- fails ---------'            |
 *    '---- the script says away, or the gateway ---'  */
#pragma once

#include "sim/heartbeats/options.h"
#include "sim/peer.h"
#include "base/list.h"

#include <stdatomic.h>

#define CROWD_TALLIES(X)                                                               \
    X(SENT, "sent", "messages")                                                        \
    X(CONNECTS, "connects", "connections made")                                        \
    X(RECONNECTS, "reconnects", "... of them by clients that had one before")          \
    X(FAILED, "failed_connects", "connections that did not come about")                \
    X(DROPPED, "dropped", "connections that the gateway ended")                        \
    X(LEFT, "left", "connections ended by the script")                                 \
    X(ANSWERS, "answers", "bytes that the gateway sent, which it must not")

enum crowd_tally {
#define X(name, word, text) CROWD_##name,
    CROWD_TALLIES(X)
#undef X
        CROWD_TALLIES_COUNT
};

struct crowd {
    const struct options *options;
    _Atomic bool *stop;
    struct loop loop;
    struct scratch scratch;
    struct peer_target target;
    struct client *clients;
    struct list beats; /* those that have begun, by when their next interval begins */
    uint64_t begun;
    uint64_t online;
    int64_t now_ns, opened_ns;
    uint64_t tally[CROWD_TALLIES_COUNT];
    char fatal[256]; /* why it could not go on */
};

MUST_CHECK int crowd_open(struct crowd *crowd, const struct options *o,
                          _Atomic bool *stop);
void crowd_close(struct crowd *crowd);

/* One step of a run; false: it is over. Call again. */
bool crowd_turn(struct crowd *crowd);

/* A message, with its length in front, as a client would send it; returns its size. */
#define CROWD_MESSAGE_MAX 512
size_t crowd_form(const struct options *o, enum deed claim, uint64_t pid, uint8_t *to);
