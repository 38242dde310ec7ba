#include "sim/terminals/traffic.h"
#include "sim/terminals/contact.h"
#include "sim/terminals/message.h"
#include "codec/ttms.h"

#include <stdlib.h>

#define PARTNERS        8  /* with --pattern random */
#define WRITES_PER_TURN 16 /* of one terminal; then the others and the loop */
#define BURSTS_PER_TURN 256
#define STALL_NS        MS /* how long to wait when nobody can send */

static uint32_t flows_per_terminal(const struct fleet *f, uint32_t place)
{
    switch ((enum pattern)f->settings->pattern) {
    case PATTERN_PAIRS:
        return (place ^ 1) < f->count ? 1 : 0; /* the odd one out listens */
    case PATTERN_RING:
        return 1;
    case PATTERN_RANDOM:
        return PARTNERS;
    case PATTERN_FAN_IN:
        return place == 0 ? 0 : 1;
    case PATTERN_NONE:
        break;
    }
    return 0;
}

static uint32_t choose_target(struct fleet *f, uint32_t place)
{
    switch ((enum pattern)f->settings->pattern) {
    case PATTERN_PAIRS:
        return place ^ 1;
    case PATTERN_RING:
        return (place + 1) % f->count;
    case PATTERN_RANDOM:
        return (place + 1 + random_below(&f->random, f->count - 1)) % f->count;
    default:
        return 0;
    }
}

int traffic_plan(struct fleet *f)
{
    uint32_t next = 0;

    for (uint32_t i = 0; i < f->count; i++) {
        f->terminals[i].first_flow = f->flow_count;
        f->terminals[i].flow_count = flows_per_terminal(f, i);
        f->flow_count += f->terminals[i].flow_count;
    }
    if (!(f->flows = calloc(f->flow_count ? f->flow_count : 1, sizeof(*f->flows))))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < f->count; i++)
        for (uint32_t n = 0; n < f->terminals[i].flow_count; n++) {
            f->flows[next].sender = i;
            f->flows[next++].target = choose_target(f, i);
        }
    return OK;
}

bool traffic_is_over(const struct fleet *f)
{
    return f->messages && f->tally.n[TALLY_SENT] >= f->messages;
}

static bool can_send(const struct fleet *f, const struct terminal *t)
{
    uint64_t window = f->settings->window;

    return t->state == TERMINAL_ONLINE && t->flow_count > 0 && !t->peer.wants_out &&
           (window == 0 || t->awaited + f->settings->burst <= window) &&
           !traffic_is_over(f);
}

/* Forms one message of `t` at `to`. */
static int form_message(struct fleet *f, struct terminal *t, int64_t time_ns,
                        uint8_t *to)
{
    uint8_t length = settings_length(f->settings);
    size_t content = f->settings->size - ttms_formed_size(0, length);
    uint32_t which = t->flow_count > 1 ? random_below(&f->random, t->flow_count) : 0;
    struct flow *flow = &f->flows[t->first_flow + which];
    uint32_t target = f->terminals[flow->target].id;
    struct message m = {.run = f->run,
                        .kind = f->settings->traps ? MESSAGE_TRAP : MESSAGE_PLAIN,
                        .flow = t->first_flow + which,
                        .sender = t->id,
                        .target = target,
                        .number = flow->sent,
                        .time_ns = time_ns};

    if (f->settings->receipts && receipts_sent(&t->receipts, m.flow, m.number) < 0)
        return ERR_NOMEM;
    message_write(&m, f->content, content);
    ttms_form(TTMS_DATA, target, slice_of(f->content, content), length, to);
    flow->sent++;
    t->awaited++;
    f->tally.awaited++;
    fleet_count(f, TALLY_SENT);
    return OK;
}

/* One write. `time_ns` is what latency counts from. */
static void send_burst(struct fleet *f, struct terminal *t, int64_t time_ns)
{
    size_t size = 0;
    int rc = OK;

    for (uint64_t i = 0; i < f->settings->burst && rc == OK && !traffic_is_over(f);
         i++) {
        rc = form_message(f, t, time_ns, f->burst + size);
        size += rc == OK ? f->settings->size : 0;
    }
    if (rc < 0 || peer_send(&t->peer, &f->loop, slice_of(f->burst, size)) < 0)
        contact_on_broken(f, t);
}

void traffic_wake(struct fleet *f, struct terminal *t)
{
    f->stalled = false;
    if (f->settings->flood && !link_is_on_list(&t->ready) && can_send(f, t))
        list_append(&f->ready, &t->ready);
}

void traffic_settled(struct fleet *f, const struct flow *flow)
{
    struct terminal *t = &f->terminals[flow->sender];

    t->awaited--;
    f->tally.awaited--;
    f->news_ns = f->now_ns;
    traffic_wake(f, t);
}

static void flood(struct fleet *f)
{
    for (size_t n = f->ready.length; n > 0; n--) {
        struct terminal *t = CONTAINER_OF(list_pop(&f->ready), struct terminal, ready);

        for (int i = 0; i < WRITES_PER_TURN && can_send(f, t); i++)
            send_burst(f, t, loop_now_ns());
        traffic_wake(f, t);
    }
}

/* When the next burst is meant to leave, whether or not we manage. */
static int64_t burst_due_ns(const struct fleet *f)
{
    double interval_ns = 1e9 * (double)f->settings->burst / f->rate;

    return f->run_ns + (int64_t)(f->bursts_begun * interval_ns);
}

static struct terminal *next_sender(struct fleet *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        struct terminal *t = &f->terminals[f->turn];

        f->turn = f->turn + 1 < f->count ? f->turn + 1 : 0;
        if (can_send(f, t))
            return t;
    }
    return NULL;
}

static void pace(struct fleet *f)
{
    for (int i = 0; i < BURSTS_PER_TURN && burst_due_ns(f) <= f->now_ns; i++) {
        struct terminal *t = next_sender(f);

        f->stalled = t == NULL;
        if (!t)
            return;
        send_burst(f, t, burst_due_ns(f));
        f->bursts_begun++;
    }
}

static void beat(struct fleet *f)
{
    struct link *k;

    while ((k = list_first(&f->beats))) {
        struct terminal *t = CONTAINER_OF(k, struct terminal, beat);
        uint8_t frame[TTMS_MAX_FORMED];
        size_t size;

        if (t->beat_ns + f->settings->heartbeat_ns > f->now_ns)
            return;
        list_remove(&f->beats, k);
        list_append(&f->beats, k);
        t->beat_ns = f->now_ns;
        if (t->peer.wants_out)
            continue; /* what waits there proves enough that it lives */
        size = contact_form_heartbeat(f, t, frame);
        if (peer_send(&t->peer, &f->loop, slice_of(frame, size)) < 0)
            contact_on_broken(f, t);
        else
            fleet_count(f, TALLY_HEARTBEATS);
    }
}

void traffic_turn(struct fleet *f)
{
    beat(f);
    if (f->phase != PHASE_RUN || f->flow_count == 0)
        return;
    if (f->settings->flood)
        flood(f);
    else
        pace(f);
}

int64_t traffic_due_ns(const struct fleet *f)
{
    struct link *k = list_first(&f->beats);
    int64_t due = INT64_MAX;

    if (k)
        due =
            CONTAINER_OF(k, struct terminal, beat)->beat_ns + f->settings->heartbeat_ns;
    if (f->phase != PHASE_RUN || f->flow_count == 0)
        return due;
    if (f->settings->flood)
        return f->ready.length ? 0 : due;
    if (f->stalled)
        return f->now_ns + STALL_NS < due ? f->now_ns + STALL_NS : due;
    return burst_due_ns(f) < due ? burst_due_ns(f) : due;
}
