#include "cli/api_inside.h"

#include "base/clock.h"
#include "base/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX   (32u << 20) /* a page of a thousand devices has half a MiB */
#define TIMEOUT_MS 10000

/* --- What curl calls -------------------------------------------------------------- */

/* Returning anything but `size` ends the transfer. */
static size_t on_bytes(char *data, size_t one, size_t size, void *user)
{
    struct api *api = user;
    struct slice bytes = slice_of(data, one * size);

    api->heard_ms = clock_mono_ms();
    if (api->has_begun)
        api->rc = api->stream->bytes(api->stream->user, bytes);
    else if (buf_used(&api->body) + bytes.size > BODY_MAX)
        api->rc = ERR_TOO_LARGE;
    else
        api->rc = buf_try_append(&api->body, bytes);
    return api->rc == OK ? bytes.size : bytes.size + 1;
}

static bool is_event_stream(struct api *api)
{
    const char *type = NULL;
    long status = 0;

    curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(api->curl, CURLINFO_CONTENT_TYPE, &type);
    return status == 200 && type && strncmp(type, "text/event-stream", 17) == 0;
}

/* A stream has begun when its head is complete: its first event may be far. */
static size_t on_head(char *line, size_t one, size_t size, void *user)
{
    struct api *api = user;
    bool is_end = one * size <= 2 && (*line == '\r' || *line == '\n');

    api->heard_ms = clock_mono_ms();
    if (api->stream && is_end && is_event_stream(api)) {
        api->has_begun = true;
        api->silence_ms = api->stream->silence_ms;
        api->rc = api->stream->begun(api->stream->user);
    }
    return api->rc == OK ? one * size : one * size + 1;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c,
                       curl_off_t d)
{
    struct api *api = user;

    (void)a, (void)b, (void)c, (void)d;
    api->is_silent = clock_mono_ms() - api->heard_ms >= api->silence_ms;
    api->is_unwanted = api->stream && api->stream->is_unwanted(api->stream->user);
    return api->is_silent || api->is_unwanted;
}

/* --- Life ------------------------------------------------------------------------- */

static void set_options(struct api *api)
{
    CURL *c = api->curl;

    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "holdfast/" HOLDFAST_VERSION);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)api->timeout_ms);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, api->said);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, api);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, api);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, api);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
}

int api_open(const struct api_where *where, struct api **out)
{
    struct api *api = calloc(1, sizeof(*api));
    int rc = ERR_NOMEM;

    *out = api;
    if (!api)
        return ERR_NOMEM;
    api->timeout_ms = where->timeout_ms ? where->timeout_ms : TIMEOUT_MS;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
        (api->curl = curl_easy_init())) {
        set_options(api);
        rc = api_take_url(api, where->url);
    }
    if (rc == OK && where->token_file)
        rc = api_take_token(api, where->token_file);
    if (rc == ERR_NOMEM)
        api_close(out);
    return rc;
}

void api_close(struct api **api)
{
    struct api *a = *api;

    if (!a)
        return;
    curl_easy_cleanup(a->curl);
    curl_global_cleanup();
    if (a->authorization)
        explicit_bzero(a->authorization, strlen(a->authorization));
    free(a->authorization);
    free(a->token_file);
    free(a->url);
    buf_fini(&a->body);
    json_decref(a->refusal);
    free(a);
    *api = NULL;
}

const struct api_problem *api_problem(const struct api *api)
{
    return &api->problem;
}

const json_t *api_refusal(const struct api *api)
{
    return api->refusal;
}

const char *api_url(const struct api *api)
{
    return api->url;
}

/* --- Calls ------------------------------------------------------------------------ */

/* False, and no headers any more: memory is out. */
static bool add_header(struct curl_slist **headers, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*headers, line);

    if (!longer)
        curl_slist_free_all(*headers);
    *headers = longer;
    return longer;
}

static bool add_value(struct curl_slist **headers, const char *name, const char *value)
{
    char *line = NULL;
    bool added;

    if (!value)
        return true;
    if (asprintf(&line, "%s: %s", name, value) < 0) {
        curl_slist_free_all(*headers);
        *headers = NULL;
        return false;
    }
    added = add_header(headers, line);
    free(line);
    return added;
}

/* NULL when memory is out. */
static struct curl_slist *make_headers(const struct api *api)
{
    const struct api_stream *s = api->stream;
    struct curl_slist *all = NULL;

    if (add_value(&all, "Accept", s ? "text/event-stream" : "application/json") &&
        (!api->authorization || add_header(&all, api->authorization)) &&
        add_value(&all, "Last-Event-ID", s ? s->last_id : NULL) &&
        add_value(&all, "Content-Type", api->sent ? "application/json" : NULL))
        (void)add_value(&all, "Idempotency-Key", api->key);
    return all;
}

/* The bytes stay ours. */
static void set_body(struct api *api)
{
    if (!api->sent) {
        curl_easy_setopt(api->curl, CURLOPT_HTTPGET, 1L);
        return;
    }
    curl_easy_setopt(api->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(api->curl, CURLOPT_POSTFIELDS, api->sent);
    curl_easy_setopt(api->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(api->sent));
}

static CURLcode transfer(struct api *api, const char *method,
                         const struct api_path *path)
{
    struct curl_slist *headers = make_headers(api);
    CURLcode code = CURLE_OUT_OF_MEMORY;
    char *url = NULL;

    if (path->is_too_long)
        code = CURLE_URL_MALFORMAT;
    else if (headers && asprintf(&url, "%s%s", api->url, path->text) >= 0) {
        curl_easy_setopt(api->curl, CURLOPT_URL, url);
        set_body(api);
        curl_easy_setopt(api->curl, CURLOPT_CUSTOMREQUEST, method);
        curl_easy_setopt(api->curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(api->curl, CURLOPT_ACCEPT_ENCODING,
                         api->stream ? NULL : "gzip");
        code = curl_easy_perform(api->curl);
        curl_easy_setopt(api->curl, CURLOPT_HTTPHEADER, NULL);
        free(url);
    }
    curl_slist_free_all(headers);
    return code;
}

static void begin_call(struct api *api, const struct api_path *path,
                       const struct api_stream *stream)
{
    api->stream = stream;
    api->sent = api->key = NULL;
    api->has_begun = api->is_silent = api->is_unwanted = false;
    api->rc = OK;
    api->heard_ms = clock_mono_ms();
    api->silence_ms = api->timeout_ms + path->wait_ms;
    api->problem = (struct api_problem){0};
    json_decref(api->refusal);
    api->refusal = NULL;
    api->said[0] = '\0';
    buf_clear(&api->body);
}

/* The call failed in a way that is not the gateway's answer: of what is that a sign? */
static int finish_transfer(struct api *api, CURLcode code)
{
    if (api->rc == ERR_TOO_LARGE)
        return api_fail_content(api);
    if (api->rc < 0)
        return api_fail(api, api->rc, "%s", err_text(api->rc));
    if (api->is_unwanted)
        return ERR_CLOSED;
    if (code != CURLE_OK)
        return api_fail_transfer(api, code);
    return OK;
}

static int finish_document(struct api *api, CURLcode code, json_t **out)
{
    struct slice body = buf_peek(&api->body);
    int rc = finish_transfer(api, code);
    long status = 0;

    *out = NULL;
    if (rc < 0)
        return rc;
    curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299)
        return api_fail_status(api, status);
    if (status == 204)
        return OK;
    *out = json_loadb((const char *)body.data, body.size, JSON_ALLOW_NUL, NULL);
    if (json_is_object(*out))
        return OK;
    json_decref(*out);
    *out = NULL;
    return api_fail_content(api);
}

int api_get(struct api *api, const struct api_path *path, json_t **out)
{
    begin_call(api, path, NULL);
    return finish_document(api, transfer(api, "GET", path), out);
}

int api_delete(struct api *api, const struct api_path *path, json_t **out)
{
    begin_call(api, path, NULL);
    return finish_document(api, transfer(api, "DELETE", path), out);
}

int api_post(struct api *api, const struct api_path *path, const json_t *body,
             const char *key, json_t **out)
{
    CURLcode code = CURLE_OUT_OF_MEMORY;
    struct buf text = {0};

    begin_call(api, path, NULL);
    api->key = key;
    if (json_print(body, SIZE_MAX, &text) == OK &&
        buf_try_append(&text, slice_of("", 1)) == OK) {
        api->sent = (const char *)buf_peek(&text).data;
        code = transfer(api, "POST", path);
    }
    api->sent = api->key = NULL;
    buf_fini(&text);
    return finish_document(api, code, out);
}

int api_stream(struct api *api, const struct api_path *path,
               const struct api_stream *stream)
{
    CURLcode code;
    long status = 0;
    int rc;

    begin_call(api, path, stream);
    code = transfer(api, "GET", path);
    api->stream = NULL;
    if ((rc = finish_transfer(api, code)) < 0)
        return rc == ERR_IO && api->has_begun ? ERR_CLOSED : rc;
    if (api->has_begun)
        return api_fail(api, ERR_CLOSED, "%s ended the stream", api->url);
    curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 ? api_fail_content(api) : api_fail_status(api, status);
}
