/* The HTTP server with the API on it, beside the shards. */
#include "worker/worker_inside.h"
#include "net/options.h"

#define HTTP_IDLE_MS     60000
#define HTTP_MAX_BODY    65536
#define HTTP_SEND_BUFFER (256 * 1024)

/* Counted as a shard behind the others, so that the watchdog sees it too. */
static void on_http_begins(void *user)
{
    struct worker *w = user;

    thread_begins(w->shard_count, w->vital);
}

static void on_http_ends(void *user)
{
    struct worker *w = user;

    thread_ends(w->shard_count, w->vital);
}

int http_serve(struct worker *w, int listen_fd)
{
    const struct config *c = w->config;
    struct http_conf conf = {
        .listen_fd = listen_fd,
        .address = c->http.address,
        .token = c->http_token,
        .hosts = c->http_hosts,
        .max_connections = c->http_max_connections,
        .max_per_address = c->http_max_per_address,
        .max_body = HTTP_MAX_BODY,
        .idle_timeout_ms = HTTP_IDLE_MS,
        .handler = api_handle,
        .on_tick = api_tick,
        .user = w->api,
        .turns = &w->vital->shards[w->shard_count].turns,
        .thread_begins = on_http_begins,
        .thread_ends = on_http_ends,
        .thread_user = w,
    };
    int rc;

    if (c->http.address_size == 0)
        return OK;
    options_set(listen_fd, "http");
    options_limit_send(listen_fd, "http", HTTP_SEND_BUFFER);
    if ((rc = http_new(&conf, &w->http)) < 0)
        return rc;
    if ((rc = api_begin(w->api, w->http, w->journal)) < 0)
        return rc;
    return http_start(w->http);
}
