/* lmdb_floor.c - LMDB alone, used as the mailbox's store uses it: the key is one
 * growing number (MDB_INTEGERKEY, MDB_APPEND), a record is as large as a stored
 * message, and one transaction appends a batch and removes the one before. */
#include "store_run.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAP_BYTES (4ull << 30)

static void check(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "lmdb_floor: %s: %s\n", what, mdb_strerror(rc));
    exit(1);
}

static MDB_env *env_open(const char *dir, MDB_dbi *dbi)
{
    MDB_env *env;
    MDB_txn *txn;

    check(mdb_env_create(&env), "create");
    check(mdb_env_set_mapsize(env, MAP_BYTES), "set_mapsize");
    check(mdb_env_open(env, dir, MDB_NOTLS | MDB_NORDAHEAD, 0600), "open");
    check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    check(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, dbi), "dbi_open");
    check(mdb_txn_commit(txn), "commit");
    return env;
}

static void append(MDB_cursor *cursor, uint64_t first, const struct store_run *run,
                   const uint8_t *record)
{
    for (uint64_t seq = first; seq < first + run->batch; seq++) {
        MDB_val key = {.mv_size = sizeof(seq), .mv_data = &seq};
        MDB_val value = {.mv_size = run->size + STORE_RUN_HEAD};

        check(mdb_cursor_put(cursor, &key, &value, MDB_APPEND | MDB_RESERVE), "put");
        memcpy(value.mv_data, record, value.mv_size);
    }
}

static void remove_all(MDB_txn *txn, MDB_dbi dbi, uint64_t first, unsigned count)
{
    for (uint64_t seq = first; seq < first + count; seq++) {
        MDB_val key = {.mv_size = sizeof(seq), .mv_data = &seq};

        check(mdb_del(txn, dbi, &key, NULL), "del");
    }
}

int main(int argc, char **argv)
{
    struct store_run run;
    uint64_t next = 1;
    uint8_t *record;
    MDB_env *env;
    MDB_dbi dbi;

    store_run_parse(argc, argv, &run);
    env = env_open(run.dir, &dbi);
    if (!(record = calloc(1, run.size + STORE_RUN_HEAD)))
        return 1;

    store_run_begin(&run);
    do {
        MDB_cursor *cursor;
        MDB_txn *txn;

        check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
        check(mdb_cursor_open(txn, dbi, &cursor), "cursor_open");
        append(cursor, next, &run, record);
        mdb_cursor_close(cursor);
        if (run.batches)
            remove_all(txn, dbi, next - run.batch, run.batch);
        check(mdb_txn_commit(txn), "commit");
        next += run.batch;
        run.batches++;
        run.messages += run.batch;
    } while (store_run_goes_on(&run));
    store_run_print(&run);

    free(record);
    mdb_env_close(env);
    return 0;
}
