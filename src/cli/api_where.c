#include "cli/api_inside.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TOKEN_MAX 4096

static bool has_part(CURLU *parts, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(parts, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return has;
}

static bool is_http(CURLU *parts)
{
    char *scheme = NULL;
    bool is = curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

    curl_free(scheme);
    return is;
}

/* Nothing in it may change what is asked, and no password may reach our messages. */
static bool is_plain(CURLU *parts, const char *url)
{
    return curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK && is_http(parts) &&
           !has_part(parts, CURLUPART_USER) && !has_part(parts, CURLUPART_PASSWORD) &&
           !has_part(parts, CURLUPART_QUERY) && !has_part(parts, CURLUPART_FRAGMENT);
}

int api_take_url(struct api *api, const char *url)
{
    CURLU *parts = curl_url();
    size_t length;
    bool is_right;

    if (!parts ||
        asprintf(&api->url, "%s%s", strstr(url, "://") ? "" : "http://", url) < 0) {
        curl_url_cleanup(parts);
        api->url = NULL;
        return ERR_NOMEM;
    }
    is_right = is_plain(parts, api->url);
    curl_url_cleanup(parts);
    for (length = strlen(api->url); length && api->url[length - 1] == '/'; length--)
        api->url[length - 1] = '\0';
    if (!is_right)
        return api_fail(
            api, ERR_INVALID,
            "this is no address of a gateway; http://127.0.0.1:8002 is one");
    return OK;
}

/* What a header may carry: nothing that could begin another one. */
static bool is_token(const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c <= 0x20 || *c > 0x7e)
            return false;
    return *text;
}

int api_take_token(struct api *api, const char *file)
{
    char token[TOKEN_MAX + 1];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : file_read(fd, token, TOKEN_MAX);
    int why = errno;

    if (fd >= 0)
        close(fd);
    if (!(api->token_file = strdup(file)))
        return ERR_NOMEM;
    if (n < 0)
        return api_fail(api, ERR_IO, "cannot read the token in %s: %s", file,
                        strerror(why));
    while (n > 0 && strchr("\r\n\t ", token[n - 1]))
        n--;
    token[n] = '\0';
    if (!is_token(token))
        return api_fail(api, ERR_IO, "there is no token in %s: one line of ASCII",
                        file);
    n = asprintf(&api->authorization, "Authorization: Bearer %s", token);
    explicit_bzero(token, sizeof(token));
    if (n < 0)
        api->authorization = NULL;
    return n < 0 ? ERR_NOMEM : OK;
}
