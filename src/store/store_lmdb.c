#include "store/store_lmdb.h"

#define CHECK_READERS 1024 /* transactions */

/* ---- reading ---- */

static int lmdb_begin_reads(struct store *store)
{
    struct lmdb_store *s = lmdb_of(store);
    int rc = s->reading ? mdb_txn_renew(s->reading)
                        : mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reading);

    return lmdb_error(s, rc);
}

static void lmdb_end_reads(struct store *store)
{
    mdb_txn_reset(lmdb_of(store)->reading);
}

static int lmdb_read(struct store *store, uint64_t seq, struct slice *record)
{
    struct lmdb_store *s = lmdb_of(store);
    MDB_val key = {.mv_size = sizeof(seq), .mv_data = &seq}, value;
    int rc = mdb_get(s->reading, s->dbi, &key, &value);

    if (rc == 0)
        *record = slice_of(value.mv_data, value.mv_size);
    return lmdb_error(s, rc);
}

static int scan_from(struct lmdb_store *s, MDB_cursor *cursor, uint64_t from,
                     store_seen *seen, void *user)
{
    uint64_t seq = from ? from : 1; /* 0 is the format mark */
    MDB_val key = {.mv_size = sizeof(seq), .mv_data = &seq}, value;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE), answer = OK;
    uint64_t last = 0;

    while (rc == 0 && answer == OK) {
        memcpy(&seq, key.mv_data, sizeof(seq));
        if (seq <= last)
            return ERR_DAMAGED;
        last = seq;
        answer = seen(user, seq, slice_of(value.mv_data, value.mv_size));
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (answer < 0)
        return answer;
    return rc == MDB_NOTFOUND ? OK : lmdb_error(s, rc);
}

static int lmdb_scan(struct store *store, uint64_t from, store_seen *seen, void *user)
{
    struct lmdb_store *s = lmdb_of(store);
    MDB_cursor *cursor = NULL;
    int rc = lmdb_begin_reads(store);

    if (rc < 0)
        return rc;
    rc = lmdb_error(s, mdb_cursor_open(s->reading, s->dbi, &cursor));
    if (rc == OK) {
        rc = scan_from(s, cursor, from, seen, user);
        mdb_cursor_close(cursor);
    }
    lmdb_end_reads(store);
    return rc;
}

/* ---- changing ---- */

static void lmdb_abort(struct store *store)
{
    struct lmdb_store *s = lmdb_of(store);

    lmdb_close_cursors(s);
    mdb_txn_abort(s->txn);
    s->txn = NULL;
}

static int lmdb_begin(struct store *store)
{
    struct lmdb_store *s = lmdb_of(store);
    int rc, dead;

    /* Slots of readers that were killed keep pages from being used again. */
    if (s->commits++ % CHECK_READERS == 0)
        (void)mdb_reader_check(s->env, &dead);
    rc = mdb_txn_begin(s->env, NULL, 0, &s->txn);
    if (rc != 0) {
        s->txn = NULL;
        return lmdb_error(s, rc);
    }
    rc = mdb_cursor_open(s->txn, s->dbi, &s->putting);
    if (rc == 0)
        rc = mdb_cursor_open(s->txn, s->dbi, &s->removing);
    if (rc != 0)
        lmdb_abort(store);
    return lmdb_error(s, rc);
}

static int lmdb_put(struct store *store, uint64_t seq, size_t size, uint8_t **room)
{
    struct lmdb_store *s = lmdb_of(store);
    MDB_val key = {.mv_size = sizeof(seq), .mv_data = &seq}, value = {.mv_size = size};
    int rc = mdb_cursor_put(s->putting, &key, &value, MDB_RESERVE | MDB_APPEND);

    *room = value.mv_data;
    return lmdb_error(s, rc);
}

static int lmdb_remove(struct store *store, uint64_t seq)
{
    struct lmdb_store *s = lmdb_of(store);
    MDB_val key = {.mv_size = sizeof(seq), .mv_data = &seq};
    int rc = mdb_cursor_get(s->removing, &key, NULL, MDB_SET);

    return lmdb_error(s, rc != 0 ? rc : mdb_cursor_del(s->removing, 0));
}

static int lmdb_commit(struct store *store)
{
    struct lmdb_store *s = lmdb_of(store);
    int rc;

    lmdb_close_cursors(s);
    rc = mdb_txn_commit(s->txn);
    s->txn = NULL; /* freed, also by a commit that failed */
    if (rc != 0)
        LOG_AT(LOG_WARN, s->kind->topic,
               "store commit failed file=%s/data.mdb error=\"%s\"", s->dir,
               mdb_strerror(rc));
    return lmdb_error(s, rc);
}

const struct store_engine store_lmdb = {
    .name = "lmdb",
    .open = lmdb_open,
    .close = lmdb_close,
    .scan = lmdb_scan,
    .begin = lmdb_begin,
    .put = lmdb_put,
    .remove = lmdb_remove,
    .abort = lmdb_abort,
    .commit = lmdb_commit,
    .begin_reads = lmdb_begin_reads,
    .read = lmdb_read,
    .end_reads = lmdb_end_reads,
    .take_reserve = lmdb_take_reserve,
    .give_reserve = lmdb_give_reserve,
    .disk_bytes = lmdb_disk_bytes,
};
