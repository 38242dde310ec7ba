#include "net/options.h"
#include "base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* TCP_USER_TIMEOUT covers the time in which data is under way, when the kernel does not
 * probe. */
#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES     3
#define USER_TIMEOUT_MS      90000

static void set_option(int fd, const char *name, int level, int option, int value,
                       const char *word)
{
    if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
        log_warn(NET, "listener %s misses option=%s reason=%s", name, word,
                 strerrorname_np(errno));
}

#define SET(level, option, value) set_option(fd, name, level, option, value, #option)

void options_set(int fd, const char *name)
{
    SET(IPPROTO_TCP, TCP_NODELAY, 1);
    SET(SOL_SOCKET, SO_KEEPALIVE, 1);
    SET(IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    SET(IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    SET(IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    SET(IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

void options_limit_send(int fd, const char *name, int bytes)
{
    SET(SOL_SOCKET, SO_SNDBUF, bytes);
}
