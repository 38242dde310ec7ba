/* traffic.h - what simulated terminals send: heartbeats and messages. */
#pragma once

#include "sim/terminals/fleet.h"

/* Who sends to whom. Returns OK or ERR_NOMEM. */
MUST_CHECK int traffic_plan(struct fleet *f);

/* Sends what is due. */
void traffic_turn(struct fleet *f);
int64_t traffic_due_ns(const struct fleet *f);

/* Whether all that --messages asked for was sent. */
bool traffic_is_over(const struct fleet *f);

/* `t` may be able to send again. */
void traffic_wake(struct fleet *f, struct terminal *t);

/* A message of this flow is no longer under way. */
void traffic_settled(struct fleet *f, const struct flow *flow);
