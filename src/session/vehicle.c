/* The conversation with a vehicle terminal (JT/T 808, docs/protocol-jt808.md). */
#include "session/vehicle_inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "command/commands.h"
#include "relay/tracker.h"

#include <inttypes.h>
#include <stdlib.h>

#define DRIVER 0x0702 /* reported, and the answer to 8702 */

/* ---- out ---- */

void vehicle_say(struct conn *c, uint16_t message)
{
    struct device_session *s = device_session_of(c);

    if (device_write(c, message, s->serial++, 0, 0, buf_peek(&vehicles_of(c)->body),
                     0) < 0)
        return; /* the connection is closing */
}

void vehicle_answer_now(struct conn *c, uint16_t serial, uint16_t message,
                        enum jt808_result result)
{
    const struct jt808_answer a = {.serial = serial,
                                   .message = message,
                                   .result = (uint8_t)result};
    struct buf *body = &vehicles_of(c)->body;

    buf_clear(body);
    if (jt808_write_answer(body, &a) < 0)
        conn_close(c, CLOSE_NO_MEMORY);
    else
        vehicle_say(c, JT808_PLATFORM_ANSWER);
}

void vehicle_answer(struct conn *c, uint16_t serial, uint16_t message,
                    enum jt808_result result)
{
    if (vehicle_of(c)->due)
        vehicle_answer_in_turn(c, serial, message, result, false);
    else
        vehicle_answer_now(c, serial, message, result);
}

void vehicle_refuse(struct conn *c, uint16_t serial, uint16_t message,
                    enum jt808_result result)
{
    if (jt808_reply_to(message) != JT808_REPLY_NONE)
        vehicle_answer(c, serial, message, result);
}

/* ---- its state ---- */

void vehicle_arm(struct vehicle *v, int64_t at_ms)
{
    struct wheel *wheel = &v->conn->shard->loop.wheel;

    if (v->prove_by_ms && v->prove_by_ms < at_ms)
        at_ms = v->prove_by_ms;
    if (at_ms == INT64_MAX)
        wheel_stop(wheel, &v->timer);
    else
        wheel_arm(wheel, &v->timer, at_ms);
}

static void on_timer(struct timer *t, int64_t now_ms)
{
    struct vehicle *v = CONTAINER_OF(t, struct vehicle, timer);

    if (v->prove_by_ms && now_ms >= v->prove_by_ms) {
        conn_close(v->conn, CLOSE_REGISTER_TIMEOUT);
        return;
    }
    now_ms = vehicle_ask(v->conn);
    if (!conn_is_closing(v->conn))
        vehicle_arm(v, now_ms);
}

static struct vehicle *try_make(struct conn *c)
{
    struct device_session *s = device_session_of(c);

    if (!s->vehicle && (s->vehicle = calloc(1, sizeof(*s->vehicle))))
        s->vehicle->timer.expired = on_timer;
    if (s->vehicle)
        s->vehicle->conn = c;
    else
        conn_close(c, CLOSE_NO_MEMORY);
    return s->vehicle;
}

void vehicle_let_go(struct conn *c)
{
    struct vehicle *v = vehicle_of(c);

    v->id = device_id(device_of(c));
    v->credential = NULL;
    v->due = 0;
    v->prove_by_ms = c->shard->loop.now_ms + c->listener->register_timeout_ms;
    device_let_go(c);
    if (!conn_is_closing(c))
        vehicle_arm(v, INT64_MAX);
}

/* ---- who may not say that ---- */

/* Its answer goes to the id that stands in it; everything else goes on to the proved
 * one. */
static void on_foreign(struct conn *c, const struct device_frame *f)
{
    struct vehicle *v = vehicle_of(c);

    vehicles_of(c)->stats.foreign++;
    if (!v->warned_foreign)
        vehicle_log_refused(c, f, "foreign");
    v->warned_foreign = true;
    if (jt808_reply_to(f->message) != JT808_REPLY_NONE)
        vehicle_answer_now(c, f->serial, f->message, JT808_RESULT_FAILED);
    device_session_of(c)->head = v->head;
}

static void on_bad(struct conn *c, const struct vehicle_message *m)
{
    vehicles_of(c)->stats.bad++;
    LOG_THROTTLED(LOG_WARN, SESSION,
                  "session %" PRIx64 " sent a bad message message=%04x size=%zu",
                  conn_number(c), m->message, m->body.size);
    vehicle_refuse(c, m->serial, m->message, JT808_RESULT_BAD);
}

/* ---- PROVED ---- */

/* What it answers, by its own id: 0104 one of two. */
static void find_question(struct answer *a)
{
    static const uint16_t questions[] = {0x8104, 0x8106, 0x8107, 0x8201, 0x8500,
                                         0x8608, 0x8700, 0x8702, 0x8801, 0x8802};

    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        if (jt808_answer_to(questions[i]) == a->message)
            *(a->answers ? &a->or_answers : &a->answers) = questions[i];
}

static struct answer answer_of(const struct conn *c, const struct vehicle_message *m)
{
    struct answer a = {
        .version = vehicle_version(&vehicle_of(c)->head),
        .message = m->message,
        .body = m->body,
        .has_serial = jt808_answer_has_serial(m->message) && m->body.size >= 2,
    };

    if (a.has_serial)
        a.serial = (uint16_t)(m->body.data[0] << 8 | m->body.data[1]);
    find_question(&a);
    return a;
}

static void on_answer(struct conn *c, const struct vehicle_message *m)
{
    struct answer a = answer_of(c, m);
    struct jt808_answer general;

    if (m->message == JT808_TERMINAL_ANSWER) {
        if (jt808_read_answer(m->body, &general) < 0) {
            on_bad(c, m);
            return;
        }
        a.answers = general.message;
        a.serial = general.serial;
        a.is_refusal = general.result != JT808_RESULT_OK;
        a.is_preliminary =
            !a.is_refusal && jt808_answer_to(a.answers) != JT808_TERMINAL_ANSWER;
    }
    (void)commands_answered(relay_of(c), device_session_of(c)->self, &a);
}

static void on_driver(struct conn *c, const struct vehicle_message *m)
{
    struct answer a = answer_of(c, m);
    struct terminal *self = device_session_of(c)->self;

    if (self->has_commands)
        (void)commands_answered(relay_of(c), self, &a);
    vehicle_report(c, m, JT808_RESULT_OK);
}

static void on_ask_time(struct conn *c)
{
    struct buf *body = &vehicles_of(c)->body;

    buf_clear(body);
    if (jt808_write_time(body, clock_wall_ms()) < 0)
        conn_close(c, CLOSE_NO_MEMORY);
    else
        vehicle_say(c, JT808_TIME);
}

static void on_ask_packages(struct conn *c, const struct vehicle_message *m)
{
    uint16_t numbers[255], first;
    size_t count;

    if (jt808_read_missing(m->body, m->is_2019, &first, numbers, ARRAY_LEN(numbers),
                           &count) < 0)
        on_bad(c, m);
    else if (!commands_resend(relay_of(c), device_session_of(c)->self, first, numbers,
                              count))
        vehicle_answer(c, m->serial, m->message, JT808_RESULT_FAILED);
}

static void on_log_out(struct conn *c, const struct vehicle_message *m)
{
    if (vehicle_of(c)->due) { /* what it reported before is answered before */
        vehicle_answer_in_turn(c, m->serial, m->message, JT808_RESULT_OK, true);
        return;
    }
    vehicle_answer_now(c, m->serial, m->message, JT808_RESULT_OK);
    conn_close(c, CLOSE_LOGGED_OUT);
}

static void on_others(struct conn *c, const struct vehicle_message *m)
{
    switch (jt808_reply_to(m->message)) {
    case JT808_REPLY_NONE:
        on_answer(c, m);
        break;
    case JT808_REPLY_UNKNOWN:
        vehicle_report(c, m, JT808_RESULT_UNSUPPORTED);
        break;
    case JT808_REPLY_GENERAL:
    case JT808_REPLY_OWN:
        vehicle_report(c, m, JT808_RESULT_OK);
        break;
    }
}

static void on_whole(struct conn *c, const struct vehicle_message *m)
{
    switch (m->message) {
    case JT808_REGISTER:
        vehicle_let_go(c);
        if (!conn_is_closing(c))
            (void)vehicle_register(c, m, true);
        break;
    case JT808_AUTHENTICATE:
        vehicle_authenticate_again(c, m);
        break;
    case JT808_HEARTBEAT:
        vehicle_answer(c, m->serial, m->message, JT808_RESULT_OK);
        break;
    case JT808_LOG_OUT:
        on_log_out(c, m);
        break;
    case JT808_ASK_TIME:
        on_ask_time(c);
        break;
    case JT808_ASK_PACKAGES:
        on_ask_packages(c, m);
        break;
    case DRIVER:
        on_driver(c, m);
        break;
    default:
        on_others(c, m);
    }
}

static bool is_own(const struct conn *c, const struct device_frame *f)
{
    const struct vehicle *v = vehicle_of(c);
    struct id id, own;

    if (memcmp(&v->head, &f->head, sizeof(f->head)) == 0)
        return true;
    own = device_id(device_of(c));
    return device_id_text(&f->head, PROTOCOL_JT808, &id) == OK && id_equal(&id, &own);
}

static void on_proved(struct conn *c, const struct device_frame *f)
{
    struct vehicle_message m;

    vehicle_of(c)->head = f->head;
    if (vehicle_join(c, f, &m))
        on_whole(c, &m);
}

/* ---- the connection's calls ---- */

static bool on_message(struct conn *c, const struct device_frame *f, struct slice in)
{
    struct vehicle *v = try_make(c);

    if (!v)
        return false;
    if (v->awaits_token || v->awaits_proof) { /* a drain has ended the hold */
        conn_hold(c);
        return false;
    }
    if (!v->credential)
        return vehicle_claim(c, f, in);
    if (is_own(c, f))
        on_proved(c, f);
    else
        on_foreign(c, f);
    return !conn_is_closing(c);
}

static size_t on_input(struct conn *c, struct slice in, bool more_waits)
{
    return device_input(c, in, more_waits, on_message);
}

static void on_close(struct conn *c)
{
    struct vehicle *v = vehicle_of(c);

    if (v) {
        wheel_stop(&c->shard->loop.wheel, &v->timer);
        token_wipe(v->token);
        free(v);
        device_session_of(c)->vehicle = NULL;
    }
    device_on_close(c);
}

static void show(const struct conn *c, struct json *j)
{
    if (!c->registered)
        return;
    json_key(j, "version");
    json_uint(j, device_session_of(c)->head.form == DEVICE_ID_BCD10 ? 2019 : 2013);
}

const struct session_ops vehicle_ops = {
    .conn = {.on_input = on_input,
             .on_delivered = device_on_delivered,
             .on_room = device_on_room,
             .on_close = on_close,
             .describe = device_describe},
    .show = show,
    .device = device_of,
    .dialect = &vehicle_dialect,
};
