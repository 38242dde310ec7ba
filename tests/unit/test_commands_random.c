/* test_commands_random.c - devices come, answer, fall silent and are taken over; calls
 * are made with everything that they may have, withdrawn and looked at; the disk fails,
 * the gateway ends, is killed and starts again: whatever happens,
 *
 *   - each order comes back exactly once;
 *   - each ticket's events tell one story, each step of which is allowed;
 *   - an answer that was told is told again by everybody who asks, also after a kill;
 *   - what was accepted with a ttl is never lost: it is found, as long as it is
 *     remembered;
 *   - nothing is sent after its time was over, after it was withdrawn, or after its
 *     answer was told; and `in_flight` is never exceeded. */
#include "commandsrig.h"

#include <errno.h>

#define DEVICES 4
#define ORDERS  48
#define TICKETS 4096

static unsigned running_seed;

static int below(int n)
{
    return rand() % n;
}

/* ---- what is known of each ticket, from its events ---- */

struct known {
    uint64_t number;
    uint8_t state;
    bool was_answered; /* that was told */
    bool is_durable;   /* somebody was told that it is accepted, with a ttl */
    bool is_final;     /* told: it can not be sent any more */
};

static struct known known[TICKETS];
static unsigned known_count;
static uint64_t events_read;
static uint64_t to[TICKET_STATE_LIMIT];

static struct known *known_of(uint64_t number)
{
    for (unsigned i = 0; i < known_count; i++)
        if (known[i].number == number)
            return &known[i];
    assert_true(known_count < TICKETS);
    known[known_count] = (struct known){.number = number};
    return &known[known_count++];
}

static bool read_event(void *user, const struct event *e)
{
    struct known *t;

    (void)user;
    events_read = e->cursor;
    if (e->kind != EVENT_COMMAND)
        return true;
    t = known_of(e->ticket);
    assert_true(e->from ? ticket_may_become(e->from, e->to) : e->to == TICKET_QUEUED);
    /* After a kill it goes on from what the disk knew. */
    t->state = e->to;
    to[e->to]++;
    return true;
}

static void read_events(void)
{
    assert_int_equal(journal_read(relay_rig.journal, events_read, read_event, NULL),
                     OK);
}

/* ---- orders ---- */

static struct order orders[ORDERS];
static bool under_way[ORDERS];

static void learn(const struct ticket_view *v, bool knows_ttl)
{
    struct known *t = known_of(v->ticket);

    assert_true(v->state >= TICKET_QUEUED && v->state < TICKET_STATE_LIMIT);
    assert_int_equal(v->has_answer && v->state != TICKET_FAILED,
                     v->state == TICKET_ANSWERED);
    if (t->was_answered)
        assert_int_equal(v->state, TICKET_ANSWERED);
    t->was_answered = v->state == TICKET_ANSWERED;
    t->is_durable |= knows_ttl && v->is_durable;
    t->is_final |= v->state == TICKET_ANSWERED || v->state == TICKET_CANCELLED ||
                   v->state == TICKET_SUPERSEDED || v->state == TICKET_EXPIRED ||
                   v->state == TICKET_FAILED;
}

static void look_at(struct order *o)
{
    if (o->rc == OK && o->kind != ORDER_LIST)
        learn(&o->view, true);
    for (size_t i = 0; o->rc == OK && i < o->count; i++)
        learn(&o->views[i], true);
    order_done_with(o);
}

/* In the order in which they come back. */
static void on_back_again(struct trip *t)
{
    struct order *o = CONTAINER_OF(t, struct order, trip);

    assert_true(under_way[o - orders]);
    under_way[o - orders] = false;
    look_at(o);
}

static uint64_t some_ticket(void)
{
    return known_count ? known[below((int)known_count)].number : 0x100;
}

static const char *device_name(int n)
{
    static char text[8];

    snprintf(text, sizeof(text), "D%d", n);
    return text;
}

static void fill_command(struct order *o)
{
    static const char *const names[] = {"status", "on", "attributes", "text", "dance"};

    order_command(o, device_name(below(DEVICES)), names[below(ARRAY_LEN(names))]);
    o->wait_ms = below(3) ? below(10000) : 0;
    if (below(3))
        o->ttl_ms = 1 + below(200000);
    if (below(6) == 0)
        o->not_before_ms = rig_wall_ms + below(100000);
    if (below(6) == 0)
        o->not_after_ms = rig_wall_ms + below(100000);
    if (below(4) == 0)
        strcpy(o->only_if, below(2) ? "ready" : "off");
    o->supersedes = below(4) == 0;
    if (below(4) == 0)
        snprintf(o->key, sizeof(o->key), "key %d", below(40));
}

static void make_order(void)
{
    int i = below(ORDERS);
    struct order *o = &orders[i];

    if (under_way[i])
        return;
    switch (below(8)) {
    case 0:
        *o = (struct order){.kind = ORDER_CANCEL, .ticket = some_ticket()};
        break;
    case 1:
        *o = (struct order){.kind = ORDER_SHOW,
                            .ticket = some_ticket(),
                            .wait_ms = below(2) ? below(5000) : 0};
        break;
    case 2:
        *o = (struct order){.kind = ORDER_LIST,
                            .ids = {fake_id(device_name(below(DEVICES)))},
                            .id_count = 1,
                            .limit = 5};
        break;
    default:
        fill_command(o);
    }
    o->trip.inbox = &orders_back;
    o->trip.done = on_back_again;
    under_way[i] = true;
    commands_order(&relay_rig.group, o);
}

/* ---- devices ---- */

struct peer {
    int fd; /* -1: none */
    int device;
    char heard[8192]; /* lines not answered yet */
};

static struct peer peers[2 * DEVICES];

static void hang_up_peer(struct peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    *p = (struct peer){.fd = -1};
}

static void say_so(struct peer *p, const char *line)
{
    char text[200];
    int n = snprintf(text, sizeof(text), "%s\n", line);

    (void)!send(p->fd, text, (size_t)n, MSG_NOSIGNAL);
}

static void come(struct peer *p)
{
    char line[20];

    hang_up_peer(p);
    p->device = below(DEVICES);
    p->fd = relay_rig_accept((unsigned)below(RELAY_SHARDS), &fake_listener, 0);
    snprintf(line, sizeof(line), "L %s", device_name(p->device));
    say_so(p, line);
}

static void listen_to(struct peer *p)
{
    size_t used = strlen(p->heard);
    ssize_t n;

    if (p->fd < 0)
        return;
    n = recv(p->fd, p->heard + used, sizeof(p->heard) - used - 1, MSG_DONTWAIT);
    if (n > 0)
        p->heard[used + (size_t)n] = '\0';
    else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        hang_up_peer(p);
    if (used > 4096)
        p->heard[0] = '\0'; /* it forgets */
}

static void answer_one(struct peer *p)
{
    unsigned message, serial;
    char *end = strchr(p->heard, '\n');
    char line[80];
    char kind = "AAAAAAPR"[below(8)];

    if (p->fd < 0 || !end || sscanf(p->heard, "%u %u", &message, &serial) != 2)
        return;
    if (below(12) == 0)
        serial += (unsigned)below(3) - 1;
    if (message == 7)
        snprintf(line, sizeof(line), "%c 7 - x", kind);
    else
        snprintf(line, sizeof(line), "%c %u %u %d", kind, message, serial & 0xffff,
                 below(2) ? 5 : 1);
    say_so(p, line);
    if (below(8))
        memmove(p->heard, end + 1, strlen(end)); /* else it answers it again later */
}

/* ---- what must hold all the while ---- */

static void check_lists(const struct commands *k)
{
    size_t waiting = 0, sent = 0;

    LIST_FOREACH (&k->live, at) {
        const struct ticket *t = CONTAINER_OF(at, struct ticket, of_all);

        assert_true(t->place < PLACE_LATE);
        assert_false(ticket_is_over(t->state) && t->place != PLACE_ENDING);
        waiting += t->place == PLACE_WAITING;
        sent += t->place == PLACE_SENT;
        assert_true(t->place != PLACE_SENT || t->state == TICKET_SENT ||
                    t->state == TICKET_ACKNOWLEDGED);
        assert_ptr_equal(ticket_find(k, t->number), t);
    }
    LIST_FOREACH (&k->ended, at) {
        const struct ticket *t = CONTAINER_OF(at, struct ticket, of_all);

        assert_true(t->place >= PLACE_LATE && ticket_is_over(t->state));
        assert_true(list_is_empty(&t->waiters));
        assert_false(t->has_slot);
    }
    assert_int_equal(k->stats.queued, waiting);
    assert_int_equal(k->stats.in_flight, sent);
    assert_int_equal(k->stats.tickets, k->live.length + k->ended.length);
}

static void check_errands(const struct errands *e)
{
    uint32_t slots = 0;
    uint64_t before = 0;

    for (int i = 0; i < PLACE_COUNT; i++)
        LIST_FOREACH (&e->in[i], at) {
            slots += ticket_at(at)->has_slot;
            assert_int_equal(ticket_at(at)->place, i);
            assert_true(i != PLACE_WAITING || ticket_at(at)->position > before);
            before = i == PLACE_WAITING ? ticket_at(at)->position : 0;
        }
    assert_int_equal(slots, e->in_flight);
    assert_true(slots <= fake_settings.commands.in_flight);
    assert_true(!e->asking || (e->asking->is_asking && e->asking->has_slot));
}

static void check_everything(void)
{
    uint64_t tickets = 0;

    for (unsigned i = 0; i < RELAY_SHARDS; i++) {
        const struct commands *k = relay_rig.relays[i].commands;

        check_lists(k);
        for (size_t n = 0; n < k->places; n++)
            for (const struct errands *e = k->by_device[n]; e; e = e->next)
                check_errands(e);
        tickets += k->stats.tickets;
    }
    assert_int_equal(atomic_load(&relay_rig.group.commands->tickets), tickets);
}

/* Before a sending: a ticket whose end was told is not sent again. */
static void check_sending(const struct ticket *t)
{
    if (t && known_count)
        assert_false(known_of(t->number)->is_final);
}

static void check_sendings(void)
{
    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        LIST_FOREACH (&relay_rig.relays[i].commands->live, at) {
            const struct ticket *t = CONTAINER_OF(at, struct ticket, of_all);

            if (t->place == PLACE_SENT)
                check_sending(t);
        }
}

/* Every ticket that was promised is there, and tells what was told before. */
static void check_promises(void)
{
    for (unsigned i = 0; i < known_count; i++) {
        struct order o = {.kind = ORDER_SHOW, .ticket = known[i].number};

        send_order(&o);
        assert_true(is_back(&o));
        if (known[i].is_durable)
            assert_int_equal(o.rc, OK);
        look_at(&o);
    }
}

/* ---- steps ---- */

static void fail_the_disk(bool fails)
{
    store_mem_fail(&ledger_store, below(2) ? MEM_BEGIN : MEM_COMMIT, fails ? 1 : 0,
                   fails ? 1 + (unsigned)below(20) : 0,
                   below(2) ? ERR_IO : ERR_NOSPACE);
}

static void restart(void)
{
    bool is_killed = below(2);

    read_events();
    fail_the_disk(false);
    if (is_killed)
        relay_rig_kill();
    relay_rig_close();
    take_back();
    for (int i = 0; i < ORDERS; i++) {
        assert_true(is_killed || !under_way[i]);
        under_way[i] = false;
    }
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        hang_up_peer(&peers[i]);
    rig_mono_ms += below(50000);
    rig_wall_ms += below(50000);
    commands_rig_open();
    settle();
    check_promises();
}

static void step(void)
{
    struct peer *p = &peers[below(ARRAY_LEN(peers))];

    switch (below(40)) {
    case 0 ... 3:
        come(p);
        break;
    case 4:
        hang_up_peer(p);
        break;
    case 5 ... 12:
        make_order();
        break;
    case 13 ... 24:
        listen_to(p);
        answer_one(p);
        break;
    case 25:
        if (below(8) == 0)
            fail_the_disk(true);
        break;
    case 26 ... 29:
        rig_mono_ms += below(3000);
        rig_wall_ms += below(3000);
        break;
    case 30:
        if (below(60) == 0)
            restart();
        break;
    case 31:
        sends_to_fail = below(20) == 0;
        break;
    default:
        relay_rig_turn();
        take_back();
        check_everything();
        check_sendings();
    }
}

static void begin_run(void)
{
    rig_mono_ms = 1000000;
    rig_wall_ms = 1700000000000;
    store_mem_wipe();
    relay_rig_defaults();
    relay_rig.forget_after_ms = 365 * 24 * HOUR;
    relay_rig.commands.max_queued = 1 + (uint32_t)below(20);
    relay_rig.commands.max_tickets = TICKETS;
    relay_rig.commands.keep_ms = 1000 * HOUR;
    fake_settings.commands = (struct command_policy){
        .in_flight = 1 + (uint32_t)below(3),
        .retries = (uint32_t)below(3),
        .retry_ms = 100 + below(5000),
    };
    known_count = 0;
    events_read = 0;
    sends_to_fail = 0;
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        peers[i] = (struct peer){.fd = -1};
    commands_rig_open();
}

static void end_run(void)
{
    fail_the_disk(false);
    for (int i = 0; i < 200; i++) { /* all waits are over */
        rig_mono_ms += 1000;
        rig_wall_ms += 1000;
        relay_rig_settle();
    }
    take_back();
    for (int i = 0; i < ORDERS; i++)
        assert_false(under_way[i]);
    check_promises();
    read_events();
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        hang_up_peer(&peers[i]);
    relay_rig_close();
    take_back();
}

static int tell_seed(void **state)
{
    (void)state;
    if (running_seed)
        print_error("the seed was %u\n", running_seed);
    return 0;
}

static void whatever_happens_no_ticket_is_lost_or_told_wrongly(void **state)
{
    (void)state;
    assert_int_equal(inbox_init(&orders_back), OK);
    for (running_seed = 1; running_seed <= 150; running_seed++) {
        srand(running_seed);
        begin_run();
        for (int i = 0; i < 3000; i++)
            step();
        end_run();
    }
    running_seed = 0;
    for (int s = TICKET_QUEUED; s < TICKET_STATE_LIMIT; s++) {
        print_message("%s %llu\n", ticket_state_word((uint8_t)s),
                      (unsigned long long)to[s]);
        assert_true(to[s] > 100);
    }
    inbox_fini(&orders_back);
    store_mem_wipe();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(whatever_happens_no_ticket_is_lost_or_told_wrongly,
                                  tell_seed),
    };

    log_setup(LOG_ERROR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
