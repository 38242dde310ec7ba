/* store_run.h - one measurement of a store: its options, and its result as JSON.
 *
 * All stores do the same: messages come in batches, a batch is durable after one sync,
 * and the messages of a batch are removed together with the next one (they were
 * delivered meanwhile). So after the first batch every sync carries as many removals as
 * messages. */
#pragma once

#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>

#define STORE_RUN_HEAD 32 /* what a stored relay message has before its body */

struct store_run {
    const char *dir; /* exists */
    size_t size;     /* bytes of a relay frame */
    unsigned batch;  /* messages per sync; for the mailbox: messages under way */
    double seconds;

    uint64_t messages, batches; /* the result; filled in by the program */

    uint64_t begun_ns, begun_cpu_ns;
};

/* Exits with 2 and a usage line when the options are wrong. */
void store_run_parse(int argc, char **argv, struct store_run *run);

/* Starts the clocks; true as long as there is time left; prints the result. */
void store_run_begin(struct store_run *run);
int store_run_goes_on(const struct store_run *run);
void store_run_print(const struct store_run *run);
