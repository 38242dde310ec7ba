/* script.h - what a client does, interval by interval: "alive 5, silent 16, away 2".
 *
 * After its last step a script begins anew. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SCRIPT_STEPS_MAX 32

/* The first ones send a message that claims just that. */
#define SCRIPT_DEEDS(X)                                                                \
    X(ALIVE, "alive")                                                                  \
    X(LEAVE, "leave") X(CLOSE, "close") X(SILENT, "silent") X(AWAY, "away")

enum deed {
#define X(name, word) DEED_##name,
    SCRIPT_DEEDS(X)
#undef X
        DEED_COUNT
};

struct script {
    double share; /* per cent of the clients; 0: those that no other script has */
    uint32_t steps;
    uint32_t intervals; /* of all steps */
    struct {
        uint32_t intervals;
        uint8_t deed;
    } step[SCRIPT_STEPS_MAX];
};

/* `share` is "25%", or NULL. Returns OK or ERR_INVALID. */
MUST_CHECK int script_parse(const char *share, const char *steps, struct script *out);

/* What is to be done in the client's nth interval, counted from 0. */
enum deed script_at(const struct script *script, uint64_t interval);

static inline bool deed_is_message(enum deed deed)
{
    return deed <= DEED_CLOSE;
}

const char *deed_word(enum deed deed);
