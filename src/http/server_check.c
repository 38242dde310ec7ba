/* What the library lets pass and we do not: shapes on which two parsers could differ
 * (RFC 9112, 11.2), requests of foreign web pages, requests without the token. */
#include "http/server_inside.h"
#include "http/server_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* Headers that may be there once. */
#define SINGLE_HEADERS(X)                                                              \
    X(HOST, "Host")                                                                    \
    X(LENGTH, "Content-Length")                                                        \
    X(CODING, "Transfer-Encoding")                                                     \
    X(EXPECT, "Expect")                                                                \
    X(TOKEN, "Authorization")                                                          \
    X(ORIGIN, "Origin")                                                                \
    X(SITE, "Sec-Fetch-Site")                                                          \
    X(LAST_EVENT, "Last-Event-ID")                                                     \
    X(TYPE, "Content-Type")                                                            \
    X(KEY, "Idempotency-Key")                                                          \
    X(REFERER, "Referer")

enum single {
#define X(name, text) HEADER_##name,
    SINGLE_HEADERS(X)
#undef X
        SINGLE_COUNT
};

static const char *const single_names[] = {
#define X(name, text) text,
    SINGLE_HEADERS(X)
#undef X
};

struct head {
    size_t size;
    const char *at;  /* where the next line has to begin in the library's memory; NULL:
                       it does not keep them there */
    const char *end; /* behind the empty line */
    unsigned count;
    const char *wrong;
    const char *value[SINGLE_COUNT];
    bool http10;
};

void refuse(struct client *c, unsigned status, const char *type, const char *format,
            ...)
{
    va_list args;

    c->refusal.status = status;
    c->refusal.type = type;
    va_start(args, format);
    vsnprintf(c->refusal.detail, sizeof(c->refusal.detail), format, args);
    va_end(args);
}

static void refuse_form(struct client *c, const char *what)
{
    refuse(c, MHD_HTTP_BAD_REQUEST, "bad-request", "the request has %s", what);
    c->refusal.at_once = c->ends = true;
}

/* ---- lines ---- */

/* The library (before 1.0, which refuses these itself) cut the head into strings where
 * it stands, so each line must be followed by two zeros, once CR and LF, and then by
 * the next one. A NUL, a folded line or a bare LF leaves a gap. */
static bool skip_line_end(struct head *head)
{
    if (!head->at)
        return true;
    if (head->end - head->at < 2 || head->at[0] || head->at[1])
        return false;
    head->at += 2;
    return true;
}

static const char *check_line(struct head *head, const char *name, const char *value)
{
    if (!head->at)
        return NULL;
    if (name != head->at || value < name + strlen(name) || value > head->end)
        return "a folded header, or a NUL byte";
    head->at = value + strlen(value);
    return skip_line_end(head) ? NULL : "a NUL byte, or a line that ends without CR LF";
}

static const char *check_value(const char *value)
{
    for (; *value; value++) {
        if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f)
            return "a control character in a header";
    }
    return NULL;
}

/* In the library's memory: blanks behind a value do not belong to it. */
static void trim(char *value)
{
    size_t n = strlen(value);

    while (n > 0 && strchr(" \t", value[n - 1]))
        value[--n] = '\0';
}

static const char *note_single(struct head *head, const char *name, const char *value)
{
    for (int i = 0; i < SINGLE_COUNT; i++) {
        if (strcasecmp(name, single_names[i]) != 0)
            continue;
        if (head->value[i])
            return i == HEADER_HOST     ? "two Host headers"
                   : i == HEADER_LENGTH ? "two Content-Length headers"
                   : i == HEADER_CODING ? "two Transfer-Encoding headers"
                                        : "a header twice that may be there once";
        trim((char *)value);
        head->value[i] = value;
    }
    return NULL;
}

static enum MHD_Result on_header(void *user, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct head *head = user;

    (void)kind;
    head->count++;
    if (!value)
        value = "";
    if (!(head->wrong = check_line(head, name, value)) &&
        !(head->wrong = rules_is_token(name) ? NULL : "a header with a bad name") &&
        !(head->wrong = check_value(value)))
        head->wrong = note_single(head, name, value);
    return head->wrong ? MHD_NO : MHD_YES;
}

static const char *read_head(struct client *c, struct head *head, const char *method,
                             const char *version)
{
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    head->size = size->header_size;
    head->http10 = strcmp(version, "HTTP/1.0") == 0;
    if (!rules_is_token(method))
        return "a bad method";
    if (c->server->cuts_in_place) {
        head->end = method + head->size;
        head->at = version + strlen(version);
        if (c->line != method + strlen(method) + 1 ||
            version != c->line + buf_used(&c->raw) + 1 || !skip_line_end(head))
            return "a bad first line";
    }
    MHD_get_connection_values(c->connection, MHD_HEADER_KIND, on_header, head);
    if (head->wrong || head->count > HEADERS_MAX)
        return head->wrong;
    return skip_line_end(head) && head->at == head->end ? NULL : "a bad line";
}

/* ---- meaning ---- */

static void check_size(struct client *c, const struct head *head)
{
    if (buf_used(&c->raw) > TARGET_MAX)
        refuse(c, MHD_HTTP_URI_TOO_LONG, "too-large",
               "the target has more than %d bytes", TARGET_MAX);
    else if (head->size > HEAD_MAX)
        refuse(c, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "too-large",
               "request line and headers have more than %d bytes", HEAD_MAX);
    else if (head->count > HEADERS_MAX)
        refuse(c, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "too-large",
               "there are more than %d headers", HEADERS_MAX);
    c->refusal.at_once |= c->refusal.status != 0;
}

/* Where the body ends, told in one way only. */
static void check_body(struct client *c, const struct head *head)
{
    const char *coding = head->value[HEADER_CODING];
    const char *length = head->value[HEADER_LENGTH];
    uint64_t size;

    if (coding && length)
        refuse_form(c, "both Content-Length and Transfer-Encoding");
    else if (coding && head->http10)
        refuse_form(c, "a Transfer-Encoding in HTTP/1.0");
    else if (length && strspn(length, "0123456789") != strlen(length))
        refuse_form(c, "a Content-Length that is no number");
    if (c->refusal.status)
        return;
    if (coding && strcasecmp(coding, "chunked") != 0) {
        refuse(c, MHD_HTTP_NOT_IMPLEMENTED, "not-implemented",
               "no Transfer-Encoding is known but chunked");
        c->refusal.at_once = true;
    } else if (length) {
        size = strtoull(length, NULL, 10);
        if (size > c->server->conf.max_body)
            refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
                   "the body has more than %zu bytes", c->server->conf.max_body);
        c->refusal.at_once = c->refusal.status != 0;
    }
}

static void check_method(struct client *c, const char *method)
{
    static const char *const words[] = {
#define X(name) #name,
        HTTP_METHODS(X)
#undef X
    };

    c->is_head = strcmp(method, "HEAD") == 0;
    if (c->is_head)
        method = words[HTTP_GET];
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(method, words[i]) == 0) {
            c->method = (enum http_method)i;
            return;
        }
    }
    refuse(c, MHD_HTTP_NOT_IMPLEMENTED, "not-implemented",
           "this method is not known here");
}

static void check_target(struct client *c, const struct head *head)
{
    const char *host = head->value[HEADER_HOST];
    const char *why;
    int rc = target_parse(buf_peek(&c->raw), &c->target, &why);

    if (rc == ERR_NOMEM)
        refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "not-ready", "out of memory");
    else if (rc < 0)
        refuse(c, MHD_HTTP_BAD_REQUEST, "bad-request", "the target has %s", why);
    else if (c->target.authority && strcasecmp(c->target.authority, host) != 0)
        refuse(c, MHD_HTTP_BAD_REQUEST, "bad-request",
               "the target names another machine than Host");
    c->ends |= c->refusal.status != 0;
}

/* A page of elsewhere must not use the browser of somebody who may connect here. */
static void check_page(struct client *c, const struct head *head)
{
    const struct http_conf *conf = &c->server->conf;
    const char *host = head->value[HEADER_HOST];
    const char *origin = head->value[HEADER_ORIGIN];
    const char *site = head->value[HEADER_SITE];

    struct slice name;

    if (rules_split_host(host, &name) < 0)
        refuse(c, MHD_HTTP_BAD_REQUEST, "bad-request", "Host is not a name or address");
    else if (!rules_host_is_ours(host, &conf->address, conf->hosts))
        refuse(c, MHD_HTTP_FORBIDDEN, "forbidden-origin",
               "Host is not an address or a name of this gateway (http.hosts)");
    else if (origin && !rules_origin_is_ours(origin, host, conf->hosts))
        refuse(c, MHD_HTTP_FORBIDDEN, "forbidden-origin",
               "a web page of elsewhere sent this (Origin)");
    else if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        refuse(c, MHD_HTTP_FORBIDDEN, "forbidden-origin",
               "a web page of elsewhere sent this (Sec-Fetch-Site)");
}

static void check_token(struct client *c, const struct head *head)
{
    struct http_server *s = c->server;
    struct slice given = rules_bearer(head->value[HEADER_TOKEN]);

    if (!s->conf.token || strcmp(c->target.path, "/healthz") == 0)
        return;
    if (guard_wait_ms(&s->guard, &c->ip, s->loop.now_ms) > 0) {
        refuse(c, MHD_HTTP_TOO_MANY_REQUESTS, "too-many",
               "too many wrong tokens came from this address");
        c->refusal.headers = "Retry-After: 60\r\n";
    } else if (!rules_token_is(given, s->conf.token)) {
        refuse(c, MHD_HTTP_UNAUTHORIZED, "unauthorized", "%s",
               given.size ? "this is not the token"
                          : "this wants the header `Authorization: Bearer TOKEN`");
        c->refusal.headers = "WWW-Authenticate: Bearer\r\n";
        if (given.size)
            guard_note_wrong(&s->guard, &c->ip, s->loop.now_ms);
    }
}

static void check_meaning(struct client *c, const struct head *head, const char *method)
{
    if (!c->refusal.status)
        check_body(c, head);
    if (!c->refusal.status)
        check_method(c, method);
    if (!c->refusal.status)
        check_target(c, head);
    if (!c->refusal.status)
        check_page(c, head);
    if (!c->refusal.status)
        check_token(c, head);
    if (!c->refusal.status && c->server->draining)
        refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "not-ready", "the gateway is ending");
}

void check_head(struct client *c, const char *method, const char *version)
{
    struct head head = {0};
    const char *wrong = read_head(c, &head, method, version);

    if (wrong)
        refuse_form(c, wrong);
    else if (!head.value[HEADER_HOST])
        refuse_form(c, "no Host header");
    else
        check_size(c, &head);
    check_meaning(c, &head, method);
    c->gzip = rules_accepts_gzip(
        MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND,
                                    MHD_HTTP_HEADER_ACCEPT_ENCODING));
    /* Its client waits for our word before it sends the body: let it be this one. */
    if (c->refusal.status && head.value[HEADER_EXPECT])
        c->refusal.at_once = true;
}
