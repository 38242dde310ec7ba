/* Sending: whose turn it is, with which serial, when again; and the question that
 * `only_if` asks before. */
#include "command/commands_inside.h"
#include "base/clock.h"

#include <stdio.h>

/* While a device is asked for its state, others are not sent again. */
#define ASIDE_MS 50

/* A device that does not tell its state is asked again, but not all the time. */
#define ASK_PAUSE_MS 1000

/* Memory was out. */
#define PAUSE_MS 1000

/* ---- serials ---- */

static bool is_prescribed(const struct commands *k, uint16_t listener, uint16_t serial)
{
    const struct prescribed *p;

    if (listener >= k->group->conf.listener_count)
        return false;
    p = &k->group->prescribed[listener];
    for (size_t i = 0; i < p->count; i++)
        if (p->serials[i] == serial)
            return true;
    return false;
}

static bool has_serial(const struct ticket *t, uint16_t serial)
{
    return (uint16_t)(serial - t->serial) < t->serials ||
           (t->is_asking && t->ask_serial == serial);
}

/* By another one, whose answer may still come. */
static bool is_used(const struct errands *e, const struct ticket *mine, uint16_t serial)
{
    if (e->asking && e->asking != mine && e->asking->ask_serial == serial)
        return true;
    for (int i = PLACE_SENT; i <= PLACE_LATE; i++)
        LIST_FOREACH (&e->in[i], at)
            if (ticket_at(at) != mine && has_serial(ticket_at(at), serial))
                return true;
    return false;
}

uint16_t errands_new_serial(const struct commands *k, struct errands *e,
                            uint16_t listener, uint16_t count)
{
    uint16_t first = (uint16_t)(e->serial + 1);
    uint16_t n = 0;

    /* Once around, if all of them are taken. */
    for (uint32_t tries = 0; n < count && tries <= UINT16_MAX; tries++) {
        uint16_t serial = (uint16_t)(first + n);

        if (!is_prescribed(k, listener, serial) && !is_used(e, NULL, serial)) {
            n++;
        } else {
            first = (uint16_t)(serial + 1);
            n = 0;
        }
    }
    e->serial = (uint16_t)(first + count - 1);
    return first;
}

/* ---- the slot ---- */

static void take_slot(struct ticket *t)
{
    t->has_slot = true;
    t->errands->in_flight++;
}

void ticket_leave_slot(struct ticket *t)
{
    if (t->has_slot)
        t->errands->in_flight--;
    if (t->is_asking)
        t->errands->asking = NULL;
    t->has_slot = t->is_asking = t->is_encoded = false;
    t->again_at_ms = NEVER;
    buf_fini(&t->wire.body);
}

static bool may_send(const struct commands *k, const struct errands *e)
{
    const struct conn *c = e->terminal->conn;

    return e->is_attached && !link_is_on_list(&e->arrived) && !k->is_ending && c &&
           !conn_is_closing(c);
}

/* Their answers could not be told from each other. */
static bool collides(const struct ticket *a, const struct ticket *b)
{
    if (a->plain_answer && b->plain_answer && a->expects == b->expects)
        return true;
    return a->fixed_serial && b->fixed_serial && a->message == b->message;
}

static bool must_wait(const struct commands *k, const struct ticket *t)
{
    int64_t now_ms = commands_now(k);

    if (!t->is_accepted || t->ready_at_ms > now_ms || ticket_is_over_time(t, now_ms))
        return true;
    if (t->errands->in_flight > 0)
        LIST_FOREACH (&t->errands->in[PLACE_SENT], at)
            if (ticket_at(at)->has_slot && collides(ticket_at(at), t))
                return true;
    return false;
}

static struct ticket *next_of(const struct commands *k, const struct errands *e,
                              const struct speech *s)
{
    if (e->asking || e->in_flight >= s->policy->in_flight)
        return NULL;
    LIST_FOREACH (&e->in[PLACE_WAITING], at)
        if (!must_wait(k, ticket_at(at)))
            return ticket_at(at);
    return NULL;
}

/* ---- sending ---- */

int ticket_encode(struct ticket *t, const struct speech *s, char why[DIALECT_WHY_SIZE])
{
    struct command c = {.message = t->message, .args = buf_peek(&t->args)};
    int rc;

    memcpy(c.name, t->name, sizeof(c.name));
    buf_fini(&t->wire.body);
    t->wire = (struct wire_command){0};
    rc = s->dialect->encode(s->conf, &c, s->version, &t->wire, why);
    t->is_encoded = rc == OK;
    if (rc < 0)
        return rc;
    if (t->wire.serials == 0)
        t->wire.serials = 1;
    t->message = t->wire.message;
    t->expects = t->wire.answer;
    t->fixed_serial = t->wire.has_serial;
    t->plain_answer = !t->wire.answer_has_serial;
    return OK;
}

/* Mostly the one that it was given when it was made. */
static void choose_serial(const struct commands *k, struct ticket *t,
                          const struct speech *s)
{
    const struct wire_command *w = &t->wire;

    if (w->has_serial)
        t->serial = w->serial;
    else if (t->serials < w->serials || is_used(t->errands, t, t->serial))
        t->serial = errands_new_serial(k, t->errands, s->listener, w->serials);
    t->serials = w->serials;
}

static void note_sending(struct commands *k, struct ticket *t, const struct speech *s)
{
    t->tries++;
    t->again_at_ms = commands_now(k) + ticket_patience_ms(s->policy, t->tries);
    if (t->is_asking)
        return;
    t->sendings++;
    k->stats.sent++;
    k->stats.repeated += t->sendings > 1;
}

/* False: the connection died of it; everything is as it was, or cut. */
static bool send_it(struct commands *k, struct ticket *t, const struct speech *s)
{
    if (s->dialect->send(t->errands->terminal->conn, &t->wire,
                         t->is_asking ? t->ask_serial : t->serial,
                         t->is_asking ? 0 : t->number) < 0)
        return false;
    note_sending(k, t, s);
    return true;
}

/* Memory was out: it has its slot later. */
static bool send_later(const struct commands *k, struct ticket *t)
{
    ticket_leave_slot(t);
    t->ready_at_ms = commands_now(k) + PAUSE_MS;
    return true;
}

/* It has a slot. */
static bool send_command(struct commands *k, struct ticket *t, const struct speech *s)
{
    char why[DIALECT_WHY_SIZE];
    int rc = t->is_encoded ? OK : ticket_encode(t, s, why);

    if (rc == ERR_NOMEM)
        return send_later(k, t);
    if (rc < 0) {
        ticket_end(k, t, TICKET_FAILED, TICKET_BY_UNSENDABLE);
        return true;
    }
    choose_serial(k, t, s);
    t->tries = t->resends = 0;
    if (!send_it(k, t, s))
        return false;
    if (!t->sent_ms)
        t->sent_ms = ticket_time(t);
    ticket_place(k, t, PLACE_SENT);
    ticket_enter(k, t, TICKET_SENT, TICKET_BY_NONE);
    keep_note(k, t);
    return true;
}

static bool send_question(struct commands *k, struct ticket *t, const struct speech *s)
{
    struct command c = {0};
    char why[DIALECT_WHY_SIZE];
    const char *query = s->dialect->state_query(s->conf);
    int rc = query ? OK : ERR_INVALID;

    snprintf(c.name, sizeof(c.name), "%s", query ? query : "");
    buf_fini(&t->wire.body);
    t->wire = (struct wire_command){0};
    t->is_encoded = false;
    if (query)
        rc = s->dialect->encode(s->conf, &c, s->version, &t->wire, why);
    if (rc == ERR_NOMEM)
        return send_later(k, t);
    if (rc < 0) {
        ticket_end(k, t, TICKET_FAILED, TICKET_BY_UNSENDABLE);
        return true;
    }
    t->ask_serial = t->wire.has_serial
                        ? t->wire.serial
                        : errands_new_serial(k, t->errands, s->listener, 1);
    t->tries = 0;
    t->is_asking = true;
    t->errands->asking = t;
    return send_it(k, t, s);
}

void errands_advance(struct commands *k, struct errands *e)
{
    struct speech s;
    struct ticket *t;
    bool goes_on = may_send(k, e) && speech_of(k, e->terminal, &s);

    while (goes_on && (t = next_of(k, e, &s))) {
        take_slot(t);
        goes_on = *t->only_if ? send_question(k, t, &s) : send_command(k, t, &s);
        if (!goes_on)
            ticket_leave_slot(t);
        ticket_arm(k, t);
    }
}

void ticket_go_on(struct commands *k, struct ticket *t, const struct speech *s)
{
    t->errands->asking = NULL;
    t->is_asking = false;
    if (!send_command(k, t, s))
        ticket_leave_slot(t);
    ticket_arm(k, t);
}

/* ---- again ---- */

static void give_up(struct commands *k, struct ticket *t, const struct speech *s)
{
    bool was_asking = t->is_asking;

    ticket_leave_slot(t); /* it stays sent: an answer still counts */
    if (!was_asking)
        return;
    t->ready_at_ms = commands_now(k) + ticket_patience_ms(s->policy, t->tries);
    if (t->ready_at_ms < commands_now(k) + ASK_PAUSE_MS)
        t->ready_at_ms = commands_now(k) + ASK_PAUSE_MS;
}

void ticket_again(struct commands *k, struct ticket *t)
{
    struct errands *e = t->errands;
    struct speech s;

    if (!may_send(k, e) || !speech_of(k, e->terminal, &s)) {
        t->again_at_ms = NEVER; /* its end, or its connection's, is near */
    } else if (t->has_answer) {
        ticket_end(k, t, TICKET_ANSWERED, TICKET_BY_NONE);
    } else if (e->asking && e->asking != t) {
        t->again_at_ms = commands_now(k) + ASIDE_MS;
    } else if (t->tries > s.policy->retries) {
        give_up(k, t, &s);
    } else {
        (void)send_it(k, t, &s);
    }
}

bool commands_resend(struct relay *r, struct terminal *terminal, uint16_t first,
                     const uint16_t *numbers, size_t count)
{
    struct commands *k = r->commands;
    struct errands *e = k ? errands_find(k, terminal) : NULL;
    struct speech s;

    if (!e || !may_send(k, e) || !speech_of(k, terminal, &s))
        return false;
    LIST_FOREACH (&e->in[PLACE_SENT], at) {
        struct ticket *t = ticket_at(at);

        if (t->serial != first || !t->is_encoded || t->resends >= RESENDS_MAX)
            continue;
        t->resends++;
        k->stats.repeated++;
        if (s.dialect->send_again)
            (void)s.dialect->send_again(terminal->conn, &t->wire, t->serial, numbers,
                                        count);
        else
            (void)s.dialect->send(terminal->conn, &t->wire, t->serial, t->number);
        return true;
    }
    return false;
}
