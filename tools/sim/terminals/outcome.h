/* outcome.h - what came out of a run of simulated terminals, and how to tell it. */
#pragma once

#include "sim/terminals/fleet.h"

struct outcome {
    struct tallies tally;
    struct histogram latency;
    struct histogram waited;
    struct histogram registered;
    double connect_s;  /* until the last of all was registered */
    double sent_s;     /* from the first message to the end of sending */
    double received_s; /* ... to the last arrival */
    double cpu;        /* cores that the simulator used while sending */
    unsigned storms;
    double storm_s; /* the longest until all were registered again */
};

/* Adds one thread's fleet, after its end. */
void outcome_add(struct outcome *o, const struct fleet *f);

/* Whether every promise was kept. */
bool outcome_is_good(const struct outcome *o, const struct settings *s);

void outcome_print(const struct outcome *o, const struct settings *s, FILE *out);
void outcome_print_json(const struct outcome *o, const struct settings *s, FILE *out);
