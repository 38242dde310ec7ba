/* no_sync.c - every sync says that it succeeded, and does nothing.
 *
 * With this before libc the gateway calls safe what a power cut takes away: a rig that
 * does not notice is worth nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>

int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

int msync(void *address, size_t size, int flags)
{
    (void)address;
    (void)size;
    (void)flags;
    return 0;
}

int sync_file_range(int fd, off64_t offset, off64_t count, unsigned int flags)
{
    (void)fd;
    (void)offset;
    (void)count;
    (void)flags;
    return 0;
}

/* Writes through such a descriptor sync by themselves. */
#define SYNCING (O_SYNC | O_DSYNC)

static int open_unsynced(const char *name, const char *path, int flags, unsigned mode)
{
    int (*real)(const char *, int, ...) =
        (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);

    return real(path, flags & ~SYNCING, mode);
}

#define OPEN(name)                                                                     \
    int name(const char *path, int flags, ...)                                         \
    {                                                                                  \
        va_list rest;                                                                  \
        unsigned mode;                                                                 \
                                                                                       \
        va_start(rest, flags);                                                         \
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, unsigned) : 0;             \
        va_end(rest);                                                                  \
        return open_unsynced(#name, path, flags, mode);                                \
    }

OPEN(open)
OPEN(open64)

int fcntl(int fd, int command, ...)
{
    static int (*real)(int, int, ...);
    va_list rest;
    void *argument;

    if (!real)
        real = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl");
    va_start(rest, command);
    argument = va_arg(rest, void *);
    va_end(rest);
    if (command == F_SETFL)
        argument = (void *)((long)argument & ~(long)SYNCING);
    return real(fd, command, argument);
}
