/* writer.h - the one thread that touches the store.
 *
 * Takes the shards' batches from its inbox, writes all of them in one transaction,
 * syncs once, then gives each batch back with its results. Reads that a batch asks for
 * are answered after that commit.
 *
 * Failure rules: a full disk refuses the transaction's new messages and goes on
 * (removals still commit: the store keeps a reserve for them). A failed sync is never
 * retried: nothing of that transaction is called safe, the store is closed and reopened
 * by reading the disk again, after a growing delay; until then everything new is
 * refused. */
#pragma once

#include "base/id.h"
#include "store/store.h"

struct mail_writer;
struct mail_record;

struct mail_writer_conf {
    const struct store_engine *engine;
    const char *dir;      /* the data directory */
    uint64_t total_bytes; /* of stored bodies and their records: sizes the store */
};

/* Called while opening for each stored message, in order of arrival. Returning <0 ends
 * the scan with that error. */
typedef int mail_found(void *user, const struct id *id,
                       const struct mail_record *record);

/* Returns OK or ERR_NOMEM, ERR_IO. The shards' mailboxes may be made then. */
MUST_CHECK int mail_writer_new(const struct mail_writer_conf *conf,
                               struct mail_writer **out);

/* Opens the store and scans it. Returns OK, ERR_LOCKED, ERR_IO, ERR_VERSION,
 * ERR_DAMAGED... and has logged what to do about it. No thread runs yet. */
MUST_CHECK int mail_writer_open(struct mail_writer *w, mail_found *found, void *user);

/* Starts the thread. Without it (tests) mail_writer_turn() does one round of work. */
MUST_CHECK int mail_writer_start(struct mail_writer *w);
void mail_writer_turn(struct mail_writer *w, int64_t mono_ms);

/* Finishes what is in the inbox, commits, joins the thread. Its answers may be opened
 * after that. */
void mail_writer_stop(struct mail_writer *w);

/* Stops it, if that was not done, and closes the store. Accepts NULL. */
void mail_writer_close(struct mail_writer **w);
