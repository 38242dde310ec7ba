/* profile.h - what the messages of a device mean, where that is to be declared: which
 * one is a login, what a command sends, what a state is called.
 *
 * The codec (codec/device.h) cuts frames and knows ids; this names them. No pointers:
 * copy it freely. */
#pragma once

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_NAME_MAX     31
#define PROFILE_COMMANDS_MAX 32
#define PROFILE_STATES_MAX   32
#define PROFILE_REPORTS_MAX  16
#define PROFILE_BODY_MAX     64 /* bytes of a command */

struct profile_command {
    char name[PROFILE_NAME_MAX + 1];
    uint16_t message;
    /* What devices expect; else a running number, by which a late answer is told from
     * the one that is waited for. */
    uint16_t serial;
    bool has_serial;
    uint8_t size; /* of what follows directly */
    uint8_t body[PROFILE_BODY_MAX];
};

_Static_assert(offsetof(struct profile_command, body) ==
                   offsetof(struct profile_command, size) + 1,
               "configured as one: a count and so many bytes");

struct profile_state {
    uint8_t code;
    char name[PROFILE_NAME_MAX + 1];
};

struct profile {
    char name[PROFILE_NAME_MAX + 1];
    uint16_t login, heartbeat; /* answered with one byte, 0 */
    uint8_t report_count, state_count, command_count;
    uint8_t
        state_at; /* the byte of an answer's, or a report's, body that is the state */
    uint16_t reports[PROFILE_REPORTS_MAX]; /* sent unasked, not answered */
    char query[PROFILE_NAME_MAX + 1]; /* the command whose answer tells the state */
    struct profile_state states[PROFILE_STATES_MAX];
    struct profile_command commands[PROFILE_COMMANDS_MAX];
};

/* The vending machines of docs/protocol-device.md: status, turn_on, restart. */
extern const struct profile profile_vending;

const struct profile_command *profile_find(const struct profile *p, const char *name);

/* "ready"; NULL: the profile has no name for it. */
const char *profile_state_name(const struct profile *p, uint8_t code);
