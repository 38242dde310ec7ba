/* How a vehicle terminal is commanded: JT/T 808's messages by name, or raw. */
#include "session/vehicle_inside.h"

static_assert(JT808_WHY_SIZE == DIALECT_WHY_SIZE, "one sentence for both");

static int encode(const void *conf, const struct command *c, uint8_t version,
                  struct wire_command *out, char why[DIALECT_WHY_SIZE])
{
    int rc;

    (void)conf;
    *out = (struct wire_command){.message = c->message};
    if (*c->name)
        rc = jt808_command(c->name, c->args, version > 0, &out->message, &out->body,
                           why);
    else
        rc = buf_try_append(&out->body, c->args);
    if (rc < 0) {
        buf_fini(&out->body);
        return rc;
    }
    out->serials = device_packages(buf_used(&out->body));
    out->answer = jt808_answer_to(out->message);
    out->answer_has_serial = jt808_answer_has_serial(out->answer);
    return OK;
}

static void show(const void *conf, uint16_t message, uint8_t version, struct slice body,
                 struct json *j)
{
    (void)conf;
    jt808_show(j, message, version > 0, body);
}

static const char *message_word(const void *conf, uint16_t message)
{
    (void)conf;
    return jt808_message_word(message);
}

/* Terminals have no states that anybody could ask for. */
static int state(const void *conf, uint16_t message, struct slice body)
{
    (void)conf;
    (void)message;
    (void)body;
    return -1;
}

static const char *state_word(const void *conf, uint8_t state)
{
    (void)conf;
    (void)state;
    return NULL;
}

static int state_code(const void *conf, const char *word)
{
    (void)conf;
    (void)word;
    return -1;
}

static const char *state_query(const void *conf)
{
    (void)conf;
    return NULL;
}

static const char *command_word(const void *conf, unsigned n)
{
    (void)conf;
    for (unsigned i = 0; i < n; i++)
        if (!jt808_commands[i])
            return NULL;
    return jt808_commands[n];
}

static uint8_t version(const struct conn *c)
{
    return vehicle_version(&device_session_of(c)->head);
}

const struct dialect vehicle_dialect = {
    .protocol = PROTOCOL_JT808,
    .encode = encode,
    .show = show,
    .message_word = message_word,
    .state = state,
    .state_word = state_word,
    .state_code = state_code,
    .state_query = state_query,
    .command_word = command_word,
    .send = device_send,
    .send_again = device_send_again,
    .version = version,
};
