/* flow.h - the messages of one sender to one target, and what became of each.
 *
 *   0           decided                next            sent
 *   |  receipted   |   arrived or ...    |   under way    |
 *                     missing  = passed over by a later one
 *                     doubtful = its sender's connection broke before it was receipted
 *                     refused  = the gateway said that it did not take it
 *
 * A message is lost when it did not arrive though it is neither doubtful nor refused:
 * so with receipts the gateway is held to what it promised, without them to all that
 * was sent on connections that ended in order. Pure bookkeeping, no socket and no
 * clock. */
#pragma once

#include "sim/ranges.h"

struct flow {
    uint32_t sender; /* places in the fleet */
    uint32_t target;
    uint64_t sent;        /* 0 .. sent-1 were given out */
    uint64_t next;        /* the highest that arrived, plus one */
    uint64_t decided;     /* all below are receipted, or beyond doubt anyway */
    uint64_t floor;       /* the highest that arrived on connection `epoch`, plus one */
    uint32_t epoch;       /* which of the target's connections */
    struct flow_odd *odd; /* the three sets; NULL while all is in order */
};

/* How a message arrived. */
#define ARRIVALS(X)                                                                    \
    X(NEW, "new", "for the first time, in order")                                      \
    X(LATE, "late", "for the first time, behind a later one: order is broken")         \
    X(AGAIN, "again", "a duplicate, after its target connected anew")                  \
    X(REPEATED, "repeated", "a second time or out of order on one connection")         \
    X(REFUSED, "refused", "though the gateway had said that it was refused")           \
    X(UNKNOWN, "unknown", "though its number was never sent")

enum arrival {
#define X(name, word, text) ARRIVAL_##name,
    ARRIVALS(X)
#undef X
};

const char *arrival_text(enum arrival how);

void flow_fini(struct flow *f);

/* Takes note of message `number`, come on the target's connection `epoch` (which
 * grows). *awaited says whether it was under way until now, see flow_awaited(). Memory
 * that runs out here ends the program: a checker that forgets is none. */
enum arrival flow_arrive(struct flow *f, uint64_t number, uint32_t epoch,
                         bool *awaited);

/* The gateway's word on message `number`; numbers come in order. Both return whether
 * the message was under way until now; *contradicted when it is refused but arrived. */
bool flow_refuse(struct flow *f, uint64_t number, bool *contradicted);
void flow_accept(struct flow *f, uint64_t number);

/* The sender's connection broke: what is not decided is doubtful from now on. A gap
 * before what arrived is part of that only where the gateway tells `refusals`, and this
 * one it could not tell any more; elsewhere it must have had what came before. Returns
 * how many messages that were under way are not any more. */
uint64_t flow_doubt(struct flow *f, bool refusals);

/* The sender's connection ended in order: the gateway has all that was sent on it. */
void flow_insist(struct flow *f);

/* Sent and neither arrived nor doubtful nor refused: under way, and at the end lost. */
uint64_t flow_awaited(const struct flow *f);
uint64_t flow_doubtful(const struct flow *f);

/* The first range of awaited numbers; false when there is none. */
bool flow_first_awaited(const struct flow *f, struct range *out);
