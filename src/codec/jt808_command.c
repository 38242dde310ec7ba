/* jt808_command.c - commands by name: JSON arguments become the body of a message. */
#include "codec/jt808_inside.h"
#include "base/hex.h"
#include "base/json_read.h"

#include <stdio.h>

/* A word, and the number that stands for it on the wire; 2013 and 2019. */
struct word {
    const char *word;
    uint8_t code, code_2019;
};

/* What 2013 does not tell apart is left out there. In 2019 the lowest two bits are one
 * number: a text is of one of the three. */
static const struct word flags[] = {
    {"urgent", 1, 2}, {"service", 0, 1},  {"notice", 0, 3},       {"display", 4, 4},
    {"speak", 8, 8},  {"advert", 16, 16}, {"fault_code", 32, 32},
};
static const struct word types[] = {{"notice", 1, 1}, {"service", 2, 2}};
static const struct word actions[] = {
    {"upgrade", 1, 1},     {"connect", 2, 2},       {"power_off", 3, 3},
    {"reset", 4, 4},       {"factory_reset", 5, 5}, {"close_data", 6, 6},
    {"close_radio", 7, 7},
};

int jt808_refuse(const struct jt808_making *m, const char *format, ...)
{
    va_list va;

    va_start(va, format);
    vsnprintf(m->why, JT808_WHY_SIZE, format, va);
    va_end(va);
    return ERR_INVALID;
}

static int append_byte(const struct jt808_making *m, uint8_t byte)
{
    return buf_try_append(m->body, slice_of(&byte, 1));
}

static int refuse_word(const struct jt808_making *m, const char *member,
                       const struct word *words, size_t count)
{
    char known[JT808_WHY_SIZE] = "";
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "",
                              words[i].word);
    return jt808_refuse(m, "`%s` knows %s, or a number up to 255", member, known);
}

/* A word of these, or the byte itself. */
static int read_word(const struct jt808_making *m, const char *member,
                     const json_t *value, const struct word *words, size_t count,
                     uint8_t *out)
{
    const char *text = json_string_value(value);
    json_int_t number = json_integer_value(value);

    for (size_t i = 0; text && i < count; i++) {
        if (strcmp(text, words[i].word) == 0) {
            *out = m->is_2019 ? words[i].code_2019 : words[i].code;
            return OK;
        }
    }
    if (!json_is_integer(value) || number < 0 || number > UINT8_MAX)
        return refuse_word(m, member, words, count);
    *out = (uint8_t)number;
    return OK;
}

int jt808_make_bytes(const struct jt808_making *m, const char *name,
                     const json_t *value)
{
    const json_t *digits = json_object_get(value, "hex");
    int rc;

    if (json_is_string(value))
        rc = jt808_write_text(m->body, json_string_value(value));
    else if (json_is_string(digits) && json_object_size(value) == 1)
        rc = hex_read(slice_of(json_string_value(digits), json_string_length(digits)),
                      m->body);
    else
        return jt808_refuse(m, "`%.40s` is a text, or {\"hex\": \"...\"}", name);
    if (rc == ERR_INVALID)
        return jt808_refuse(m,
                            json_is_string(value)
                                ? "`%.40s` has a character that GBK does not have"
                                : "`%.40s`: `hex` is not two hex digits for each byte",
                            name);
    return rc;
}

static int make_control(const struct jt808_making *m)
{
    const json_t *parameters = json_object_get(m->args, "parameters");
    uint8_t action;
    int rc = read_word(m, "action", json_object_get(m->args, "action"), actions,
                       ARRAY_LEN(actions), &action);

    if (rc == OK)
        rc = append_byte(m, action);
    if (rc == OK && parameters)
        rc = jt808_make_bytes(m, "parameters", parameters);
    return rc;
}

static int read_flags(const struct jt808_making *m, uint8_t *out)
{
    const json_t *given = json_object_get(m->args, "flags");
    uint8_t one;
    int rc;

    *out = 4; /* display */
    if (!given)
        return OK;
    if (!json_is_array(given))
        return jt808_refuse(m, "`flags` is an array of words");
    *out = 0;
    for (size_t i = 0; i < json_array_size(given); i++) {
        if ((rc = read_word(m, "flags", json_array_get(given, i), flags,
                            ARRAY_LEN(flags), &one)) < 0)
            return rc;
        if (m->is_2019 && (one & 3) && (*out & 3) && (one & 3) != (*out & 3))
            return jt808_refuse(m, "`flags`: of urgent, service and notice only one");
        *out |= one;
    }
    return OK;
}

static int make_text(const struct jt808_making *m)
{
    const json_t *text = json_object_get(m->args, "text");
    const json_t *type = json_object_get(m->args, "type");
    uint8_t flag, kind = 1; /* a notice */
    int rc;

    if (!text)
        return jt808_refuse(m, "`text` is wanted");
    if ((rc = read_flags(m, &flag)) < 0)
        return rc;
    if (type && (rc = read_word(m, "type", type, types, ARRAY_LEN(types), &kind)) < 0)
        return rc;
    if ((rc = append_byte(m, flag)) == OK && m->is_2019)
        rc = append_byte(m, kind);
    return rc == OK ? jt808_make_bytes(m, "text", text) : rc;
}

static int make_nothing(const struct jt808_making *m)
{
    (void)m;
    return OK;
}

#define MEMBERS_MAX 4

/* Name, message, what makes its body, the arguments that it takes. */
#define COMMANDS(X)                                                                    \
    X("control", CONTROL, make_control, "action", "parameters")                        \
    X("text", TEXT, make_text, "text", "flags", "type")                                \
    X("set_parameters", SET_PARAMETERS, jt808_make_set, "parameters")                  \
    X("query_parameters", QUERY_PARAMETERS, make_nothing, NULL)                        \
    X("query_some_parameters", QUERY_SOME, jt808_make_some, "parameters")              \
    X("query_attributes", QUERY_ATTRIBUTES, make_nothing, NULL)                        \
    X("query_location", QUERY_LOCATION, make_nothing, NULL)                            \
    X("link_check", LINK_CHECK, make_nothing, NULL)

struct kind {
    const char *name;
    uint16_t message;
    int (*make)(const struct jt808_making *m);
    const char *members[MEMBERS_MAX];
};

static const struct kind kinds[] = {
#define X(name, id, make, ...) {name, JT808_##id, make, {__VA_ARGS__}},
    COMMANDS(X)
#undef X
};

const char *const jt808_commands[] = {
#define X(name, ...) name,
    COMMANDS(X)
#undef X
        NULL};

static int check_members(const struct jt808_making *m, const struct kind *k)
{
    const char *given;
    json_t *value;

    json_object_foreach((json_t *)m->args, given, value)
    {
        bool is_known = false;

        for (size_t i = 0; i < MEMBERS_MAX && k->members[i]; i++)
            is_known |= strcmp(given, k->members[i]) == 0;
        if (!is_known)
            return jt808_refuse(m, "`%s` takes no argument `%.40s`", k->name, given);
    }
    return OK;
}

static int make(const struct kind *k, const struct jt808_making *m)
{
    int rc = check_members(m, k);

    return rc == OK ? k->make(m) : rc;
}

int jt808_command(const char *name, struct slice args, bool is_2019, uint16_t *message,
                  struct buf *body, char why[JT808_WHY_SIZE])
{
    struct jt808_making m = {.is_2019 = is_2019, .body = body, .why = why};
    const struct kind *k = NULL;
    json_t *given = NULL;
    int rc;

    if (args.size == 0)
        args = slice_of("{}", 2);
    snprintf(why, JT808_WHY_SIZE, "JT/T 808 has no command `%.40s`", name);
    for (size_t i = 0; i < ARRAY_LEN(kinds) && !k; i++)
        k = strcmp(kinds[i].name, name) == 0 ? &kinds[i] : NULL;
    if (!k)
        return ERR_NOTFOUND;
    *message = k->message;
    rc = json_read(args, JSON_REJECT_DUPLICATES, &given, NULL);
    m.args = given;
    if (rc != ERR_NOMEM)
        rc = json_is_object(given) ? make(k, &m)
                                   : jt808_refuse(&m, "`args` is no JSON object");
    json_decref(given);
    if (rc < 0)
        buf_clear(body); /* nothing half-made is left */
    return rc;
}
