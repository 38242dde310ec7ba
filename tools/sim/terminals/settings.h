/* settings.h - what `holdfast-sim terminals` was asked to do. */
#pragma once

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PATTERNS "pairs|ring|random|fan-in|none"
enum pattern {
    PATTERN_PAIRS,
    PATTERN_RING,
    PATTERN_RANDOM,
    PATTERN_FAN_IN,
    PATTERN_NONE
};

/* How a terminal knows that it is registered. */
#define CONFIRMS "probe|echo|none"
enum confirm { CONFIRM_PROBE, CONFIRM_ECHO, CONFIRM_NONE };

/* In the order of enum ttms_length, without `auto` and `ignore`: see settings_check. */
#define DIALECTS "total|rest|content1|content2"

enum ending { ENDING_RST, ENDING_FIN, ENDING_BOTH };

struct settings {
    const char *address_text;
    struct sockaddr_in address;
    uint64_t count;
    uint64_t first_id;
    uint64_t source_addresses;
    double connect_rate; /* per second, 0: as fast as it goes */
    int64_t heartbeat_ns;
    unsigned confirm;
    unsigned dialect; /* place in DIALECTS; as an enum ttms_length: settings_length() */
    bool receipts;

    unsigned pattern;
    double rate; /* messages per second, all terminals together */
    bool flood;
    uint64_t window; /* messages under way per sender, 0: no limit */
    uint64_t burst;
    uint64_t size; /* of a frame on the wire */
    bool traps;
    int64_t time_ns;
    uint64_t messages; /* 0: until the time is over */
    int64_t settle_ns;

    double reconnect_s; /* mean life of a connection, 0: none ends on purpose */
    unsigned ending;
    int64_t away_ns;
    uint64_t half_open;
    int64_t frozen_ns;
    uint64_t slow_readers;
    uint64_t slow_bytes_per_s;
    bool restart_storm;

    uint64_t threads;
    uint64_t seed;
    bool json;
    bool quiet;
    bool help;
};

/* Reads and checks the options, and fills in what depends on others. Returns OK, or
 * ERR_INVALID after writing why to `errors`. */
MUST_CHECK int settings_read(struct settings *s, int argc, char **argv, FILE *errors);
void settings_print_help(FILE *out);

/* enum ttms_length */
uint8_t settings_length(const struct settings *s);

/* Do terminals leave or get dropped, so that duplicates are to be expected? */
bool settings_have_faults(const struct settings *s);
