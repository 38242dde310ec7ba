/* limits.h - how many connections there may be, in all and per address.
 *
 * Shared by all shards. Counting an address takes a lock: that is per connection, never
 * per message. */
#pragma once

#include "base/compiler.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct limits;

/* 0: no limit. Returns OK or ERR_NOMEM. */
MUST_CHECK int limits_new(uint32_t max_connections, uint32_t max_per_address,
                          struct limits **out);
void limits_free(struct limits **l);

enum limits_verdict { LIMITS_PASS, LIMITS_TOTAL, LIMITS_ADDRESS };

/* Counts a connection from this address, or says which limit forbids it. */
MUST_CHECK enum limits_verdict limits_enter(struct limits *l,
                                            const struct in6_addr *ip);
void limits_leave(struct limits *l, const struct in6_addr *ip);

uint32_t limits_connections(const struct limits *l);
