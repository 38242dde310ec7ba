/* What devices say to it: answers, in time and late, and what their TCP has. */
#include "command/commands_inside.h"
#include "base/clock.h"

static bool is_about(uint16_t message, const struct answer *a)
{
    return message == a->answers || (a->or_answers && message == a->or_answers);
}

static bool answers(const struct ticket *t, const struct answer *a)
{
    if (!is_about(t->message, a))
        return false;
    if (!a->has_serial)
        return t->plain_answer;
    return (uint16_t)(a->serial - t->serial) < t->serials;
}

static struct ticket *find_in(const struct errands *e, enum ticket_place place,
                              const struct answer *a, bool has_slot)
{
    LIST_FOREACH (&e->in[place], at) {
        struct ticket *t = ticket_at(at);

        if (t->sendings > 0 && t->has_slot == has_slot && answers(t, a))
            return t;
    }
    return NULL;
}

/* Where several fit: one that is being waited for; then the one sent longest ago. One
 * that waits to be sent again counts, too. */
static struct ticket *find_answered(const struct errands *e, const struct answer *a)
{
    struct ticket *t = find_in(e, PLACE_SENT, a, true);

    if (!t)
        t = find_in(e, PLACE_SENT, a, false);
    if (!t)
        t = find_in(e, PLACE_WAITING, a, false);
    if (!t)
        t = find_in(e, PLACE_LATE, a, false);
    return t;
}

static bool is_for_question(const struct ticket *t, const struct answer *a)
{
    if (!is_about(t->wire.message, a)) /* the question's */
        return false;
    return a->has_serial ? t->ask_serial == a->serial : !t->wire.answer_has_serial;
}

static int take_answer(struct commands *k, struct ticket *t, const struct answer *a)
{
    struct slice body = a->body;
    int rc;

    if (body.size > ANSWER_MAX)
        body.size = ANSWER_MAX;
    if ((rc = ticket_set_answer(k, t, body)) < 0)
        return rc;
    t->has_answer = true;
    t->is_preliminary = a->is_preliminary;
    t->answer_message = a->message;
    t->answer_serial = a->serial;
    t->answer_version = a->version;
    return OK;
}

/* The device has it: it is not sent again, but the answer proper may follow. */
static void on_preliminary(struct commands *k, struct ticket *t)
{
    struct speech s;

    if (t->place != PLACE_SENT || !speech_of(k, t->errands->terminal, &s)) {
        ticket_end(k, t, TICKET_ANSWERED, TICKET_BY_NONE);
        return;
    }
    t->again_at_ms = commands_now(k) + ticket_patience_ms(s.policy, 1);
    ticket_arm(k, t);
}

/* The answer proper after a preliminary one that had to do. */
static void improve(struct commands *k, struct ticket *t, const struct answer *a)
{
    if (a->is_preliminary || take_answer(k, t, a) < 0)
        return;
    ticket_place(k, t, PLACE_ENDED);
    keep_note(k, t);
}

static void on_answer(struct commands *k, struct ticket *t, const struct answer *a)
{
    if (t->state == TICKET_ANSWERED)
        improve(k, t, a);
    else if (take_answer(k, t, a) < 0)
        return; /* as if it had been lost on its way */
    else if (a->is_refusal)
        ticket_end(k, t, TICKET_FAILED, TICKET_BY_REFUSED);
    else if (a->is_preliminary)
        on_preliminary(k, t);
    else
        ticket_end(k, t, TICKET_ANSWERED, TICKET_BY_NONE);
}

static void on_state(struct commands *k, struct ticket *t, const struct answer *a)
{
    struct speech s;
    int found = -1;

    if (a->is_preliminary || !speech_of(k, t->errands->terminal, &s))
        return;
    if (a->is_refusal) {
        (void)take_answer(k, t, a);
        ticket_end(k, t, TICKET_FAILED, TICKET_BY_REFUSED);
        return;
    }
    found = s.dialect->state(s.conf, a->message, a->body);
    t->found_state = (int16_t)found;
    if (found >= 0 && found == s.dialect->state_code(s.conf, t->only_if))
        ticket_go_on(k, t, &s);
    else
        ticket_end(k, t, TICKET_FAILED, TICKET_BY_STATE);
}

bool commands_answered(struct relay *r, struct terminal *terminal,
                       const struct answer *a)
{
    struct commands *k = r->commands;
    struct errands *e = k ? errands_find(k, terminal) : NULL;
    struct ticket *t;

    if (!k)
        return false;
    if (e && e->asking && is_for_question(e->asking, a)) {
        on_state(k, e->asking, a);
    } else if (e && (t = find_answered(e, a))) {
        on_answer(k, t, a);
    } else {
        k->stats.stray++;
        return false;
    }
    errands_advance(k, e);
    return true;
}

void commands_delivered(struct relay *r, struct terminal *terminal, uint64_t ticket)
{
    struct commands *k = r->commands;
    struct ticket *t = k ? ticket_find(k, ticket) : NULL;

    if (!t || t->errands->terminal != terminal || t->place != PLACE_SENT ||
        t->state != TICKET_SENT)
        return;
    t->acknowledged_ms = ticket_time(t);
    ticket_enter(k, t, TICKET_ACKNOWLEDGED, TICKET_BY_NONE);
}
