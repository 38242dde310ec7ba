/* httprig.h - the HTTP server's interface without a network: a test is the client, and
 * turns everything by hand.
 *
 *   unsigned n = http_rig_get("/api/v1/devices?limit=2");
 *   http_rig_settle();                 answers have come
 *   http_rig_status(n), http_rig_body(n)
 *
 * A stream is taken as fast as the test says: http_rig_take(n, bytes). */
#pragma once

#include "http/server.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_RIG_REQUESTS 2048
#define HTTP_RIG_PARTS    16

struct http_rig_request {
    bool alive; /* not answered, or its stream goes on */
    unsigned status;
    bool is_streaming, is_woken, is_cut;
    struct http_stream stream;
    char type[64];
    char headers[256];
    struct buf body;
    int64_t deadline_ms;
};

struct http_server {
    struct http_conf conf;
    struct loop loop;
    struct http_stats stats;
    struct http_rig_request requests[HTTP_RIG_REQUESTS];
    unsigned count;
};

/* What http_segment() and the others look into. */
struct http_rig_inside {
    char segments[HTTP_RIG_PARTS][128];
    unsigned segment_count;
    char names[HTTP_RIG_PARTS][64];
    char values[HTTP_RIG_PARTS][128];
    unsigned query_count;
    const char *const *headers; /* name, value, ..., NULL */
};

static struct http_server http_rig;

static inline struct http_rig_request *http_rig_of(http_handle h)
{
    assert(h > 0 && h <= http_rig.count);
    return &http_rig.requests[h - 1];
}

/* ---- server.h ---- */

static void http_rig_end_of_turn(void *user)
{
    (void)user;
}

int http_new(const struct http_conf *conf, struct http_server **out)
{
    memset(&http_rig, 0, sizeof(http_rig));
    http_rig.conf = *conf;
    *out = &http_rig;
    return loop_init(&http_rig.loop, http_rig_end_of_turn, conf->user);
}

static inline void http_rig_end(struct http_rig_request *r)
{
    r->alive = false;
    if (r->is_streaming && r->stream.gone)
        r->stream.gone(r->stream.user);
    r->is_streaming = false;
}

void http_free(struct http_server **s)
{
    for (unsigned i = 0; i < http_rig.count; i++) {
        http_rig_end(&http_rig.requests[i]);
        buf_fini(&http_rig.requests[i].body);
    }
    loop_fini(&http_rig.loop);
    *s = NULL;
}

struct inbox *http_inbox(struct http_server *s)
{
    return &s->loop.inbox;
}

struct loop *http_loop(struct http_server *s)
{
    return &s->loop;
}

const char *http_segment(const struct http_request *q, unsigned n)
{
    const struct http_rig_inside *in = q->inside;

    return n < in->segment_count ? in->segments[n] : NULL;
}

const char *http_query_name(const struct http_request *q, unsigned n)
{
    const struct http_rig_inside *in = q->inside;

    return n < in->query_count ? in->names[n] : NULL;
}

const char *http_query(const struct http_request *q, const char *name)
{
    const struct http_rig_inside *in = q->inside;

    for (unsigned i = 0; i < in->query_count; i++)
        if (strcmp(in->names[i], name) == 0)
            return in->values[i];
    return NULL;
}

const char *http_header(const struct http_request *q, const char *name)
{
    const struct http_rig_inside *in = q->inside;

    for (const char *const *h = in->headers; h && *h; h += 2)
        if (strcasecmp(h[0], name) == 0)
            return h[1];
    return NULL;
}

bool http_has_foreign_referer(const struct http_server *s, const struct http_request *q)
{
    const char *referer = http_header(q, "Referer");

    (void)s;
    return referer && strncmp(referer, "http://localhost/", 17) != 0;
}

void http_answer(struct http_server *s, http_handle h, struct http_answer *a)
{
    struct http_rig_request *r = http_rig_of(h);

    (void)s;
    if (!r->alive) {
        buf_fini(&a->body);
        return;
    }
    r->alive = false;
    r->status = a->status;
    r->body = a->body;
    snprintf(r->type, sizeof(r->type), "%s", a->type ? a->type : "application/json");
    if (a->headers != r->headers)
        snprintf(r->headers, sizeof(r->headers), "%s", a->headers ? a->headers : "");
}

void http_problem(struct http_server *s, http_handle h, unsigned status,
                  const char *type, const char *members, const char *format, ...)
{
    struct http_answer a = {.status = status, .type = "application/problem+json"};
    char detail[512], text[2048];
    va_list args;
    int rc;

    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    snprintf(text, sizeof(text), "{%s %u %s: %s}", type, status, members ? members : "",
             detail);
    rc = buf_try_append(&a.body, slice_of(text, strlen(text) + 1));
    assert(rc == OK);
    a.headers = http_rig_of(h)->headers;
    http_answer(s, h, &a);
}

void http_set_headers(struct http_server *s, http_handle h, const char *headers)
{
    (void)s;
    snprintf(http_rig_of(h)->headers, 256, "%s", headers);
}

void http_set_deadline(struct http_server *s, http_handle h, int64_t timeout_ms)
{
    http_rig_of(h)->deadline_ms = s->loop.now_ms + timeout_ms;
}

bool http_is_alive(const struct http_server *s, http_handle h)
{
    (void)s;
    return http_rig_of(h)->alive;
}

void http_stream(struct http_server *s, http_handle h, unsigned status,
                 const char *type, const char *headers,
                 const struct http_stream *stream)
{
    struct http_rig_request *r = http_rig_of(h);

    (void)s;
    (void)headers;
    if (!r->alive) {
        stream->gone(stream->user);
        return;
    }
    r->status = status;
    r->stream = *stream;
    r->is_streaming = r->is_woken = true;
    snprintf(r->type, sizeof(r->type), "%s", type ? type : "application/json");
}

void http_wake(struct http_server *s, http_handle h)
{
    (void)s;
    http_rig_of(h)->is_woken = true;
}

const struct http_stats *http_stats(const struct http_server *s)
{
    return &s->stats;
}

/* ---- the client ---- */

static inline void http_rig_split(char *target, struct http_rig_inside *in)
{
    char *query = strchr(target, '?');

    if (query)
        *query++ = '\0';
    for (char *at = target; *at == '/';) {
        size_t length = strcspn(++at, "/");

        snprintf(in->segments[in->segment_count++], 128, "%.*s", (int)length, at);
        at += length;
    }
    for (char *part = query ? strtok(query, "&") : NULL; part;
         part = strtok(NULL, "&")) {
        size_t length = strcspn(part, "=");

        snprintf(in->names[in->query_count], 64, "%.*s", (int)length, part);
        snprintf(in->values[in->query_count++], 128, "%s",
                 part[length] ? part + length + 1 : "");
    }
}

/* Returns the request's handle. */
static inline unsigned http_rig_send(struct http_request q, const char *target,
                                     const char *const *headers)
{
    static struct http_rig_inside in; /* large */
    char text[512];

    q.handle = ++http_rig.count;
    assert(http_rig.count <= HTTP_RIG_REQUESTS);
    memset(&in, 0, sizeof(in));
    in.headers = headers;
    snprintf(text, sizeof(text), "%s", target);
    http_rig_split(text, &in);
    q.path = text;
    q.inside = &in;
    http_rig_of(q.handle)->alive = true;
    http_rig.conf.handler(http_rig.conf.user, &q);
    return (unsigned)q.handle;
}

static inline unsigned http_rig_ask(enum http_method method, const char *target,
                                    const char *const *headers)
{
    return http_rig_send((struct http_request){.method = method}, target, headers);
}

static inline unsigned http_rig_post(const char *target, const char *type,
                                     struct slice body)
{
    const char *const headers[] = {"Content-Type", type, NULL};

    return http_rig_send((struct http_request){.method = HTTP_POST, .body = body},
                         target, type ? headers : NULL);
}

static inline unsigned http_rig_get(const char *target)
{
    return http_rig_ask(HTTP_GET, target, NULL);
}

/* Takes at most `most` bytes of a stream, in pieces of `room`, until it has no more for
 * now. Returns how many. */
static inline size_t http_rig_take(unsigned n, size_t most, size_t room)
{
    struct http_rig_request *r = http_rig_of(n);
    size_t taken = 0;

    while (r->is_streaming && r->is_woken && taken < most) {
        size_t want = most - taken < room ? most - taken : room;
        uint8_t *to = buf_try_reserve(&r->body, want);
        ssize_t got;

        assert(to);
        got = r->stream.fill(r->stream.user, to, want);
        if (got > 0) {
            buf_commit(&r->body, (size_t)got);
            taken += (size_t)got;
        } else if (got == 0) {
            r->is_woken = false;
        } else {
            r->is_cut = got == HTTP_ABORT;
            http_rig_end(r);
        }
    }
    return taken;
}

/* The client goes away. */
static inline void http_rig_leave(unsigned n)
{
    http_rig_end(http_rig_of(n));
}

static inline void http_rig_turn(void)
{
    loop_turn(&http_rig.loop, 0);
}

static inline unsigned http_rig_status(unsigned n)
{
    return http_rig_of(n)->status;
}

/* As a string. */
static inline const char *http_rig_body(unsigned n)
{
    struct http_rig_request *r = http_rig_of(n);
    uint8_t *end = buf_try_reserve(&r->body, 1);

    assert(end);
    *end = '\0';
    return (const char *)buf_peek(&r->body).data;
}
