/* settings.h - what `holdfast-sim requests` was asked to do. */
#pragma once

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define LOGICS "echo|reverse"
enum logic { LOGIC_ECHO, LOGIC_REVERSE };

#define DEPTH_MAX 1024

struct request_settings {
    const char *address_text;
    struct sockaddr_in address;
    uint64_t connections;
    uint64_t depth; /* requests under way on each */
    uint64_t min_size, max_size;
    unsigned logic;
    int64_t time_ns;
    uint64_t requests; /* 0: until the time is over */
    int64_t patience_ns;
    bool may_close; /* the service is allowed to close connections */
    uint64_t seed;
    bool json;
    bool quiet;
    bool help;
};

/* Reads and checks the options. Returns OK, or ERR_INVALID after writing why to
 * `errors`. */
MUST_CHECK int request_settings_read(struct request_settings *s, int argc, char **argv,
                                     FILE *errors);
void request_settings_print_help(FILE *out);
