#include "supervisor/datadir.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLL_MS  20
#define GRACE_MS 1000 /* a gateway that was just killed may not be quite gone */

static int refuse(const char *dir, const char *where, const char *why,
                  const char *advice)
{
    log_error(SUPERVISOR, "data_dir %s refused at=%s: %s; %s", dir, where, why, advice);
    return errno == ENOSPC ? ERR_NOSPACE : ERR_IO;
}

/* That it has a name reaches the disk, where we may ask for that. */
static void sync_parent(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int parent = fd < 0 ? -1 : openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (parent >= 0) {
        (void)fsync(parent);
        close(parent);
    }
    if (fd >= 0)
        close(fd);
}

static int create(const char *dir, const char *where, const struct identity *id)
{
    if (mkdir(dir, 0700) < 0) {
        if (errno == EEXIST)
            return OK;
        return refuse(dir, where, strerror(errno),
                      errno == ENOENT ? "create the directory above it first"
                                      : "create it, or choose another place");
    }
    if (id->user && lchown(dir, id->uid, id->gid) < 0)
        return refuse(dir, where, strerror(errno), "give it to that user yourself");
    sync_parent(dir);
    return OK;
}

static int check_owner(const char *dir, const char *where, const struct identity *id,
                       const struct stat *st)
{
    char why[128], advice[512];

    errno = 0;
    if (st->st_uid != id->uid) {
        snprintf(why, sizeof(why), "it belongs to user %u, and the worker is user %u",
                 (unsigned)st->st_uid, (unsigned)id->uid);
        snprintf(advice, sizeof(advice),
                 "run `chown -R %u %s`, or choose another place", (unsigned)id->uid,
                 dir);
        refuse(dir, where, why, advice);
        return ERR_INVALID;
    }
    if (st->st_mode & 0022) {
        snprintf(advice, sizeof(advice), "run `chmod 700 %s`", dir);
        refuse(dir, where, "others may write to it", advice);
        return ERR_INVALID;
    }
    return OK;
}

/* Opens the directory itself, never what a symlink in its place names. */
static int open_dir(const char *dir, const char *where, const struct identity *id,
                    int *out)
{
    struct stat st;
    int fd, rc;

    if ((rc = create(dir, where, id)) < 0)
        return rc;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return refuse(dir, where,
                      "it is not a directory (a symbolic link is refused too)",
                      "name the directory itself");
    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = refuse(dir, where, strerror(errno), "make it readable for us");
        goto fail;
    }
    if ((rc = check_owner(dir, where, id, &st)) < 0)
        goto fail;
    *out = fd;
    return OK;
fail:
    if (fd >= 0)
        close(fd);
    return rc;
}

static pid_t read_holder(int fd)
{
    char text[32] = "";

    if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
        return 0;
    return (pid_t)strtol(text, NULL, 10);
}

static bool is_alive(pid_t pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

static int take_lock(const char *dir, const char *where, int fd, int64_t wait_ms)
{
    int64_t start_ms = clock_mono_ms();
    bool told = false;
    pid_t holder;

    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        holder = read_holder(fd);
        if (errno != EWOULDBLOCK)
            return refuse(dir, where, strerror(errno),
                          "it must be on a local file system");
        if (clock_mono_ms() - start_ms >= (is_alive(holder) ? GRACE_MS : wait_ms)) {
            log_error(
                SUPERVISOR,
                "data_dir %s refused at=%s: another gateway uses it (process %d); stop "
                "that one, or give this one its own directory with --data",
                dir, where, (int)holder);
            return ERR_LOCKED;
        }
        if (!told && !is_alive(holder)) {
            told = true;
            log_warn(
                SUPERVISOR,
                "data_dir %s waits for the worker of a gateway that is gone (process "
                "%d was its supervisor)",
                dir, (int)holder);
        }
        usleep(POLL_MS * 1000);
    }
    return OK;
}

static int write_holder(int fd)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return ERR_IO;
    return OK;
}

int datadir_open(const char *dir, const char *where, const struct identity *id,
                 int64_t wait_ms, int *lock)
{
    int dir_fd = -1, fd = -1;
    int rc;

    if ((rc = open_dir(dir, where, id, &dir_fd)) < 0)
        return rc;
    fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || (id->user && fchown(fd, id->uid, id->gid) < 0)) {
        rc = refuse(dir, where, strerror(errno), "it must be writable for the gateway");
        goto fail;
    }
    if ((rc = take_lock(dir, where, fd, wait_ms)) < 0)
        goto fail;
    if (write_holder(fd) < 0) {
        rc = refuse(dir, where, strerror(errno),
                    "it must be writable, with room to spare");
        goto fail;
    }
    close(dir_fd);
    *lock = fd;
    return OK;
fail:
    if (fd >= 0)
        close(fd);
    close(dir_fd);
    return rc;
}
