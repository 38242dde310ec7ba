/* client.h - one connection: keeps `depth` requests under way, checks what comes back.
 *
 * Answers are compared as they arrive, so that a body of any size needs no memory. */
#pragma once

#include "sim/histogram.h"
#include "sim/peer.h"
#include "sim/requests/body.h"

#define TALLIES(X)                                                                     \
    X(sent, "requests sent")                                                           \
    X(answered, "answers, right and in order")                                         \
    X(wrong, "answers with other bytes, another size, or for another request")         \
    X(closed, "connections that the service closed")                                   \
    X(unanswered, "requests that such a connection took with it")                      \
    X(refused, "connections that could not be made")                                   \
    X(bytes, "bytes of answers' bodies")

struct tallies {
#define X(name, text) uint64_t name;
    TALLIES(X)
#undef X
};

/* What all clients share. */
struct crowd {
    const struct request_settings *settings;
    const _Atomic bool *stop;
    struct bodies bodies;
    struct loop loop;
    struct scratch scratch;
    struct buf batch; /* requests on their way to the socket */
    struct tallies tallies;
    struct histogram latency;
    uint64_t next; /* number of the next request; every one is another */
    uint64_t open; /* requests under way */
    bool asks;     /* new requests are made */
    const char *fatal;
};

struct asked {
    uint64_t number;
    int64_t sent_ns;
};

struct client {
    struct peer peer;
    uint32_t place;
    bool connecting;
    uint32_t oldest, open; /* in the ring of what was asked */
    size_t head_used;
    char head[10];
    size_t size, at; /* of the answer that is coming */
    bool is_wrong;
    struct asked *ring; /* settings->depth */
};

/* Begins to connect. */
void client_connect(struct crowd *c, struct client *who);
void client_on_event(struct crowd *c, struct client *who, uint32_t events);
void client_close(struct crowd *c, struct client *who);
