/* vehicles.h - what the vehicle terminals of one shard share: their credentials, and
 * the answers that wait for the disk.
 *
 *   report --> event --> feed ==commit==> settled --> 8001 to the terminal
 *
 * A report is acknowledged when its event is safe. If it was lost it is not answered at
 * all: the terminal sends it again. One that comes again is answered again, and told
 * once. */
#pragma once

#include "session/credentials.h"
#include "session/relay.h"

struct vehicles; /* one shard's */

/* ---- for relay.c; a group without a ledger has no vehicle terminals ---- */

MUST_CHECK int vehicles_new(struct relay *r, struct vehicles **out);
void vehicles_free(struct vehicles **v);
void vehicles_flush(struct relay *r); /* at the turn's end */
bool vehicles_is_settled(const struct relay *r);

/* While starting: a record of LEDGER_CREDENTIAL that the ledger found; the shards are
 * made. ERR_VERSION, ERR_NOMEM. */
MUST_CHECK int vehicles_adopt(struct relay_group *g, uint32_t number,
                              struct slice record);

/* ---- for others ---- */

/* On the id's shard. Its token is void, its connection is closed, and it may register
 * again as if it were new. False: it has no credential. */
bool vehicles_revoke(struct relay *r, const struct id *id);

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
