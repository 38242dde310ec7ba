/* vehicles.h - what the vehicle terminals of one shard share: their credentials, and
 * the answers that wait for the disk.
 *
 *   report --> event --> feed ==commit==> settled --> 8001 to the terminal
 *
 * A report is acknowledged when its event is safe. If it was lost it is not answered at
 * all: the terminal sends it again. One that comes again is answered again, and told
 * once. */
#pragma once

#include "relay/relay.h"
#include "relay/trip.h"
#include "session/credentials.h"

struct vehicles; /* one shard's */

/* A part of the relay (relay/part.h), if its group has a ledger. */
MUST_CHECK int vehicles_new(struct relay *r);

/* While starting: a record of LEDGER_CREDENTIAL that the ledger found; the shards are
 * made. ERR_VERSION, ERR_NOMEM. */
MUST_CHECK int vehicles_adopt(struct relay_group *g, uint32_t number,
                              struct slice record);

/* A terminal's token becomes void, its connection is closed, and it may register again
 * as if it were new. */
struct revocation {
    struct trip trip;
    struct id id;
    /* What came of it. OK: durable. ERR_NOTFOUND: it has no credential, and nothing
     * happened. ERR_NOSPACE, ERR_IO, ERR_NOMEM: it is void, but a start may bring it
     * back: ask again. */
    int rc;
};

/* Any thread. It comes back once, as long as the shards run. */
void vehicles_revoke(struct relay_group *g, struct revocation *v);

#define VEHICLES_COUNTERS(X)                                                           \
    X(denied, "registrations refused")                                                 \
    X(unproved, "messages refused: the terminal had not shown its token")              \
    X(foreign, "messages refused: another terminal's, after it had")                   \
    X(repeated, "reports that came again")                                             \
    X(unsafe, "reports left unanswered: their event was lost")                         \
    X(bad, "messages that do not say what they must")

struct vehicles_stats {
#define X(name, text) uint64_t name;
    CREDENTIALS_COUNTERS(X)
    VEHICLES_COUNTERS(X)
#undef X
};
struct vehicles_stats vehicles_stats(const struct relay *r);
