/* server_inside.h - what the server's parts know of each other.
 *
 * A client is a connection. Its state is the list it is on:
 *
 *   NEW --request line--> READING --complete--> WAITING --answer--> SENDING
 *                           ^                      |                 |   ^
 *                           '-------- IDLE <-------+--- all sent ----'   |
 *                                                  '--stream--> STREAMING'
 *   any --deadline, client gone--> CUT, until the library has closed it
 *
 * Every state but CUT has a deadline; STREAMING only while there is something to send.
 * The library calls back for a connection only while it is not suspended; one is
 * suspended when its handler owes the answer, and when its stream has nothing to say.
 */
#pragma once

#include "base/list.h"
#include "http/server.h"
#include "http/server_guard.h"
#include "http/server_target.h"
#include "net/limits.h"

#include <microhttpd.h>
#include <pthread.h>
#include <zlib.h>

#define HEAD_MAX           (16 * 1024) /* request line and headers */
#define TARGET_MAX         (8 * 1024)
#define HEADERS_MAX        100
#define DROP_MAX           (1024 * 1024) /* of a body that is refused */
#define CONNECTION_MEMORY  (32 * 1024)
#define REQUEST_TIMEOUT_MS 10000 /* for a request to be complete */
#define REFUSED_TIMEOUT_MS 1000  /* for the body of one that is refused anyhow */
#define ANSWER_TIMEOUT_MS  30000
#define HALF_CLOSED_MS     3000 /* for an answer to a client that sends no more */
#define HANG_UP_MS         1    /* the library may have a request of it left */
#define TICK_MS            100

#define PROBLEMS           "https://holdfast.invalid/problems/" /* their types */

enum client_state {
    CLIENT_NEW,
    CLIENT_IDLE,
    CLIENT_READING,
    CLIENT_WAITING,
    CLIENT_SENDING,
    CLIENT_STREAMING,
    CLIENT_CUT,
    CLIENT_STATES
};

/* What is wrong with a request; status 0: nothing. */
struct refusal {
    unsigned status;
    const char *type;
    const char *headers; /* may be NULL */
    char detail[160];
    bool at_once; /* do not wait for the body: where it ends is in doubt */
};

struct streaming {
    struct http_stream stream;
    struct client *client; /* NULL: the request is over */
};

struct client {
    struct link link; /* to its state's list */
    struct http_server *server;
    struct MHD_Connection *connection;
    int fd; /* the library's */
    uint32_t slot;
    struct in6_addr ip;
    enum client_state state;
    bool suspended;
    bool ends;      /* close after this answer */
    bool was_heard; /* the headers were checked */
    struct timer timer;

    http_handle handle; /* 0: nobody may answer now */
    const char *line;   /* the target in the library's memory, before it was parsed */
    struct buf raw;     /* a copy of it */
    struct target target;
    struct buf body;
    size_t dropped;
    struct refusal refusal;
    enum http_method method;
    bool is_head;
    bool gzip;
    const char *problem_headers; /* may be NULL */

    struct MHD_Response *answer; /* not given to the library yet */
    unsigned status;
    struct streaming *streaming;
};

struct http_server {
    struct http_conf conf;
    struct loop loop;
    struct MHD_Daemon *daemon;
    struct source library; /* its epoll descriptor */
    struct source listener;
    bool library_ready;       /* run it before this turn ends */
    bool watching;            /* the listener */
    unsigned accept_failures; /* in a row */
    bool is_loopback;
    struct timer tick;
    unsigned ticks;
    struct limits *limits;
    struct guard guard;
    uint32_t requests_begun; /* the generation of handles */
    struct client **clients; /* by slot */
    uint32_t *free_slots;
    uint32_t free_count;
    struct client *accepting; /* the library is told of it just now */
    struct list in[CLIENT_STATES];
    z_stream deflate;
    bool can_deflate;
    bool cuts_in_place; /* the library, a request's head: see server_check.c */
    struct http_stats stats;
    pthread_t thread;
    bool started;
    bool draining;
    bool gave_up; /* on those that still wait for an answer */
    int64_t drain_until_ms;
};

/* ---- server_accept.c ---- */

void accept_go_on(struct http_server *s);
void accept_pause(struct http_server *s); /* until the next tick */
void accept_ready(struct source *src, uint32_t events);

/* The library took a connection over, or has closed it. */
void accept_notified(void *server, struct MHD_Connection *con, void **client,
                     enum MHD_ConnectionNotificationCode what);

/* ---- server_client.c ---- */

/* A new connection, with a slot; NULL: none is free, or memory is out. */
struct client *client_new(struct http_server *s, int fd, const struct in6_addr *ip);
void client_free(struct client *c);
void client_move(struct client *c, enum client_state state, int64_t timeout_ms);
struct client *client_find(const struct http_server *s, http_handle h);

void client_suspend(struct client *c);
void client_resume(struct client *c);

/* Those whose handler owes the answer. Not within the library's call: it would read on
 * when it is resumed, and take the end of the stream for a client that left. */
void clients_suspend(struct http_server *s);

/* Ends the connection at once; `status` 0: without a word. */
void client_cut(struct client *c, unsigned status);

/* Says this past the library, if the socket takes it, and that the end has come. */
void client_last_word(int fd, unsigned status);

/* >0: it may say more; 0: it has said its last; <0: it has left. */
int client_look(const struct client *c);

/* Cuts those that left while they were suspended; does not wait long for an answer to
 * one that has closed its side. */
void clients_look(struct http_server *s);

/* ---- server_request.c: the library's callbacks ---- */

void *request_begin(void *server, const char *target, struct MHD_Connection *con);
enum MHD_Result request_proceed(void *server, struct MHD_Connection *con,
                                const char *target, const char *method,
                                const char *version, const char *data, size_t *size,
                                void **client);
void request_end(void *server, struct MHD_Connection *con, void **client,
                 enum MHD_RequestTerminationCode why);

/* ---- server_check.c ---- */

/* Fills c->refusal, or c->target and c->method. */
void check_head(struct client *c, const char *method, const char *version);
PRINTF(4, 5)
void refuse(struct client *c, unsigned status, const char *type, const char *format,
            ...);

/* ---- server_answer.c ---- */

void answer_refusal(struct client *c);
void answer_problem(struct client *c, unsigned status, const char *type,
                    const char *headers, const char *members, const char *detail);

/* ---- server_gzip.c ---- */

/* Replaces the body by its compressed form. False: it stays as it is. */
bool gzip_body(struct http_server *s, struct buf *body);
