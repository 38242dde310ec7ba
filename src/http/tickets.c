#include "http/tickets.h"
#include "http/api_inside.h"
#include "command/dialect.h"

#include <inttypes.h>
#include <stdio.h>

const struct dialect *ticket_dialect(const struct api *a, const struct ticket_view *v,
                                     const void **conf)
{
    const struct listener *l;

    if (v->listener >= a->conf.listener_count)
        return NULL;
    l = &a->conf.listeners[v->listener];
    *conf = l->conf;
    return listener_dialect(l, v->device.protocol);
}

static void write_time(struct json *j, const char *key, int64_t wall_ms)
{
    json_key(j, key);
    json_time(j, wall_ms);
}

static void write_message(struct json *j, uint16_t message)
{
    char digits[8];

    snprintf(digits, sizeof(digits), "%04x", message);
    json_key(j, "message");
    json_word(j, digits);
}

static void write_answer(const struct api *a, struct json *j,
                         const struct ticket_view *v)
{
    const void *conf;
    const struct dialect *dialect = ticket_dialect(a, v, &conf);
    struct slice body = buf_peek(&v->answer);

    json_key(j, "answer");
    if (!v->has_answer) {
        json_none(j);
        return;
    }
    json_open(j, '{');
    write_message(j, v->answer_message);
    json_key(j, "serial");
    json_uint(j, v->answer_serial);
    json_key(j, "body");
    if (v->is_left_out) {
        json_none(j);
        json_key(j, "size");
        json_uint(j, v->answer_size);
    } else {
        json_hex(j, body);
    }
    json_key(j, "decoded");
    if (dialect && !v->is_left_out)
        dialect->show(conf, v->answer_message, v->answer_version, body, j);
    else
        json_none(j);
    json_close(j, '}');
}

/* What the question of `only_if` found. */
static void write_found(const struct api *a, struct json *j,
                        const struct ticket_view *v)
{
    const void *conf;
    const struct dialect *dialect = ticket_dialect(a, v, &conf);
    const char *word =
        dialect ? dialect->state_word(conf, (uint8_t)v->found_state) : NULL;

    json_key(j, "found");
    json_open(j, '{');
    json_key(j, "state");
    if (word)
        json_word(j, word);
    else
        json_none(j);
    json_key(j, "code");
    json_uint(j, (uint8_t)v->found_state);
    json_close(j, '}');
}

static void write_what(struct json *j, const struct ticket_view *v)
{
    char digits[TICKET_DIGITS + 1];

    snprintf(digits, sizeof(digits), "%016" PRIx64, v->ticket);
    json_key(j, "ticket");
    json_word(j, digits);
    json_key(j, "state");
    json_word(j, ticket_state_word(v->state));
    json_key(j, "device");
    json_text(j, slice_of(v->device.text, v->device.length));
    json_key(j, "protocol");
    json_word(j, protocol_word(v->device.protocol));
    json_key(j, "command");
    if (*v->name)
        json_word(j, v->name);
    else
        json_none(j);
    write_message(j, v->message);
    json_key(j, "reason");
    if (v->reason != TICKET_BY_NONE)
        json_word(j, ticket_reason_word(v->reason));
    else
        json_none(j);
}

void ticket_write_members(const struct api *a, struct json *j,
                          const struct ticket_view *v)
{
    write_what(j, v);
    write_time(j, "created", v->created_ms);
    write_time(j, "not_before", v->not_before_ms);
    write_time(j, "expires", v->expires_ms);
    write_time(j, "sent", v->sent_ms);
    write_time(j, "acknowledged", v->acknowledged_ms);
    write_time(j, "ended", v->ended_ms);
    json_key(j, "sendings");
    json_uint(j, v->sendings);
    json_key(j, "durable");
    json_bool(j, v->is_durable);
    write_answer(a, j, v);
    if (v->found_state >= 0)
        write_found(a, j, v);
}

void ticket_write(const struct api *a, struct json *j, const struct ticket_view *v)
{
    json_open(j, '{');
    ticket_write_members(a, j, v);
    json_close(j, '}');
}
