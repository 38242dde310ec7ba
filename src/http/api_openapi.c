/* The API described for programs (OpenAPI 3.1), from the tables that serve it. */
#include "http/api_inside.h"
#include "http/schemas.h"
#include "device/presence.h"
#include "net/conn.h"

#include <stdio.h>

static void put(struct json *j, const char *key, const char *text)
{
    json_key(j, key);
    json_word(j, text);
}

static void open_key(struct json *j, const char *key, char bracket)
{
    json_key(j, key);
    json_open(j, bracket);
}

/* ---- parameters ---- */

static void write_words(struct json *j, enum value_kind kind)
{
    open_key(j, "enum", '[');
    if (kind == VALUE_PROTOCOL) {
#define X(name, number, word) json_word(j, word);
        PROTOCOLS(X)
#undef X
    } else {
#define X(name, word) json_word(j, word);
        CONN_STATES(X)
#undef X
    }
    json_close(j, ']');
}

static void write_number(struct json *j, const struct param_entry *e)
{
    json_key(j, "minimum");
    json_uint(j, e->low);
    json_key(j, "maximum");
    json_uint(j, e->high);
    if (e->fallback) {
        json_key(j, "default");
        json_uint(j, e->fallback);
    }
}

static void write_text(struct json *j, const struct param_entry *e)
{
    json_key(j, "minLength");
    json_uint(j, e->low);
    json_key(j, "maxLength");
    json_uint(j, e->high);
}

static void write_schema(struct json *j, const struct param_entry *e)
{
    open_key(j, "schema", '{');
    put(j, "type",
        e->kind == VALUE_NUMBER ? "integer"
        : e->kind == VALUE_BOOL ? "boolean"
                                : "string");
    if (e->kind == VALUE_NUMBER)
        write_number(j, e);
    else if (e->kind == VALUE_TEXT)
        write_text(j, e);
    else if (e->kind == VALUE_PROTOCOL || e->kind == VALUE_CONN)
        write_words(j, e->kind);
    else if (e->kind == VALUE_SPAN)
        put(j, "pattern", "^[0-9]+(ms|s|m|h|d)$");
    json_close(j, '}');
}

static void write_param(struct json *j, const struct param_entry *e)
{
    json_open(j, '{');
    put(j, "name", e->word);
    put(j, "in", "query");
    put(j, "description", e->text);
    write_schema(j, e);
    json_close(j, '}');
}

static void write_text_param(struct json *j, const char *name, size_t length,
                             const char *where, bool is_required)
{
    json_open(j, '{');
    json_key(j, "name");
    json_text(j, slice_of(name, length));
    put(j, "in", where);
    if (is_required) {
        json_key(j, "required");
        json_bool(j, true);
    }
    open_key(j, "schema", '{');
    put(j, "type", "string");
    json_close(j, '}');
    json_close(j, '}');
}

static void write_params(struct json *j, const struct api_route *r)
{
    const char *name = strchr(r->pattern, '{');

    open_key(j, "parameters", '[');
    if (name)
        write_text_param(j, name + 1, strcspn(name + 1, "}"), "path", true);
    for (int i = 0; i < PARAM_COUNT; i++)
        if (r->params & BIT(i))
            write_param(j, &param_table[i]);
    if (r->has_key)
        write_text_param(j, "Idempotency-Key", strlen("Idempotency-Key"), "header",
                         false);
    json_close(j, ']');
}

/* ---- bodies ---- */

static void write_schema_of(struct json *j, const char *type, const char *schema)
{
    char ref[64];

    open_key(j, type, '{');
    if (schema) {
        snprintf(ref, sizeof(ref), "#/components/schemas/%s", schema);
        open_key(j, "schema", '{');
        put(j, "$ref", ref);
        json_close(j, '}');
    }
    json_close(j, '}');
}

static void write_body(struct json *j, const struct api_route *r)
{
    if (!r->takes)
        return;
    open_key(j, "requestBody", '{');
    json_key(j, "required");
    json_bool(j, true);
    open_key(j, "content", '{');
    write_schema_of(j, "application/json", r->takes);
    if (r->takes_bytes)
        write_schema_of(j, "application/octet-stream", NULL);
    json_close(j, '}');
    json_close(j, '}');
}

/* ---- answers ---- */

static void write_content(struct json *j, const struct api_route *r)
{
    if (!*r->types)
        return;
    open_key(j, "content", '{');
    for (const char *const *type = r->types; *type; type++)
        write_schema_of(j, *type, r->schema);
    json_close(j, '}');
}

static void write_answers(struct json *j, const struct api_route *r)
{
    char code[8];

    open_key(j, "responses", '{');
    for (const uint16_t *c = r->codes; *c; c++) {
        snprintf(code, sizeof(code), "%u", *c);
        open_key(j, code, '{');
        if (*c < 300) {
            put(j, "description", r->summary);
            write_content(j, r);
        } else {
            put(j, "$ref", "#/components/responses/problem");
        }
        json_close(j, '}');
    }
    open_key(j, "default", '{');
    put(j, "$ref", "#/components/responses/problem");
    json_close(j, '}');
    json_close(j, '}');
}

static void write_route(struct json *j, const struct api_route *r)
{
    static const char *const words[] = {
        [HTTP_GET] = "get",
        [HTTP_POST] = "post",
        [HTTP_DELETE] = "delete",
    };

    open_key(j, words[r->method], '{');
    put(j, "summary", r->summary);
    write_params(j, r);
    write_body(j, r);
    write_answers(j, r);
    json_close(j, '}');
}

/* Routes of one path stand together in the table. */
static void write_paths(const struct api *a, struct json *j)
{
    const char *open = NULL;

    open_key(j, "paths", '{');
    for (size_t i = 0; i < route_count; i++) {
        const struct api_route *r = &routes[i];

        if (r->flags & ROUTE_LEGACY && !a->conf.legacy)
            continue;
        if (open && strcmp(open, r->pattern) != 0)
            json_close(j, '}');
        if (!open || strcmp(open, r->pattern) != 0)
            open_key(j, r->pattern, '{');
        open = r->pattern;
        write_route(j, r);
    }
    json_close(j, '}');
    json_close(j, '}');
}

/* ---- the rest ---- */

static void write_components(struct json *j)
{
    static const char problem[] =
        "{\"description\":\"What is wrong (RFC 9457)\",\"content\":"
        "{\"application/problem+json\":{\"schema\":{\"type\":\"object\","
        "\"required\":[\"type\",\"title\",\"status\"],\"properties\":{"
        "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
        "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"}}}}}}";

    open_key(j, "components", '{');
    schemas_write(j);
    open_key(j, "responses", '{');
    json_key(j, "problem");
    json_raw(j, slice_of(problem, sizeof(problem) - 1));
    json_close(j, '}');
    open_key(j, "securitySchemes", '{');
    open_key(j, "token", '{');
    put(j, "type", "http");
    put(j, "scheme", "bearer");
    json_close(j, '}');
    json_close(j, '}');
    json_close(j, '}');
}

/* A token is asked for where the server is not bound to loopback. */
static void write_security(struct json *j)
{
    static const char either[] = "[{},{\"token\":[]}]";

    json_key(j, "security");
    json_raw(j, slice_of(either, sizeof(either) - 1));
}

void api_openapi(struct api *a, const struct http_request *q, const struct params *p)
{
    struct buf text = {0};
    struct json j = json_to(&text);

    (void)p;
    json_open(&j, '{');
    put(&j, "openapi", "3.1.0");
    open_key(&j, "info", '{');
    put(&j, "title", "Holdfast");
    put(&j, "version", HOLDFAST_VERSION);
    json_close(&j, '}');
    write_security(&j);
    write_paths(a, &j);
    write_components(&j);
    json_close(&j, '}');
    api_answer(a, q->handle, 200, NULL, &j);
}
