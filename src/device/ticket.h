/* ticket.h - what was asked of a device, and what became of it.
 *
 *             sent              its TCP has it            answer
 *   QUEUED ---------> SENT ----------------> ACKNOWLEDGED ------> ANSWERED
 *     |  ^             |  | answer                |
 *     |  '-------------'--+-----------------------'
 *     |   the connection ended; only with a ttl
 *     |
 *     '--> SUPERSEDED, CANCELLED        any but an end --> EXPIRED, FAILED
 *
 * EXPIRED, FAILED, SUPERSEDED, CANCELLED, ANSWERED are ends; but an answer that comes
 * late completes an EXPIRED one that had a ttl and is still remembered. One that waits
 * to be sent again is completed by the answer to its earlier sending, too. */
#pragma once

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/* Stored: never renumber, only add. */
#define TICKET_STATES(X)                                                               \
    X(QUEUED, 1, "queued", "waits for its device, its time or its turn")               \
    X(SENT, 2, "sent", "was written to its device's connection")                       \
    X(ACKNOWLEDGED, 3, "acknowledged", "its device's TCP has it")                      \
    X(ANSWERED, 4, "answered", "its device has answered")                              \
    X(EXPIRED, 5, "expired", "its time is over")                                       \
    X(SUPERSEDED, 6, "superseded", "a newer command took its place, unsent")           \
    X(CANCELLED, 7, "cancelled", "it was withdrawn, unsent")                           \
    X(FAILED, 8, "failed", "it cannot be answered")

enum ticket_state {
#define X(name, number, word, text) TICKET_##name = number,
    TICKET_STATES(X)
#undef X
        TICKET_STATE_LIMIT
};

/* Stored, likewise. Why it came to its end. */
#define TICKET_REASONS(X)                                                              \
    X(NONE, 0, "none", "nothing more is to be said")                                   \
    X(UNSENT, 1, "unsent", "expired: it could not be sent in its time")                \
    X(NO_ANSWER, 2, "no_answer", "expired: it was sent, and not answered in its time") \
    X(OFFLINE, 3, "offline",                                                           \
      "failed: the device has no connection, and no ttl was "                          \
      "given")                                                                         \
    X(DISCONNECTED, 4, "disconnected",                                                 \
      "failed: the connection ended before the "                                       \
      "answer, and no ttl was given")                                                  \
    X(STATE, 5, "state", "failed: the device was not in the state of `only_if`")       \
    X(REFUSED, 6, "refused",                                                           \
      "failed: the device answered that it will not, or cannot")                       \
    X(UNSENDABLE, 7, "unsendable",                                                     \
      "failed: it cannot be put into the device's "                                    \
      "protocol")                                                                      \
    X(ENDING, 8, "ending", "failed: the gateway ended, and no ttl was given")

enum ticket_reason {
#define X(name, number, word, text) TICKET_BY_##name = number,
    TICKET_REASONS(X)
#undef X
};

const char *ticket_state_word(uint8_t state);   /* "unknown" */
const char *ticket_reason_word(uint8_t reason); /* "unknown" */

static inline bool ticket_is_over(uint8_t state)
{
    return state >= TICKET_ANSWERED;
}

bool ticket_may_become(uint8_t from, uint8_t to);

/* How a command is sent, a listener's. */
struct command_policy {
    uint32_t in_flight; /* commands of one device awaiting their answers, at once */
    uint32_t retries;   /* how often the same bytes are sent again */
    int64_t retry_ms;   /* T: they go after T, 2T, 6T, ... (JT/T 808, section 6) */
};

/* How long the n-th sending (1: the first) is waited for: T, 2T, 6T... Then it is sent
 * again or, after the last one, the next command has its turn. */
int64_t ticket_patience_ms(const struct command_policy *p, uint32_t n);
