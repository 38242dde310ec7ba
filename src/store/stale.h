/* stale.h - numbers of records that are in a store and do not belong there any more:
 * what a failed commit left behind, what is damaged or was replaced. They are removed
 * by the next transaction that can. Removing one twice does no harm. */
#pragma once

#include "store/store.h"

struct stale {
    uint64_t *seqs;
    size_t count, room;
};

void stale_fini(struct stale *s);

/* False: memory is out. The next start finds it again. */
MUST_CHECK bool stale_try_add(struct stale *s, uint64_t seq);

/* In a transaction: at most `most` of them; *removed says how many. When it is
 * committed: stale_settle. */
MUST_CHECK int stale_remove(const struct stale *s, struct store *store, size_t most,
                            size_t *removed);
void stale_settle(struct stale *s, size_t removed);
