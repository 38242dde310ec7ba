/* Answers: whole ones, problem documents, streams. They are kept with the client until
 * the library asks for them. */
#include "http/server_inside.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define GZIP_LEAST   1024
#define STREAM_BLOCK 4096 /* what HTTP/1.0 clients get at once; others by the chunk */
#define HEADER_MAX   256

static bool is_compressible(const char *type)
{
    return strncmp(type, "text/", 5) == 0 || strstr(type, "json");
}

static void add(struct MHD_Response *r, const char *name, const char *value)
{
    /* Only memory can be short here, and then the header is the least loss. */
    (void)MHD_add_response_header(r, name, value);
}

/* "Name: value\r\n"... */
static void add_lines(struct MHD_Response *r, const char *lines)
{
    while (lines && *lines) {
        size_t n = strcspn(lines, "\r\n");
        char line[HEADER_MAX];
        char *colon;

        assert(n < sizeof(line));
        memcpy(line, lines, n);
        line[n] = '\0';
        colon = strchr(line, ':');
        assert(colon);
        *colon = '\0';
        add(r, line, colon + 1 + strspn(colon + 1, " "));
        lines += n;
        lines += strspn(lines, "\r\n");
    }
}

static void add_headers(struct client *c, struct MHD_Response *r, const char *type,
                        const char *lines)
{
    if (type) {
        add(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        add(r, "X-Content-Type-Options", "nosniff");
        if (is_compressible(type))
            add(r, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    }
    add(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (c->ends || c->server->draining)
        add(r, MHD_HTTP_HEADER_CONNECTION, "close");
    add_lines(r, lines);
}

/* The client that waits for it; NULL: nobody does. */
static struct client *waiting(struct http_server *s, http_handle h)
{
    struct client *c = client_find(s, h);

    if (c && c->state == CLIENT_WAITING && !c->answer)
        return c;
    s->stats.abandoned++;
    return NULL;
}

/* `r` NULL: there is no memory for an answer. */
static void keep_answer(struct client *c, unsigned status, struct MHD_Response *r)
{
    if (!r) {
        client_cut(c, 0);
        return;
    }
    c->answer = r;
    c->status = status;
    wheel_stop(&c->server->loop.wheel, &c->timer);
    client_resume(c);
}

static void answer(struct client *c, unsigned status, const char *type,
                   const char *headers, struct buf *body)
{
    bool packed = c->gzip && buf_used(body) >= GZIP_LEAST && is_compressible(type) &&
                  gzip_body(c->server, body);
    struct slice content = buf_peek(body);
    struct MHD_Response *r =
        MHD_create_response_from_buffer_with_free_callback_cls(content.size,
                                                               (void *)content.data,
                                                               free, body->mem);

    if (!r) {
        buf_fini(body);
    } else {
        *body = (struct buf){0};
        add_headers(c, r, status == MHD_HTTP_NO_CONTENT ? NULL : type, headers);
        if (packed)
            add(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    }
    keep_answer(c, status, r);
}

void http_answer(struct http_server *s, http_handle h, struct http_answer *a)
{
    struct client *c = waiting(s, h);

    if (c)
        answer(c, a->status, a->type ? a->type : "application/json", a->headers,
               &a->body);
    buf_fini(&a->body);
}

void answer_problem(struct client *c, unsigned status, const char *type,
                    const char *headers, const char *members, const char *detail)
{
    struct buf body = {0};
    struct json j = json_to(&body);
    char uri[sizeof(PROBLEMS) + 64];

    snprintf(uri, sizeof(uri), PROBLEMS "%s", type ? type : "");
    json_open(&j, '{');
    json_key(&j, "type");
    json_word(&j, type ? uri : "about:blank");
    json_key(&j, "title");
    json_word(&j, MHD_get_reason_phrase_for(status));
    json_key(&j, "status");
    json_uint(&j, status);
    json_key(&j, "detail");
    json_word(&j, detail);
    if (members)
        json_raw(&j, slice_of(members, strlen(members)));
    json_close(&j, '}');
    if (j.failed) {
        buf_fini(&body);
        keep_answer(c, status, NULL);
        return;
    }
    answer(c, status, "application/problem+json", headers, &body);
}

void answer_refusal(struct client *c)
{
    const struct refusal *r = &c->refusal;

    c->server->stats.refused++;
    if (r->at_once)
        c->ends = true;
    answer_problem(c, r->status, r->type, r->headers, NULL, r->detail);
}

void http_problem(struct http_server *s, http_handle h, unsigned status,
                  const char *type, const char *members, const char *format, ...)
{
    struct client *c = waiting(s, h);
    char detail[512];
    va_list args;

    if (!c)
        return;
    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    answer_problem(c, status, type, c->problem_headers, members, detail);
}

void http_set_headers(struct http_server *s, http_handle h, const char *headers)
{
    struct client *c = client_find(s, h);

    if (c)
        c->problem_headers = headers;
}

void http_set_deadline(struct http_server *s, http_handle h, int64_t timeout_ms)
{
    struct client *c = client_find(s, h);

    if (c && c->state == CLIENT_WAITING && !c->answer)
        wheel_arm(&s->loop.wheel, &c->timer, s->loop.now_ms + timeout_ms);
}

bool http_is_alive(const struct http_server *s, http_handle h)
{
    const struct client *c = client_find(s, h);

    return c && (c->state == CLIENT_WAITING || c->state == CLIENT_STREAMING);
}

/* ---- streams ---- */

static ssize_t on_fill(void *user, uint64_t position, char *to, size_t room)
{
    struct streaming *st = user;
    struct client *c = st->client;
    struct http_server *s;
    ssize_t n;

    (void)position;
    if (!c || c->state != CLIENT_STREAMING)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    s = c->server;
    n = s->draining ? HTTP_END : st->stream.fill(st->stream.user, (uint8_t *)to, room);
    if (n == HTTP_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (n > 0) {
        wheel_arm(&s->loop.wheel, &c->timer, s->loop.now_ms + s->conf.idle_timeout_ms);
        return n;
    }
    wheel_stop(&s->loop.wheel, &c->timer);
    client_suspend(c);
    return 0;
}

static void on_gone(void *user)
{
    struct streaming *st = user;

    if (st->client)
        st->client->streaming = NULL;
    if (st->stream.gone)
        st->stream.gone(st->stream.user);
    free(st);
}

void http_stream(struct http_server *s, http_handle h, unsigned status,
                 const char *type, const char *headers,
                 const struct http_stream *stream)
{
    struct client *c = waiting(s, h);
    struct streaming *st = c ? malloc(sizeof(*st)) : NULL;
    struct MHD_Response *r = NULL;

    if (st) {
        *st = (struct streaming){.stream = *stream, .client = c};
        r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_fill,
                                              st, on_gone);
    }
    if (!r) {
        free(st);
        if (stream->gone)
            stream->gone(stream->user);
    } else {
        s->stats.streams++;
        c->streaming = st;
        add_headers(c, r, type ? type : "application/json", headers);
        /* Or the library sends the last chunk although HEAD has no body. */
        if (c->is_head)
            MHD_set_response_options(r, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    }
    if (c)
        keep_answer(c, status, r);
}

void http_wake(struct http_server *s, http_handle h)
{
    struct client *c = client_find(s, h);

    if (c && c->state == CLIENT_STREAMING)
        client_resume(c);
}
