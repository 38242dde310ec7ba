/* traffic.h - pairs of connections, a sender and a receiver each, and what flows
 * between.
 *
 * Closed loop: a pair has at most `window` messages under way and sends `batch` of them
 * with one write as soon as they fit. Each message carries its number, its pair and the
 * moment it was sent; the receiver checks number, order and every byte (message.h). */
#pragma once

#include "histogram.h"
#include "wire.h"

#include <netinet/in.h>

struct traffic;

struct traffic_conf {
    const struct wire *wire;
    struct sockaddr_in server;
    uint32_t pairs;
    size_t payload;
    unsigned batch;
    unsigned window;     /* 0: none, send whatever the socket takes */
    bool only_receivers; /* idle terminals: no pair has a sender */
};

struct traffic_counts {
    uint64_t sent, received;
    uint64_t disorder; /* arrived with another number than the next one */
    uint64_t damaged;  /* arrived with a wrong byte */
};

/* All return OK or <0 after having written to standard error what is wrong. */

MUST_CHECK int traffic_new(const struct traffic_conf *conf, struct traffic **out);
void traffic_free(struct traffic **t);

/* Connects everything, and waits until the server has it registered or subscribed. */
MUST_CHECK int traffic_connect(struct traffic *t);
/* Lets every connection prove that it is still registered. `ttms` only. */
MUST_CHECK int traffic_greet_again(struct traffic *t);

/* Sends and receives for so long; with a histogram, notes the latencies. */
MUST_CHECK int traffic_run(struct traffic *t, double seconds, struct histogram *h);
/* Sends nothing more and waits for what is under way, as long as something arrives. */
MUST_CHECK int traffic_drain(struct traffic *t);

struct traffic_counts traffic_counts(const struct traffic *t);
