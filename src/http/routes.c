/* What there is: one table, from which requests are dispatched and refused, and the
 * OpenAPI document is written. */
#include "http/api_inside.h"

#include <stdio.h>

#define CODES(...)   ((const uint16_t[]){__VA_ARGS__, 0})
#define TYPES(...)   ((const char *const[]){__VA_ARGS__, NULL})
#define NO_BODY      ((const char *const[]){NULL})

#define JSON         "application/json"
#define STREAM       "text/event-stream"
#define HTML         "text/html; charset=utf-8"
#define TEXT         "text/plain; version=0.0.4; charset=utf-8"

#define DEVICES      "/api/v1/devices"
#define DEVICE       DEVICES "/{id}"
#define TICKET       "/api/v1/tickets/{ticket}"

#define LEGACY_ACT   (ROUTE_LEGACY | ROUTE_ACTS | ROUTE_LOOSE)
#define LEGACY_CODES CODES(200, 403, 404, 405, 409, 429, 502, 503, 504)

const struct api_route routes[] = {
    {HTTP_GET, DEVICES, api_list_devices,
     P(STATE) | P(PROTOCOL) | P(LISTENER) | P(CONNECTED) | P(PREFIX) | P(LIMIT) |
         P(CURSOR),
     TYPES(JSON), CODES(200, 410), "A page of devices, or all of them"},
    {HTTP_GET, DEVICE, api_show_device, P(PROTOCOL), TYPES(JSON), CODES(200, 404, 409),
     "One device"},
    {HTTP_GET, DEVICE "/events", api_device_events,
     P(PROTOCOL) | P(TYPE) | P(AFTER) | P(EVENT_LIMIT), TYPES(JSON), CODES(200, 410),
     "Its events that are still kept"},
    {HTTP_DELETE, DEVICE "/connection", api_kick_device, P(PROTOCOL), NO_BODY,
     CODES(204, 404, 409), "Close its connection"},
    {HTTP_GET, DEVICE "/mailbox", api_show_mailbox, P(PROTOCOL), TYPES(JSON),
     CODES(200, 404, 409), "What waits for it"},
    {HTTP_DELETE, DEVICE "/mailbox", api_purge_mailbox, P(PROTOCOL), TYPES(JSON),
     CODES(200, 404, 409), "Drop what waits for it"},
    {HTTP_POST, DEVICE "/commands", api_command, P(PROTOCOL) | P(ANSWER_WAIT) | P(TTL),
     TYPES(JSON), CODES(200, 202, 400, 404, 409, 415, 422, 429, 502, 503, 504),
     "Ask a device, and give its answer", .schema = "ticket", .takes = "command",
     .has_key = true},
    {HTTP_GET, DEVICE "/commands", api_list_tickets, P(PROTOCOL) | P(TICKET_LIMIT),
     TYPES(JSON), CODES(200, 404, 409), "Its tickets, newest first",
     .schema = "tickets"},
    {HTTP_POST, DEVICE "/messages", api_send_message, 0, TYPES(JSON),
     CODES(202, 400, 404, 409, 413, 415, 507), "Send a relay message to a terminal",
     .schema = "accepted", .takes = "message", .takes_bytes = true},
    {HTTP_DELETE, DEVICE "/credential", api_revoke_credential, 0, NO_BODY,
     CODES(204, 404, 503), "Let a vehicle terminal register anew"},
    {HTTP_GET, TICKET, api_show_ticket, P(END_WAIT), TYPES(JSON), CODES(200, 404),
     "What became of a command; or wait for it", .schema = "ticket"},
    {HTTP_DELETE, TICKET, api_cancel_ticket, 0, TYPES(JSON), CODES(200, 404, 409),
     "Withdraw an unsent command", .schema = "ticket"},
    {HTTP_GET, "/api/v1/events", api_events,
     P(AFTER) | P(EVENT_LIMIT) | P(WAIT) | P(DEVICE) | P(PROTOCOL) | P(TYPE),
     TYPES(JSON, STREAM), CODES(200, 410),
     "Events: what is kept, long poll, or a stream"},
    {HTTP_GET, "/api/v1/connections", api_list_connections,
     P(LISTENER) | P(CONN_STATE) | P(LIMIT) | P(CURSOR), TYPES(JSON), CODES(200, 410),
     "Every connection, its state machine laid open"},
    {HTTP_GET, "/api/v1/openapi.json", api_openapi, 0, TYPES(JSON), CODES(200),
     "This description"},
    {HTTP_GET, "/list/", api_legacy_list, 0, TYPES(HTML, JSON), CODES(200),
     "The online devices, as the old server gave them", ROUTE_LEGACY},
    {HTTP_GET, "/", api_legacy_list, 0, TYPES(HTML, JSON), CODES(200),
     "The online devices, as the old server gave them", ROUTE_LEGACY},
    {HTTP_GET, "/status/{id}", legacy_status, 0, TYPES(HTML, JSON), LEGACY_CODES,
     "Ask a device for its state, as the old server did", LEGACY_ACT},
    {HTTP_GET, "/turnon/{id}", legacy_turn_on, 0, TYPES(HTML, JSON), LEGACY_CODES,
     "Turn a ready device on, as the old server did", LEGACY_ACT},
    {HTTP_GET, "/restart/{id}", legacy_restart, 0, TYPES(HTML, JSON), LEGACY_CODES,
     "Restart a device, as the old server promised", LEGACY_ACT},
    {HTTP_GET, "/healthz", api_healthz, 0, TYPES(JSON), CODES(200), "Is it alive"},
    {HTTP_GET, "/readyz", api_readyz, 0, TYPES(JSON), CODES(200, 503),
     "May it be given work"},
    {HTTP_GET, "/metrics", api_metrics, 0, TYPES(TEXT), CODES(200), "Prometheus"},
};

const size_t route_count = ARRAY_LEN(routes);

/* Does the path consist of the pattern's segments? `{id}` takes any that is not empty.
 */
static bool path_fits(const struct http_request *q, const struct api_route *r)
{
    const char *pattern = r->pattern;

    for (unsigned n = 0;; n++) {
        const char *segment = http_segment(q, n);
        size_t length;

        if (!*pattern || !segment)
            return !*pattern && (!segment || r->flags & ROUTE_LOOSE);
        length = strcspn(++pattern, "/"); /* behind the slash */
        if (*pattern == '{'
                ? !*segment
                : strlen(segment) != length || memcmp(segment, pattern, length) != 0)
            return false;
        pattern += length;
    }
}

static bool fits(const struct api *a, const struct http_request *q,
                 const struct api_route *r)
{
    return (a->conf.legacy || !(r->flags & ROUTE_LEGACY)) && path_fits(q, r);
}

static const char *method_word(enum http_method method)
{
    static const char *const words[] = {
#define X(name) [HTTP_##name] = #name,
        HTTP_METHODS(X)
#undef X
    };

    return words[method];
}

static bool takes_head(const struct api_route *r)
{
    return r->method == HTTP_GET && !(r->flags & ROUTE_ACTS);
}

static void refuse_method(struct api *a, const struct http_request *q)
{
    static char allow[128]; /* the server's thread alone comes here */
    size_t used = (size_t)snprintf(allow, sizeof(allow), "Allow: ");

    for (size_t i = 0; i < route_count; i++) {
        const struct api_route *r = &routes[i];

        if (fits(a, q, r))
            used += (size_t)snprintf(allow + used, sizeof(allow) - used, "%s%s%s",
                                     used > 7 ? ", " : "", method_word(r->method),
                                     takes_head(r) ? ", HEAD" : "");
    }
    snprintf(allow + used, sizeof(allow) - used, "\r\n");
    http_set_headers(a->server, q->handle, allow);
    http_problem(a->server, q->handle, 405, "method-not-allowed", NULL,
                 "the header Allow says which methods there are");
}

static void refuse_path(struct api *a, const struct http_request *q)
{
    if (a->conf.legacy && api_accepts(q, "text/html") &&
        strncmp(q->path, "/api/", 5) != 0)
        legacy_not_found(a, q);
    else
        http_problem(a->server, q->handle, 404, "not-found", NULL,
                     "there is no `%.200s`; /api/v1/openapi.json says what there is",
                     q->path);
}

void api_handle(void *user, const struct http_request *q)
{
    const struct api_route *fitting = NULL, *r = NULL;
    char why[PARAM_WHY_SIZE];
    struct params params = {0};
    struct api *a = user;

    for (size_t i = 0; i < route_count && !r; i++)
        if (fits(a, q, &routes[i])) {
            fitting = &routes[i];
            r = fitting->method == q->method ? fitting : NULL;
        }
    if (!fitting)
        refuse_path(a, q);
    else if (!r || (q->is_head && !takes_head(r)))
        refuse_method(a, q);
    else if (!(r->flags & ROUTE_LOOSE) && params_read(q, r->params, &params, why) < 0)
        http_problem(a->server, q->handle, 400, "bad-request", NULL, "%s", why);
    else
        r->handler(a, q, &params);
}
