/* The server's thread: its loop, the library in it, the end. */
#include "http/server_inside.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_TICKS     10 /* ticks between two looks for clients that left */
#define LAST_MOMENT_MS 200

/* ---- the library in our loop ---- */

static void on_library_ready(struct source *src, uint32_t events)
{
    (void)events;
    CONTAINER_OF(src, struct http_server, library)->library_ready = true;
}

static bool is_drained(const struct http_server *s)
{
    return list_is_empty(&s->in[CLIENT_READING]) &&
           list_is_empty(&s->in[CLIENT_WAITING]) &&
           list_is_empty(&s->in[CLIENT_SENDING]) &&
           list_is_empty(&s->in[CLIENT_STREAMING]);
}

/* Those that nobody answered in time get a 503, and a moment to take it. */
static void drain_on(struct http_server *s)
{
    bool is_over = s->loop.now_ms >= s->drain_until_ms;

    if (is_drained(s) || (is_over && s->gave_up)) {
        loop_stop(&s->loop);
    } else if (is_over) {
        s->gave_up = true;
        s->drain_until_ms += LAST_MOMENT_MS;
        LIST_FOREACH_SAFE (&s->in[CLIENT_WAITING], k) {
            struct client *c = CONTAINER_OF(k, struct client, link);

            if (!c->answer)
                answer_problem(c, MHD_HTTP_SERVICE_UNAVAILABLE, "not-ready", NULL, NULL,
                               "the gateway is ending");
        }
    }
}

static void on_end_of_turn(void *user)
{
    struct http_server *s = user;
    MHD_UNSIGNED_LONG_LONG timeout;

    if (s->library_ready) {
        s->library_ready = false;
        MHD_run(s->daemon);
        clients_suspend(s);
        /* It has work left for which no descriptor will speak again. */
        if (MHD_get_timeout(s->daemon, &timeout) == MHD_YES && timeout == 0)
            s->library_ready = s->loop.again = true;
    }
    if (s->draining)
        drain_on(s);
}

static void on_tick(struct timer *t, int64_t now_ms)
{
    struct http_server *s = CONTAINER_OF(t, struct http_server, tick);

    wheel_arm(&s->loop.wheel, t, now_ms + TICK_MS);
    accept_go_on(s);
    if (++s->ticks % LOOK_TICKS == 0)
        clients_look(s);
    if (s->conf.on_tick)
        s->conf.on_tick(s->conf.user, now_ms);
}

/* A peer can make it talk. */
PRINTF(2, 0) static void on_library_word(void *user, const char *format, va_list args)
{
    char text[512], shown[1024];
    int n = vsnprintf(text, sizeof(text), format, args);

    (void)user;
    if (n > 0)
        LOG_THROTTLED(LOG_DEBUG, HTTP, "http library says=%s",
                      log_escape(slice_of(text, strcspn(text, "\n")), shown,
                                 sizeof(shown)));
}

/* Targets are decoded by us. */
static size_t leave_escaped(void *user, struct MHD_Connection *con, char *text)
{
    (void)user, (void)con;
    return strlen(text);
}

static int start_library(struct http_server *s)
{
    const union MHD_DaemonInfo *info;

    s->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
                             MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
                         0, NULL, NULL, request_proceed, s, /* clang-format off */
        MHD_OPTION_EXTERNAL_LOGGER, on_library_word, s,
        MHD_OPTION_CONNECTION_LIMIT, s->conf.max_connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, 0u, /* deadlines are ours */
        /* server_check.c refuses more, and says why */
        MHD_OPTION_STRICT_FOR_CLIENT, s->cuts_in_place ? 0 : 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, accept_notified, s,
        MHD_OPTION_URI_LOG_CALLBACK, request_begin, s,
        MHD_OPTION_NOTIFY_COMPLETED, request_end, s,
        MHD_OPTION_END); /* clang-format on */
    if (!s->daemon)
        return ERR_NOMEM;
    info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return ERR_IO;
    return loop_add(&s->loop, info->epoll_fd, EPOLLIN, &s->library);
}

/* It refuses to stop while a connection is suspended. */
static void stop_library(struct http_server *s)
{
    if (!s->daemon)
        return;
    for (int state = 0; state < CLIENT_CUT; state++)
        LIST_FOREACH_SAFE (&s->in[state], k)
            client_cut(CONTAINER_OF(k, struct client, link), 0);
    MHD_run(s->daemon);
    MHD_stop_daemon(s->daemon);
    s->daemon = NULL;
}

/* ---- life ---- */

static int make_slots(struct http_server *s)
{
    uint32_t n = s->conf.max_connections;

    if (!(s->clients = calloc(n, sizeof(*s->clients))) ||
        !(s->free_slots = calloc(n, sizeof(*s->free_slots))))
        return ERR_NOMEM;
    while (s->free_count < n)
        s->free_slots[s->free_count] = s->free_count, s->free_count++;
    return limits_new(n, s->conf.max_per_address, &s->limits);
}

int http_new(const struct http_conf *conf, struct http_server **out)
{
    struct http_server *s = calloc(1, sizeof(*s));
    int rc = ERR_NOMEM;

    if (!s)
        return ERR_NOMEM;
    s->conf = *conf;
    s->library.ready = on_library_ready;
    s->listener.ready = accept_ready;
    s->tick.expired = on_tick;
    s->cuts_in_place = strncmp(MHD_get_version(), "0.", 2) == 0;
    guard_init(&s->guard);
    for (int i = 0; i < CLIENT_STATES; i++)
        list_init(&s->in[i]);
    if ((rc = loop_init(&s->loop, on_end_of_turn, s)) < 0)
        goto fail;
    s->loop.receiver = conf->user;
    s->loop.turns = conf->turns;
    if ((rc = make_slots(s)) < 0 || (rc = start_library(s)) < 0)
        goto fail;
    *out = s;
    return OK;
fail:
    http_free(&s);
    return rc;
}

static void *run(void *user)
{
    struct http_server *s = user;

    pthread_setname_np(pthread_self(), "http");
    if (s->conf.thread_begins)
        s->conf.thread_begins(s->conf.thread_user);
    wheel_arm(&s->loop.wheel, &s->tick, s->loop.now_ms + TICK_MS);
    accept_go_on(s);
    loop_run(&s->loop);
    accept_pause(s);
    stop_library(s);
    if (s->conf.thread_ends)
        s->conf.thread_ends(s->conf.thread_user);
    return NULL;
}

int http_start(struct http_server *s)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&s->thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    s->started = rc == 0;
    return s->started ? OK : ERR_NOMEM;
}

struct stop {
    struct parcel parcel;
    struct http_server *server;
    int64_t timeout_ms;
};

static void on_stop(struct parcel *parcel, void *receiver)
{
    struct stop *stop = CONTAINER_OF(parcel, struct stop, parcel);
    struct http_server *s = stop->server;

    (void)receiver;
    s->draining = true;
    s->drain_until_ms = s->loop.now_ms + stop->timeout_ms;
    accept_pause(s);
    LIST_FOREACH_SAFE (&s->in[CLIENT_STREAMING], k)
        client_resume(CONTAINER_OF(k, struct client, link));
    LIST_FOREACH (&s->in[CLIENT_READING], k)
        wheel_arm(&s->loop.wheel, &CONTAINER_OF(k, struct client, link)->timer,
                  s->loop.now_ms + REFUSED_TIMEOUT_MS);
    log_info(HTTP, "http draining timeout_ms=%lld connections=%llu waiting=%zu",
             (long long)stop->timeout_ms, (unsigned long long)s->stats.open,
             s->in[CLIENT_WAITING].length);
}

void http_stop(struct http_server *s, int64_t timeout_ms)
{
    struct stop stop = {.parcel.open = on_stop, .server = s, .timeout_ms = timeout_ms};

    if (!s->started)
        return;
    inbox_push(&s->loop.inbox, &stop.parcel);
    pthread_join(s->thread, NULL);
    s->started = false;
}

void http_free(struct http_server **server)
{
    struct http_server *s = *server;
    struct parcel *parcel;

    if (!s)
        return;
    stop_library(s);
    /* Answers that came after the end: every handle is dead now. */
    while ((parcel = inbox_take(&s->loop.inbox))) {
        while (parcel) {
            struct parcel *next = parcel->next;

            parcel->open(parcel, s->conf.user);
            parcel = next;
        }
    }
    if (s->can_deflate)
        deflateEnd(&s->deflate);
    limits_free(&s->limits);
    free(s->clients);
    free(s->free_slots);
    loop_fini(&s->loop);
    free(s);
    *server = NULL;
}

struct inbox *http_inbox(struct http_server *s)
{
    return &s->loop.inbox;
}

struct loop *http_loop(struct http_server *s)
{
    return &s->loop;
}

const struct http_stats *http_stats(const struct http_server *s)
{
    return &s->stats;
}
