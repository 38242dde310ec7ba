/* stores.h - the figures of what is on the disk, beside the mailbox, which counts by
 * shard: the journal and the ledger. */
#pragma once

#include "http/exposition.h"
#include "journal/journal.h"
#include "ledger/ledger.h"

void expose_stores(struct exposition *e, struct journal *j, struct ledger *l);
