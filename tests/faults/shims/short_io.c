/* short_io.c - reads and writes on sockets move a few bytes, or are interrupted.
 *
 * Every third call fails with EINTR; of the others most move 1 to 7 bytes. Waiting and
 * accepting are interrupted too. Correct programs give the same bytes as ever. Files
 * are left alone: there a short write has another meaning. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static _Atomic unsigned turn;

static int is_socket(int fd)
{
    struct stat s;

    return fstat(fd, &s) == 0 && S_ISSOCK(s.st_mode);
}

/* Bytes that this call may move; 0: it is interrupted. */
static size_t allowance(size_t asked)
{
    unsigned n = turn++;

    if (n % 3 == 2)
        return 0;
    n = n * 2654435761u >> 16;
    return n % 4 == 0 || asked == 0 ? asked : asked < 1 + n % 7 ? asked : 1 + n % 7;
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

#define INTERRUPT_OR(size)                                                             \
    do {                                                                               \
        if ((size) > 0 && ((size) = allowance(size)) == 0) {                           \
            errno = EINTR;                                                             \
            return -1;                                                                 \
        }                                                                              \
    } while (0)

ssize_t read(int fd, void *to, size_t size)
{
    REAL(ssize_t, read, int, void *, size_t);

    if (is_socket(fd))
        INTERRUPT_OR(size);
    return real(fd, to, size);
}

ssize_t write(int fd, const void *from, size_t size)
{
    REAL(ssize_t, write, int, const void *, size_t);

    if (is_socket(fd))
        INTERRUPT_OR(size);
    return real(fd, from, size);
}

ssize_t recv(int fd, void *to, size_t size, int flags)
{
    REAL(ssize_t, recv, int, void *, size_t, int);

    INTERRUPT_OR(size);
    return real(fd, to, size, flags);
}

ssize_t send(int fd, const void *from, size_t size, int flags)
{
    REAL(ssize_t, send, int, const void *, size_t, int);

    INTERRUPT_OR(size);
    return real(fd, from, size, flags);
}

ssize_t readv(int fd, const struct iovec *v, int count)
{
    REAL(ssize_t, readv, int, const struct iovec *, int);
    struct iovec few[16];
    size_t size = gathered(v, (size_t)count);

    if (!is_socket(fd))
        return real(fd, v, count);
    INTERRUPT_OR(size);
    return real(fd, few, (int)cut(v, (size_t)count, size, few, 16));
}

ssize_t writev(int fd, const struct iovec *v, int count)
{
    REAL(ssize_t, writev, int, const struct iovec *, int);
    struct iovec few[16];
    size_t size = gathered(v, (size_t)count);

    if (!is_socket(fd))
        return real(fd, v, count);
    INTERRUPT_OR(size);
    return real(fd, few, (int)cut(v, (size_t)count, size, few, 16));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(ssize_t, sendmsg, int, const struct msghdr *, int);
    struct msghdr shorter = *message;
    struct iovec few[16];
    size_t size = gathered(message->msg_iov, message->msg_iovlen);

    INTERRUPT_OR(size);
    shorter.msg_iov = few;
    shorter.msg_iovlen = cut(message->msg_iov, message->msg_iovlen, size, few, 16);
    return real(fd, &shorter, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    REAL(ssize_t, recvmsg, int, struct msghdr *, int);
    struct iovec *whole = message->msg_iov, few[16];
    size_t count = message->msg_iovlen, size = gathered(whole, count);
    ssize_t n;

    INTERRUPT_OR(size);
    message->msg_iov = few;
    message->msg_iovlen = cut(whole, count, size, few, 16);
    n = real(fd, message, flags);
    message->msg_iov = whole;
    message->msg_iovlen = count;
    return n;
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    REAL(int, accept4, int, struct sockaddr *, socklen_t *, int);

    if (turn++ % 3 == 2) {
        errno = EINTR;
        return -1;
    }
    return real(fd, address, size, flags);
}

int epoll_wait(int fd, struct epoll_event *events, int room, int timeout)
{
    REAL(int, epoll_wait, int, struct epoll_event *, int, int);

    if (turn++ % 5 == 4) {
        errno = EINTR;
        return -1;
    }
    return real(fd, events, room, timeout);
}
