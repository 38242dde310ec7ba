/* args.h - command-line options, from one table per kind of device.
 *
 * The table reads the options, refuses what it does not know ("did you mean"), and
 * writes the help. Numbers take k, M and G; times ms, s, min, h (bare: seconds); sizes
 * KiB, MiB. `--name value` and `--name=value` are the same. */
#pragma once

#include "base/err.h"

#include <stdint.h>
#include <stdio.h>

enum arg_type {
    ARG_FLAG,   /* bool */
    ARG_COUNT,  /* uint64_t */
    ARG_NUMBER, /* double */
    ARG_TIME,   /* int64_t, nanoseconds */
    ARG_BYTES,  /* uint64_t */
    ARG_CHOICE, /* unsigned: place in `hint`, which is "one|two|three" */
    ARG_TEXT,   /* const char *, borrowed from argv */
    ARG_PAIR,   /* FIRST[:SECOND], both given to `pair` */
};

struct arg {
    const char *name; /* without the dashes; NULL: `help` is a heading */
    enum arg_type type;
    size_t offset;    /* of its value in the settings */
    const char *hint; /* what stands for the value in the help */
    const char *help;
    /* ARG_PAIR: `second` may be NULL. Returns OK or ERR_INVALID. */
    int (*pair)(void *settings, const char *first, const char *second);
};

/* `who` begins each message. Returns OK or ERR_INVALID after writing why to `errors`.
 */
MUST_CHECK int args_parse(const struct arg *table, size_t length, int argc, char **argv,
                          void *settings, const char *who, FILE *errors);

void args_print_help(const struct arg *table, size_t length, FILE *out);

/* The word at `place` of "one|two|three", as a static string. */
const char *args_choice_word(const char *words, unsigned place);

/* Single values, for `pair`: OK or ERR_INVALID. */
MUST_CHECK int args_number(const char *text, double *out);
MUST_CHECK int args_count(const char *text, uint64_t *out);
MUST_CHECK int args_time(const char *text, int64_t *out_ns);
MUST_CHECK int args_bytes(const char *text, uint64_t *out);
