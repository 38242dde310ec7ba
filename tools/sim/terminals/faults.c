#include "sim/terminals/faults.h"
#include "sim/terminals/contact.h"
#include "sim/terminals/receive.h"

#define SIP_NS        (10LL * MS) /* how often slow readers read a little */
#define SIPS_PER_S    100
#define DROP_ATTEMPTS 16

/* `n` terminals, evenly spread, beginning with `first`: with --pattern fan-in the only
 * target is the terminal at place 0. */
static void give_role(struct fleet *f, enum terminal_role role, uint64_t n,
                      uint64_t first)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t place = (first + i * f->count / n) % f->count;

        while (f->terminals[place].role != ROLE_PLAIN)
            place = (place + 1) % f->count;
        f->terminals[place].role = (uint8_t)role;
    }
}

void faults_plan(struct fleet *f, uint64_t slow, uint64_t half_open)
{
    give_role(f, ROLE_SLOW, slow, 0);
    give_role(f, ROLE_HALF_OPEN, half_open, f->count / 2);
}

static int64_t freeze_gap_ns(const struct fleet *f)
{
    uint64_t n = f->settings->half_open;

    return n ? f->settings->frozen_ns * 2 / (int64_t)n : 0;
}

/* So that the mean life of each connection is what was asked for. */
static int64_t drop_gap_ns(struct fleet *f)
{
    double mean_ns = f->settings->reconnect_s * 1e9 / f->count;

    return (int64_t)(mean_ns * 2 * random_below(&f->random, 1000) / 1000) + 1;
}

void faults_begin(struct fleet *f)
{
    f->next_drop_ns = f->next_freeze_ns = f->next_sip_ns = INT64_MAX;
    if (f->settings->reconnect_s > 0)
        f->next_drop_ns = f->now_ns + drop_gap_ns(f);
    if (f->settings->half_open)
        f->next_freeze_ns = f->now_ns + freeze_gap_ns(f);
    if (f->settings->slow_readers)
        f->next_sip_ns = f->now_ns + SIP_NS;
}

void faults_end(struct fleet *f)
{
    f->next_drop_ns = f->next_freeze_ns = f->next_sip_ns = INT64_MAX;
    LIST_FOREACH (&f->in[TERMINAL_ONLINE], k)
        peer_set_reading(&CONTAINER_OF(k, struct terminal, link)->peer, &f->loop, true);
}

/* One terminal at random; none if those that were looked at cannot. */
static void drop_one(struct fleet *f)
{
    for (int i = 0; i < DROP_ATTEMPTS; i++) {
        struct terminal *t = &f->terminals[random_below(&f->random, f->count)];
        bool by_fin =
            f->settings->ending == ENDING_FIN ||
            (f->settings->ending == ENDING_BOTH && random_below(&f->random, 2));

        if (t->state != TERMINAL_ONLINE || t->role != ROLE_PLAIN ||
            (by_fin && t->peer.wants_out)) /* FIN goes behind all that was sent */
            continue;
        if (by_fin)
            contact_end_by_fin(f, t);
        else
            contact_end_by_reset(f, t);
        return;
    }
}

static void freeze_one(struct fleet *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        struct terminal *t = &f->terminals[f->next_frozen];

        f->next_frozen = (f->next_frozen + 1) % f->count;
        if (t->role == ROLE_HALF_OPEN && t->state == TERMINAL_ONLINE) {
            contact_freeze(f, t);
            return;
        }
    }
}

static void sip(struct fleet *f)
{
    size_t limit = (size_t)(f->settings->slow_bytes_per_s / SIPS_PER_S);

    for (uint32_t i = 0; i < f->count && f->settings->slow_bytes_per_s; i++) {
        struct terminal *t = &f->terminals[i];

        if (t->role == ROLE_SLOW && t->state == TERMINAL_ONLINE)
            (void)receive_some(f, t, limit ? limit : 1);
    }
}

void faults_turn(struct fleet *f)
{
    for (; f->next_drop_ns <= f->now_ns; f->next_drop_ns += drop_gap_ns(f))
        drop_one(f);
    for (; f->next_freeze_ns <= f->now_ns; f->next_freeze_ns += freeze_gap_ns(f))
        freeze_one(f);
    if (f->next_sip_ns <= f->now_ns) {
        sip(f);
        f->next_sip_ns = f->now_ns + SIP_NS;
    }
}

int64_t faults_due_ns(const struct fleet *f)
{
    int64_t due = f->next_drop_ns;

    due = f->next_freeze_ns < due ? f->next_freeze_ns : due;
    return f->next_sip_ns < due ? f->next_sip_ns : due;
}
