/* api.h - the gateway's HTTP API, as commands for people ask it; the one place of them
 * that speaks HTTP.
 *
 * One connection, kept alive; one call at a time. Nothing is followed elsewhere: no
 * redirect, no proxy, so the token goes where the user said and nowhere else. */
#pragma once

#include "base/buf.h"

#include <jansson.h>

struct api;

struct api_where {
    const char *url;        /* "http://127.0.0.1:8002"; the scheme may be left out */
    const char *token_file; /* NULL: no token */
    int64_t timeout_ms;     /* silence for so long is a failure; 0: the usual 10 s */
};

/* Why the latest call failed: a sentence, safe for a terminal. */
struct api_problem {
    long status;   /* of HTTP; 0: nothing that could be understood was answered */
    char type[32]; /* "cursor-gone": the end of the problem document's; or empty */
    char text[640];
};

/* OK, or ERR_INVALID (a wrong URL), ERR_IO (the token's file), ERR_NOMEM; *out is set
 * whatever is returned but ERR_NOMEM, so that the problem can be read. */
MUST_CHECK int api_open(const struct api_where *where, struct api **out);
void api_close(struct api **api);

const struct api_problem *api_problem(const struct api *api);
const char *api_url(const struct api *api);

/* What is asked: "/api/v1/devices/00000001?limit=5", percent-encoded where need be. */
struct api_path {
    char text[2048];
    size_t length;
    bool has_query, is_too_long;
    int64_t wait_ms; /* the answer may take so much longer than others */
};

struct api_path api_path(const char *plain);
void api_path_segment(struct api_path *path, const char *text);
/* `text` NULL: not asked about. */
void api_path_query(struct api_path *path, const char *name, const char *text);
void api_path_query_number(struct api_path *path, const char *name, uint64_t number);
/* Milliseconds; negative: not asked about. */
void api_path_query_span(struct api_path *path, const char *name, int64_t span_ms);

/* OK: *out is the answer, for the caller to json_decref; NULL if it has no body (204).
 * Else ERR_IO (nobody there, or it broke off), ERR_MALFORMED (somebody else is there),
 * ERR_INVALID (refused; the problem has the status) or ERR_NOMEM; *out is NULL. */
MUST_CHECK int api_get(struct api *api, const struct api_path *path, json_t **out);
MUST_CHECK int api_delete(struct api *api, const struct api_path *path, json_t **out);
/* With `body`, and `key` as Idempotency-Key unless NULL. */
MUST_CHECK int api_post(struct api *api, const struct api_path *path,
                        const json_t *body, const char *key, json_t **out);

/* The problem document that the latest call was refused with, the API's; or NULL. */
const json_t *api_refusal(const struct api *api);

/* Reads an event stream until it ends, which is never OK: ERR_CLOSED (it had begun and
 * then broke, or is unwanted), what a callback said, or an error as above. */
struct api_stream {
    void *user;
    const char *last_id; /* Last-Event-ID; NULL: none */
    int64_t silence_ms;  /* once it has begun */
    int (*begun)(void *user);
    int (*bytes)(void *user, struct slice bytes);
    bool (*is_unwanted)(void *user); /* asked about once a second: true ends it */
};

MUST_CHECK int api_stream(struct api *api, const struct api_path *path,
                          const struct api_stream *stream);
