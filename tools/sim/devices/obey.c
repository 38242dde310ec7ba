/* obey.c - what a device does with a command: it answers in its manner. */
#include "sim/devices/plant.h"
#include "base/crc32c.h"

#include <stdlib.h>

/* An answer that waits for its time, whatever becomes of the connection meanwhile. */
struct late {
    struct timer timer;
    struct link link;
    struct machine *machine;
    struct buf frames;
};

static void give_answer(struct plant *p, struct machine *m, struct slice frames)
{
    p->tally[PLANT_ANSWERS] += m->state == MACHINE_ONLINE;
    plant_send(p, m, frames);
}

static void restart(struct plant *p, struct machine *m)
{
    if (!m->restarts || m->state == MACHINE_AWAY)
        return;
    p->tally[PLANT_LEFT]++;
    plant_leave(p, m, p->settings->away_ns / 1000000);
}

static void late_free(struct plant *p, struct late *l)
{
    list_remove(&p->late, &l->link);
    buf_fini(&l->frames);
    free(l);
}

static void on_late(struct timer *t, int64_t now_ms)
{
    struct late *l = CONTAINER_OF(t, struct late, timer);
    struct machine *m = l->machine;
    struct plant *p = m->plant;

    (void)now_ms;
    if (m->state == MACHINE_ONLINE)
        give_answer(p, m, buf_peek(&l->frames));
    restart(p, m);
    late_free(p, l);
}

static void answer_later(struct plant *p, struct machine *m, int64_t delay_ms)
{
    struct late *l = calloc(1, sizeof(*l));

    if (!l) {
        plant_fail(p, "out of memory");
        return;
    }
    l->timer.expired = on_late;
    l->machine = m;
    l->frames = p->forming;
    p->forming = (struct buf){0};
    list_append(&p->late, &l->link);
    wheel_arm(&p->wheel, &l->timer, p->now_ms + delay_ms);
}

static void count_command(struct plant *p, struct machine *m,
                          const struct plant_command *c)
{
    uint32_t hash = crc32c((uint32_t)c->message << 16 | c->serial, c->body);

    p->tally[PLANT_COMMANDS]++;
    p->tally[PLANT_REPEATS] += hash == m->last_command;
    m->last_command = hash;
}

void plant_obey(struct plant *p, struct machine *m, const struct plant_command *c)
{
    const struct manner *manner = plant_settings_manner(p->settings, m->place);
    uint16_t serial = (uint16_t)(c->serial + (manner->how == HOW_SERIAL));

    count_command(p, m, c);
    buf_clear(&p->forming);
    p->breed->answer(p, m, c, serial, manner->how, &p->forming);
    if (manner->how == HOW_LATER) {
        answer_later(p, m, manner->delay_ns / 1000000);
        return;
    }
    if (manner->how == HOW_NEVER)
        p->tally[PLANT_WITHHELD]++;
    else
        give_answer(p, m, buf_peek(&p->forming));
    if (manner->how == HOW_TWICE)
        give_answer(p, m, buf_peek(&p->forming));
    restart(p, m);
}

void plant_forget_late(struct plant *p)
{
    while (!list_is_empty(&p->late))
        late_free(p, CONTAINER_OF(list_first(&p->late), struct late, link));
}
