/* tally.h - what a fleet counted, and the part of it that other threads may look at. */
#pragma once

#include "sim/histogram.h"

#include <pthread.h>
#include <stdbool.h>

/* What a count above 0 means at the end. */
enum tally_weight {
    TALLY_PLAIN,  /* nothing: a figure */
    TALLY_NOTE,   /* worth a line in the table, when it is not 0 */
    TALLY_EXCUSE, /* a broken promise, unless the run drops connections on purpose */
    TALLY_BROKEN, /* a broken promise */
};

#define TALLIES(X)                                                                     \
    X(SENT, "sent", PLAIN, "messages sent")                                            \
    X(RECEIVED, "received", PLAIN, "messages that arrived, each counted once")         \
    X(HEARTBEATS, "heartbeats", PLAIN, "heartbeats sent")                              \
    X(ECHOES, "echoes", NOTE, "heartbeats that the gateway echoed")                    \
    X(SAFE, "safe", NOTE, "messages that the gateway called safe")                     \
    X(REFUSED, "refused", NOTE, "messages that the gateway refused")                   \
    X(CONNECTS, "connects", PLAIN, "connections that came to registering")             \
    X(RECONNECTS, "reconnects", NOTE, "of them not the terminal's first")              \
    X(DUPLICATES, "duplicates", EXCUSE, "messages twice, after a reconnect")           \
    X(DROPPED, "dropped", EXCUSE, "connections that the gateway ended, unasked")       \
    X(FAILED, "failed_connects", EXCUSE, "attempts to connect that failed")            \
    X(UNCONFIRMED, "unconfirmed", NOTE,                                                \
      "messages of broken connections, never promised and not seen")                   \
    X(STRANGE, "strange", NOTE, "messages left over from earlier runs")                \
    X(LOST, "lost", BROKEN, "messages lost")                                           \
    X(REORDERED, "reordered", BROKEN, "messages behind a later one")                   \
    X(REPEATED, "repeated", BROKEN, "messages twice on one connection")                \
    X(DAMAGED, "damaged", BROKEN, "frames damaged or not understood")                  \
    X(MISROUTED, "misrouted", BROKEN, "messages at the wrong terminal")                \
    X(CONTRADICTED, "contradicted", BROKEN, "receipts that contradict what happened")  \
    X(UNDECIDED, "undecided", BROKEN, "messages without a receipt at the end")         \
    X(ENDLESS, "endless", BROKEN,                                                      \
      "connections that the gateway did not end after FIN")                            \
    X(ABSENT, "absent", BROKEN, "terminals not registered at the end")

enum tally {
#define X(name, word, weight, text) TALLY_##name,
    TALLIES(X)
#undef X
        TALLY_COUNT
};

struct tallies {
    uint64_t n[TALLY_COUNT];
    uint64_t awaited; /* messages under way now */
    uint64_t online;  /* terminals registered now */
    uint64_t ended;   /* 1 when the fleet has ended */
};

/* One per thread: the fleet publishes, the reporter looks. */
struct tally_window {
    pthread_mutex_t lock;
    struct tallies seen;
};
