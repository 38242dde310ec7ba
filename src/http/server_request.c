/* A request's way through the library's callbacks:
 *
 *   request_begin (its first line) -> request_proceed (its headers) -> request_proceed
 *   (each part of its body) -> request_proceed (it is complete) -> ... -> request_end
 *
 * An answer at the headers would close the connection after it, so even a refused
 * request is read to its end first, unless where it ends is in doubt. */
#include "http/server_inside.h"
#include "http/server_rules.h"

#include <stdlib.h>

/* The query is taken apart by us. The library would make a list of it in the
 * connection's memory, and get stuck when that is full: let it find none. */
static void hide_query(char *target)
{
    char *mark = strchr(target, '?');

    if (mark && mark[1])
        mark[1] = '\0';
}

void *request_begin(void *server, const char *target, struct MHD_Connection *con)
{
    struct client *c = MHD_get_connection_info(con, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
                           ->socket_context;

    (void)server;
    if (c->state == CLIENT_CUT)
        return c;
    c->line = target;
    c->ends = c->was_heard = c->gzip = false;
    c->dropped = 0;
    c->problem_headers = NULL;
    c->refusal = (struct refusal){0};
    client_move(c, CLIENT_READING, REQUEST_TIMEOUT_MS);
    if (target && buf_try_append(&c->raw, slice_of(target, strlen(target))) < 0)
        refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "not-ready", "out of memory");
    if (target)
        hide_query((char *)target);
    return c;
}

static enum MHD_Result give_answer(struct client *c)
{
    struct MHD_Response *answer = c->answer;
    enum MHD_Result rc;

    c->answer = NULL;
    c->server->stats.status[c->status / 100 % 6]++;
    /* First: the library may run to the end of the request within the call. */
    client_move(c, c->streaming ? CLIENT_STREAMING : CLIENT_SENDING,
                c->server->conf.idle_timeout_ms);
    rc = MHD_queue_response(c->connection, c->status, answer);
    MHD_destroy_response(answer);
    return rc;
}

static void take_body(struct client *c, struct slice part)
{
    size_t size = buf_used(&c->body) + c->dropped + part.size;

    if (!c->refusal.status && size > c->server->conf.max_body)
        refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
               "the body has more than %zu bytes", c->server->conf.max_body);
    if (!c->refusal.status && buf_try_append(&c->body, part) < 0)
        refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "not-ready", "out of memory");
    if (!c->refusal.status)
        return;
    c->dropped += part.size;
    if (c->dropped > DROP_MAX)
        client_cut(c, c->refusal.status);
}

static void call_handler(struct client *c)
{
    struct http_server *s = c->server;
    struct http_request q = {
        .handle = c->handle,
        .method = c->method,
        .is_head = c->is_head,
        .path = c->target.path,
        .body = buf_peek(&c->body),
        .inside = c,
    };

    client_move(c, CLIENT_WAITING, ANSWER_TIMEOUT_MS);
    s->stats.requests++;
    if (c->refusal.status)
        answer_refusal(c);
    else
        s->conf.handler(s->conf.user, &q);
}

enum MHD_Result request_proceed(void *server, struct MHD_Connection *con,
                                const char *target, const char *method,
                                const char *version, const char *data, size_t *size,
                                void **client)
{
    struct client *c = *client;

    (void)server, (void)con, (void)target;
    if (c->state == CLIENT_CUT)
        return MHD_NO;
    if (!c->was_heard) {
        c->was_heard = true;
        if (!c->refusal.status)
            check_head(c, method, version);
        if (!c->refusal.at_once) {
            if (c->refusal.status)
                wheel_arm(&c->server->loop.wheel, &c->timer,
                          c->server->loop.now_ms + REFUSED_TIMEOUT_MS);
            return MHD_YES;
        }
        client_move(c, CLIENT_WAITING, ANSWER_TIMEOUT_MS);
        answer_refusal(c);
    } else if (*size > 0) {
        take_body(c, slice_of(data, *size));
        *size = 0;
        return c->state == CLIENT_CUT ? MHD_NO : MHD_YES;
    } else if (c->state == CLIENT_READING) {
        call_handler(c);
    }
    if (c->answer)
        return give_answer(c);
    return c->state == CLIENT_WAITING ? MHD_YES : MHD_NO;
}

void request_end(void *server, struct MHD_Connection *con, void **client,
                 enum MHD_RequestTerminationCode why)
{
    struct client *c = *client;

    (void)server, (void)con, (void)why;
    if (c->answer)
        MHD_destroy_response(c->answer);
    c->answer = NULL;
    if (c->streaming)
        c->streaming->client = NULL;
    c->streaming = NULL;
    buf_fini(&c->raw);
    buf_fini(&c->body);
    target_fini(&c->target);
    /* The library does not hear of an end that came together with a request. */
    if (c->state != CLIENT_CUT)
        client_move(c, CLIENT_IDLE,
                    client_look(c) > 0 ? c->server->conf.idle_timeout_ms : HANG_UP_MS);
}

const char *http_segment(const struct http_request *q, unsigned n)
{
    const struct client *c = q->inside;

    return n < c->target.segment_count ? c->target.segments[n] : NULL;
}

const char *http_query(const struct http_request *q, const char *name)
{
    return target_param(&((const struct client *)q->inside)->target, name);
}

const char *http_query_name(const struct http_request *q, unsigned n)
{
    const struct client *c = q->inside;

    return n < c->target.param_count ? c->target.params[n].name : NULL;
}

const char *http_header(const struct http_request *q, const char *name)
{
    const struct client *c = q->inside;

    return MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, name);
}

bool http_has_foreign_referer(const struct http_server *s, const struct http_request *q)
{
    const char *referer = http_header(q, "Referer");

    return referer &&
           !rules_referer_is_ours(referer, http_header(q, "Host"), s->conf.hosts);
}
