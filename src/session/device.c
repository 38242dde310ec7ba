/* The conversation with devices that a profile describes: any good frame says who it
 * is, logins and heartbeats are answered, reports become events, and everything else
 * answers a command. */
#include "session/device_inside.h"
#include "command/commands.h"
#include "relay/tracker.h"

#include <stdio.h>

static const struct profile *profile_of(const void *conf)
{
    return &((const struct device_settings *)conf)->profile;
}

/* 0: the profile has none. */
static bool is_greeting(const struct profile *p, uint16_t message)
{
    return message != 0 && (message == p->login || message == p->heartbeat);
}

static bool is_report(const struct profile *p, uint16_t message)
{
    for (size_t i = 0; i < p->report_count; i++)
        if (p->reports[i] == message)
            return true;
    return false;
}

static const struct profile_command *command_of(const struct profile *p,
                                                uint16_t message)
{
    for (size_t i = 0; i < p->command_count; i++)
        if (p->commands[i].message == message)
            return &p->commands[i];
    return NULL;
}

/* ---- the dialect ---- */

/* Arguments were JSON when they came: nothing, or an object without members. */
static bool has_members(struct slice args)
{
    for (size_t i = 0; i < args.size; i++)
        if (!strchr(" \t\r\n{}", args.data[i]))
            return true;
    return false;
}

static void list_commands(const struct profile *p, char why[DIALECT_WHY_SIZE])
{
    size_t n = (size_t)snprintf(why, DIALECT_WHY_SIZE,
                                "the profile %s has no such command; it has", p->name);

    for (size_t i = 0; i < p->command_count && n < DIALECT_WHY_SIZE; i++)
        n += (size_t)snprintf(why + n, DIALECT_WHY_SIZE - n, "%s %s", i ? "," : "",
                              p->commands[i].name);
    if (p->command_count == 0)
        snprintf(why + n, DIALECT_WHY_SIZE - n, " none");
}

static int encode_named(const struct profile *p, const struct command *c,
                        struct wire_command *out, struct slice *body,
                        char why[DIALECT_WHY_SIZE])
{
    const struct profile_command *found = profile_find(p, c->name);

    if (!found) {
        list_commands(p, why);
        return ERR_NOTFOUND;
    }
    if (has_members(c->args)) {
        snprintf(why, DIALECT_WHY_SIZE, "the command %s takes no arguments",
                 found->name);
        return ERR_INVALID;
    }
    out->message = found->message;
    out->serial = found->serial;
    out->has_serial = found->has_serial;
    *body = slice_of(found->body, found->size);
    return OK;
}

static int encode(const void *conf, const struct command *c, uint8_t version,
                  struct wire_command *out, char why[DIALECT_WHY_SIZE])
{
    struct slice body = c->args;
    int rc = OK;

    (void)version;
    *out = (struct wire_command){.message = c->message};
    if (*c->name)
        rc = encode_named(profile_of(conf), c, out, &body, why);
    if (rc < 0)
        return rc;
    out->serials = device_packages(body.size);
    out->answer = out->message;
    out->answer_has_serial = true;
    return body.size ? buf_try_append(&out->body, body) : OK;
}

static int state(const void *conf, uint16_t message, struct slice body)
{
    const struct profile *p = profile_of(conf);

    if (!is_report(p, message) && !command_of(p, message))
        return -1;
    return body.size > p->state_at ? body.data[p->state_at] : -1;
}

static const char *state_word(const void *conf, uint8_t code)
{
    return profile_state_name(profile_of(conf), code);
}

static int state_code(const void *conf, const char *word)
{
    const struct profile *p = profile_of(conf);

    for (size_t i = 0; i < p->state_count; i++)
        if (strcmp(p->states[i].name, word) == 0)
            return p->states[i].code;
    return -1;
}

static const char *state_query(const void *conf)
{
    const struct profile *p = profile_of(conf);

    return *p->query ? p->query : NULL;
}

static void show_state(const struct profile *p, uint8_t code, struct json *j)
{
    const char *word = profile_state_name(p, code);

    json_key(j, "state");
    if (word)
        json_word(j, word);
    else
        json_none(j);
    json_key(j, "code");
    json_uint(j, code);
}

static void show_body(const void *conf, uint16_t message, uint8_t version,
                      struct slice body, struct json *j)
{
    int code = state(conf, message, body);

    (void)version;
    if (code < 0) {
        json_none(j);
        return;
    }
    json_open(j, '{');
    show_state(profile_of(conf), (uint8_t)code, j);
    json_close(j, '}');
}

static const char *message_word(const void *conf, uint16_t message)
{
    const struct profile *p = profile_of(conf);
    const struct profile_command *c = command_of(p, message);

    if (is_greeting(p, message))
        return message == p->login ? "login" : "heartbeat";
    if (is_report(p, message))
        return "report";
    return c ? c->name : NULL;
}

static const char *command_word(const void *conf, unsigned n)
{
    const struct profile *p = profile_of(conf);

    return n < p->command_count ? p->commands[n].name : NULL;
}

static uint8_t version(const struct conn *c)
{
    return device_session_of(c)->head.version;
}

static const struct dialect dialect = {
    .protocol = PROTOCOL_DEVICE,
    .encode = encode,
    .show = show_body,
    .message_word = message_word,
    .state = state,
    .state_word = state_word,
    .state_code = state_code,
    .state_query = state_query,
    .command_word = command_word,
    .send = device_send,
    .version = version,
};

/* ---- messages ---- */

static void note_state(struct conn *c, const struct device_frame *f)
{
    int code = state(c->listener->conf, f->message, f->body);

    if (code >= 0)
        device_session_of(c)->state = (uint16_t)(code + 1);
}

static void on_report(struct conn *c, const struct device_frame *f)
{
    const struct report report = {
        .message = f->message,
        .serial = f->serial,
        .version = f->head.version,
        .body = f->body,
    };

    tracker_reported(relay_of(c), device_session_of(c)->self, &report);
}

/* Whether anybody waits for it is the engine's to say. */
static void on_answer(struct conn *c, const struct device_frame *f)
{
    const struct answer answer = {
        .answers = f->message,
        .serial = f->serial,
        .has_serial = true,
        .version = f->head.version,
        .message = f->message,
        .body = f->body,
    };

    (void)commands_answered(relay_of(c), device_session_of(c)->self, &answer);
}

/* With its own message and serial, and one byte: accepted. */
static void acknowledge(struct conn *c, const struct device_frame *f)
{
    static const uint8_t accepted = 0;

    if (device_write(c, f->message, f->serial, 0, 0, slice_of(&accepted, 1), 0) < 0)
        return; /* the connection is closing */
}

static void on_whole(struct conn *c, const struct device_frame *f)
{
    const struct profile *p = profile_of(c->listener->conf);

    note_state(c, f);
    if (is_greeting(p, f->message))
        acknowledge(c, f);
    else if (is_report(p, f->message))
        on_report(c, f);
    else
        on_answer(c, f);
}

static bool on_message(struct conn *c, const struct device_frame *f, struct slice in)
{
    struct device_frame whole;
    struct id id;

    if (device_id_text(&f->head, PROTOCOL_DEVICE, &id) < 0 ||
        !device_log_in(c, &id, in))
        return false;
    if (device_join(c, f, &whole))
        on_whole(c, &whole);
    return !conn_is_closing(c);
}

static size_t on_input(struct conn *c, struct slice in, bool more_waits)
{
    size_t used = device_input(c, in, more_waits, on_message);

    /* Whoever is not heard for long is closed: this is often enough. */
    if (!c->moved && !conn_is_closing(c))
        device_age_packages(c);
    return used;
}

/* ---- the connection's other calls ---- */

static void show(const struct conn *c, struct json *j)
{
    uint16_t told = device_session_of(c)->state;

    if (told != DEVICE_NO_STATE) {
        json_key(j, "reported");
        json_open(j, '{');
        show_state(profile_of(c->listener->conf), (uint8_t)(told - 1), j);
        json_close(j, '}');
    }
}

const struct session_ops device_ops = {
    .conn = {.on_input = on_input,
             .on_delivered = device_on_delivered,
             .on_room = device_on_room,
             .on_close = device_on_close,
             .describe = device_describe},
    .show = show,
    .device = device_of,
    .dialect = &dialect,
};
