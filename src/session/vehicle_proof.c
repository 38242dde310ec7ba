/* A terminal says who it is, and proves it: registration and authentication. */
#include "session/vehicle_inside.h"
#include "base/log.h"
#include "session/login.h"

#include <inttypes.h>

/* So often a connection may ask for a token, or show a wrong one. */
#define TRIES_MAX 8

/* 8100. */
#define REGISTERED       0
#define KNOWN_TERMINAL   3
#define UNKNOWN_TERMINAL 4

static void say_registered(struct conn *c, uint16_t serial, uint8_t result,
                           struct slice token)
{
    struct vehicles *all = vehicles_of(c);

    buf_clear(&all->body);
    if (jt808_write_registered(&all->body, serial, result, token) < 0)
        conn_close(c, CLOSE_NO_MEMORY);
    else
        vehicle_say(c, JT808_REGISTER_ANSWER);
    buf_clear(&all->body);
}

static void log_refusal(const struct conn *c, const char *what, const char *why)
{
    char name[ID_SHOWN_MAX];

    LOG_THROTTLED(LOG_WARN, SESSION,
                  "session %" PRIx64 " refused %s device=%s why=%s listener=%s",
                  conn_number(c), what, id_show(&vehicle_of(c)->id, name, sizeof(name)),
                  why, c->listener->name);
}

/* False: those were enough. */
static bool may_try_again(struct conn *c)
{
    if (++vehicle_of(c)->tries < TRIES_MAX)
        return true;
    conn_close(c, CLOSE_UNPROVED);
    return false;
}

/* ---- registration ---- */

static bool may_register(const struct device_settings *s, const struct id *id)
{
    switch ((enum registration)s->registration) {
    case REGISTRATION_OPEN:
        return true;
    case REGISTRATION_LIST:
        return s->may_register && id_list_has(s->may_register, id);
    case REGISTRATION_CLOSED:
        return false;
    }
    return false;
}

static void deny(struct conn *c, uint16_t serial, uint8_t result, const char *why)
{
    vehicles_of(c)->stats.denied++;
    log_refusal(c, "registration", why);
    say_registered(c, serial, result, (struct slice){0});
}

static void forget_token(struct vehicle *v)
{
    token_wipe(v->token);
    v->has_token = false;
}

/* The connection is not read from until its token is on the disk. */
static void await_token(struct conn *c, uint16_t serial)
{
    struct vehicle *v = vehicle_of(c);

    v->awaits_token = true;
    v->given_serial = serial;
    conn_hold(c);
}

static void ask_for_token(struct conn *c, const struct vehicle_message *m,
                          bool is_proved)
{
    struct vehicle *v = vehicle_of(c);
    int rc = credentials_issue(vehicles_of(c)->credentials, &v->id, is_proved,
                               conn_handle(c), v->token);

    switch (rc) {
    case OK:
        await_token(c, m->serial);
        return;
    case ERR_EXISTS:
        deny(c, m->serial, KNOWN_TERMINAL, "registered");
        return;
    case ERR_FULL:
        deny(c, m->serial, UNKNOWN_TERMINAL, "too_many");
        return;
    default: /* it is not its fault: it may try again */
        log_refusal(c, "registration", err_word(rc));
        vehicle_answer(c, m->serial, m->message, JT808_RESULT_FAILED);
    }
}

bool vehicle_register(struct conn *c, const struct vehicle_message *m, bool is_proved)
{
    struct vehicle *v = vehicle_of(c);

    if (v->has_token && v->given_serial == m->serial) { /* the same message again */
        say_registered(c, m->serial, REGISTERED, slice_of(v->token, TOKEN_SIZE));
        return !conn_is_closing(c);
    }
    forget_token(v);
    if (is_proved || may_register(device_settings_of(c), &v->id))
        ask_for_token(c, m, is_proved);
    else
        deny(c, m->serial, UNKNOWN_TERMINAL, "not_allowed");
    return !conn_is_closing(c) && may_try_again(c);
}

void vehicle_issued(void *user, uint64_t waiter, int rc)
{
    struct vehicles *all = user;
    struct conn *c = shard_find_conn(all->relay->shard, waiter);
    struct vehicle *v = c ? vehicle_of(c) : NULL;

    if (!v || !v->awaits_token)
        return; /* it left: it may register again */
    v->awaits_token = false;
    if (c->holds) /* a drain may have ended it */
        conn_release(c);
    if (conn_is_closing(c))
        return;
    if (rc < 0) {
        forget_token(v);
        log_refusal(c, "registration", err_word(rc));
        vehicle_answer(c, v->given_serial, JT808_REGISTER, JT808_RESULT_FAILED);
        return;
    }
    v->has_token = true;
    say_registered(c, v->given_serial, REGISTERED, slice_of(v->token, TOKEN_SIZE));
}

/* ---- authentication ---- */

static int prove(struct conn *c, const struct vehicle_message *m,
                 struct credential **out)
{
    struct slice token;

    if (jt808_read_token(m->body, m->is_2019, &token) < 0)
        token = (struct slice){0};
    return credentials_prove(vehicles_of(c)->credentials, &vehicle_of(c)->id, token,
                             conn_handle(c), out);
}

/* Nor from one whose token nobody had shown before, until the disk knows that it was: a
 * crash would leave its id to strangers. */
static void await_proof(struct conn *c, uint16_t serial)
{
    struct vehicle *v = vehicle_of(c);

    v->awaits_proof = true;
    v->shown_serial = serial;
    conn_hold(c);
}

/* `rc`: why. False: the connection is closing. */
static bool refuse_token(struct conn *c, uint16_t serial, int rc)
{
    log_refusal(c, "authentication", rc == ERR_NOTFOUND ? "wrong_token" : err_word(rc));
    vehicle_answer(c, serial, JT808_AUTHENTICATE, JT808_RESULT_FAILED);
    return !conn_is_closing(c) && may_try_again(c);
}

/* CLAIMS -> PROVED. */
static bool enter(struct conn *c, struct credential *p, uint16_t serial,
                  struct slice in)
{
    struct vehicle *v = vehicle_of(c);

    /* Before whatever waits for it. */
    vehicle_answer(c, serial, JT808_AUTHENTICATE, JT808_RESULT_OK);
    if (conn_is_closing(c))
        return false;
    forget_token(v);
    v->credential = p;
    v->proof++;
    v->head = device_session_of(c)->head;
    v->tries = 0;
    v->prove_by_ms = 0;
    packages_free(&device_session_of(c)->packages);
    vehicle_arm(v, INT64_MAX);
    return device_log_in(c, &v->id, in);
}

static bool authenticate(struct conn *c, const struct vehicle_message *m,
                         struct slice in)
{
    struct credential *p;
    int rc = prove(c, m, &p);

    if (rc < 0)
        return refuse_token(c, m->serial, rc);
    if (p)
        return enter(c, p, m->serial, in);
    await_proof(c, m->serial);
    return true;
}

void vehicle_authenticate_again(struct conn *c, const struct vehicle_message *m)
{
    struct credential *p;
    int rc = prove(c, m, &p);

    if (rc < 0)
        (void)refuse_token(c, m->serial, rc);
    else if (p)
        vehicle_answer(c, m->serial, m->message, JT808_RESULT_OK);
    else
        await_proof(c, m->serial);
}

void vehicle_proved(void *user, uint64_t waiter, struct credential *p, int rc)
{
    struct vehicles *all = user;
    struct conn *c = shard_find_conn(all->relay->shard, waiter);
    struct vehicle *v = c ? vehicle_of(c) : NULL;

    if (!v || !v->awaits_proof)
        return; /* it left: it may show it again */
    v->awaits_proof = false;
    if (c->holds) /* a drain may have ended it */
        conn_release(c);
    if (conn_is_closing(c))
        return;
    if (rc < 0)
        (void)refuse_token(c, v->shown_serial, rc);
    else if (v->credential)
        vehicle_answer(c, v->shown_serial, JT808_AUTHENTICATE, JT808_RESULT_OK);
    else
        (void)enter(c, p, v->shown_serial, (struct slice){0});
}

/* ---- who claims to be somebody ---- */

void vehicle_log_refused(const struct conn *c, const struct device_frame *f,
                         const char *why)
{
    char name[ID_SHOWN_MAX] = "?";
    struct id id;

    if (device_id_text(&f->head, PROTOCOL_JT808, &id) == OK)
        id_show(&id, name, sizeof(name));
    LOG_THROTTLED(LOG_WARN, SESSION,
                  "session %" PRIx64
                  " refused a message why=%s message=%04x device=%s listener=%s",
                  conn_number(c), why, f->message, name, c->listener->name);
}

static void on_unproved(struct conn *c, const struct device_frame *f)
{
    struct vehicle *v = vehicle_of(c);

    vehicles_of(c)->stats.unproved++;
    if (!v->warned_unproved)
        vehicle_log_refused(c, f, "unproved");
    v->warned_unproved = true;
    vehicle_refuse(c, f->serial, f->message, JT808_RESULT_FAILED);
}

/* False: the connection moved to the shard where that terminal would be, or is closing.
 */
static bool claim(struct conn *c, const struct id *id, struct slice in)
{
    struct vehicle *v = vehicle_of(c);

    if (!id_equal(&v->id, id)) {
        v->id = *id;
        v->has_token = false;
        token_wipe(v->token);
        packages_free(&device_session_of(c)->packages);
        wheel_stop(&c->shard->loop.wheel, &v->timer);
        if (!login_move(c, id, in))
            return false;
    }
    if (!timer_is_armed(&v->timer))
        vehicle_arm(v, INT64_MAX);
    return true;
}

bool vehicle_claim(struct conn *c, const struct device_frame *f, struct slice in)
{
    struct vehicle_message m;
    struct id id;

    if ((f->message != JT808_REGISTER && f->message != JT808_AUTHENTICATE) ||
        device_id_text(&f->head, PROTOCOL_JT808, &id) < 0) {
        on_unproved(c, f);
        return !conn_is_closing(c);
    }
    if (!claim(c, &id, in))
        return false;
    if (!vehicle_join(c, f, &m))
        return !conn_is_closing(c);
    if (m.message == JT808_REGISTER)
        return vehicle_register(c, &m, false);
    return authenticate(c, &m, in);
}
