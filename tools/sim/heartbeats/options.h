/* options.h - what `holdfast-sim heartbeats` was asked to do. */
#pragma once

#include "sim/heartbeats/script.h"

#include <netinet/in.h>
#include <stdio.h>

#define SCRIPTS_MAX 16

struct options {
    const char *address_text;
    struct sockaddr_in address;
    uint64_t count;
    int64_t ramp_ns;
    int64_t interval_ns;
    bool double_encoding;
    const char *ip; /* what they report */
    uint64_t first_port;
    uint64_t source_addresses;

    struct script scripts[SCRIPTS_MAX]; /* the last one is for all the rest */
    unsigned script_count;

    int64_t time_ns;   /* 0: no end */
    uint64_t messages; /* 0: no end */
    bool json;
    bool quiet;
    bool help;
};

/* Reads and checks the options, and fills in what depends on others. Returns OK, or
 * ERR_INVALID after writing why to `errors`. */
MUST_CHECK int options_read(struct options *o, int argc, char **argv, FILE *errors);
void options_print_help(FILE *out);

/* The script of the client with that place, 0 .. count-1. */
const struct script *options_script(const struct options *o, uint64_t place);

/* Is a connection that the gateway ends nothing to wonder at? */
bool options_provoke(const struct options *o);
