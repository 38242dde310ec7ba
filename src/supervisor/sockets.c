#include "supervisor/sockets.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILES_WANTED  1048576
#define BIND_TRIES    10
#define BIND_PAUSE_US 20000

static in_port_t port_of(const struct listen_at *at)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&at->address;

    return ntohs(in->sin_port); /* both families keep it in the same place */
}

static const char *address_text(const struct sockaddr_storage *a, char *out,
                                size_t size)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    char host[INET6_ADDRSTRLEN] = "?";

    if (a->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(out, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(out, size, "%s:%u", host, ntohs(v4->sin_port));
    }
    return out;
}

const char *sockets_text(int fd, char *out, size_t size)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof(a);

    if (getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        snprintf(out, size, "?");
    else
        address_text(&a, out, size);
    return out;
}

static bool is_ours(const struct sockets *s, in_port_t port)
{
    for (size_t i = 0; i < s->count; i++) {
        if (port_of(&s->at[i]) == port)
            return true;
    }
    return false;
}

static void explain(const struct sockets *s, const struct listen_at *at, int error)
{
    char text[SOCKETS_TEXT_MAX], advice[160];

    switch (error) {
    case EADDRINUSE:
        if (is_ours(s, port_of(at)))
            snprintf(advice, sizeof(advice),
                     "this gateway holds the port under another address: restart it to "
                     "change "
                     "that");
        else
            snprintf(
                advice, sizeof(advice),
                "find the program that listens there with `ss -ltnp sport = :%u`, or "
                "choose another port",
                port_of(at));
        break;
    case EACCES:
        snprintf(advice, sizeof(advice),
                 "ports below 1024 want root, or CAP_NET_BIND_SERVICE");
        break;
    case EADDRNOTAVAIL:
        snprintf(advice, sizeof(advice),
                 "this machine does not have that address: see `ip addr`");
        break;
    default:
        snprintf(advice, sizeof(advice), "choose another address");
        break;
    }
    log_error(SUPERVISOR, "listener %s failed address=%s at=%s: %s; %s", at->name,
              address_text(&at->address, text, sizeof(text)), at->where,
              strerror(error), advice);
}

/* A gateway that was just killed lets go of its addresses one by one. */
static int bind_patiently(int fd, const struct sockaddr_storage *address,
                          socklen_t size)
{
    int rc;

    for (int i = 0; i < BIND_TRIES; i++) {
        rc = bind(fd, (const struct sockaddr *)address, size);
        if (rc == 0 || errno != EADDRINUSE)
            break;
        usleep(BIND_PAUSE_US);
    }
    return rc;
}

int sockets_listen(const struct sockaddr_storage *address, socklen_t size)
{
    int one = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -1;
    /* Connections of a former process in TIME_WAIT do not keep us out. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
        goto fail;
    /* So that 0.0.0.0 and [::] can be listed side by side. */
    if (address->ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
        goto fail;
    if (bind_patiently(fd, address, size) < 0 ||
        listen(fd, INT32_MAX) < 0) /* the kernel cuts it to net.core.somaxconn */
        goto fail;
    return fd;
fail:
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int bind_one(const struct sockets *s, const struct listen_at *at, int *out)
{
    if ((*out = sockets_listen(&at->address, at->address_size)) >= 0)
        return OK;
    explain(s, at, errno);
    return ERR_INVALID;
}

static int find_held(const struct sockets *s, const struct listen_at *at)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->fds[i] >= 0 && s->at[i].address_size == at->address_size &&
            memcmp(&s->at[i].address, &at->address, at->address_size) == 0)
            return s->fds[i];
    }
    return -1;
}

static bool holds_fd(const struct sockets *s, int fd)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->fds[i] == fd)
            return true;
    }
    return false;
}

/* Closes what is in `s` and not in `other`. */
static void close_rest(struct sockets *s, const struct sockets *other)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->fds[i] >= 0 && !holds_fd(other, s->fds[i]))
            close(s->fds[i]);
    }
    free(s->at);
    free(s->fds);
    *s = (struct sockets){0};
}

int sockets_hold(struct sockets *s, const struct listen_at *wanted, size_t count)
{
    struct sockets next = {.at = calloc(count + 1, sizeof(*next.at)),
                           .fds = calloc(count + 1, sizeof(*next.fds))};
    int rc = ERR_NOMEM;
    int fd;

    if (!next.at || !next.fds)
        goto fail;
    for (size_t i = 0; i < count; i++) {
        fd = find_held(s, &wanted[i]);
        /* Two listeners on port 0 mean two ports. */
        if (fd < 0 || holds_fd(&next, fd)) {
            if ((rc = bind_one(s, &wanted[i], &fd)) < 0)
                goto fail;
        }
        next.at[i] = wanted[i];
        next.at[i].name = next.at[i].where = NULL;
        next.fds[i] = fd;
        next.count++;
    }
    close_rest(s, &next);
    *s = next;
    return OK;
fail:
    close_rest(&next, s);
    return rc;
}

void sockets_close(struct sockets *s)
{
    const struct sockets none = {0};

    close_rest(s, &none);
}

static bool close_one(struct sockets *s, size_t i)
{
    bool was_open = s->fds[i] >= 0;

    if (was_open)
        close(s->fds[i]);
    s->fds[i] = -1;
    return was_open;
}

bool sockets_close_crew(struct sockets *s, unsigned crew)
{
    bool any = false;

    for (size_t i = 0; i < s->count; i++)
        any |= s->at[i].crew == crew && close_one(s, i);
    return any;
}

void sockets_keep_crew(struct sockets *s, unsigned crew)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->at[i].crew != crew)
            (void)close_one(s, i);
}

void sockets_allow_many(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    if (limit.rlim_max < FILES_WANTED && geteuid() == 0) {
        struct rlimit more = {FILES_WANTED, FILES_WANTED};

        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            return;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}
