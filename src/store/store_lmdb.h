/* store_lmdb.h - the store on the disk.
 *
 *   DIR/NAME/               0700; the kind's name
 *     data.mdb  lock.mdb    LMDB's; the main database, MDB_INTEGERKEY:
 *                             key 0      the kind's magic, its format (u32, big-endian)
 *                             key seq    a record
 *     reserve               RESERVE_BYTES, allocated; deleted while the disk is full
 *     data.mdb.damaged-N    a file that could not be believed: see salvage.h
 *
 * Keys only grow, so every put appends to the last page (MDB_APPEND) and a transaction
 * writes few pages. LMDB writes to fresh pages, syncs, and then switches over by
 * writing one small meta page synchronously: after a crash it is in the old state or in
 * the new. It has no checksums: those are the records'. Before changing the layout
 * raise the format of every kind; an older gateway then refuses the store.
 *
 * store_lmdb.c reads and changes, lmdb_open.c opens and closes, lmdb_space.c keeps the
 * reserve. */
#pragma once

#include "store/store.h"

#include <limits.h>
#include <lmdb.h>

struct lmdb_store {
    struct store store;
    const struct store_kind *kind;
    char *dir; /* DIR/NAME */
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;                   /* of changes; NULL: none open */
    MDB_cursor *putting, *removing; /* its: each stays where it was */
    MDB_txn *reading;               /* reset between uses */
    unsigned commits;
};

static inline struct lmdb_store *lmdb_of(struct store *store)
{
    return CONTAINER_OF(store, struct lmdb_store, store);
}

/* `name` in the store's directory, or NULL when it is too long. */
const char *lmdb_path(const struct lmdb_store *s, const char *name,
                      char path[PATH_MAX]);

/* The names in a directory reach the disk. False: errno says why not. */
MUST_CHECK bool lmdb_sync_dir(const char *dir);

/* What an error of LMDB's, or an errno, means. */
int lmdb_error(const struct lmdb_store *s, int e);

/* Members of store_lmdb. */
MUST_CHECK int lmdb_open(const struct store_conf *conf, struct store **out);
void lmdb_close(struct store **store);
void lmdb_close_cursors(struct lmdb_store *s);
MUST_CHECK int lmdb_take_reserve(struct store *store);
void lmdb_give_reserve(struct store *store);
uint64_t lmdb_disk_bytes(struct store *store);
