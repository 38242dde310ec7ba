#include "http/body.h"
#include "base/hex.h"
#include "base/json_read.h"
#include "base/rfc3339.h"

#include <stdio.h>
#include <stdlib.h>

/* A member that a body may have: how it is read, and what it must be. */
struct member {
    const char *name;
    int (*read)(const json_t *value, void *into);
    const char *must_be;
};

/* ---- values ---- */

static struct slice text_of(const json_t *value)
{
    return slice_of(json_string_value(value), json_string_length(value));
}

/* A text of 1 to size-1 bytes, without control characters. */
static int read_word(const json_t *value, char *to, size_t size)
{
    struct slice text = text_of(value);

    if (!text.data || text.size == 0 || text.size >= size)
        return ERR_INVALID;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] == 0x7f)
            return ERR_INVALID;
    memcpy(to, text.data, text.size);
    to[text.size] = '\0';
    return OK;
}

static int read_hex(const json_t *value, struct buf *to)
{
    struct slice text = text_of(value);

    return text.data ? hex_read(text, to) : ERR_INVALID;
}

static int read_time(const json_t *value, int64_t *to)
{
    struct slice text = text_of(value);

    return text.data && rfc3339_read(text, to) == OK ? OK : ERR_INVALID;
}

/* ---- members of a command ---- */

static int read_name(const json_t *value, void *into)
{
    struct order *o = into;

    return read_word(value, o->command.name, sizeof(o->command.name));
}

/* As text again: the dialect reads it. */
static int read_args(const json_t *value, void *into)
{
    struct order *o = into;
    int rc = json_is_object(value) ? json_print(value, COMMAND_BODY_MAX, &o->args)
                                   : ERR_INVALID;

    return rc == ERR_TOO_LARGE ? ERR_INVALID : rc;
}

static int read_message_id(const json_t *value, void *into)
{
    struct order *o = into;
    struct slice text = text_of(value);
    json_int_t number = 0;

    if (json_is_integer(value))
        number = json_integer_value(value);
    else if (!text.data || text.size != 4)
        return ERR_INVALID;
    for (size_t i = 0; i < text.size; i++) {
        int digit = hex_digit((char)text.data[i]);

        if (digit < 0)
            return ERR_INVALID;
        number = number << 4 | digit;
    }
    if (number < 0 || number > UINT16_MAX)
        return ERR_INVALID;
    o->command.message = (uint16_t)number;
    return OK;
}

static int read_raw(const json_t *value, void *into)
{
    struct order *o = into;

    return read_hex(value, &o->args);
}

static int read_not_before(const json_t *value, void *into)
{
    return read_time(value, &((struct order *)into)->not_before_ms);
}

static int read_not_after(const json_t *value, void *into)
{
    return read_time(value, &((struct order *)into)->not_after_ms);
}

static int read_only_if(const json_t *value, void *into)
{
    struct order *o = into;

    return read_word(value, o->only_if, sizeof(o->only_if));
}

static int read_supersede(const json_t *value, void *into)
{
    ((struct order *)into)->supersedes = json_is_true(value);
    return json_is_boolean(value) ? OK : ERR_INVALID;
}

static const struct member command_members[] = {
    {"command", read_name, "the name of a command, as text"},
    {"args", read_args, "an object"},
    {"message_id", read_message_id, "a number from 0 to 65535, or four hex digits"},
    {"body", read_raw, "hex digits, an even number of them"},
    {"not_before", read_not_before, "a time like 2026-11-21T11:26:00Z"},
    {"not_after", read_not_after, "a time like 2026-11-21T11:26:00Z"},
    {"only_if", read_only_if, "the name of a state, as text"},
    {"supersede", read_supersede, "true or false"},
    {NULL},
};

static int read_payload(const json_t *value, void *into)
{
    return read_hex(value, into);
}

static const struct member message_members[] = {
    {"body", read_payload, "hex digits, an even number of them"},
    {NULL},
};

/* ---- a body ---- */

static int parse(struct slice body, json_t **out, char *why)
{
    json_error_t error;
    json_t *root;
    int rc;

    if (body.size == 0) {
        snprintf(why, BODY_WHY_SIZE, "the body is empty; it must be a JSON object");
        return ERR_INVALID;
    }
    rc = json_read(body, JSON_REJECT_DUPLICATES, &root, &error);
    if (rc == OK && json_is_object(root)) {
        *out = root;
        return OK;
    }
    if (rc == ERR_NOMEM)
        return rc;
    if (rc == OK)
        snprintf(why, BODY_WHY_SIZE, "the body must be a JSON object");
    else
        snprintf(why, BODY_WHY_SIZE, "the body is not JSON: line %d, column %d: %s",
                 error.line, error.column, error.text);
    json_decref(root);
    return ERR_INVALID;
}

static int read_member(const struct member *members, const char *name,
                       const json_t *value, void *into, char *why)
{
    const struct member *m = members;
    int rc;

    while (m->name && strcmp(m->name, name) != 0)
        m++;
    if (!m->name) {
        snprintf(why, BODY_WHY_SIZE,
                 "the body has a member `%.64s`, which is not known", name);
        return ERR_INVALID;
    }
    if ((rc = m->read(value, into)) == ERR_INVALID)
        snprintf(why, BODY_WHY_SIZE, "`%s` must be %s", name, m->must_be);
    return rc;
}

static int read_members(json_t *object, const struct member *members, void *into,
                        char *why)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        int rc = read_member(members, name, value, into, why);

        if (rc < 0)
            return rc;
    }
    return OK;
}

/* Which members go together. NULL: these do. */
static const char *find_clash(const json_t *object, const struct order *o)
{
    bool is_named = json_object_get(object, "command");
    bool is_raw = json_object_get(object, "message_id");

    if (is_named == is_raw)
        return "the body must have either `command` or `message_id`";
    if (is_raw && json_object_get(object, "args"))
        return "`args` belongs to a `command`; a `message_id` has a `body`";
    if (is_named && json_object_get(object, "body"))
        return "`body` belongs to a `message_id`; a `command` has `args`";
    if (is_raw && o->supersedes)
        return "`supersede` is about commands of one name; a `message_id` has none";
    if (o->not_after_ms && o->not_after_ms < o->not_before_ms)
        return "`not_after` is before `not_before`";
    return NULL;
}

int body_read_command(struct slice body, struct order *o, char why[BODY_WHY_SIZE])
{
    json_t *object = NULL;
    const char *clash;
    int rc = parse(body, &object, why);

    if (rc == OK)
        rc = read_members(object, command_members, o, why);
    if (rc == OK && (clash = find_clash(object, o))) {
        snprintf(why, BODY_WHY_SIZE, "%s", clash);
        rc = ERR_INVALID;
    }
    json_decref(object);
    o->command.args = buf_peek(&o->args);
    if (rc == ERR_NOMEM)
        snprintf(why, BODY_WHY_SIZE, "memory is out");
    return rc;
}

int body_read_message(struct slice body, struct buf *out, char why[BODY_WHY_SIZE])
{
    json_t *object = NULL;
    int rc = parse(body, &object, why);

    if (rc == OK)
        rc = read_members(object, message_members, out, why);
    if (rc == OK && !json_object_get(object, "body")) {
        snprintf(why, BODY_WHY_SIZE, "the body must have a member `body`");
        rc = ERR_INVALID;
    }
    json_decref(object);
    if (rc == ERR_NOMEM)
        snprintf(why, BODY_WHY_SIZE, "memory is out");
    return rc;
}
