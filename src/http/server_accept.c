/* Accepting is ours: the library closes a connection too many without a word, and spins
 * when descriptors are short. */
#include "http/server_inside.h"
#include "base/address.h"
#include "base/log.h"
#include "net/accept.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64

void accept_go_on(struct http_server *s)
{
    if (!s->watching && !s->draining)
        s->watching =
            loop_add(&s->loop, s->conf.listen_fd, EPOLLIN, &s->listener) == OK;
}

void accept_pause(struct http_server *s)
{
    if (s->watching)
        loop_remove(&s->loop, s->conf.listen_fd);
    s->watching = false;
}

static void turn_away(struct http_server *s, int fd, enum limits_verdict verdict)
{
    bool total = verdict == LIMITS_TOTAL;

    s->stats.refused++;
    LOG_THROTTLED(LOG_WARN, HTTP, "http refused reason=%s",
                  total ? "max_connections" : "max_per_address");
    client_last_word(fd,
                     total ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_TOO_MANY_REQUESTS);
    close(fd);
}

static void admit(struct http_server *s, int fd, const struct sockaddr_storage *from,
                  socklen_t size)
{
    struct in6_addr ip = address_as_in6(from).sin6_addr;
    enum limits_verdict verdict = limits_enter(s->limits, &ip);
    struct client *c;
    uint64_t before = s->stats.open;

    if (verdict != LIMITS_PASS) {
        turn_away(s, fd, verdict);
        return;
    }
    if (!(c = client_new(s, fd, &ip))) {
        limits_leave(s->limits, &ip);
        close(fd);
        return;
    }
    s->accepting = c;
    s->library_ready = true;
    if (MHD_add_connection(s->daemon, fd, (const struct sockaddr *)from, size) ==
            MHD_NO &&
        s->stats.open > before)
        client_free(c); /* the library has not even said so */
    s->accepting = NULL;
}

static void rest(struct http_server *s, int error)
{
    LOG_UP_TO(1, LOG_ERROR, LOG_T_HTTP, "http paused reason=%s%s",
              strerrorname_np(error), accept_hint(error));
    accept_pause(s); /* until the next tick */
}

static bool accept_one(struct http_server *s)
{
    struct sockaddr_storage from;
    socklen_t size;
    int fd = accept_next(s->conf.listen_fd, &s->accept_failures, &from, &size);

    if (fd == ACCEPT_REST)
        rest(s, errno);
    if (fd < 0)
        return fd == ACCEPT_FAILED;
    admit(s, fd, &from, size);
    return true;
}

void accept_ready(struct source *src, uint32_t events)
{
    struct http_server *s = CONTAINER_OF(src, struct http_server, listener);

    (void)events;
    for (int n = 0; n < ACCEPTS_PER_TURN && s->watching && accept_one(s); n++)
        ;
}

void accept_notified(void *user, struct MHD_Connection *con, void **context,
                     enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = user;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        s->accepting->connection = con;
        *context = s->accepting;
    } else if (*context) {
        client_free(*context);
        *context = NULL;
    }
}
