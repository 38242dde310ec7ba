#include "sim/terminals/fleet.h"
#include "sim/terminals/contact.h"
#include "sim/terminals/faults.h"
#include "sim/terminals/message.h"
#include "sim/terminals/receive.h"
#include "sim/terminals/traffic.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES       (128u << 10)
#define SCRATCH_BYTES    (512u << 10)
#define COMPLAINTS       10
#define PUBLISH_NS       (100LL * MS)
#define LONGEST_SLEEP_NS (100LL * MS)
#define CONNECT_NEWS_NS  (10000LL * MS)
#define LINGER_NS        (200LL * MS) /* a duplicate that is still to come shows now */

static const uint8_t may_become[TERMINAL_STATES] = {
    [TERMINAL_IDLE] = BIT(TERMINAL_CONNECTING),
    [TERMINAL_RETRY] = BIT(TERMINAL_IDLE),
    [TERMINAL_CONNECTING] = BIT(TERMINAL_REGISTERING) | BIT(TERMINAL_RETRY),
    [TERMINAL_REGISTERING] = BIT(TERMINAL_REGISTERING) | BIT(TERMINAL_ONLINE) |
                             BIT(TERMINAL_IDLE) | BIT(TERMINAL_RETRY),
    [TERMINAL_ONLINE] = BIT(TERMINAL_LEAVING) | BIT(TERMINAL_AWAY) |
                        BIT(TERMINAL_FROZEN) | BIT(TERMINAL_IDLE) | BIT(TERMINAL_RETRY),
    [TERMINAL_LEAVING] = BIT(TERMINAL_AWAY),
    [TERMINAL_AWAY] = BIT(TERMINAL_IDLE),
    [TERMINAL_FROZEN] = BIT(TERMINAL_IDLE),
};

void fleet_enter(struct fleet *f, struct terminal *t, enum terminal_state next)
{
    assert(may_become[t->state] & BIT(next));
    list_remove(&f->in[t->state], &t->link);
    list_append(&f->in[next], &t->link);
    if (t->state == TERMINAL_ONLINE)
        list_remove(&f->beats, &t->beat);
    if (next == TERMINAL_ONLINE) {
        list_append(&f->beats, &t->beat);
        t->beat_ns = f->now_ns;
    }
    t->state = (uint8_t)next;
    t->since_ns = f->now_ns;
}

void fleet_fail(struct fleet *f, const char *format, ...)
{
    va_list va;

    if (*f->fatal)
        return; /* the first cause is the telling one */
    va_start(va, format);
    vsnprintf(f->fatal, sizeof(f->fatal), format, va);
    va_end(va);
}

void fleet_complain(struct fleet *f, const char *format, ...)
{
    char text[256];
    va_list va;

    if (f->complaints++ >= COMPLAINTS)
        return;
    va_start(va, format);
    vsnprintf(text, sizeof(text), format, va);
    va_end(va);
    fprintf(stderr, "%s%s\n", text,
            f->complaints == COMPLAINTS ? " (and no more of this)" : "");
}

/* Its part when `whole` is dealt out in `shares`. */
static uint64_t share_of(uint64_t whole, uint64_t share, uint64_t shares)
{
    return whole * (share + 1) / shares - whole * share / shares;
}

static int open_terminals(struct fleet *f, uint32_t first)
{
    if (!(f->terminals = calloc(f->count, sizeof(*f->terminals))))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < f->count; i++) {
        struct terminal *t = &f->terminals[i];

        t->peer.fd = t->ghost = -1;
        t->place = i;
        t->id = (uint32_t)f->settings->first_id + first + i;
        list_append(&f->in[TERMINAL_IDLE], &t->link);
    }
    return OK;
}

int fleet_open(struct fleet *f, const struct settings *s, uint32_t share,
               _Atomic bool *stop, uint32_t run)
{
    uint64_t first = s->count * share / s->threads;
    int rc = ERR_NOMEM;

    *f = (struct fleet){
        .settings = s,
        .target = {.to = s->address, .source_addresses = (unsigned)s->source_addresses},
        .loop = {-1},
        .random = random_of(s->seed + share),
        .run = run,
        .rate = s->rate / (double)s->threads,
        .messages = share_of(s->messages, share, s->threads),
        .count = (uint32_t)share_of(s->count, share, s->threads),
        .stop = stop,
        .next_drop_ns = INT64_MAX,
        .next_freeze_ns = INT64_MAX,
        .next_sip_ns = INT64_MAX,
        .window = {.lock = PTHREAD_MUTEX_INITIALIZER},
    };
    for (int i = 0; i < TERMINAL_STATES; i++)
        list_init(&f->in[i]);
    list_init(&f->beats);
    list_init(&f->ready);
    f->scratch.size = SCRATCH_BYTES;
    if (!(f->scratch.mem = malloc(SCRATCH_BYTES)) ||
        !(f->burst = malloc(s->burst * s->size)) || !(f->content = malloc(s->size)))
        goto fail;
    if ((rc = open_terminals(f, (uint32_t)first)) < 0 || (rc = traffic_plan(f)) < 0 ||
        (rc = loop_open(&f->loop)) < 0)
        goto fail;
    faults_plan(f, share_of(s->slow_readers, share, s->threads),
                share_of(s->half_open, share, s->threads));
    return OK;
fail:
    fleet_close(f);
    return rc;
}

void fleet_close(struct fleet *f)
{
    for (uint32_t i = 0; f->terminals && i < f->count; i++) {
        struct terminal *t = &f->terminals[i];

        peer_close(&t->peer, &f->loop, false);
        receipts_fini(&t->receipts);
        if (t->ghost >= 0)
            close(t->ghost);
    }
    for (uint32_t i = 0; f->flows && i < f->flow_count; i++)
        flow_fini(&f->flows[i]);
    free(f->terminals);
    free(f->flows);
    free(f->scratch.mem);
    free(f->burst);
    free(f->content);
    loop_close(&f->loop);
    f->terminals = NULL;
    f->flows = NULL;
    f->scratch.mem = f->burst = f->content = NULL;
}

static void on_event(void *context, void *owner, uint32_t events)
{
    struct fleet *f = context;
    struct terminal *t = owner;

    if (t->state == TERMINAL_CONNECTING || (events & EPOLLOUT)) {
        contact_on_writable(f, t);
        if (t->peer.fd < 0)
            return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && t->peer.reads)
        (void)receive_some(f, t, READ_BYTES);
    else if (events & (EPOLLHUP | EPOLLERR) && t->state != TERMINAL_CONNECTING)
        peer_set_reading(&t->peer, &f->loop, true); /* a slow one, and it has ended */
}

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 * MS + t.tv_nsec;
}

static void enter_phase(struct fleet *f, enum phase next)
{
    f->phase = next;
    f->phase_ns = f->news_ns = f->now_ns;
    if (next == PHASE_RUN) {
        f->complete_ns = f->run_ns = f->last_ns = f->now_ns;
        f->run_cpu_ns = cpu_ns();
        faults_begin(f);
        for (uint32_t i = 0; i < f->count; i++)
            traffic_wake(f, &f->terminals[i]);
    } else if (next == PHASE_SETTLE) {
        f->stopped_ns = f->now_ns;
        if (f->stopped_ns > f->run_ns)
            f->cpu = (double)(cpu_ns() - f->run_cpu_ns) /
                     (double)(f->stopped_ns - f->run_ns);
        faults_end(f);
    }
}

static uint64_t undecided(const struct fleet *f)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < f->count; i++)
        n += receipts_waiting(&f->terminals[i].receipts);
    return n;
}

static bool is_settled(const struct fleet *f)
{
    return f->tally.awaited == 0 && f->in[TERMINAL_ONLINE].length == f->count &&
           (!f->settings->receipts || undecided(f) == 0);
}

static void connect_phase(struct fleet *f)
{
    if (f->in[TERMINAL_ONLINE].length == f->count)
        enter_phase(f, PHASE_RUN);
    else if (f->now_ns - f->news_ns > CONNECT_NEWS_NS)
        fleet_fail(
            f,
            "%zu of %u terminals are registered, and for 10 s no other was. Does "
            "the gateway's log say why?%s",
            f->in[TERMINAL_ONLINE].length, f->count,
            f->settings->confirm == CONFIRM_ECHO
                ? " --confirm echo needs a listener with reply_heartbeats: true"
                : "");
}

static void turn_phase(struct fleet *f)
{
    bool told = atomic_load_explicit(f->stop, memory_order_relaxed);

    switch (f->phase) {
    case PHASE_CONNECT:
        connect_phase(f);
        if (told)
            fleet_fail(f, "interrupted before all terminals were registered");
        break;
    case PHASE_RUN:
        if (told || traffic_is_over(f) ||
            (!f->messages && f->now_ns - f->run_ns >= f->settings->time_ns))
            enter_phase(f, PHASE_SETTLE);
        break;
    case PHASE_SETTLE:
        if (is_settled(f))
            enter_phase(f, PHASE_LINGER);
        else if (f->now_ns - f->news_ns >= f->settings->settle_ns)
            enter_phase(f, PHASE_DONE);
        break;
    case PHASE_LINGER:
        if (f->now_ns - f->phase_ns >= LINGER_NS)
            enter_phase(f, PHASE_DONE);
        break;
    case PHASE_DONE:
        break;
    }
    if (*f->fatal)
        f->phase = PHASE_DONE;
}

static void publish(struct fleet *f)
{
    f->tally.online = f->in[TERMINAL_ONLINE].length;
    f->published_ns = f->now_ns;
    pthread_mutex_lock(&f->window.lock);
    f->window.seen = f->tally;
    pthread_mutex_unlock(&f->window.lock);
}

static int64_t until_due(const struct fleet *f)
{
    int64_t due = f->now_ns + LONGEST_SLEEP_NS;
    int64_t others[] = {contact_due_ns(f), faults_due_ns(f), traffic_due_ns(f),
                        f->phase == PHASE_RUN && !f->messages
                            ? f->run_ns + f->settings->time_ns
                            : INT64_MAX};

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        due = others[i] < due ? others[i] : due;
    return due > f->now_ns ? due - f->now_ns : 0;
}

/* What is still under way now is lost. */
static void take_stock(struct fleet *f)
{
    struct range r;

    for (uint32_t i = 0; i < f->flow_count; i++) {
        const struct flow *flow = &f->flows[i];

        f->tally.n[TALLY_LOST] += flow_awaited(flow);
        f->tally.n[TALLY_UNCONFIRMED] += flow_doubtful(flow);
        if (flow_first_awaited(flow, &r))
            fleet_complain(f, "messages %llu .. %llu from %08x to %08x are lost",
                           (unsigned long long)r.from, (unsigned long long)r.to - 1,
                           f->terminals[flow->sender].id,
                           f->terminals[flow->target].id);
    }
    assert(f->tally.n[TALLY_LOST] == f->tally.awaited);
    if (f->settings->receipts)
        f->tally.n[TALLY_UNDECIDED] = undecided(f);
    f->tally.n[TALLY_ABSENT] = f->count - f->in[TERMINAL_ONLINE].length;
}

void fleet_run(struct fleet *f)
{
    f->now_ns = f->opened_ns = loop_now_ns();
    enter_phase(f, PHASE_CONNECT);
    while (f->phase != PHASE_DONE) {
        loop_turn(&f->loop, until_due(f), on_event, f);
        f->now_ns = loop_now_ns();
        contact_turn(f);
        faults_turn(f);
        traffic_turn(f);
        turn_phase(f);
        if (f->now_ns - f->published_ns >= PUBLISH_NS)
            publish(f);
    }
    take_stock(f);
    f->tally.ended = 1;
    publish(f);
}
