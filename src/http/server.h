/* server.h - HTTP/1.1 on one thread, behind three calls: a request arrives with a
 * handle; answer the handle; or stream to it.
 *
 * The thread runs a loop (net/loop.h) in which the library's descriptor is one source;
 * parcels from shards arrive in the same loop. A handler never blocks: it answers at
 * once, or keeps the handle, asks somebody, and answers when the parcel comes back. A
 * handle is a slot and a generation: one whose client has left, or whose deadline is
 * over, is dead, and answering it does nothing.
 * A client that closed its side alone has not left, but is not waited for as long.
 *
 * Before a handler sees a request it was checked: syntax and limits (400, 408, 413,
 * 414, 431, 501, 505), Host, Origin and Sec-Fetch-Site (403), the token (401, 429),
 * and the body is complete. */
#pragma once

#include "base/buf.h"
#include "net/loop.h"

#include <netinet/in.h>

struct http_server;

typedef uint64_t http_handle; /* 0 is never one */

/* Those that HTTP knows for a resource; no CONNECT: it asks for a tunnel. */
#define HTTP_METHODS(X) X(GET) X(POST) X(PUT) X(DELETE) X(PATCH) X(OPTIONS) X(TRACE)

enum http_method { /* HEAD is a GET whose answer's body is not sent */
#define X(name) HTTP_##name,
                   HTTP_METHODS(X)
#undef X
};

/* Valid during the handler's call. Everything is percent-decoded, without NUL, and
 * UTF-8. */
struct http_request {
    http_handle handle;
    enum http_method method;
    bool is_head;     /* a GET whose answer's body will not be sent */
    const char *path; /* "/api/v1/devices/00000001"; %2F within a segment stays encoded
                         apart from it: see http_segment */
    struct slice body;
    const void *inside; /* for the functions below */
};

/* The path's n-th segment (0 is the first), decoded; NULL: there is none. */
const char *http_segment(const struct http_request *q, unsigned n);
/* NULL: not given. Names given twice were refused. */
const char *http_query(const struct http_request *q, const char *name);
/* The n-th parameter's name, or NULL: to refuse the unknown ones. */
const char *http_query_name(const struct http_request *q, unsigned n);
const char *http_header(const struct http_request *q, const char *name);

/* Does it come from a page of elsewhere, says its Referer? That one tells what Origin
 * and Sec-Fetch-Site do not in old browsers; but a harmless link has it, too. */
bool http_has_foreign_referer(const struct http_server *s,
                              const struct http_request *q);

typedef void http_handler(void *user, const struct http_request *q);

struct http_conf {
    int listen_fd;                   /* the supervisor's; non-blocking */
    struct sockaddr_storage address; /* of it: what Host may say */
    const char *token;               /* NULL: none is asked for (loopback only) */
    const char *hosts; /* further names that Host may say: "a,b:8080"; NULL: none */
    uint32_t max_connections, max_per_address;
    size_t max_body;         /* bytes */
    int64_t idle_timeout_ms; /* between requests, and for a client to take something
                                of its answer; a request has 10 s to be complete */
    http_handler *handler;   /* on the server's thread, as everything below */
    void (*on_tick)(void *user, int64_t now_ms); /* ten times a second */
    void *user;              /* also the receiver of parcels (inbox.h) */
    _Atomic uint64_t *turns; /* for the watchdog; may be NULL */
    void (*thread_begins)(void *thread_user); /* on the server's thread; may be NULL */
    void (*thread_ends)(void *thread_user);
    void *thread_user;
};

MUST_CHECK int http_new(const struct http_conf *conf, struct http_server **out);
MUST_CHECK int http_start(struct http_server *s);

/* From another thread. Stops accepting, lets what is being answered finish for at most
 * `timeout_ms`, ends streams, joins the thread. */
void http_stop(struct http_server *s, int64_t timeout_ms);
void http_free(struct http_server **s);

/* Any thread: where to send parcels for the server's thread. */
struct inbox *http_inbox(struct http_server *s);
struct loop *http_loop(struct http_server *s);

/* ---- answering, on the server's thread, once per handle ---- */

struct http_answer {
    unsigned status;
    const char *type;    /* NULL: application/json */
    const char *headers; /* "Name: value\r\n"...; may be NULL */
    struct buf body;     /* taken over; compressed when the client likes and it pays */
};

void http_answer(struct http_server *s, http_handle h, struct http_answer *a);

/* RFC 9457: {"type":"about:blank"|URI,"title":…,"status":…,"detail":…,…}. `type` is a
 * short name, documented in docs/http-api.md ("not-found"), or NULL. `members` is JSON
 * members to add (`"oldest":5`), or NULL. */
void http_problem(struct http_server *s, http_handle h, unsigned status,
                  const char *type, const char *members, const char *format, ...)
    PRINTF(6, 7);

/* Headers ("Name: value\r\n"...) of the http_problem to come; static text. */
void http_set_headers(struct http_server *s, http_handle h, const char *headers);

/* How long the handle may wait for http_answer before the client gets a 504; without
 * this call 30 s. */
void http_set_deadline(struct http_server *s, http_handle h, int64_t timeout_ms);
bool http_is_alive(const struct http_server *s, http_handle h);

/* A body of unknown length, made as the client takes it: memory does not depend on how
 * slow it is. */
struct http_stream {
    /* Writes at most `room` bytes to `to`. >0: so many; 0: nothing for now, wake me;
     * HTTP_END; HTTP_ABORT: cut the connection, so that the client knows. */
    ssize_t (*fill)(void *user, uint8_t *to, size_t room);
    /* The stream is over, for whatever reason. Free `user`. */
    void (*gone)(void *user);
    void *user;
};

#define HTTP_END   (-1)
#define HTTP_ABORT (-2)

/* Takes over the stream: `gone` will run, also when the handle is dead. */
void http_stream(struct http_server *s, http_handle h, unsigned status,
                 const char *type, const char *headers,
                 const struct http_stream *stream);
void http_wake(struct http_server *s, http_handle h);

#define HTTP_COUNTERS(X)                                                               \
    X(connections, "connections accepted")                                             \
    X(requests, "requests received whole")                                             \
    X(refused, "requests refused before their handler saw them")                       \
    X(streams, "streams begun")                                                        \
    X(abandoned, "answers that nobody waited for any more")

struct http_stats {
#define X(name, text) uint64_t name;
    HTTP_COUNTERS(X)
#undef X
    uint64_t status[6];       /* answers by class: [2] is 2xx */
    uint64_t open, streaming; /* now */
};
const struct http_stats *http_stats(const struct http_server *s);
