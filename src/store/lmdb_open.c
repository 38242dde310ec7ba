#include "store/store_lmdb.h"

#include "base/reader.h"
#include "store/pages.h"
#include "store/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Address space, not disk: a record takes at most twice its bytes (one that just does
 * not fit in half a page), and LMDB needs room for the pages that it is about to free.
 */
#define MAP_SLACK (1ull << 30)

#define REFUSED(s, ...)                                                                \
    LOG_AT(LOG_ERROR, (s)->kind->topic, "store refused " __VA_ARGS__)

static int refuse_dir(const struct lmdb_store *s, const char *why,
                      const char *what_to_do)
{
    REFUSED(s, "dir=%s: %s; %s", s->dir, why, what_to_do);
    return ERR_INVALID;
}

/* Others must not be able to read our users' mail, nor put a store of theirs in place.
 */
static int check_dir(const struct lmdb_store *s)
{
    struct stat st;

    if (lstat(s->dir, &st) < 0) {
        REFUSED(s, "dir=%s: %m", s->dir);
        return ERR_IO;
    }
    if (!S_ISDIR(st.st_mode))
        return refuse_dir(s, "not a directory (nor may it be a link to one)",
                          "move it away");
    if (geteuid() != 0 && st.st_uid != geteuid())
        return refuse_dir(s, "it belongs to another user", "chown it");
    if (st.st_mode & 077)
        return refuse_dir(s, "others may enter it", "chmod 700 it");
    return OK;
}

static int make_dir(const struct lmdb_store *s)
{
    if (mkdir(s->dir, 0700) < 0 && errno != EEXIST) {
        int rc = errno == ENOSPC ? ERR_NOSPACE : ERR_IO;

        REFUSED(s, "dir=%s: cannot create it: %m", s->dir);
        return rc;
    }
    return check_dir(s);
}

/* The kernel may still have pages that the disk never got, marked clean by the failed
 * sync. */
static void drop_cache(const struct lmdb_store *s)
{
    char path[PATH_MAX];
    int fd = lmdb_path(s, "data.mdb", path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

static int read_format(const struct lmdb_store *s, const MDB_val *value, bool *is_old)
{
    const struct store_kind *kind = s->kind;
    size_t magic = strlen(kind->magic);
    struct reader r = reader_of(slice_of(value->mv_data, value->mv_size));
    bool is_ours = slice_equal(read_bytes(&r, magic), slice_of(kind->magic, magic));
    uint32_t format = read_u32(&r);

    if (r.bad || !is_ours) {
        REFUSED(s,
                "dir=%s: its format mark is damaged; restore a backup, or move the "
                "directory away to begin with an empty one",
                s->dir);
        return ERR_DAMAGED;
    }
    if (format > kind->format) {
        REFUSED(s,
                "dir=%s: written by a newer version (format %u, this program knows "
                "%u); use that version",
                s->dir, format, kind->format);
        return ERR_VERSION;
    }
    *is_old = format < kind->format;
    return OK;
}

#define MARK_ROOM (STORE_MAGIC_MAX + 4)

static struct slice format_mark(const struct store_kind *kind, uint8_t mark[MARK_ROOM])
{
    size_t magic = strlen(kind->magic);

    assert(magic <= STORE_MAGIC_MAX);
    memcpy(mark, kind->magic, magic);
    put_u32(mark + magic, kind->format);
    return slice_of(mark, magic + 4);
}

static int write_format(struct lmdb_store *s, MDB_txn *txn)
{
    uint8_t room[MARK_ROOM];
    struct slice mark = format_mark(s->kind, room);
    uint64_t zero = 0;
    MDB_val key = {.mv_size = sizeof(zero), .mv_data = &zero};
    MDB_val value = {.mv_size = mark.size, .mv_data = room};

    return lmdb_error(s, mdb_put(txn, s->dbi, &key, &value, 0));
}

/* Finds the format mark, or writes it into a store that has nothing at all; an older
 * one is renewed, since what will be written here older programs cannot read. */
static int check_format(struct lmdb_store *s, bool read_only)
{
    uint64_t zero = 0;
    MDB_val key = {.mv_size = sizeof(zero), .mv_data = &zero}, value;
    MDB_stat stat;
    MDB_txn *txn = NULL;
    bool is_old = false;
    int rc;

    rc = mdb_txn_begin(s->env, NULL, read_only ? MDB_RDONLY : 0, &txn);
    if (rc == 0)
        rc = mdb_dbi_open(txn, NULL, read_only ? 0 : MDB_INTEGERKEY, &s->dbi);
    if (rc == 0)
        rc = mdb_stat(txn, s->dbi, &stat);
    if (rc != 0) {
        rc = lmdb_error(s, rc);
        goto out;
    }
    if (stat.ms_entries == 0) {
        rc = read_only ? ERR_NOTFOUND : write_format(s, txn);
    } else {
        rc = mdb_get(txn, s->dbi, &key, &value);
        if (rc == MDB_NOTFOUND)
            value = (MDB_val){0};
        rc = rc == 0 || rc == MDB_NOTFOUND ? read_format(s, &value, &is_old)
                                           : lmdb_error(s, rc);
        if (rc == OK && is_old && !read_only)
            rc = write_format(s, txn);
    }
    if (rc == OK) {
        rc = lmdb_error(s, mdb_txn_commit(txn));
        txn = NULL;
    }
out:
    if (txn)
        mdb_txn_abort(txn);
    return rc;
}

void lmdb_close_cursors(struct lmdb_store *s)
{
    if (s->putting)
        mdb_cursor_close(s->putting);
    if (s->removing)
        mdb_cursor_close(s->removing);
    s->putting = s->removing = NULL;
}

void lmdb_close(struct store **store)
{
    struct lmdb_store *s = *store ? lmdb_of(*store) : NULL;

    *store = NULL;
    if (!s)
        return;
    lmdb_close_cursors(s);
    if (s->txn)
        mdb_txn_abort(s->txn);
    if (s->reading)
        mdb_txn_abort(s->reading);
    if (s->env)
        mdb_env_close(s->env);
    free(s->dir);
    free(s);
}

/* A reader that finds no lock file must not leave one, owned by whoever it is. */
static unsigned env_flags(const struct lmdb_store *s, bool read_only)
{
    char path[PATH_MAX];

    if (!read_only)
        return MDB_NOTLS;
    if (lmdb_path(s, "lock.mdb", path) && access(path, R_OK | W_OK) == 0)
        return MDB_NOTLS | MDB_RDONLY;
    return MDB_NOTLS | MDB_RDONLY | MDB_NOLOCK;
}

static size_t map_size(const struct store_conf *conf)
{
    uint64_t most = SIZE_MAX / 4;
    uint64_t total = conf->total_bytes < most ? conf->total_bytes : most;

    return (size_t)(total * 2 / 65536 * 65536 + MAP_SLACK);
}

/* LMDB would follow whatever the file says: so it is followed here first. What is sound
 * in a damaged file goes into a new one. */
static int examine(struct lmdb_store *s, const struct store_conf *conf)
{
    uint8_t mark[MARK_ROOM];
    struct pages *pages = NULL;
    char path[PATH_MAX];
    struct stat st;
    uint64_t page;
    const char *fault;
    int fd = lmdb_path(s, "data.mdb", path) ? open(path, O_RDONLY | O_CLOEXEC) : -1, rc;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
        if (fd >= 0)
            close(fd);
        return OK; /* LMDB makes one, or says why it cannot be opened */
    }
    rc = pages_open(fd, &pages);
    if (rc == OK)
        rc = pages_check(pages);
    if (rc == ERR_DAMAGED) {
        fault = pages_fault(pages, &page);
        LOG_AT(LOG_ERROR, s->kind->topic, "store damaged file=%s page=%llu: %s", path,
               (unsigned long long)page, fault);
        if (!conf->read_only)
            rc = salvage(s->dir, s->kind, pages, map_size(conf),
                         format_mark(s->kind, mark));
    }
    pages_close(&pages);
    close(fd);
    return rc;
}

static int open_env(struct lmdb_store *s, const struct store_conf *conf)
{
    int rc;

    if ((rc = mdb_env_create(&s->env)) != 0)
        return ERR_NOMEM;
    if ((rc = mdb_env_set_mapsize(s->env, map_size(conf))) == 0)
        rc = mdb_env_open(s->env, s->dir, env_flags(s, conf->read_only), 0600);
    if (rc != 0) {
        int answer = rc == ENOENT && conf->read_only ? ERR_NOTFOUND : lmdb_error(s, rc);

        if (answer != ERR_NOTFOUND)
            REFUSED(s, "dir=%s: %s", s->dir, mdb_strerror(rc));
        return answer;
    }
    return OK;
}

/* LMDB syncs its file, but not that the file has a name. */
static int keep_names(struct lmdb_store *s, const struct store_conf *conf)
{
    if (conf->read_only || (lmdb_sync_dir(s->dir) && lmdb_sync_dir(conf->dir)))
        return OK;
    REFUSED(s, "dir=%s: cannot sync it: %m", s->dir);
    return ERR_IO;
}

int lmdb_open(const struct store_conf *conf, struct store **out)
{
    struct lmdb_store *s = calloc(1, sizeof(*s));
    struct store *store = s ? &s->store : NULL;
    int rc = ERR_NOMEM;

    if (!s || asprintf(&s->dir, "%s/%s", conf->dir, conf->kind->name) < 0)
        goto fail;
    s->store.engine = &store_lmdb;
    s->kind = conf->kind;
    if (!conf->read_only && (rc = make_dir(s)) < 0)
        goto fail;
    if (conf->drop_cache)
        drop_cache(s);
    if (conf->check && (rc = examine(s, conf)) < 0)
        goto fail;
    if ((rc = open_env(s, conf)) < 0)
        goto fail;
    if ((rc = check_format(s, conf->read_only)) < 0 || (rc = keep_names(s, conf)) < 0)
        goto fail;
    *out = store;
    return OK;
fail:
    lmdb_close(&store);
    return rc;
}
