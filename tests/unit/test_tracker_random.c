/* test_tracker_random.c - devices come, speak, fall silent, are taken over and renamed,
 * the gateway ends and starts again, the clock jumps: whatever happens, the events tell
 * one story.
 *
 * Two shards, terminals on socket pairs, a clock of our own. The story is checked event
 * by event as it grows, and what it says must be what the registry shows; at the end it
 * is read once more from its beginning. */
#include "relayrig.h"

#include "base/clock.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>

static int64_t now_mono_ms, now_wall_ms;

/* Instead of base/clock.c. */
int64_t clock_mono_ms(void)
{
    return now_mono_ms;
}

int64_t clock_mono_us(void)
{
    return now_mono_ms * 1000;
}

int64_t clock_wall_ms(void)
{
    return now_wall_ms;
}

#define DEVICES  10
#define PEERS    40
#define GRACE_MS 60000

static unsigned running_seed;

static int below(int n)
{
    return rand() % n;
}

/* ---- the story: what the events say of each device ---- */

struct chapter {
    uint8_t state;
    uint32_t epoch, sequence;
    int64_t time_ms;
};

struct story {
    struct chapter devices[DEVICES];
    uint64_t cursor; /* of the newest event read */
    uint64_t events;
    uint64_t to[PRESENCE_COUNT];
};

static struct story story;

static struct id id_of(unsigned device)
{
    struct id id;
    char text[9];
    int rc;

    snprintf(text, sizeof(text), "%08x", device + 1);
    rc = id_make(PROTOCOL_TTMS, slice_of(text, 8), &id);
    assert_int_equal(rc, OK);
    return id;
}

static unsigned device_of(const struct id *id)
{
    for (unsigned d = 0; d < DEVICES; d++) {
        struct id mine = id_of(d);

        if (id_equal(&mine, id))
            return d;
    }
    fail_msg("an event of a device that nobody is");
    return 0;
}

static bool reason_is(const struct event *e, const char *word)
{
    return e->reason.size == strlen(word) &&
           memcmp(e->reason.data, word, e->reason.size) == 0;
}

static bool tell(void *user, const struct event *e)
{
    struct story *s = user;
    struct chapter *c = &s->devices[device_of(&e->device)];

    assert_int_equal(e->kind, EVENT_PRESENCE);
    assert_true(e->cursor > s->cursor);
    assert_int_equal(e->from, c->state);
    assert_true(presence_may_move(e->from, e->to));
    assert_int_equal(e->sequence, c->sequence + 1);
    assert_true(e->epoch > c->epoch ||
                (e->epoch == c->epoch && e->from != PRESENCE_CLOSE));
    assert_true(e->time_ms >= c->time_ms);
    /* A connection whose successor is here closes nobody. */
    assert_false(reason_is(e, "replaced"));
    assert_false(reason_is(e, "drained"));
    *c = (struct chapter){.state = e->to,
                          .epoch = e->epoch,
                          .sequence = e->sequence,
                          .time_ms = e->time_ms};
    s->cursor = e->cursor;
    s->events++;
    s->to[e->to]++;
    return true;
}

static void story_begin(struct story *s)
{
    *s = (struct story){0};
    for (unsigned d = 0; d < DEVICES; d++)
        s->devices[d].state = PRESENCE_CLOSE;
}

static void read_on(struct story *s)
{
    assert_int_equal(journal_read(relay_rig.journal, s->cursor, tell, s), OK);
}

/* ---- the terminals ---- */

struct peer {
    int fd;          /* -1: none */
    unsigned device; /* what it said last; DEVICES: nothing yet */
    unsigned number; /* of the connection */
};

static struct peer peers[PEERS];
static unsigned connections;

static void beat(struct peer *p, unsigned device)
{
    uint8_t frame[64];

    ttms_form(TTMS_HEARTBEAT, device + 1, slice_of("\0\0\3\350", 4), TTMS_LENGTH_TOTAL,
              frame);
    (void)!send(p->fd, frame, ttms_formed_size(4, TTMS_LENGTH_TOTAL), MSG_NOSIGNAL);
    p->device = device;
}

static void write_to(struct peer *p, unsigned target)
{
    uint8_t frame[64];

    ttms_form(TTMS_DATA, target + 1, slice_of("hi", 2), TTMS_LENGTH_TOTAL, frame);
    (void)!send(p->fd, frame, ttms_formed_size(2, TTMS_LENGTH_TOTAL), MSG_NOSIGNAL);
}

static void hang_up(struct peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    *p = (struct peer){.fd = -1, .device = DEVICES};
}

static void come(struct peer *p)
{
    hang_up(p);
    p->fd = relay_rig_connect((unsigned)below(RELAY_SHARDS));
    p->number = ++connections;
    if (below(8))
        beat(p, (unsigned)below(DEVICES));
}

/* Reads what came; a peer that the gateway has closed hangs up, too. */
static void listen_to(struct peer *p)
{
    uint8_t bytes[4096];
    ssize_t n;

    if (p->fd < 0)
        return;
    while ((n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        ;
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        hang_up(p);
}

/* ---- what must hold when nothing is under way ---- */

static struct relay *home_of(unsigned device)
{
    struct id id = id_of(device);
    uint64_t hash = relay_hash(&relay_rig.group, &id);

    return &relay_rig.relays[relay_shard_of(&relay_rig.group, hash)];
}

static struct terminal *terminal_of_device(unsigned device)
{
    struct id id = id_of(device);
    struct device *d = registry_find(&home_of(device)->terminals, &id,
                                     relay_hash(&relay_rig.group, &id));

    return d ? terminal_of(d) : NULL;
}

/* The connection that speaks for it, or NULL. */
static const struct peer *peer_of(unsigned device)
{
    const struct peer *found = NULL;

    for (unsigned i = 0; i < PEERS; i++)
        if (peers[i].fd >= 0 && peers[i].device == device) {
            assert_null(found); /* the older one was replaced */
            found = &peers[i];
        }
    return found;
}

static int64_t grace_until_ms;
static struct {
    unsigned connection;
    uint32_t epoch;
} seen[DEVICES];

/* Each connection begins an epoch, though a take-over is no event. */
static void check_epoch(unsigned device, const struct device_view *view)
{
    const struct peer *p = peer_of(device);

    assert_true(view->epoch >= story.devices[device].epoch);
    assert_true(view->epoch >= seen[device].epoch);
    if (p && p->number != seen[device].connection) {
        assert_true(view->epoch > seen[device].epoch);
        seen[device].connection = p->number;
    }
    seen[device].epoch = view->epoch;
}

static void check_device(unsigned device)
{
    struct terminal *t = terminal_of_device(device);
    const struct chapter *c = &story.devices[device];
    bool here = peer_of(device) != NULL;
    struct device_view view;

    if (!t) {
        assert_false(here);
        assert_int_equal(c->sequence, 0);
        return;
    }
    tracker_view(home_of(device), t, &view);
    assert_int_equal(view.connected, here);
    assert_int_equal(view.state, c->state);
    assert_int_equal(view.sequence, c->sequence);
    check_epoch(device, &view);
    assert_true(c->sequence == 0 || view.since_ms == c->time_ms);
    if (here)
        assert_int_not_equal(view.state, PRESENCE_CLOSE);
    else if (now_mono_ms >= grace_until_ms)
        assert_int_equal(view.state, PRESENCE_CLOSE);
}

static void check_everything(void)
{
    for (int round = 0; round < 3; round++) {
        relay_rig_settle();
        for (unsigned i = 0; i < PEERS; i++)
            listen_to(&peers[i]);
    }
    read_on(&story);
    for (unsigned d = 0; d < DEVICES; d++)
        check_device(d);
}

/* ---- steps ---- */

static void pass(int64_t ms)
{
    now_mono_ms += ms;
    now_wall_ms += ms;
}

static void kick(unsigned device)
{
    struct terminal *t = terminal_of_device(device);

    if (t && t->conn)
        conn_close(t->conn, CLOSE_KICKED);
}

/* Whatever the peers do while it ends: nobody is moved by the end itself. */
static void restart(void)
{
    bool quiet = below(2);
    uint64_t events;

    for (unsigned i = 0; i < PEERS; i++)
        if (below(2))
            hang_up(&peers[i]);
    if (quiet)
        check_everything();
    events = story.events;
    if (!quiet && below(4)) { /* it is killed: from here on nothing is kept */
        read_on(&story);      /* what somebody has read is true all the same */
        store_mem_fail(&journal_store, MEM_BEGIN, 1, UINT_MAX, ERR_IO);
    }
    relay_rig_close();
    store_mem_fail(&journal_store, MEM_BEGIN, 0, 0, OK);
    for (unsigned i = 0; i < PEERS; i++)
        hang_up(&peers[i]);
    pass(below(100000));
    relay_rig_open();
    grace_until_ms = now_mono_ms + GRACE_MS;
    check_everything();
    assert_true(!quiet || story.events == events);
}

static void step(void)
{
    struct peer *p = &peers[below(PEERS)];
    unsigned device = (unsigned)below(DEVICES);

    switch (below(32)) {
    case 0 ... 7:
        come(p);
        break;
    case 8 ... 9:
        hang_up(p);
        break;
    case 10 ... 17:
        if (p->fd >= 0 && p->device < DEVICES)
            beat(p, p->device);
        break;
    case 18:
        if (p->fd >= 0)
            beat(p, device); /* under another name, or its first */
        break;
    case 19:
        if (p->fd >= 0 && p->device < DEVICES)
            write_to(p, device);
        break;
    case 20:
        kick(device);
        break;
    case 21 ... 24:
        pass(below(15000));
        break;
    case 25:
        if (below(10) == 0)
            pass(below(3000000));
        break;
    case 26:
        now_wall_ms += (below(3) - 1) * 86400000ll; /* somebody sets the date */
        break;
    case 27:
        if (below(20) == 0)
            restart();
        break;
    case 28:
        check_everything();
        break;
    default:
        relay_rig_turn();
    }
}

static void choose_policy(void)
{
    relay_rig.settings.common.presence = (struct presence_policy){
        .rule = (uint8_t)below(3),
        .rejoin = below(2) ? PRESENCE_LEAVE : PRESENCE_ALIVE,
        .threshold = 1 + (uint32_t)below(5),
        .strikes = 1 + (uint32_t)below(3),
        .recover = 1 + (uint32_t)below(5),
        .interval_ms = 10000,
        .leave_hold_ms = below(200000),
        .timeout_ms = 60000,
    };
}

/* The whole of it once more, as a reader who comes late sees it. */
static void read_again(void)
{
    struct story again;

    story_begin(&again);
    read_on(&again);
    assert_int_equal(again.events, story.events);
    assert_memory_equal(again.devices, story.devices, sizeof(story.devices));
}

static int tell_seed(void **state)
{
    (void)state;
    if (running_seed)
        print_error("the seed was %u\n", running_seed);
    return 0;
}

static void whatever_happens_the_events_tell_one_story(void **state)
{
    uint64_t to[PRESENCE_COUNT] = {0};

    (void)state;
    for (running_seed = 1; running_seed <= 300; running_seed++) {
        srand(running_seed);
        now_mono_ms = 1000000;
        now_wall_ms = 1700000000000;
        grace_until_ms = 0;
        store_mem_wipe();
        relay_rig_defaults();
        choose_policy();
        relay_rig_open();
        story_begin(&story);
        memset(seen, 0, sizeof(seen));
        for (unsigned i = 0; i < PEERS; i++)
            peers[i] = (struct peer){.fd = -1, .device = DEVICES};
        for (int i = 0; i < 1500; i++)
            step();
        check_everything();
        read_again();
        for (int s = 0; s < PRESENCE_COUNT; s++)
            to[s] += story.to[s];
        relay_rig_close();
        for (unsigned i = 0; i < PEERS; i++)
            hang_up(&peers[i]);
    }
    running_seed = 0;
    print_message("to alive %llu, to leave %llu, to close %llu\n",
                  (unsigned long long)to[PRESENCE_ALIVE],
                  (unsigned long long)to[PRESENCE_LEAVE],
                  (unsigned long long)to[PRESENCE_CLOSE]);
    for (int s = 0; s < PRESENCE_COUNT; s++)
        assert_true(to[s] > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(whatever_happens_the_events_tell_one_story,
                                  tell_seed),
    };

    log_setup(LOG_ERROR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
