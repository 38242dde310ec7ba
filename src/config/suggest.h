/* suggest.h - "did you mean": the candidate that is nearest to what was typed. */
#pragma once

#include "base/compiler.h"

#include <stdbool.h>

struct suggestion {
    const char *typed;
    const char *best; /* NULL: nothing is near enough */
    unsigned distance;
};

struct suggestion suggest_for(const char *typed);
void suggest_consider(struct suggestion *s, const char *candidate);
