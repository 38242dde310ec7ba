/* vending.c - machines of the built-in profile: 1001 to 1006. */
#include "sim/devices/plant.h"

#include <stdio.h>
#include <stdlib.h>

#define STATES 5

enum message {
    LOGIN = 0x1001,
    HEARTBEAT = 0x1002,
    REPORT = 0x1003,
    TURN_ON = 0x1004,
    STATUS = 0x1005,
    RESTART = 0x1006,
};

enum condition { CONDITION_ON = 1, CONDITION_READY = 5 };

static uint8_t first_condition(const struct plant_settings *s, const struct machine *m)
{
    return (uint8_t)(s->state ? s->state : m->place % STATES + 1);
}

static void identify(const struct plant_settings *s, struct machine *m)
{
    unsigned digits = plant_settings_digits(s->first_id);
    size_t fixed = strlen(s->first_id) - digits;
    char text[40];

    snprintf(text, sizeof(text), "%.*s%0*llu", (int)fixed, s->first_id, (int)digits,
             strtoull(s->first_id + fixed, NULL, 10) + m->place);
    m->id.size = 8;
    memcpy(m->id.bytes, text, m->id.size);
    m->condition = first_condition(s, m);
}

static void introduce(struct plant *p, struct machine *m)
{
    plant_say(p, m, LOGIN, slice_of("", 0), true);
}

static void beat(struct plant *p, struct machine *m)
{
    plant_say(p, m, HEARTBEAT, slice_of("", 0), true);
}

/* What was turned on is ready again when its time is over. */
static struct slice body_of(struct plant *p, struct machine *m, uint8_t body[4])
{
    if (m->on_until_ms && p->now_ms >= m->on_until_ms) {
        m->on_until_ms = 0;
        m->condition = CONDITION_READY;
    }
    memset(body, 0, 4);
    body[3] = m->condition;
    return slice_of(body, 4);
}

static void report(struct plant *p, struct machine *m)
{
    uint8_t body[4];

    plant_say(p, m, REPORT, body_of(p, m, body), false);
}

static void take(struct plant *p, struct machine *m, const struct wire_frame *f)
{
    const struct plant_command c = {f->message, f->serial, f->body};
    bool is_ok = f->body.size == 1 && f->body.data[0] == 0;

    if (f->message >= TURN_ON && f->message <= RESTART)
        plant_obey(p, m, &c);
    else if (f->message != LOGIN && f->message != HEARTBEAT)
        p->tally[PLANT_STRANGE]++;
    else if (!is_ok)
        plant_refused(p, m);
    else if (f->message == LOGIN)
        plant_accepted(p, m);
    else
        plant_acknowledged(p, m);
}

static void do_it(struct plant *p, struct machine *m, uint16_t message)
{
    const struct plant_settings *s = p->settings;

    if (message == TURN_ON) {
        m->condition = CONDITION_ON;
        m->on_until_ms = s->on_ns ? p->now_ms + s->on_ns / 1000000 : 0;
    } else if (message == RESTART) {
        m->condition = first_condition(s, m);
        m->on_until_ms = 0;
        m->restarts = s->away_ns > 0;
    }
}

static void answer(struct plant *p, struct machine *m, const struct plant_command *c,
                   uint16_t serial, enum how how, struct buf *to)
{
    uint8_t body[4];
    struct wire_frame f = {.message = c->message, .serial = serial};

    if (how != HOW_REFUSE && how != HOW_UNSUPPORTED)
        do_it(p, m, c->message);
    f.body = body_of(p, m, body);
    plant_form(p, m, &f, to);
}

const struct breed vending_breed = {identify, introduce, beat, report, take, answer};
