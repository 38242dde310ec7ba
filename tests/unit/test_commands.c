#include "commandsrig.h"

/* ---- what devices hear ---- */

/* Serials begin at a random place: they are kept aside. */
static unsigned serials[8];

/* The messages heard since the last call, without their serials: "5; 4 body". */
static const char *messages(int fd)
{
    static char text[4096];
    char copy[65536], *rest = copy, *line;
    size_t used = 0;
    int n = 0;

    snprintf(copy, sizeof(copy), "%s", heard(fd));
    text[0] = '\0';
    while ((line = strsep(&rest, ";")) && *line) {
        unsigned message, serial;
        int at = 0;

        assert_int_equal(sscanf(line, "%u %u %n", &message, &serial, &at), 2);
        serials[n++ % 8] = serial;
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, "%s%u%s%s",
                             used ? "; " : "", message, line[at] ? " " : "", line + at);
    }
    take_back();
    return text;
}

static void reply_to(int fd, const char *how, unsigned message, unsigned serial,
                     const char *body)
{
    char line[300];

    snprintf(line, sizeof(line), "%s %u %u %s", how, message, serial, body);
    say(fd, line);
    take_back();
}

/* To the first of what was heard last. */
static void reply(int fd, const char *how, unsigned message, const char *body)
{
    reply_to(fd, how, message, serials[0], body);
}

static struct commands_stats totals(void)
{
    struct commands_stats all = {0};

    for (unsigned i = 0; i < RELAY_SHARDS; i++) {
        struct commands_stats s = commands_stats(&relay_rig.relays[i]);

#define X(name, text) all.name += s.name;
        COMMANDS_COUNTERS(X)
#undef X
        all.queued += s.queued;
        all.in_flight += s.in_flight;
        all.tickets += s.tickets;
    }
    return all;
}

static void wait_a_while(int64_t ms)
{
    pass(ms);
    take_back();
}

static void restart(void)
{
    relay_rig_close();
    take_back();
    commands_rig_open();
    settle();
}

static void kill_and_restart(void)
{
    relay_rig_kill();
    restart();
}

/* The events of tickets since the last call: "status queued>sent, ...". */
static char news[4096];
static uint64_t news_read;

static bool show_event(void *user, const struct event *e)
{
    size_t used = strlen(news);

    (void)user;
    news_read = e->cursor;
    if (e->kind != EVENT_COMMAND)
        return true;
    snprintf(news + used, sizeof(news) - used, "%s%.*s %s>%s%s%.*s", used ? ", " : "",
             (int)e->content.size, (const char *)e->content.data,
             e->from ? ticket_state_word(e->from) : "", ticket_state_word(e->to),
             e->reason.size ? " " : "", (int)e->reason.size,
             (const char *)e->reason.data);
    return true;
}

static const char *told(void)
{
    news[0] = '\0';
    assert_int_equal(journal_read(relay_rig.journal, news_read, show_event, NULL), OK);
    return news;
}

static int begin(void **state)
{
    news_read = 0;
    return commands_rig_begin(state);
}

#define DAY             (24 * HOUR)
#define EXPECT(o, text) assert_string_equal(fate(o), text)
#define HEARS(fd, text) assert_string_equal(messages(fd), text)

/* ---- in one call ---- */

static void a_device_that_is_here_is_asked_and_answers(void **state)
{
    int fd = device("T1");
    static struct order o;

    (void)state;
    ask(&o, "T1", "status", 0);
    EXPECT(&o, "not back");
    HEARS(fd, "5");
    reply(fd, "A", 5, "5ready");
    EXPECT(&o, "answered");
    assert_string_equal(answer_of(&o), "5ready");
    assert_int_equal(o.view.sendings, 1);
    assert_int_equal(o.view.message, 5);
    assert_true(o.view.sent_ms && o.view.acknowledged_ms && o.view.ended_ms);
    assert_false(o.view.is_durable);
    assert_string_equal(state_of(o.view.ticket), "answered");
    assert_string_equal(told(), "status >queued, status queued>sent, "
                                "status sent>acknowledged, "
                                "status acknowledged>answered");
}

static void one_that_is_away_fails_at_once(void **state)
{
    static struct order o;

    (void)state;
    hang_up(device("T1"));
    ask(&o, "T1", "status", 0);
    EXPECT(&o, "failed offline");
    ask(&o, "T2", "status", 0);
    EXPECT(&o, "notfound");
    assert_string_equal(o.why, "");
    assert_string_equal(told(), "status >queued, status queued>failed offline");
}

static void no_answer_in_time_expires_it_and_what_waits_is_never_sent(void **state)
{
    int fd = device("T1");
    static struct order o, second;

    (void)state;
    ask(&o, "T1", "status", 0);
    ask(&second, "T1", "on", 0);
    wait_a_while(5 * SECOND);
    EXPECT(&o, "expired no_answer");
    EXPECT(&second, "expired unsent");
    HEARS(fd, "5");
    reply(fd, "A", 5, "late");
    assert_string_equal(state_of(o.view.ticket), "expired no_answer");
    assert_int_equal(totals().stray, 1);
}

static void the_end_of_the_connection_ends_what_has_no_ttl(void **state)
{
    int fd = device("T1");
    static struct order o, second;

    (void)state;
    ask(&o, "T1", "status", 0);
    ask(&second, "T1", "on", 0);
    hang_up(fd);
    take_back();
    EXPECT(&o, "failed disconnected");
    EXPECT(&second, "failed disconnected");
}

static void what_cannot_be_said_is_refused_with_a_reason(void **state)
{
    static struct order o;

    (void)state;
    device("T1");
    ask(&o, "T1", "dance", 0);
    EXPECT(&o, "notfound");
    assert_string_equal(o.why, "no command `dance`");
    order_command(&o, "T1", "on");
    strcpy(o.only_if, "asleep");
    send_order(&o);
    EXPECT(&o, "invalid");
    assert_string_equal(o.why, "`only_if`: its profile has no state `asleep`");
    assert_int_equal(totals().tickets, 0);
}

static void a_refusal_fails_it_and_shows_what_was_said(void **state)
{
    int fd = device("T1");
    static struct order o;

    (void)state;
    ask(&o, "T1", "status", 0);
    HEARS(fd, "5");
    reply(fd, "R", 5, "no");
    EXPECT(&o, "failed refused");
    assert_string_equal(answer_of(&o), "no");
}

static void an_id_in_two_protocols_must_be_told_apart(void **state)
{
    int fd = device("T1");
    static struct order o;
    struct relay *home;
    struct id twin = fake_id("T1");

    (void)state;
    twin.protocol = PROTOCOL_JT808;
    order_command(&o, "T1", "status");
    o.ids[1] = twin;
    o.id_count = 2;
    send_order(&o);
    HEARS(fd, "5");
    reply(fd, "A", 5, "x");
    EXPECT(&o, "answered");
    assert_int_equal(o.ids[0].protocol, PROTOCOL_DEVICE);
    order_done_with(&o);

    assert_non_null(relay_remember(&relay_rig.group, &twin, &home));
    order_command(&o, "T1", "status");
    o.ids[1] = twin;
    o.id_count = 2;
    send_order(&o);
    EXPECT(&o, "exists");
}

/* ---- in turn ---- */

static void one_at_a_time_in_order(void **state)
{
    int fd = device("T1");
    static struct order o[4];

    (void)state;
    ask(&o[0], "T1", "status", 0);
    ask(&o[1], "T1", "on", 0);
    ask(&o[2], "T1", "attributes", HOUR);
    ask(&o[3], "T1", "status", 0);
    HEARS(fd, "5");
    reply(fd, "A", 5, "a");
    HEARS(fd, "4");
    assert_int_equal(serials[0], 16);
    reply(fd, "A", 4, "b");
    HEARS(fd, "7");
    say(fd, "A 7 - c");
    take_back();
    HEARS(fd, "5");
    reply(fd, "A", 5, "d");
    for (int i = 0; i < 4; i++) {
        EXPECT(&o[i], "answered");
        assert_string_equal(answer_of(&o[i]),
                            ((const char *[]){"a", "b", "c", "d"})[i]);
        order_done_with(&o[i]);
    }
}

static void an_answer_counts_for_its_serial_alone(void **state)
{
    int fd = device("T1"), other = device("T2");
    static struct order a, b;

    (void)state;
    fake_settings.commands.in_flight = 2;
    ask(&a, "T1", "status", 0);
    ask(&b, "T1", "status", 0);
    HEARS(fd, "5; 5");
    reply_to(fd, "A", 5, serials[1], "b");
    reply_to(other, "A", 5, serials[0], "from another device");
    reply_to(fd, "A", 4, serials[0], "to another message");
    reply_to(fd, "A", 5, serials[1], "twice");
    EXPECT(&a, "not back");
    EXPECT(&b, "answered");
    assert_int_equal(totals().stray, 3);
    reply_to(fd, "A", 5, serials[0], "a");
    assert_string_equal(answer_of(&a), "a");
    assert_string_equal(answer_of(&b), "b");
}

static void those_whose_answers_look_alike_go_one_by_one(void **state)
{
    int fd = device("T1");
    static struct order o[5];

    (void)state;
    fake_settings.commands.in_flight = 5;
    ask(&o[0], "T1", "attributes", 0);
    ask(&o[1], "T1", "attributes", 0);
    ask(&o[2], "T1", "on", 0);
    ask(&o[3], "T1", "on", 0);
    ask(&o[4], "T1", "status", 0);
    HEARS(fd, "7; 4; 5");
    say(fd, "A 7 - first");
    HEARS(fd, "7");
    reply_to(fd, "A", 4, 16, "");
    HEARS(fd, "4");
    EXPECT(&o[0], "answered");
    EXPECT(&o[1], "not back");
    EXPECT(&o[2], "answered");
    EXPECT(&o[3], "not back");
    hang_up(fd);
    take_back();
    for (int i = 0; i < 5; i++)
        order_done_with(&o[i]);
}

static void serials_wrap_and_leave_out_the_prescribed_one(void **state)
{
    int fd = device("T1");
    struct id id = fake_id("T1");
    struct relay *r = relay_rig_home(&id);
    static struct order o;
    unsigned before = 0;

    (void)state;
    for (int i = 0; i < 60; i++) {
        ask(&o, "T1", "status", 0);
        HEARS(fd, "5");
        if (i > 1) /* the first one is anywhere */
            assert_int_equal(serials[0], before == 15 ? 17 : (before + 1) & 0xffff);
        before = serials[0];
        reply(fd, "A", 5, "x");
        EXPECT(&o, "answered");
        order_done_with(&o);
        if (i == 0)
            errands_find(r->commands, relay_rig_device(r, &id))->serial = 65530;
    }
    assert_true(before > 16 && before < 60);
}

/* ---- again ---- */

static void it_is_sent_again_after_t_and_2t_then_the_next_has_its_turn(void **state)
{
    int fd = device("T1");
    static struct order o, next;
    unsigned serial;

    (void)state;
    fake_settings.commands = (struct command_policy){1, 2, 5 * SECOND};
    order_command(&o, "T1", "status");
    o.ttl_ms = HOUR;
    send_order(&o);
    ask(&next, "T1", "on", HOUR);
    HEARS(fd, "5");
    serial = serials[0];
    wait_a_while(4999);
    HEARS(fd, "");
    wait_a_while(1);
    HEARS(fd, "5");
    assert_int_equal(serials[0], serial);
    wait_a_while(9999);
    HEARS(fd, "");
    wait_a_while(1);
    HEARS(fd, "5");
    assert_int_equal(serials[0], serial);
    wait_a_while(30 * SECOND);
    HEARS(fd, "4");
    wait_a_while(5 * SECOND);
    HEARS(fd, "4");
    EXPECT(&o, "acknowledged");
    assert_int_equal(o.view.sendings, 1); /* when the wait was over */
    reply_to(fd, "A", 5, serial, "at last");
    assert_string_equal(state_of(o.view.ticket), "answered");
    assert_int_equal(totals().repeated, 3);
}

static void a_preliminary_answer_will_do_if_nothing_follows(void **state)
{
    int fd = device("T1");
    static struct order proper, alone;

    (void)state;
    fake_settings.commands = (struct command_policy){1, 3, SECOND};
    ask(&proper, "T1", "status", 0);
    ask(&alone, "T1", "status", 0);
    HEARS(fd, "5");
    reply(fd, "P", 5, "accepted");
    EXPECT(&proper, "not back");
    reply(fd, "A", 5, "proper");
    EXPECT(&proper, "answered");
    assert_string_equal(answer_of(&proper), "proper");
    HEARS(fd, "5");
    reply(fd, "P", 5, "accepted");
    wait_a_while(999);
    EXPECT(&alone, "not back");
    wait_a_while(1);
    EXPECT(&alone, "answered");
    assert_string_equal(answer_of(&alone), "accepted");
    HEARS(fd, "");
    reply(fd, "A", 5, "proper"); /* it is still welcome */
    {
        struct order look = {.kind = ORDER_SHOW, .ticket = alone.view.ticket};

        send_order(&look);
        assert_string_equal(answer_of(&look), "proper");
        order_done_with(&look);
    }
}

static void packages_are_sent_again_when_the_device_asks(void **state)
{
    int fd = device("T1");
    struct id id = fake_id("T1");
    struct relay *r = relay_rig_home(&id);
    static struct order o;

    (void)state;
    order_command(&o, "T1", "text");
    assert_int_equal(buf_try_append(&o.args, slice_of("hello, all", 10)), OK);
    o.command.args = buf_peek(&o.args);
    send_order(&o);
    buf_fini(&o.args);
    HEARS(fd, "8 hello, all");
    assert_false(commands_resend(r, relay_rig_device(r, &id),
                                 (uint16_t)(serials[0] + 1), NULL, 0));
    for (int i = 0; i < RESENDS_MAX; i++)
        assert_true(commands_resend(r, relay_rig_device(r, &id), (uint16_t)serials[0],
                                    NULL, 0));
    assert_false(
        commands_resend(r, relay_rig_device(r, &id), (uint16_t)serials[0], NULL, 0));
    settle();
    messages(fd);
    reply_to(fd, "A", 8, serials[0] + 2, "the last one's serial");
    EXPECT(&o, "answered");
}

/* ---- durable ---- */

static void with_a_ttl_it_waits_for_its_device(void **state)
{
    static struct order o;
    int fd;

    (void)state;
    hang_up(device("T1"));
    order_command(&o, "T1", "status");
    o.ttl_ms = HOUR;
    o.wait_ms = 0;
    send_order(&o);
    EXPECT(&o, "queued");
    assert_true(o.view.is_durable);
    assert_int_equal(o.view.expires_ms, rig_wall_ms + HOUR);
    wait_a_while(10 * MINUTE);
    fd = device("T1");
    HEARS(fd, "5");
    reply(fd, "A", 5, "here");
    assert_string_equal(state_of(o.view.ticket), "answered");
}

static void it_is_sent_again_with_its_serial_on_the_next_connection(void **state)
{
    int fd = device("T1");
    static struct order o;
    unsigned serial;

    (void)state;
    ask(&o, "T1", "status", HOUR);
    HEARS(fd, "5");
    serial = serials[0];
    hang_up(fd);
    assert_int_equal(totals().queued, 1);
    fd = device("T1");
    HEARS(fd, "5");
    assert_int_equal(serials[0], serial);
    reply(fd, "A", 5, "x");
    EXPECT(&o, "answered");
    assert_int_equal(o.view.sendings, 2);
}

static void a_taken_over_connection_answers_no_more(void **state)
{
    int old = device("T1"), fd;
    static struct order lost, kept;

    (void)state;
    fake_settings.commands.in_flight = 2;
    ask(&lost, "T1", "status", 0);
    ask(&kept, "T1", "status", HOUR);
    HEARS(old, "5; 5");
    fd = device("T1");
    take_back();
    EXPECT(&lost, "failed disconnected");
    reply_to(old, "A", 5, serials[1], "from the old one");
    EXPECT(&kept, "not back");
    HEARS(fd, "5");
    reply(fd, "A", 5, "from the new one");
    EXPECT(&kept, "answered");
    assert_string_equal(answer_of(&kept), "from the new one");
}

static void a_late_answer_completes_what_had_a_ttl(void **state)
{
    int fd = device("T1");
    static struct order o;

    (void)state;
    order_command(&o, "T1", "status");
    o.ttl_ms = SECOND;
    send_order(&o);
    wait_a_while(SECOND);
    EXPECT(&o, "expired no_answer");
    HEARS(fd, "5");
    reply(fd, "A", 5, "late");
    assert_string_equal(state_of(o.view.ticket), "answered");
    assert_int_equal(totals().late, 1);
    restart();
    assert_string_equal(state_of(o.view.ticket), "answered");
}

static void tickets_outlive_a_restart_and_a_kill(void **state)
{
    int fd = device("T1");
    static struct order sent, waiting, over;
    unsigned serial;

    (void)state;
    ask(&over, "T1", "status", DAY);
    HEARS(fd, "5");
    reply(fd, "A", 5, "done");
    ask(&sent, "T1", "status", DAY);
    ask(&waiting, "T1", "on", DAY);
    HEARS(fd, "5");
    serial = serials[0];
    kill_and_restart();
    drop_line(fd);
    assert_string_equal(state_of(over.view.ticket), "answered");
    assert_int_equal(totals().queued, 2);
    restart();
    fd = device("T1");
    HEARS(fd, "5");
    assert_int_equal(serials[0], serial);
    reply(fd, "A", 5, "x");
    HEARS(fd, "4");
    reply(fd, "A", 4, "x");
    restart();
    drop_line(fd);
    assert_int_equal(totals().tickets, 3);
    assert_int_equal(totals().queued, 0);
}

static void restart_with(const struct listener *listeners, size_t count)
{
    relay_rig_close();
    take_back();
    relay_rig.devices = listeners;
    relay_rig.device_count = count;
    relay_rig_open();
    rig_mono_ms++;
    settle();
}

static unsigned listener_of(uint64_t ticket)
{
    struct order o = {.kind = ORDER_SHOW, .ticket = ticket};
    unsigned listener;

    send_order(&o);
    assert_int_equal(o.rc, OK);
    listener = o.view.listener;
    order_done_with(&o);
    return listener;
}

static void a_ticket_knows_its_listener_by_name(void **state)
{
    static struct listener two[2];
    int fd = device("T1");
    static struct order over, waiting, cancel;

    (void)state;
    ask(&over, "T1", "status", DAY);
    HEARS(fd, "5");
    reply(fd, "A", 5, "done");
    drop_line(fd);
    ask(&waiting, "T1", "on", DAY);
    two[0] = two[1] = fake_listener;
    two[0].name = "others";
    two[1].index = 1;
    restart_with(two, 2);
    assert_int_equal(listener_of(over.view.ticket), 1);
    two[1].name = "more";
    restart_with(two, 2); /* it is not there any more */
    assert_int_equal(listener_of(over.view.ticket), 2);
    cancel = (struct order){.kind = ORDER_CANCEL, .ticket = waiting.view.ticket};
    send_order(&cancel);
    EXPECT(&cancel, "cancelled");
    order_done_with(&cancel);
    restart();
    assert_int_equal(listener_of(over.view.ticket), 0);
    assert_int_equal(listener_of(waiting.view.ticket), 0);
    assert_string_equal(state_of(waiting.view.ticket), "cancelled");
}

static void what_expired_meanwhile_is_never_sent(void **state)
{
    static struct order o, unsent;
    int fd;

    (void)state;
    hang_up(device("T1"));
    order_command(&o, "T1", "status");
    o.wait_ms = 0;
    o.ttl_ms = MINUTE;
    send_order(&o);
    order_command(&unsent, "T1", "status");
    unsent.wait_ms = 0;
    unsent.ttl_ms = HOUR;
    unsent.not_after_ms = rig_wall_ms + MINUTE;
    send_order(&unsent);
    relay_rig_close();
    rig_wall_ms += MINUTE;
    commands_rig_open();
    fd = relay_rig_accept(0, &fake_listener, 0); /* it comes in the first turn */
    say(fd, "L T1");
    HEARS(fd, "");
    assert_string_equal(state_of(o.view.ticket), "expired unsent");
    assert_string_equal(state_of(unsent.view.ticket), "expired unsent");
}

static void not_before_its_time(void **state)
{
    int fd = device("T1");
    static struct order later, now;

    (void)state;
    order_command(&later, "T1", "status");
    later.ttl_ms = HOUR;
    later.not_before_ms = rig_wall_ms + MINUTE;
    send_order(&later);
    ask(&now, "T1", "on", 0);
    HEARS(fd, "4");
    reply(fd, "A", 4, "");
    wait_a_while(MINUTE); /* by clocks of whole milliseconds: perhaps a bit less */
    HEARS(fd, "");
    wait_a_while(1);
    HEARS(fd, "5");
}

/* ---- the disk fails ---- */

static void without_a_disk_nothing_durable_is_promised(void **state)
{
    int fd = device("T1");
    static struct order o;

    (void)state;
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_IO);
    ask(&o, "T1", "status", HOUR);
    EXPECT(&o, "io");
    HEARS(fd, "");
    assert_int_equal(totals().tickets, 0);
    assert_int_equal(totals().refused, 1);
    settle();
    ask(&o, "T1", "status", HOUR); /* it works again */
    HEARS(fd, "5");
    reply(fd, "A", 5, "x");
    EXPECT(&o, "answered");
}

static void an_answer_is_not_told_before_it_is_durable(void **state)
{
    int fd = device("T1");
    static struct order o, next;

    (void)state;
    ask(&o, "T1", "status", HOUR);
    HEARS(fd, "5");
    settle();
    store_mem_fail(&ledger_store, MEM_BEGIN, 1, UINT_MAX, ERR_IO);
    reply(fd, "A", 5, "x");
    EXPECT(&o, "not back");
    ask(&next, "T1", "status", 0); /* but the device is free */
    HEARS(fd, "5");
    reply(fd, "A", 5, "y");
    EXPECT(&next, "answered");
    order_done_with(&next);
    wait_a_while(5 * SECOND);
    EXPECT(&o, "acknowledged");
    assert_false(o.view.has_answer);
    store_mem_fail(&ledger_store, MEM_BEGIN, 0, 0, OK);
    wait_a_while(2 * SECOND);
    assert_string_equal(state_of(o.view.ticket), "answered");
    kill_and_restart();
    assert_string_equal(state_of(o.view.ticket), "answered");
}

static void a_wait_that_ends_before_the_disk_is_done_is_answered_by_it(void **state)
{
    static struct order o;
    struct id id = fake_id("T1");

    (void)state;
    hang_up(device("T1"));
    order_command(&o, "T1", "status");
    o.wait_ms = 1;
    o.ttl_ms = HOUR;
    o.trip.inbox = &orders_back;
    o.trip.done = order_done;
    commands_order(&relay_rig.group, &o);
    for (int i = 0; i < 5; i++) { /* the ledger does not turn */
        rig_mono_ms += SECOND;
        loop_turn(&relay_rig_home(&id)->shard->loop, 0);
    }
    take_back();
    EXPECT(&o, "not back");
    settle();
    EXPECT(&o, "queued");
}

/* ---- only in a state ---- */

static void ask_if(struct order *o, const char *name, const char *state, int64_t ttl_ms)
{
    order_command(o, "T1", name);
    strcpy(o->only_if, state);
    o->ttl_ms = ttl_ms;
    send_order(o);
}

static void the_question_and_the_command_are_one(void **state)
{
    int fd = device("T1");
    static struct order o, before, after;

    (void)state;
    fake_settings.commands = (struct command_policy){5, 5, 300};
    ask(&before, "T1", "attributes", 0);
    HEARS(fd, "7");
    ask_if(&o, "on", "ready", 0);
    ask(&after, "T1", "status", 0);
    HEARS(fd, "5");
    wait_a_while(299);
    HEARS(fd, "");
    wait_a_while(1);
    HEARS(fd, "5");
    reply(fd, "A", 5, "5");
    HEARS(fd, "4; 5");
    reply_to(fd, "A", 4, 16, "done");
    EXPECT(&o, "answered");
    assert_int_equal(o.view.found_state, 5);
    assert_int_equal(o.view.sendings, 1);
    order_done_with(&o);
    hang_up(fd);
    take_back();
}

static void in_another_state_it_is_not_sent(void **state)
{
    int fd = device("T1");
    static struct order o, next;

    (void)state;
    ask_if(&o, "on", "ready", HOUR);
    ask(&next, "T1", "attributes", 0);
    HEARS(fd, "5");
    reply(fd, "A", 5, "1");
    EXPECT(&o, "failed state");
    assert_int_equal(o.view.found_state, 1);
    HEARS(fd, "7");
    hang_up(fd);
    take_back();
    restart();
    assert_string_equal(state_of(o.view.ticket), "failed state");
}

static void a_device_that_does_not_tell_its_state_does_not_block_others(void **state)
{
    int fd = device("T1");
    static struct order o, next;

    (void)state;
    fake_settings.commands = (struct command_policy){1, 1, SECOND};
    ask_if(&o, "on", "ready", HOUR);
    ask(&next, "T1", "attributes", HOUR);
    HEARS(fd, "5");
    wait_a_while(SECOND);
    HEARS(fd, "5");
    wait_a_while(2 * SECOND);
    HEARS(fd, "7");
    say(fd, "A 7 - x");
    HEARS(fd, "");
    wait_a_while(2 * SECOND);
    EXPECT(&next, "answered");
    EXPECT(&o, "queued");
    HEARS(fd, "5"); /* it is asked once more */
    reply(fd, "A", 5, "5");
    HEARS(fd, "4");
}

static void while_it_is_asked_it_is_unsent(void **state)
{
    int fd = device("T1");
    static struct order o, cancel;

    (void)state;
    ask_if(&o, "on", "ready", HOUR);
    HEARS(fd, "5");
    {
        struct order list = {.kind = ORDER_LIST, .ids = {fake_id("T1")}, .id_count = 1};

        send_order(&list);
        assert_int_equal(list.count, 1);
        cancel = (struct order){.kind = ORDER_CANCEL, .ticket = list.views[0].ticket};
        order_done_with(&list);
    }
    send_order(&cancel);
    EXPECT(&cancel, "cancelled");
    EXPECT(&o, "cancelled");
    reply(fd, "A", 5, "5");
    HEARS(fd, "");
    assert_int_equal(totals().stray, 1);
}

/* ---- taken back ---- */

static void an_unsent_one_can_be_cancelled(void **state)
{
    int fd = device("T1");
    static struct order sent, waiting, cancel;

    (void)state;
    ask(&sent, "T1", "status", 0);
    order_command(&waiting, "T1", "on");
    waiting.wait_ms = 0;
    waiting.ttl_ms = HOUR;
    send_order(&waiting);
    cancel = (struct order){.kind = ORDER_CANCEL, .ticket = waiting.view.ticket};
    send_order(&cancel);
    EXPECT(&cancel, "cancelled");
    send_order(&cancel);
    EXPECT(&cancel, "busy");
    assert_int_equal(cancel.view.state, TICKET_CANCELLED);
    HEARS(fd, "5");
    reply(fd, "A", 5, "x");
    HEARS(fd, "");
    cancel.ticket = sent.view.ticket;
    send_order(&cancel);
    EXPECT(&cancel, "busy");
    order_done_with(&cancel);
    order_done_with(&sent);
    cancel = (struct order){.kind = ORDER_CANCEL, .ticket = 0x1234567800};
    send_order(&cancel);
    EXPECT(&cancel, "notfound");
    kill_and_restart();
    assert_string_equal(state_of(waiting.view.ticket), "cancelled");
}

static void a_newer_command_takes_the_place_of_an_unsent_one(void **state)
{
    static struct order old, other, fresh;
    int fd;

    (void)state;
    hang_up(device("T1"));
    order_command(&old, "T1", "on");
    old.wait_ms = 0;
    old.ttl_ms = HOUR;
    send_order(&old);
    order_command(&other, "T1", "status");
    other.wait_ms = 0;
    other.ttl_ms = HOUR;
    send_order(&other);
    order_command(&fresh, "T1", "on");
    fresh.wait_ms = 0;
    fresh.ttl_ms = HOUR;
    fresh.supersedes = true;
    send_order(&fresh);
    assert_string_equal(state_of(old.view.ticket), "superseded");
    assert_string_equal(state_of(other.view.ticket), "queued");
    fd = device("T1");
    HEARS(fd, "5");
    reply(fd, "A", 5, "x");
    HEARS(fd, "4");
    send_order(&fresh); /* one that was sent stays */
    assert_int_equal(totals().superseded, 1);
}

static void what_was_superseded_is_not_sent_after_a_kill(void **state)
{
    static struct order old, fresh;
    int fd;

    (void)state;
    hang_up(device("T1"));
    order_command(&old, "T1", "on");
    old.wait_ms = 0;
    old.ttl_ms = HOUR;
    send_order(&old);
    order_command(&fresh, "T1", "on");
    fresh.wait_ms = 0;
    fresh.ttl_ms = HOUR;
    fresh.supersedes = true;
    fresh.trip.inbox = &orders_back;
    fresh.trip.done = order_done;
    commands_order(&relay_rig.group, &fresh);
    while (!is_back(&fresh)) {
        relay_rig_turn();
        take_back();
    }
    kill_and_restart(); /* before the old one's end was written */
    fd = device("T1");
    HEARS(fd, "4");
    reply(fd, "A", 4, "x");
    HEARS(fd, "");
    assert_string_equal(state_of(old.view.ticket), "superseded");
}

/* ---- once ---- */

static void a_key_makes_a_call_safe_to_repeat(void **state)
{
    int fd = device("T1");
    static struct order o, again, other;

    (void)state;
    order_command(&o, "T1", "status");
    o.ttl_ms = HOUR;
    strcpy(o.key, "k");
    again = other = o;
    strcpy(other.command.name, "on");
    send_order(&o);
    send_order(&again);
    send_order(&other);
    EXPECT(&other, "malformed");
    HEARS(fd, "5");
    reply(fd, "A", 5, "x");
    EXPECT(&again, "answered");
    assert_true(again.is_known);
    assert_false(o.is_known);
    assert_int_equal(o.view.ticket, again.view.ticket);
    order_done_with(&o);
    order_done_with(&again);
    kill_and_restart();
    drop_line(fd);
    order_command(&again, "T1", "status");
    again.ttl_ms = HOUR;
    strcpy(again.key, "k");
    send_order(&again);
    EXPECT(&again, "answered");
    assert_true(again.is_known);
    assert_string_equal(answer_of(&again), "x");
    order_done_with(&again);
    fd = device("T2"); /* another device's keys are its own */
    order_command(&again, "T2", "status");
    strcpy(again.key, "k");
    send_order(&again);
    HEARS(fd, "5");
    hang_up(fd);
    take_back();
}

/* Before the shard has taken up what it found on the disk. */
static void who_asks_in_the_first_turn_is_answered(void **state)
{
    static struct order o, again;
    uint64_t made;

    (void)state;
    hang_up(device("T1"));
    order_command(&o, "T1", "status");
    o.ttl_ms = HOUR;
    o.wait_ms = 0;
    strcpy(o.key, "k");
    again = o;
    send_order(&o);
    EXPECT(&o, "queued");
    made = o.view.ticket;
    order_done_with(&o);
    relay_rig_close();
    take_back();
    commands_rig_open();
    send_order(&again);
    EXPECT(&again, "queued");
    assert_int_equal(again.view.ticket, made);
}

/* ---- looking ---- */

static void a_list_has_the_newest_first(void **state)
{
    int fd = device("T1");
    static struct order o[5];
    struct order list = {.kind = ORDER_LIST, .ids = {fake_id("T1")}, .id_count = 1};

    (void)state;
    send_order(&list);
    assert_true(is_back(&list));
    assert_int_equal(list.rc, OK);
    assert_int_equal(list.count, 0);
    order_done_with(&list);
    for (int i = 0; i < 5; i++) {
        order_command(&o[i], "T1", i % 2 ? "on" : "status");
        o[i].ttl_ms = HOUR;
        o[i].wait_ms = 0;
        send_order(&o[i]);
    }
    HEARS(fd, "5");
    reply(fd, "A", 5, "x");
    list = (struct order){.kind = ORDER_LIST,
                          .ids = {fake_id("T1")},
                          .id_count = 1,
                          .limit = 3};
    send_order(&list);
    assert_int_equal(list.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(list.views[i].ticket, o[4 - i].view.ticket);
    order_done_with(&list);
}

/* 20 answers of 64 KiB: the newest 16 are in it. */
static void a_list_has_only_so_many_bytes_of_answers(void **state)
{
    static uint8_t body[64 << 10];
    struct order list = {.kind = ORDER_LIST, .ids = {fake_id("T1")}, .id_count = 1};
    struct relay *r = relay_rig_home(&list.ids[0]);
    int fd = device("T1");
    static struct order o;

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct answer a = {.answers = 5,
                           .has_serial = true,
                           .message = 5,
                           .body = slice_of(body, sizeof(body))};

        ask(&o, "T1", "status", 0);
        HEARS(fd, "5");
        a.serial = (uint16_t)serials[0];
        assert_true(commands_answered(r, relay_rig_device(r, &list.ids[0]), &a));
        settle();
        EXPECT(&o, "answered");
        order_done_with(&o);
    }
    send_order(&list);
    assert_int_equal(list.count, 20);
    for (size_t i = 0; i < 20; i++) {
        const struct ticket_view *v = &list.views[i];

        assert_true(v->has_answer);
        assert_int_equal(v->answer_size, sizeof(body));
        assert_int_equal(v->is_left_out, i >= 16);
        assert_int_equal(buf_used(&v->answer), i < 16 ? sizeof(body) : 0);
    }
    order_done_with(&list);
}

static void who_waits_for_a_ticket_is_told_when_it_is_over(void **state)
{
    int fd = device("T1");
    static struct order o, look, patient;

    (void)state;
    order_command(&o, "T1", "status");
    o.ttl_ms = HOUR;
    o.wait_ms = 0;
    send_order(&o);
    look =
        (struct order){.kind = ORDER_SHOW, .ticket = o.view.ticket, .wait_ms = SECOND};
    patient = look;
    patient.wait_ms = MINUTE;
    send_order(&look);
    send_order(&patient);
    EXPECT(&look, "not back");
    wait_a_while(SECOND);
    EXPECT(&look, "sent");
    HEARS(fd, "5");
    reply(fd, "A", 5, "x");
    EXPECT(&patient, "answered");
}

/* ---- bounds ---- */

static void a_queue_is_bounded(void **state)
{
    static struct order o;

    (void)state;
    hang_up(device("T1"));
    for (int i = 0; i < 100; i++) {
        order_command(&o, "T1", "on");
        o.wait_ms = 0;
        o.ttl_ms = HOUR;
        send_order(&o);
        EXPECT(&o, "queued");
    }
    send_order(&o);
    EXPECT(&o, "full");
    assert_string_equal(o.why, "commands.max_queued wait for this device");
}

static void the_oldest_that_are_over_make_room(void **state)
{
    int fd = device("T1");
    uint64_t first = 0;

    (void)state;
    for (int i = 0; i < 1010; i++) {
        static struct order o;

        ask(&o, "T1", "status", 0);
        HEARS(fd, "5");
        reply(fd, "A", 5, "x");
        EXPECT(&o, "answered");
        if (i == 0)
            first = o.view.ticket;
        order_done_with(&o);
    }
    assert_int_equal(totals().tickets, 1000);
    assert_string_equal(state_of(first), "notfound");
}

static void what_is_over_is_remembered_for_a_while(void **state)
{
    int fd = device("T1");
    static struct order o;

    (void)state;
    ask(&o, "T1", "status", HOUR);
    HEARS(fd, "5");
    reply(fd, "A", 5, "x");
    hang_up(fd);
    wait_a_while(HOUR - 1);
    assert_string_equal(state_of(o.view.ticket), "answered");
    wait_a_while(1);
    assert_string_equal(state_of(o.view.ticket), "notfound");
    assert_int_equal(totals().tickets, 0);
    settle();
    assert_int_equal(ledger_stats(relay_rig.ledger).records, 0);
}

static void a_device_with_open_tickets_is_not_forgotten(void **state)
{
    struct id id = fake_id("T1");
    struct relay *r = relay_rig_home(&id);
    static struct order o;

    (void)state;
    hang_up(device("T1"));
    order_command(&o, "T1", "status");
    o.ttl_ms = HOUR;
    o.wait_ms = 0;
    send_order(&o);
    assert_true(parts_need(r, relay_rig_device(r, &id)));
    assert_false(tracker_make_room(r));
    wait_a_while(HOUR);
    assert_string_equal(state_of(o.view.ticket), "expired unsent");
    assert_false(parts_need(r, relay_rig_device(r, &id)));
    assert_true(tracker_make_room(r));
    assert_null(relay_rig_device(r, &id));
    assert_string_equal(state_of(o.view.ticket), "notfound");
}

/* ---- the ends of connections and of the gateway ---- */

static void memory_that_is_out_while_sending_ends_the_connection(void **state)
{
    int fd = device("T1");
    static struct order lost, kept;

    (void)state;
    ask(&kept, "T1", "status", HOUR);
    HEARS(fd, "5");
    ask(&lost, "T1", "status", 0);
    sends_to_fail = 1;
    reply(fd, "A", 5, "x");
    EXPECT(&kept, "answered");
    EXPECT(&lost, "failed disconnected");
    order_done_with(&kept);
    hang_up(fd);
    fd = device("T1");
    sends_to_fail = 1;
    ask(&kept, "T1", "on", HOUR);
    assert_string_equal(messages(fd), "");
    drop_line(fd);
    fd = device("T1");
    HEARS(fd, "4");
}

static void when_the_gateway_ends_all_who_wait_are_told(void **state)
{
    int fd = device("T1");
    static struct order plain, durable, look, after;

    (void)state;
    fake_settings.commands.in_flight = 2;
    orders_done = 0;
    ask(&plain, "T1", "status", 0);
    ask(&durable, "T1", "status", HOUR);
    HEARS(fd, "5; 5");
    look = (struct order){.kind = ORDER_LIST, .ids = {fake_id("T1")}, .id_count = 1};
    send_order(&look);
    assert_int_equal(look.count, 2);
    order_done_with(&look);
    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        commands_end(&relay_rig.relays[i]);
    take_back();
    EXPECT(&plain, "failed ending");
    EXPECT(&durable, "acknowledged");
    ask(&after, "T1", "status", HOUR);
    EXPECT(&after, "closed");
    reply_to(fd, "A", 5, serials[1], "in the last moment");
    restart();
    assert_string_equal(state_of(durable.view.ticket), "answered");
}

static void a_damaged_record_is_left_out(void **state)
{
    (void)state;
    assert_int_equal(commands_adopt(&relay_rig.group, 1,
                                    slice_of("\1\1\0\0\3\1T no ticket", 18)),
                     OK);
    assert_int_equal(commands_adopt(&relay_rig.group, 1, slice_of("\2", 1)),
                     ERR_VERSION);
    assert_int_equal(totals().tickets, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, commands_rig_end)
    const struct CMUnitTest tests[] = {
        TEST(a_device_that_is_here_is_asked_and_answers),
        TEST(one_that_is_away_fails_at_once),
        TEST(no_answer_in_time_expires_it_and_what_waits_is_never_sent),
        TEST(the_end_of_the_connection_ends_what_has_no_ttl),
        TEST(what_cannot_be_said_is_refused_with_a_reason),
        TEST(a_refusal_fails_it_and_shows_what_was_said),
        TEST(an_id_in_two_protocols_must_be_told_apart),
        TEST(one_at_a_time_in_order),
        TEST(an_answer_counts_for_its_serial_alone),
        TEST(those_whose_answers_look_alike_go_one_by_one),
        TEST(serials_wrap_and_leave_out_the_prescribed_one),
        TEST(it_is_sent_again_after_t_and_2t_then_the_next_has_its_turn),
        TEST(a_preliminary_answer_will_do_if_nothing_follows),
        TEST(packages_are_sent_again_when_the_device_asks),
        TEST(with_a_ttl_it_waits_for_its_device),
        TEST(it_is_sent_again_with_its_serial_on_the_next_connection),
        TEST(a_taken_over_connection_answers_no_more),
        TEST(a_late_answer_completes_what_had_a_ttl),
        TEST(tickets_outlive_a_restart_and_a_kill),
        TEST(a_ticket_knows_its_listener_by_name),
        TEST(what_expired_meanwhile_is_never_sent),
        TEST(not_before_its_time),
        TEST(without_a_disk_nothing_durable_is_promised),
        TEST(an_answer_is_not_told_before_it_is_durable),
        TEST(a_wait_that_ends_before_the_disk_is_done_is_answered_by_it),
        TEST(the_question_and_the_command_are_one),
        TEST(in_another_state_it_is_not_sent),
        TEST(a_device_that_does_not_tell_its_state_does_not_block_others),
        TEST(while_it_is_asked_it_is_unsent),
        TEST(an_unsent_one_can_be_cancelled),
        TEST(a_newer_command_takes_the_place_of_an_unsent_one),
        TEST(what_was_superseded_is_not_sent_after_a_kill),
        TEST(a_key_makes_a_call_safe_to_repeat),
        TEST(who_asks_in_the_first_turn_is_answered),
        TEST(a_list_has_the_newest_first),
        TEST(a_list_has_only_so_many_bytes_of_answers),
        TEST(who_waits_for_a_ticket_is_told_when_it_is_over),
        TEST(a_queue_is_bounded),
        TEST(the_oldest_that_are_over_make_room),
        TEST(what_is_over_is_remembered_for_a_while),
        TEST(a_device_with_open_tickets_is_not_forgotten),
        TEST(memory_that_is_out_while_sending_ends_the_connection),
        TEST(when_the_gateway_ends_all_who_wait_are_told),
        TEST(a_damaged_record_is_left_out),
    };

    log_setup(LOG_ERROR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
