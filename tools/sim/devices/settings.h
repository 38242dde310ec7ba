/* settings.h - what `holdfast-sim devices` and `... jt808` were asked to do. */
#pragma once

#include "base/compiler.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define MANNERS_MAX  16
#define PHONE_DIGITS 12

/* How a command is answered. */
#define HOWS(X)                                                                        \
    X(NOW, "now")                                                                      \
    X(LATER, "TIME")                                                                   \
    X(TWICE, "twice")                                                                  \
    X(NEVER, "never")                                                                  \
    X(SERIAL, "serial") /* another one: nobody waits for that */                       \
    X(REFUSE, "refuse")                                                                \
    X(UNSUPPORTED, "unsupported")

enum how {
#define X(name, word) HOW_##name,
    HOWS(X)
#undef X
};

struct manner {
    double share; /* percent of the devices; 0: all the rest */
    uint8_t how;
    int64_t delay_ns;
};

enum version { VERSION_2013, VERSION_2019, VERSION_MIXED };

struct plant_settings {
    const char *who; /* begins messages: "holdfast-sim devices" */
    bool is_jt808;

    const char *address_text;
    struct sockaddr_in address;
    uint64_t count;
    uint64_t source_addresses;
    int64_t ramp_ns;
    int64_t heartbeat_ns;
    int64_t report_ns; /* 0: none */
    int64_t away_ns;   /* a restart ends the connection for so long; 0: it does not */
    const char *first_id;

    /* devices */
    unsigned state; /* 0: the first of the words, mixed */
    int64_t on_ns;  /* what was turned on is ready again after that; 0: never */

    /* jt808 */
    unsigned version; /* enum version */
    uint64_t extra_parameters;
    bool loses_packages;

    struct manner manners[MANNERS_MAX]; /* the last one is for all the rest */
    unsigned manner_count;

    int64_t time_ns;   /* 0: no end */
    uint64_t commands; /* 0: no end */
    bool json, quiet, help;
};

/* Reads and checks the options, and fills in what depends on others. Returns OK, or
 * ERR_INVALID after writing why to `errors`. */
MUST_CHECK int plant_settings_read(struct plant_settings *s, bool is_jt808, int argc,
                                   char **argv, FILE *errors);
void plant_settings_help(bool is_jt808, FILE *out);

/* How many digits the id ends with: they count up. */
unsigned plant_settings_digits(const char *id);

/* Of the device with that place, 0 .. count-1. */
const struct manner *plant_settings_manner(const struct plant_settings *s,
                                           uint64_t place);
