/* problem.h - what is wrong in the file, shown where it is wrong.
 *
 *     holdfast.yaml:3:18: `10 parsecs` is not a duration: there is no unit `parsecs`
 *         stuck_timeout: 10 parsecs
 *                        ^~~~~~~~~~
 *         2s to 1h, a whole number with ms, s, min, h or d; default 10s
 *
 * Whatever the file contains, only printable text reaches the terminal. */
#pragma once

#include "config/config.h"

struct problems {
    FILE *out;
    const char *file;
    struct slice text; /* all of the file; empty while it is not read */
    unsigned count;
};

/* `advice` may be NULL. `place.line` 0: about the file as a whole. */
PRINTF(4, 5)
void problem_report(struct problems *p, struct config_place place, const char *advice,
                    const char *format, ...);
