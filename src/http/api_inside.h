/* api_inside.h - what the API's files share. */
#pragma once

#include "base/json.h"
#include "http/api.h"
#include "http/ask.h"
#include "http/params.h"

struct told;

struct api {
    struct api_conf conf;
    struct http_server *server;
    struct journal *journal;
    struct asking asking;
    struct processes processes;
    uint32_t boot;      /* cursors of lists are valid within one */
    int64_t started_ms; /* wall clock */
    /* Who waits for events: long polls, and streams that have told everything. */
    struct list polls;
    struct list waiting_streams;
    size_t stream_count;
    struct told *told; /* to streams */
    struct list calls; /* under way: calls.h */
    size_t call_bytes; /* that they carry */
    /* One parcel for whatever was published since the server's thread looked. */
    struct parcel published;
    _Atomic bool is_published;
    _Atomic bool begun, draining, ending;
};

typedef void route_handler(struct api *a, const struct http_request *q,
                           const struct params *p);

/* What is special about a route. */
#define ROUTE_LEGACY 1 /* the old server's: with http.legacy alone */
#define ROUTE_ACTS   2 /* though it is a GET: without HEAD */
#define ROUTE_LOOSE  4 /* what follows the pattern is ignored, parameters too */

struct api_route {
    enum http_method method;
    const char *pattern; /* "/api/v1/devices/{id}" */
    route_handler *handler;
    uint32_t params;          /* a bit for each that it takes */
    const char *const *types; /* that its answer may have, up to a NULL */
    const uint16_t *codes;    /* ... up to a 0, besides those that every route has */
    const char *summary;
    uint8_t flags;
    const char *schema; /* of its answer: schemas.h; NULL: not described */
    const char *takes;  /* what its body is: likewise; NULL: it has none */
    bool has_key;       /* it takes an Idempotency-Key */
    bool takes_bytes;   /* its body may be the bytes themselves, too */
};

extern const struct api_route routes[];
extern const size_t route_count;

route_handler api_list_devices, api_show_device, api_device_events, api_kick_device;
route_handler api_show_mailbox, api_purge_mailbox;
route_handler api_events, api_list_connections, api_openapi, api_legacy_list;
route_handler api_command, api_list_tickets, api_show_ticket, api_cancel_ticket;
route_handler api_send_message, api_revoke_credential;
route_handler legacy_status, legacy_turn_on, legacy_restart;
route_handler api_healthz, api_readyz, api_metrics;

/* Answers with what was written, or 503 if memory ran out meanwhile. Frees the text. */
void api_answer(struct api *a, http_handle h, unsigned status, const char *type,
                struct json *j);
void api_answer_empty(struct api *a, http_handle h); /* 204 */
void api_no_memory(struct api *a, http_handle h);

/* A device of this id can do that in no protocol that it is known in: 409, or 404.
 * `protocol` 0: any. */
void api_takes_no_commands(struct api *a, http_handle h, const char *id,
                           uint64_t protocol);
void api_takes_no_messages(struct api *a, http_handle h, const char *id);

/* Does the request's header name one of these? `type` is "text/html" and the like. */
bool api_has_type(const struct http_request *q, const char *type);
bool api_accepts(const struct http_request *q, const char *type);

/* There is no such path; for a browser in the old server's words. */
void legacy_not_found(struct api *a, const struct http_request *q);
