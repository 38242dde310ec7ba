#include "cli/api.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>

static void add(struct api_path *path, const char *text)
{
    size_t length = strlen(text);

    if (length >= sizeof(path->text) - path->length) {
        path->is_too_long = true;
        return;
    }
    memcpy(path->text + path->length, text, length + 1);
    path->length += length;
}

static void add_encoded(struct api_path *path, const char *text)
{
    char *encoded = curl_easy_escape(NULL, text, 0);

    if (encoded)
        add(path, encoded);
    else
        path->is_too_long = true;
    curl_free(encoded);
}

struct api_path api_path(const char *plain)
{
    struct api_path path = {0};

    add(&path, plain);
    return path;
}

void api_path_segment(struct api_path *path, const char *text)
{
    add(path, "/");
    add_encoded(path, text);
}

void api_path_query(struct api_path *path, const char *name, const char *text)
{
    if (!text)
        return;
    add(path, path->has_query ? "&" : "?");
    add(path, name);
    add(path, "=");
    add_encoded(path, text);
    path->has_query = true;
}

void api_path_query_number(struct api_path *path, const char *name, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    api_path_query(path, name, text);
}

void api_path_query_span(struct api_path *path, const char *name, int64_t span_ms)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64 "ms", span_ms);
    api_path_query(path, name, span_ms < 0 ? NULL : text);
}
