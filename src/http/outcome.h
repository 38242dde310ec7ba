/* outcome.h - what became of an order, as an answer: its status, and the ticket
 * itself, or a problem that has its members. */
#pragma once

#include "http/calls.h"

struct outcome {
    uint16_t status;
    const char *type; /* of the problem; NULL: it is none */
    const char *detail;
};

/* Valid as long as the order. */
struct outcome outcome_of(const struct order *o);
void outcome_answer(struct call *c, const struct outcome *what);

/* The order itself failed: a problem. That a device is not there may mean that it takes
 * no commands. */
void outcome_refuse(struct call *c);
