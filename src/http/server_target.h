/* server_target.h - a request's target, taken apart: "/devices/a%2Fb?limit=5".
 *
 * Pure. What is let through is percent-decoded, valid UTF-8 and free of NUL. */
#pragma once

#include "base/buf.h"

#define TARGET_SEGMENTS 16
#define TARGET_PARAMS   32

struct target_param {
    const char *name;
    const char *value;
};

struct target {
    const char *authority; /* of "http://authority/path"; NULL: not given */
    const char *path;      /* decoded, but for %2F: that one is no separator */
    const char *segments[TARGET_SEGMENTS]; /* decoded wholly */
    struct target_param params[TARGET_PARAMS];
    unsigned segment_count;
    unsigned param_count;
    char *memory; /* of all of these */
};

/* Returns OK, ERR_NOMEM, or ERR_MALFORMED with *why set. Zero `t` before; target_fini
 * in any case. */
MUST_CHECK int target_parse(struct slice raw, struct target *t, const char **why);
void target_fini(struct target *t);

/* The value; NULL: not given. */
const char *target_param(const struct target *t, const char *name);
