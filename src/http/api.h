/* api.h - what applications ask over HTTP (docs/http-api.md), behind the server's one
 * handler.
 *
 *   server --request--> route --> handler --question--> shard (ask.h)
 *      ^------ answer, or a stream ------'<--- answer ----'
 *   journal --published--> streams and long polls
 *
 * Everything runs on the server's thread, except where it says otherwise. Its life:
 * api_new, http_new with api_handle, api_tick and the api as user, api_begin,
 * http_start ... api_drain, api_end, http_stop, the shards and the journal end,
 * http_free, api_free. */
#pragma once

#include "http/processes.h"
#include "http/server.h"
#include "journal/journal.h"
#include "relay/relay.h"

struct api;
struct order;

struct api_conf {
    struct relay_group *group; /* its shards are made before api_begin */
    const struct listener *listeners;
    size_t listener_count;
    const struct process_conf *processes; /* of services */
    size_t process_count;
    /* commands_order; tests have their own. */
    void (*order)(struct relay_group *g, struct order *o);
    bool legacy;     /* the addresses of the old server, too */
    uint32_t sender; /* of relay messages */
};

MUST_CHECK int api_new(const struct api_conf *conf, struct api **out);

/* Before the server starts. Returns OK or ERR_NOMEM. */
MUST_CHECK int api_begin(struct api *a, struct http_server *s, struct journal *j);

/* For struct http_conf. */
void api_handle(void *user, const struct http_request *q);
void api_tick(void *user, int64_t now_ms);

/* For struct journal_conf; any thread. */
void api_published(void *user);

/* The gateway is ending: /readyz says so from now on. Any thread. */
void api_drain(struct api *a);

/* The server is about to stop: who waits for an event is answered now. Any thread. */
void api_end(struct api *a);

/* After the server and the shards have ended. */
void api_free(struct api **a);
