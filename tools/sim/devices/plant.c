#include "sim/devices/plant.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define SCRATCH_BYTES    65536
#define LONGEST_SLEEP_NS 100000000
#define RETRY_MS         1000
#define PATIENCE_MS      10000

void plant_fail(struct plant *p, const char *format, ...)
{
    va_list va;

    if (*p->fatal)
        return; /* the first cause is the telling one */
    va_start(va, format);
    vsnprintf(p->fatal, sizeof(p->fatal), format, va);
    va_end(va);
}

/* ---- one device ---- */

static void enter(struct plant *p, struct machine *m, enum machine_state next)
{
    p->online -= m->state == MACHINE_ONLINE;
    p->online += next == MACHINE_ONLINE;
    m->state = (uint8_t)next;
}

void plant_leave(struct plant *p, struct machine *m, int64_t away_ms)
{
    peer_close(&m->peer, &p->loop, false);
    enter(p, m, MACHINE_AWAY);
    m->restarts = false;
    m->owed = 0;
    wheel_arm(&p->wheel, &m->timer, p->now_ms + away_ms);
}

static void on_dropped(struct plant *p, struct machine *m)
{
    p->tally[PLANT_DROPPED]++;
    plant_leave(p, m, RETRY_MS);
}

static void arm(struct plant *p, struct machine *m)
{
    int64_t due_ms = p->now_ms + PATIENCE_MS;

    if (m->state == MACHINE_ONLINE && m->beat_ms < due_ms)
        due_ms = m->beat_ms;
    if (m->state == MACHINE_ONLINE && p->settings->report_ns && m->report_ms < due_ms)
        due_ms = m->report_ms;
    wheel_arm(&p->wheel, &m->timer, due_ms);
}

void plant_send(struct plant *p, struct machine *m, struct slice frames)
{
    if (m->state != MACHINE_AWAY && peer_send(&m->peer, &p->loop, frames) < 0)
        on_dropped(p, m);
}

void plant_form(struct plant *p, const struct machine *m, const struct wire_frame *f,
                struct buf *to)
{
    if (wire_write(to, &m->id, f) < 0)
        plant_fail(p, "out of memory");
}

void plant_say(struct plant *p, struct machine *m, uint16_t message, struct slice body,
               bool wants_answer)
{
    const struct wire_frame f = {.message = message,
                                 .serial = m->serial++,
                                 .body = body};

    if (wants_answer && m->owed++ == 0)
        m->owed_ms = p->now_ms;
    buf_clear(&p->forming);
    plant_form(p, m, &f, &p->forming);
    plant_send(p, m, buf_peek(&p->forming));
}

void plant_acknowledged(struct plant *p, struct machine *m)
{
    if (m->owed == 0) {
        p->tally[PLANT_STRANGE]++; /* nothing was asked */
        return;
    }
    p->tally[PLANT_ACKNOWLEDGED]++;
    m->owed--;
    m->owed_ms = p->now_ms;
}

void plant_accepted(struct plant *p, struct machine *m)
{
    plant_acknowledged(p, m);
    if (m->state != MACHINE_INTRODUCING)
        return;
    p->tally[PLANT_ACCEPTED]++;
    enter(p, m, MACHINE_ONLINE);
    m->beat_ms = p->now_ms + p->settings->heartbeat_ns / 1000000;
    m->report_ms = p->now_ms + p->settings->report_ns / 1000000;
    arm(p, m);
}

void plant_refused(struct plant *p, struct machine *m)
{
    p->tally[PLANT_REFUSED]++;
    plant_leave(p, m, RETRY_MS);
}

/* ---- connections ---- */

static void on_connect_failed(struct plant *p, struct machine *m)
{
    int why = errno;

    p->tally[PLANT_FAILED]++;
    plant_leave(p, m, RETRY_MS);
    if (why == EMFILE || why == ENFILE)
        plant_fail(p, "out of file descriptors: choose a smaller --count");
    else if (!p->tally[PLANT_CONNECTS])
        plant_fail(
            p,
            "cannot connect to %s: %s. Is the gateway running? Start it with ./run, "
            "or name its listener with --address",
            p->settings->address_text, strerror(why));
}

static void begin(struct plant *p, struct machine *m)
{
    enter(p, m, MACHINE_CONNECTING);
    if (peer_connect(&m->peer, &p->loop, &p->target, m->place, m) < 0)
        on_connect_failed(p, m);
    else
        arm(p, m);
}

static void on_connected(struct plant *p, struct machine *m)
{
    p->tally[PLANT_CONNECTS]++;
    p->tally[PLANT_RECONNECTS] += m->has_been;
    m->has_been = true;
    enter(p, m, MACHINE_INTRODUCING);
    p->breed->introduce(p, m);
}

static void on_timer(struct timer *t, int64_t now_ms)
{
    struct machine *m = CONTAINER_OF(t, struct machine, timer);
    struct plant *p = m->plant;

    if (m->state == MACHINE_AWAY) {
        begin(p, m);
        return;
    }
    if (m->owed && now_ms - m->owed_ms >= PATIENCE_MS) {
        p->tally[PLANT_UNANSWERED] += m->owed;
        m->owed = 0;
    }
    if (m->state == MACHINE_ONLINE && now_ms >= m->beat_ms) {
        m->beat_ms += p->settings->heartbeat_ns / 1000000;
        p->tally[PLANT_BEATS]++;
        p->breed->beat(p, m);
    }
    if (m->state == MACHINE_ONLINE && p->settings->report_ns &&
        now_ms >= m->report_ms) {
        m->report_ms += p->settings->report_ns / 1000000;
        p->tally[PLANT_REPORTS]++;
        p->breed->report(p, m);
    }
    if (m->state != MACHINE_AWAY) /* else it has a time to come back */
        arm(p, m);
}

static void take(struct plant *p, struct machine *m, struct slice content)
{
    struct wire_frame f;
    const char *wrong = wire_read(content, &m->id, &f);

    if (!wrong)
        p->breed->take(p, m, &f);
    else
        p->tally[strcmp(wrong, "id") == 0 ? PLANT_MISROUTED : PLANT_DAMAGED]++;
}

static void read_some(struct plant *p, struct machine *m)
{
    struct slice in, content;
    bool is_damaged;
    int rc = peer_read(&m->peer, &p->scratch, SCRATCH_BYTES, &in);

    if (rc == ERR_BUSY)
        return;
    if (rc < 0) {
        on_dropped(p, m);
        return;
    }
    while (m->state != MACHINE_AWAY) {
        size_t used = wire_cut(in, p->room, &content, &is_damaged);

        if (used == 0)
            break;
        in = slice_from(in, used);
        p->tally[PLANT_DAMAGED] += is_damaged;
        if (content.size)
            take(p, m, content);
    }
    if (m->state != MACHINE_AWAY && peer_keep(&m->peer, in) < 0)
        plant_fail(p, "out of memory");
}

static void on_event(void *context, void *owner, uint32_t events)
{
    struct plant *p = context;
    struct machine *m = owner;

    if (m->state == MACHINE_CONNECTING) {
        if (peer_connected(&m->peer, &p->loop) < 0)
            on_connect_failed(p, m);
        else
            on_connected(p, m);
        return;
    }
    if (events & EPOLLOUT && peer_flush(&m->peer, &p->loop) < 0)
        on_dropped(p, m);
    else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_some(p, m);
}

/* ---- all of them ---- */

static void look_at_clock(struct plant *p)
{
    p->now_ns = loop_now_ns();
    p->now_ms = p->now_ns / 1000000;
}

int plant_open(struct plant *p, const struct plant_settings *s, _Atomic bool *stop)
{
    int rc = ERR_NOMEM;

    *p = (struct plant){
        .settings = s,
        .breed = s->is_jt808 ? &vehicle_breed : &vending_breed,
        .stop = stop,
        .loop = {-1},
        .target = {.to = s->address, .source_addresses = (unsigned)s->source_addresses},
        .scratch.size = SCRATCH_BYTES,
    };
    list_init(&p->late);
    look_at_clock(p);
    p->opened_ns = p->now_ns;
    wheel_init(&p->wheel, p->now_ms);
    if (!(p->scratch.mem = malloc(SCRATCH_BYTES)) ||
        !(p->machines = calloc(s->count, sizeof(*p->machines))))
        goto fail;
    for (uint32_t i = 0; i < s->count; i++) {
        struct machine *m = &p->machines[i];

        m->peer.fd = -1;
        m->plant = p;
        m->place = i;
        m->timer.expired = on_timer;
        p->breed->identify(s, m);
        wheel_arm(&p->wheel, &m->timer, p->now_ms + (int64_t)i * s->ramp_ns / 1000000);
    }
    if ((rc = loop_open(&p->loop)) < 0)
        goto fail;
    return OK;
fail:
    plant_close(p);
    return rc;
}

void plant_close(struct plant *p)
{
    plant_forget_late(p);
    for (uint64_t i = 0; p->machines && i < p->settings->count; i++) {
        struct machine *m = &p->machines[i];

        peer_close(&m->peer, &p->loop, false);
        buf_fini(&m->parameters);
        buf_fini(&m->packages);
    }
    buf_fini(&p->forming);
    free(p->machines);
    free(p->scratch.mem);
    loop_close(&p->loop);
    p->machines = NULL;
    p->scratch.mem = NULL;
}

bool plant_turn(struct plant *p)
{
    const struct plant_settings *s = p->settings;
    int64_t next_ms = wheel_next(&p->wheel), sleep_ns = LONGEST_SLEEP_NS;

    if (next_ms < p->now_ms + sleep_ns / 1000000)
        sleep_ns = next_ms > p->now_ms ? (next_ms - p->now_ms) * 1000000 : 0;
    loop_turn(&p->loop, sleep_ns, on_event, p);
    look_at_clock(p);
    wheel_advance(&p->wheel, p->now_ms);
    return !*p->fatal && !atomic_load_explicit(p->stop, memory_order_relaxed) &&
           (!s->time_ns || p->now_ns - p->opened_ns < s->time_ns) &&
           (!s->commands || p->tally[PLANT_COMMANDS] < s->commands);
}

/* Who has introduced itself only now may still be answered. */
void plant_finish(struct plant *p)
{
    for (uint64_t i = 0; i < p->settings->count; i++) {
        const struct machine *m = &p->machines[i];

        p->tally[PLANT_ABSENT] +=
            m->state == MACHINE_INTRODUCING && p->now_ms - m->owed_ms > RETRY_MS;
    }
}

bool plant_is_good(const struct plant *p)
{
    static const bool is_bad[] = {
#define X(name, word, text, bad) bad,
        PLANT_TALLIES(X)
#undef X
    };

    for (size_t i = 0; i < ARRAY_LEN(is_bad); i++)
        if (is_bad[i] && p->tally[i])
            return false;
    return true;
}
