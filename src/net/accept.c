#include "net/accept.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAILURES_IN_ROW 16

static bool concerns_all(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int accept_next(int listen_fd, unsigned *failures, struct sockaddr_storage *from,
                socklen_t *size)
{
    int fd;

    *size = sizeof(*from);
    fd = (int)TEMP_FAILURE_RETRY(accept4(listen_fd, (struct sockaddr *)from, size,
                                         SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd >= 0) {
        *failures = 0;
        return fd;
    }
    if (errno == EAGAIN)
        return ACCEPT_EMPTY;
    if (concerns_all(errno) || ++*failures % FAILURES_IN_ROW == 0)
        return ACCEPT_REST;
    return ACCEPT_FAILED;
}

const char *accept_hint(int error)
{
    return error == EMFILE || error == ENFILE ? " hint=raise_the_limit_of_open_files"
                                              : "";
}
