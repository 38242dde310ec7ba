/* short_io.c - reads and writes move a few bytes, or are interrupted.
 *
 * A third of the calls on a stream (socket, pipe) fails with EINTR; of the others most
 * move 1 to 7 bytes. Which ones follows no pattern: a program that turns in circles of
 * three calls gets on, too. Waiting, accepting, and what moves whole messages (packets,
 * event counters, short writes into pipes) are interrupted only. Correct programs give
 * the same bytes as ever.
 *
 * Regular files are left alone, for there a short write has another meaning; with
 * SHORT_IO_FILES set, each read of them is shortened, too.
 *
 * libmicrohttpd waits for edges and takes a short count for a socket that is empty, or
 * full. The kernel keeps to that and we would not, so its calls are interrupted
 * only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { ALONE, WHOLE, STREAM, PIECES };

static _Atomic unsigned turn;
static bool with_files;
static uintptr_t edges_begin, edges_end; /* where libmicrohttpd's code is */

static int find_edges(struct dl_phdr_info *object, size_t size, void *user)
{
    (void)size;
    (void)user;
    if (!strstr(object->dlpi_name, "libmicrohttpd"))
        return 0;
    edges_begin = object->dlpi_addr;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t end = object->dlpi_addr + part->p_vaddr + part->p_memsz;

        if (part->p_type == PT_LOAD && end > edges_end)
            edges_end = end;
    }
    return 1;
}

__attribute__((constructor)) static void begin(void)
{
    with_files = getenv("SHORT_IO_FILES") != NULL;
    dl_iterate_phdr(find_edges, NULL);
}

static enum kind kind_of_socket(int fd)
{
    int type = 0;
    socklen_t size = sizeof(type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return ALONE;
    return type == SOCK_STREAM ? STREAM : WHOLE;
}

static enum kind kind_of(int fd, bool writes)
{
    struct stat s;

    if (fstat(fd, &s) < 0)
        return ALONE;
    if (S_ISSOCK(s.st_mode))
        return kind_of_socket(fd);
    if (S_ISFIFO(s.st_mode))
        return STREAM;
    if (S_ISREG(s.st_mode) && fd == STDERR_FILENO)
        return WHOLE; /* a log that might be a pipe as well */
    if (S_ISREG(s.st_mode))
        return with_files && !writes ? PIECES : ALONE;
    return (s.st_mode & S_IFMT) == 0 ? WHOLE : ALONE; /* eventfd, signalfd */
}

static unsigned dice(void)
{
    unsigned n = ++turn * 2654435761u;

    n = (n ^ n >> 15) * 2246822519u;
    return n ^ n >> 13;
}

static bool is_interrupted(void)
{
    if (dice() % 3)
        return false;
    errno = EINTR;
    return true;
}

/* Bytes that this call may move; 0: it is interrupted. */
static size_t allowance(enum kind kind, size_t asked, const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    unsigned n;

    if (kind == ALONE || asked == 0)
        return asked;
    if (is_interrupted())
        return 0;
    n = dice();
    if (kind == WHOLE || (kind == STREAM && n % 4 == 0) ||
        (at >= edges_begin && at < edges_end))
        return asked;
    n = 1 + (n >> 8) % 7;
    return asked < n ? asked : n;
}

static size_t gathered(const struct iovec *v, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += v[i].iov_len;
    return sum;
}

/* The same vector, cut to `limit` bytes; returns how many parts are left. */
static size_t cut(const struct iovec *from, size_t count, size_t limit,
                  struct iovec *to, size_t room)
{
    size_t i;

    for (i = 0; i < count && i < room && limit > 0; i++) {
        to[i] = from[i];
        if (to[i].iov_len > limit)
            to[i].iov_len = limit;
        limit -= to[i].iov_len;
    }
    return i;
}

#define REAL(result, name, ...)                                                        \
    static result (*real)(__VA_ARGS__);                                                \
    if (!real)                                                                         \
    real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define INTERRUPT_OR(kind, size)                                                       \
    do {                                                                               \
        size_t allowed = allowance(kind, size, __builtin_return_address(0));           \
                                                                                       \
        if (allowed == 0 && (size) > 0)                                                \
            return -1;                                                                 \
        (size) = allowed;                                                              \
    } while (0)

/* ---- reading ---- */

ssize_t read(int fd, void *to, size_t size)
{
    REAL(ssize_t, read, int, void *, size_t);

    INTERRUPT_OR(kind_of(fd, false), size);
    return real(fd, to, size);
}

ssize_t recv(int fd, void *to, size_t size, int flags)
{
    REAL(ssize_t, recv, int, void *, size_t, int);

    INTERRUPT_OR(kind_of(fd, false), size);
    return real(fd, to, size, flags);
}

ssize_t readv(int fd, const struct iovec *v, int count)
{
    REAL(ssize_t, readv, int, const struct iovec *, int);
    struct iovec few[16];
    size_t size = gathered(v, (size_t)count);
    enum kind kind = kind_of(fd, false);

    INTERRUPT_OR(kind, size);
    if (kind < STREAM)
        return real(fd, v, count);
    return real(fd, few, (int)cut(v, (size_t)count, size, few, 16));
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    REAL(ssize_t, recvmsg, int, struct msghdr *, int);
    struct iovec *whole = message->msg_iov, few[16];
    size_t count = message->msg_iovlen, size = gathered(whole, count);
    enum kind kind = kind_of(fd, false);
    ssize_t n;

    INTERRUPT_OR(kind, size);
    if (kind < STREAM)
        return real(fd, message, flags);
    message->msg_iov = few;
    message->msg_iovlen = cut(whole, count, size, few, 16);
    n = real(fd, message, flags);
    message->msg_iov = whole;
    message->msg_iovlen = count;
    return n;
}

/* ---- writing ---- */

ssize_t write(int fd, const void *from, size_t size)
{
    REAL(ssize_t, write, int, const void *, size_t);
    enum kind kind = kind_of(fd, true);
    struct stat s;

    /* The kernel puts so much into a pipe as a whole. */
    if (kind == STREAM && size <= PIPE_BUF && fstat(fd, &s) == 0 && S_ISFIFO(s.st_mode))
        kind = WHOLE;
    INTERRUPT_OR(kind, size);
    return real(fd, from, size);
}

ssize_t send(int fd, const void *from, size_t size, int flags)
{
    REAL(ssize_t, send, int, const void *, size_t, int);

    INTERRUPT_OR(kind_of(fd, true), size);
    return real(fd, from, size, flags);
}

ssize_t writev(int fd, const struct iovec *v, int count)
{
    REAL(ssize_t, writev, int, const struct iovec *, int);
    struct iovec few[16];
    size_t size = gathered(v, (size_t)count);
    enum kind kind = kind_of(fd, true);

    INTERRUPT_OR(kind, size);
    if (kind < STREAM)
        return real(fd, v, count);
    return real(fd, few, (int)cut(v, (size_t)count, size, few, 16));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(ssize_t, sendmsg, int, const struct msghdr *, int);
    struct msghdr shorter = *message;
    struct iovec few[16];
    size_t size = gathered(message->msg_iov, message->msg_iovlen);
    enum kind kind = kind_of(fd, true);

    INTERRUPT_OR(kind, size);
    if (kind < STREAM)
        return real(fd, message, flags);
    shorter.msg_iov = few;
    shorter.msg_iovlen = cut(message->msg_iov, message->msg_iovlen, size, few, 16);
    return real(fd, &shorter, flags);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t size)
{
    REAL(ssize_t, sendfile64, int, int, off64_t *, size_t);

    INTERRUPT_OR(kind_of(to, true), size);
    return real(to, from, at, size);
}

/* ---- waiting ---- */

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    REAL(int, accept4, int, struct sockaddr *, socklen_t *, int);

    return is_interrupted() ? -1 : real(fd, address, size, flags);
}

int epoll_wait(int fd, struct epoll_event *events, int room, int timeout)
{
    REAL(int, epoll_wait, int, struct epoll_event *, int, int);

    return is_interrupted() ? -1 : real(fd, events, room, timeout);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    REAL(int, poll, struct pollfd *, nfds_t, int);

    return is_interrupted() ? -1 : real(fds, count, timeout);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    REAL(pid_t, waitpid, pid_t, int *, int);

    return !(options & 1) && is_interrupted() ? -1 : real(pid, status, options);
}
