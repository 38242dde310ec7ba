#include "store/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RESERVE_BYTES (4u << 20)

/* `name` in the store's directory, or NULL when it is too long. */
const char *lmdb_path(const struct lmdb_store *s, const char *name, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/%s", s->dir, name);

    return n > 0 && n < PATH_MAX ? path : NULL;
}

bool lmdb_sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return synced;
}

static bool disk_is_full(const struct lmdb_store *s)
{
    struct statvfs v;

    return statvfs(s->dir, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < 65536;
}

/* LMDB reports a write that the disk took only in part as EIO, like a failing device:
 * the file system says which of the two it was. */
int lmdb_error(const struct lmdb_store *s, int e)
{
    switch (e) {
    case MDB_SUCCESS:
        return OK;
    case MDB_NOTFOUND:
        return ERR_NOTFOUND;
    case ENOMEM:
        return ERR_NOMEM;
    case ENOSPC:
    case EDQUOT:
        return ERR_NOSPACE;
    case EIO:
        return disk_is_full(s) ? ERR_NOSPACE : ERR_IO;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return ERR_FULL;
    case MDB_VERSION_MISMATCH:
        return ERR_VERSION;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_VALSIZE:
        return ERR_DAMAGED;
    case EAGAIN:
    case EBUSY:
        return ERR_LOCKED;
    default:
        return ERR_IO;
    }
}

/* Pages of the file that removed messages left behind: the free list's records begin
 * with their counts. */
static uint64_t bytes_free_inside(const struct lmdb_store *s)
{
    const MDB_dbi free_list = 0;
    MDB_cursor *cursor = NULL;
    MDB_txn *txn = NULL;
    MDB_val key, value;
    MDB_stat stat;
    uint64_t pages = 0;

    mdb_env_stat(s->env, &stat);
    if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn) != 0)
        return 0;
    if (mdb_cursor_open(txn, free_list, &cursor) == 0) {
        while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
            size_t count;

            memcpy(&count, value.mv_data, sizeof(count));
            pages += count;
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return pages * stat.ms_psize;
}

/* Takes what is missing of the reserve; where delivered mail left room in the file, a
 * part of it is enough: removals need but a few pages. */
static int allocate_reserve(int fd, uint64_t inside)
{
    int e = posix_fallocate(fd, 0, RESERVE_BYTES);

    if (e == ENOSPC && inside >= RESERVE_BYTES)
        e = ftruncate(fd, 0) < 0 ? errno : posix_fallocate(fd, 0, RESERVE_BYTES / 8);
    return e;
}

int lmdb_take_reserve(struct store *store)
{
    struct lmdb_store *s = lmdb_of(store);
    uint64_t inside = bytes_free_inside(s);
    char path[PATH_MAX];
    struct statvfs v;
    int fd, e;

    if (!lmdb_path(s, "reserve", path))
        return ERR_IO;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    e = fd < 0 ? errno : allocate_reserve(fd, inside);
    /* Beyond the reserve there should be room for some messages, too. */
    if (e == 0 && statvfs(s->dir, &v) == 0 &&
        (uint64_t)v.f_bavail * v.f_frsize + inside < RESERVE_BYTES)
        e = ENOSPC;
    if (fd >= 0)
        close(fd);
    if (e != 0)
        (void)unlink(path);
    return lmdb_error(s, e);
}

void lmdb_give_reserve(struct store *store)
{
    char path[PATH_MAX];

    if (lmdb_path(lmdb_of(store), "reserve", path))
        (void)unlink(path);
}

uint64_t lmdb_disk_bytes(struct store *store)
{
    mdb_filehandle_t fd;
    struct stat st;

    mdb_env_get_fd(lmdb_of(store)->env, &fd);
    return fstat(fd, &st) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}
