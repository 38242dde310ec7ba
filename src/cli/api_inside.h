/* api_inside.h - the API's client, for the files that make it up: api_where.c reads
 * address and token, api.c asks, api_problem.c says what went wrong in one sentence. */
#pragma once

#include "cli/api.h"

#include <curl/curl.h>

struct api {
    CURL *curl;
    char *url; /* without a slash at its end */
    char *token_file;
    char *authorization; /* the header; NULL: no token */
    int64_t timeout_ms;
    int64_t silence_ms; /* what is borne now */
    struct api_problem problem;
    json_t *refusal; /* NULL: the latest call was not refused */

    /* of the call under way */
    const struct api_stream *stream; /* NULL: a document is read */
    const char *sent;                /* a document; NULL: none */
    const char *key;
    bool has_begun;
    bool is_silent, is_unwanted;
    int rc; /* of a callback */
    int64_t heard_ms;
    struct buf body;
    char said[CURL_ERROR_SIZE];
};

/* Each fills in api->problem and returns the error to return. */
PRINTF(3, 4)
int api_fail(struct api *api, int rc, const char *format, ...);
MUST_CHECK int api_fail_transfer(struct api *api, CURLcode code);
MUST_CHECK int api_fail_status(struct api *api, long status);
MUST_CHECK int api_fail_content(struct api *api);

/* OK, ERR_NOMEM, or an error whose problem is filled in. */
MUST_CHECK int api_take_url(struct api *api, const char *url);
MUST_CHECK int api_take_token(struct api *api, const char *file);
