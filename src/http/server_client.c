/* Connections: slots, states, deadlines, and those that have left. */
#include "http/server_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct client *client_find(const struct http_server *s, http_handle h)
{
    uint32_t slot = (uint32_t)h - 1;
    struct client *c;

    if (h == 0 || slot >= s->conf.max_connections || !(c = s->clients[slot]))
        return NULL;
    return c->handle == h ? c : NULL;
}

int client_look(const struct client *c)
{
    char byte;
    ssize_t n = TEMP_FAILURE_RETRY(recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT));

    return n < 0 && errno == EAGAIN ? 1 : (int)n;
}

static void on_deadline(struct timer *t, int64_t now_ms)
{
    struct client *c = CONTAINER_OF(t, struct client, timer);

    (void)now_ms;
    switch (c->state) {
    case CLIENT_NEW:
    case CLIENT_READING:
        client_cut(c, c->refusal.status ? c->refusal.status : MHD_HTTP_REQUEST_TIMEOUT);
        break;
    case CLIENT_WAITING:
        answer_problem(c, MHD_HTTP_GATEWAY_TIMEOUT, "timeout", NULL, NULL,
                       client_look(c) == 0
                           ? "there was no answer soon after its client said its last"
                           : "a part of the gateway did not answer in time");
        break;
    default: /* idle, or it does not take what we send */
        client_cut(c, 0);
        break;
    }
}

struct client *client_new(struct http_server *s, int fd, const struct in6_addr *ip)
{
    struct client *c;

    if (s->free_count == 0 || !(c = calloc(1, sizeof(*c))))
        return NULL;
    c->server = s;
    c->fd = fd;
    c->ip = *ip;
    c->slot = s->free_slots[--s->free_count];
    c->timer.expired = on_deadline;
    s->clients[c->slot] = c;
    s->stats.connections++;
    s->stats.open++;
    c->state = CLIENT_CUT;
    list_append(&s->in[CLIENT_CUT], &c->link);
    client_move(c, CLIENT_NEW, REQUEST_TIMEOUT_MS);
    return c;
}

void client_free(struct client *c)
{
    struct http_server *s = c->server;

    wheel_stop(&s->loop.wheel, &c->timer);
    list_remove(&s->in[c->state], &c->link);
    limits_leave(s->limits, &c->ip);
    s->clients[c->slot] = NULL;
    s->free_slots[s->free_count++] = c->slot;
    s->stats.open--;
    buf_fini(&c->raw);
    buf_fini(&c->body);
    target_fini(&c->target);
    free(c);
}

void client_move(struct client *c, enum client_state state, int64_t timeout_ms)
{
    struct http_server *s = c->server;

    s->stats.streaming += (uint64_t)(state == CLIENT_STREAMING) -
                          (uint64_t)(c->state == CLIENT_STREAMING);
    list_remove(&s->in[c->state], &c->link);
    c->state = state;
    list_append(&s->in[state], &c->link);
    if (state == CLIENT_READING)
        c->handle = (uint64_t)++s->requests_begun << 32 | (c->slot + 1);
    else if (state <= CLIENT_IDLE || state == CLIENT_CUT)
        c->handle = 0;
    if (timeout_ms > 0)
        wheel_arm(&s->loop.wheel, &c->timer, s->loop.now_ms + timeout_ms);
    else
        wheel_stop(&s->loop.wheel, &c->timer);
}

void client_suspend(struct client *c)
{
    c->suspended = true;
    MHD_suspend_connection(c->connection);
}

void clients_suspend(struct http_server *s)
{
    for (struct link *k = s->in[CLIENT_WAITING].head.prev;
         k != &s->in[CLIENT_WAITING].head; k = k->prev) {
        struct client *c = CONTAINER_OF(k, struct client, link);

        if (c->suspended)
            break;
        if (!c->answer)
            client_suspend(c);
    }
}

void client_resume(struct client *c)
{
    if (!c->suspended)
        return;
    c->suspended = false;
    c->server->library_ready = true;
    MHD_resume_connection(c->connection);
}

static const struct {
    unsigned status;
    const char *type, *detail;
} last_words[] = {
    {MHD_HTTP_REQUEST_TIMEOUT, "timeout", "the request did not come in time"},
    {MHD_HTTP_CONTENT_TOO_LARGE, "too-large", "the body is too large"},
    {MHD_HTTP_TOO_MANY_REQUESTS, "too-many", "too many connections from this address"},
    {MHD_HTTP_SERVICE_UNAVAILABLE, "not-ready", "too many connections"},
};

/* What the socket takes at once: nobody waits for a peer that is sent away. */
static void send_at_once(int fd, const char *text)
{
    ssize_t n = 0;

    do
        text += n;
    while (*text && (n = TEMP_FAILURE_RETRY(send(fd, text, strlen(text),
                                                 MSG_DONTWAIT | MSG_NOSIGNAL))) > 0);
}

void client_last_word(int fd, unsigned status)
{
    const char *title = MHD_get_reason_phrase_for(status);
    const char *type = "bad-request", *detail = "the request did not come to its end";
    char text[768], body[384];

    for (size_t i = 0; i < ARRAY_LEN(last_words); i++) {
        if (last_words[i].status == status) {
            type = last_words[i].type;
            detail = last_words[i].detail;
        }
    }
    snprintf(body, sizeof(body),
             "{\"type\":\"" PROBLEMS "%s\",\"title\":\"%s\",\"status\":%u,"
             "\"detail\":\"%s\"}",
             type, title, status, detail);
    snprintf(text, sizeof(text),
             "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\n"
             "Cache-Control: no-store\r\nConnection: close\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             status, title, strlen(body), body);
    send_at_once(fd, text);
    shutdown(fd, SHUT_WR);
}

void client_cut(struct client *c, unsigned status)
{
    /* The library has nothing under way here, and finds the end of the stream next. */
    if (status) {
        client_last_word(c->fd, status);
        c->server->stats.refused++;
    }
    shutdown(c->fd, SHUT_RDWR);
    client_move(c, CLIENT_CUT, 0);
    client_resume(c);
}

/* It may have closed its side alone and read on, or be gone for good: TCP does not tell
 * before something is sent. */
static void wait_briefly(struct client *c)
{
    struct wheel *wheel = &c->server->loop.wheel;
    int64_t until_ms = c->server->loop.now_ms + HALF_CLOSED_MS;

    if (!timer_is_armed(&c->timer) || c->timer.due_ms > until_ms)
        wheel_arm(wheel, &c->timer, until_ms);
}

void clients_look(struct http_server *s)
{
    static const enum client_state suspended[] = {CLIENT_WAITING, CLIENT_STREAMING};

    for (size_t i = 0; i < ARRAY_LEN(suspended); i++) {
        LIST_FOREACH_SAFE (&s->in[suspended[i]], k) {
            struct client *c = CONTAINER_OF(k, struct client, link);
            int more = c->suspended ? client_look(c) : 1;

            if (more < 0)
                client_cut(c, 0);
            else if (more == 0)
                wait_briefly(c);
        }
    }
}
