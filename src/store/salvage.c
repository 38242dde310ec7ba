#include "store/salvage.h"
#include "store/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT_ONCE_BYTES (16u << 20) /* in one transaction */
#define MOST_DAMAGED  1000

struct target {
    const struct store_kind *kind;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    size_t bytes;
    uint64_t records;
};

static int begin(struct target *t)
{
    int rc = mdb_txn_begin(t->env, NULL, 0, &t->txn);

    if (rc != 0) {
        t->txn = NULL;
        return rc;
    }
    t->bytes = 0;
    return mdb_dbi_open(t->txn, NULL, MDB_INTEGERKEY, &t->dbi);
}

static int commit(struct target *t)
{
    int rc = mdb_txn_commit(t->txn);

    t->txn = NULL;
    return rc;
}

static int put(struct target *t, uint64_t key, struct slice value)
{
    MDB_val k = {.mv_size = sizeof(key), .mv_data = &key};
    MDB_val v = {.mv_size = value.size, .mv_data = (void *)(uintptr_t)value.data};
    int rc = mdb_put(t->txn, t->dbi, &k, &v, MDB_NOOVERWRITE);

    t->bytes += value.size;
    return rc;
}

static int on_record(void *user, uint64_t key, struct slice value)
{
    struct target *t = user;
    int rc;

    if (key == 0 || !t->kind->is_sound(key, value))
        return OK;
    rc = put(t, key, value);
    if (rc == MDB_KEYEXIST)
        return OK;
    if (rc == 0)
        t->records++;
    if (rc == 0 && t->bytes > AT_ONCE_BYTES && (rc = commit(t)) == 0)
        rc = begin(t);
    return rc; /* LMDB's errors are no enum err; salvage() tells them apart */
}

static int copy(const char *path, const struct store_kind *kind, struct pages *pages,
                size_t map_size, struct slice mark, uint64_t *records)
{
    struct target t = {.kind = kind};
    int rc;

    if ((rc = mdb_env_create(&t.env)) != 0)
        return rc;
    if ((rc = mdb_env_set_mapsize(t.env, map_size)) != 0 ||
        (rc = mdb_env_open(t.env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS, 0600)) !=
            0)
        goto out;
    if ((rc = begin(&t)) != 0 || (rc = put(&t, 0, mark)) != 0 ||
        (rc = pages_each_record(pages, on_record, &t)) != 0 || (rc = commit(&t)) != 0)
        goto out;
    *records = t.records;
out:
    if (t.txn)
        mdb_txn_abort(t.txn);
    mdb_env_close(t.env);
    return rc;
}

static bool is_same_file(const char *one, const char *other)
{
    struct stat a, b;

    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

/* Under the name that an attempt gave it which was cut short, or under a new one.
 * False: errno says why. */
static bool keep_damaged(const char *dir, const char *data, char kept[PATH_MAX])
{
    for (int n = 1; n <= MOST_DAMAGED; n++) {
        snprintf(kept, PATH_MAX, "%s/data.mdb.damaged-%d", dir, n);
        if (link(data, kept) == 0)
            return true;
        if (errno != EEXIST)
            return false;
        if (is_same_file(data, kept))
            return true;
    }
    return false;
}

static int give_up(const char *dir, const struct store_kind *kind, const char *doing,
                   int error)
{
    LOG_AT(LOG_ERROR, kind->topic,
           "store cannot be salvaged dir=%s while=%s error=\"%s\"; nothing was changed",
           dir, doing, mdb_strerror(error));
    return error == ENOSPC || error == EDQUOT ? ERR_NOSPACE
           : error == ENOMEM                  ? ERR_NOMEM
                                              : ERR_IO;
}

int salvage(const char *dir, const struct store_kind *kind, struct pages *pages,
            size_t map_size, struct slice mark)
{
    char data[PATH_MAX], fresh[PATH_MAX], kept[PATH_MAX], lock[PATH_MAX];
    uint64_t records = 0;
    int error;

    snprintf(data, sizeof(data), "%s/data.mdb", dir);
    snprintf(fresh, sizeof(fresh), "%s/salvaged.mdb", dir);
    snprintf(lock, sizeof(lock), "%s/lock.mdb", dir);
    if (unlink(fresh) < 0 && errno != ENOENT) /* of an attempt that was cut short */
        return give_up(dir, kind, "unlink", errno);
    if ((error = copy(fresh, kind, pages, map_size, mark, &records)) != 0) {
        (void)unlink(fresh);
        return give_up(dir, kind, "copying", error);
    }
    if (!keep_damaged(dir, data, kept) || !lmdb_sync_dir(dir))
        return give_up(dir, kind, "keeping the old file", errno);
    /* It counts the old file's transactions; who still reads that one keeps both. */
    if (unlink(lock) < 0 && errno != ENOENT)
        return give_up(dir, kind, "unlink", errno);
    if (rename(fresh, data) < 0 || !lmdb_sync_dir(dir))
        return give_up(dir, kind, "putting the new file in place", errno);
    LOG_AT(LOG_ERROR, kind->topic,
           "store salvaged dir=%s records=%llu: what was sound goes on; the damaged "
           "file is kept as %s for whoever wants to look into it",
           dir, (unsigned long long)records, kept);
    return OK;
}
