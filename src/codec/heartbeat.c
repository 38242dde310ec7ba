#include "codec/heartbeat.h"
#include "base/json_read.h"

struct framing heartbeat_framing(uint32_t max_text)
{
    return (struct framing){
        .length = {.form = FRAMING_U32_BE, .adjust = 4},
        .min_frame = 4,
        .max_frame = 4 + max_text,
    };
}

static const char *const status_words[] = {
#define X(name, word) word,
    HEARTBEAT_STATUSES(X)
#undef X
};

const char *heartbeat_status_word(uint8_t status)
{
    return status_words[status];
}

/* The object; one level of double encoding is undone. */
static int parse(struct slice text, json_t **out)
{
    json_t *outer = NULL, *inner;
    int rc = json_read(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &outer, NULL);

    inner = outer;
    if (json_is_string(outer)) {
        text = slice_of(json_string_value(outer), json_string_length(outer));
        rc = json_read(text, JSON_REJECT_DUPLICATES, &inner, NULL);
        json_decref(outer);
    }
    if (rc == OK && json_is_object(inner)) {
        *out = inner;
        return OK;
    }
    json_decref(inner);
    return rc == ERR_NOMEM ? rc : ERR_MALFORMED;
}

/* It becomes part of an id, which goes into logs, paths and answers. */
static bool read_ip(const json_t *value, struct heartbeat *out)
{
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);

    if (!text || size == 0 || size > HEARTBEAT_IP_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    memcpy(out->ip, text, size);
    out->ip_size = (uint8_t)size;
    return true;
}

static bool read_status(const json_t *value, struct heartbeat *out)
{
    const char *text = json_string_value(value);

    for (uint8_t i = 0; text && i < ARRAY_LEN(status_words); i++) {
        if (strcmp(text, status_words[i]) == 0) {
            out->status = i;
            return true;
        }
    }
    return false;
}

static bool read_pid(const json_t *value, struct heartbeat *out)
{
    out->has_pid = value != NULL;
    out->pid = json_integer_value(value);
    return !value || json_is_integer(value);
}

int heartbeat_decode(struct slice text, struct heartbeat *out, const char **why)
{
    json_t *object = NULL;
    int rc = parse(text, &object);

    *out = (struct heartbeat){0};
    *why = NULL;
    if (rc < 0)
        *why = rc == ERR_NOMEM ? "no_memory" : "no_json_object";
    else if (!read_ip(json_object_get(object, "ip"), out))
        *why = "bad_ip";
    else if (!read_status(json_object_get(object, "status"), out))
        *why = "bad_status";
    else if (!read_pid(json_object_get(object, "pid"), out))
        *why = "bad_pid";
    json_decref(object);
    return *why && rc == OK ? ERR_MALFORMED : rc;
}
