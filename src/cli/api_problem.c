#include "cli/api_inside.h"

#include <stdio.h>

/* Whatever a stranger at the other end says, the terminal gets printable ASCII. */
static void make_safe(char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
}

int api_fail(struct api *api, int rc, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(api->problem.text, sizeof(api->problem.text), format, arguments);
    va_end(arguments);
    make_safe(api->problem.text);
    return rc;
}

int api_fail_transfer(struct api *api, CURLcode code)
{
    const char *url = api->url;
    long number = 0;

    curl_easy_getinfo(api->curl, CURLINFO_OS_ERRNO, &number);
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return api_fail(api, ERR_IO,
                        "no gateway answers at %s (%s). Is it running? --url says "
                        "where it is",
                        url, number ? strerror((int)number) : "no connection");
    case CURLE_COULDNT_RESOLVE_HOST:
        return api_fail(api, ERR_IO, "there is no host of the name in %s", url);
    case CURLE_PEER_FAILED_VERIFICATION:
        return api_fail(api, ERR_IO,
                        "the certificate of %s is not trusted here (%s). If it should "
                        "be: update-ca-certificates(8) adds whoever issued it",
                        url, *api->said ? api->said : curl_easy_strerror(code));
    case CURLE_OUT_OF_MEMORY:
        return api_fail(api, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
        return api_fail(api, ERR_IO,
                        "the connection to %s broke before its answer was complete",
                        url);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return api_fail_content(api);
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_OPERATION_TIMEDOUT:
        return api_fail(api, ERR_IO, "%s has not answered for %d s", url,
                        (int)(api->silence_ms / 1000));
    case CURLE_URL_MALFORMAT:
        return api_fail(api, ERR_INVALID, "that is too long to be asked about");
    default:
        return api_fail(api, ERR_IO, "cannot ask %s: %s", url,
                        *api->said ? api->said : curl_easy_strerror(code));
    }
}

int api_fail_content(struct api *api)
{
    return api_fail(api, ERR_MALFORMED,
                    "what answers at %s is not Holdfast's API: is the URL right?",
                    api->url);
}

/* The last part of the type is what documentation calls it by. */
static void take_type(struct api *api, const char *type)
{
    const char *slash = strrchr(type, '/');

    snprintf(api->problem.type, sizeof(api->problem.type), "%s",
             slash ? slash + 1 : type);
}

static int explain(struct api *api, long status, const char *detail)
{
    const char *type = api->problem.type, *url = api->url;

    if (status == 401 && !api->authorization)
        return api_fail(api, ERR_INVALID,
                        "%s wants a token: --token-file names the file that holds it",
                        url);
    if (status == 401)
        return api_fail(api, ERR_INVALID, "the token in %s is not the one of %s",
                        api->token_file, url);
    if (strcmp(type, "forbidden-origin") == 0)
        return api_fail(api, ERR_INVALID,
                        "%s refuses (%s): use the address it is bound to, or add "
                        "this one to http.hosts",
                        url, detail);
    if (strcmp(type, "ambiguous") == 0)
        return api_fail(api, ERR_INVALID, "%s: --protocol chooses", detail);
    if (strcmp(type, "stale-page") == 0)
        return api_fail(api, ERR_INVALID,
                        "the gateway was restarted meanwhile: ask again");
    return api_fail(api, ERR_INVALID, "%s", detail);
}

int api_fail_status(struct api *api, long status)
{
    struct slice body = buf_peek(&api->body);
    json_t *document = json_loadb((const char *)body.data, body.size, 0, NULL);
    const char *type = json_string_value(json_object_get(document, "type"));
    const char *detail = json_string_value(json_object_get(document, "detail"));
    int rc;

    if (!detail)
        detail = json_string_value(json_object_get(document, "title"));
    api->problem.status = status;
    if (type)
        take_type(api, type);
    if (detail || status == 401)
        rc = explain(api, status, detail);
    else
        rc = api_fail(api, ERR_INVALID,
                      "%s answered with status %ld and without a reason: is it "
                      "Holdfast's API?",
                      api->url, status);
    api->refusal = document;
    return rc;
}
