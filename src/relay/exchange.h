/* exchange.h - what shards tell each other: frames for terminals that live there, the
 * fate of frames that came from there, and whom to hold.
 *
 * One batch per turn and direction; in it, and between batches, everything keeps its
 * order. A batch comes back to its sender when it was worked off, so that the sender
 * knows how much is still under way. */
#pragma once

#include "relay/relay.h"

MUST_CHECK int exchange_init(struct relay *r);
void exchange_fini(struct relay *r);

/* Room for a frame's bytes in this turn's batch, to be filled and then committed; NULL:
 * memory is out. */
MUST_CHECK uint8_t *exchange_try_reserve(struct relay *r, unsigned shard,
                                         const struct id *id, uint64_t hash,
                                         const struct envelope *from, size_t size);
void exchange_commit(struct relay *r, unsigned shard, const struct envelope *from,
                     size_t size);

void exchange_tell_fate(struct relay *r, unsigned shard, uint64_t session,
                        uint32_t number, bool safe);
void exchange_tell_hold(struct relay *r, unsigned shard, uint64_t session);
void exchange_tell_release(struct relay *r, unsigned shard, uint64_t session);

/* At the turn's end: everything told leaves. */
void exchange_send(struct relay *r);

bool exchange_is_settled(const struct relay *r);
