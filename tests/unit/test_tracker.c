static long long mono_ms, wall_ms;

#include "relayrig.h"

#include "base/clock.h"
#include "relay/tracker_inside.h"
#include "unit.h"

/* Instead of base/clock.c. */
int64_t clock_mono_ms(void)
{
    return mono_ms;
}

int64_t clock_mono_us(void)
{
    return mono_ms * 1000;
}

int64_t clock_wall_ms(void)
{
    return wall_ms;
}

#define START_WALL 1700000000000
#define SECOND     1000
#define MINUTE     (60 * SECOND)
#define DAY        (24ll * 60 * MINUTE)

/* ---- time ---- */

static void pass(int64_t ms)
{
    mono_ms += ms;
    wall_ms += ms;
    relay_rig_settle();
}

/* In steps so small that everything happens in its time. */
static void pass_slowly(int64_t ms, int64_t step_ms)
{
    for (; ms > 0; ms -= step_ms)
        pass(step_ms < ms ? step_ms : ms);
}

/* ---- terminals ---- */

static void send_frame(int fd, enum ttms_command command, uint32_t address,
                       const char *content)
{
    uint8_t bytes[256];
    size_t size = ttms_formed_size(strlen(content), TTMS_LENGTH_TOTAL);

    ttms_form(command, address, slice_of(content, strlen(content)), TTMS_LENGTH_TOTAL,
              bytes);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
    relay_rig_settle();
}

static void beat(int fd, uint32_t id)
{
    send_frame(fd, TTMS_HEARTBEAT, id, "beat");
}

static int terminal(unsigned shard, uint32_t id)
{
    int fd = relay_rig_connect(shard);

    beat(fd, id);
    return fd;
}

static void hang_up(int fd)
{
    close(fd);
    relay_rig_settle();
}

static void read_all(int fd)
{
    uint8_t bytes[65536];

    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    relay_rig_settle();
}

/* ---- devices ---- */

static struct id id_of(uint32_t address)
{
    struct id id = {.protocol = PROTOCOL_TTMS, .length = 8};

    ttms_id_text(address, id.text);
    return id;
}

static struct relay *home_of(uint32_t address)
{
    struct id id = id_of(address);

    return relay_rig_home(&id);
}

static struct terminal *device(uint32_t address)
{
    struct id id = id_of(address);

    return relay_rig_device(relay_rig_home(&id), &id);
}

static struct device_view look(uint32_t address)
{
    struct device_view v;

    assert_non_null(device(address));
    tracker_view(home_of(address), device(address), &v);
    return v;
}

/* Counts up from `from` to an address that lives on that shard. */
static uint32_t address_on(unsigned shard, uint32_t from)
{
    while (relay_index(home_of(from)) != shard)
        from++;
    return from;
}

#define EXPECT_NEWS(text) assert_string_equal(relay_rig_news(), text)
#define CAME(id)          id " close>leave connected, " id " leave>alive connected"
#define WENT(id, reason)  id " alive>leave " reason ", " id " leave>close " reason

static struct tracker_stats totals(void)
{
    struct tracker_stats all = {0};

    for (unsigned i = 0; i < RELAY_SHARDS; i++) {
        struct tracker_stats s = tracker_stats(&relay_rig.relays[i]);

        all.connections += s.connections;
        all.forgotten += s.forgotten;
        all.refused += s.refused;
        for (int state = 0; state < PRESENCE_COUNT; state++)
            all.devices[PROTOCOL_TTMS][state] += s.devices[PROTOCOL_TTMS][state];
    }
    return all;
}

/* ---- the rig ---- */

static int open_rig(void **state)
{
    mono_ms = 1000000;
    wall_ms = START_WALL;
    return relay_rig_begin(state);
}

static void restart(void)
{
    relay_rig_close();
    relay_rig_open();
}

static void set_policy(struct presence_policy p)
{
    relay_rig.settings.common.presence = p;
}

static const struct presence_policy by_cursor = {
    .rule = PRESENCE_RULE_CURSOR,
    .rejoin = PRESENCE_LEAVE,
    .threshold = 5,
    .strikes = 3,
    .recover = 5,
    .interval_ms = 10 * SECOND,
    .leave_hold_ms = 30 * MINUTE,
};

/* ---- connections ---- */

static void a_device_comes_and_goes_with_two_events_each(void **state)
{
    int fd = terminal(0, 1);

    (void)state;
    EXPECT_NEWS(CAME("00000001"));
    assert_int_equal(look(1).state, PRESENCE_ALIVE);
    assert_true(look(1).connected);
    hang_up(fd);
    EXPECT_NEWS(WENT("00000001", "peer_closed"));
    assert_int_equal(look(1).state, PRESENCE_CLOSE);
    assert_false(look(1).connected);
    assert_int_equal(look(1).epoch, 1);
    assert_int_equal(look(1).sequence, 4);
    fd = terminal(1, 1);
    EXPECT_NEWS(CAME("00000001")); /* without a rule there is nothing to recover from */
    assert_int_equal(look(1).epoch, 2);
    hang_up(fd);
}

struct seen {
    struct event event;
    char content[EVENT_CONTENT_MAX];
    char listener[LISTENER_NAME_MAX + 1];
};

static bool see(void *user, const struct event *e)
{
    struct seen *seen = user;

    seen->event = *e;
    memcpy(seen->content, e->content.data, e->content.size);
    snprintf(seen->listener, sizeof(seen->listener), "%.*s", (int)e->listener.size,
             (const char *)e->listener.data);
    return true;
}

static struct event last_event(struct seen *seen)
{
    relay_rig_settle();
    assert_int_equal(journal_read(relay_rig.journal, 0, see, seen), OK);
    assert_string_equal(seen->listener, "terminals");
    assert_memory_equal(seen->event.device.text, "00000001", 8);
    return seen->event;
}

static void a_report_becomes_an_event_with_the_beginning_of_its_body(void **state)
{
    static uint8_t body[EVENT_CONTENT_MAX + 1] = {1, 2, 3};
    struct report p = {.message = 0x0200, .serial = 7, .version = 1};
    int fd = terminal(0, 1);
    static struct seen seen;
    struct event e;

    (void)state;
    p.body = slice_of(body, 3);
    pass(SECOND);
    tracker_reported(home_of(1), device(1), &p);
    e = last_event(&seen);
    assert_int_equal(e.kind, EVENT_REPORT);
    assert_int_equal(e.time_ms, wall_ms);
    assert_int_equal(e.message, 0x0200);
    assert_int_equal(e.serial, 7);
    assert_int_equal(e.version, 1);
    assert_int_equal(e.epoch, 1);
    assert_int_equal(e.sequence, 2); /* it is no move */
    assert_int_equal(e.size, 3);
    assert_int_equal(e.content.size, 3);
    assert_memory_equal(seen.content, body, 3);
    p.body = slice_of(body, sizeof(body));
    tracker_reported(home_of(1), device(1), &p);
    e = last_event(&seen);
    assert_int_equal(e.size, sizeof(body));
    assert_int_equal(e.content.size, EVENT_CONTENT_MAX);
    assert_int_equal(tracker_stats(home_of(1)).reports, 2);
    hang_up(fd);
}

static void a_tickets_state_is_told_with_what_is_known_of_its_device(void **state)
{
    struct event told = {.kind = EVENT_COMMAND,
                         .from = 1,
                         .to = 2,
                         .message = 0x1005,
                         .ticket = UINT64_MAX,
                         .content = slice_of("status", 6),
                         .reason = slice_of("unsent", 6)};
    static struct seen seen;
    struct event e;

    (void)state;
    hang_up(terminal(0, 1)); /* connected or not */
    tracker_tell(home_of(1), device(1), &told);
    e = last_event(&seen);
    assert_int_equal(e.kind, EVENT_COMMAND);
    assert_int_equal(e.time_ms, wall_ms);
    assert_int_equal(e.from, 1);
    assert_int_equal(e.to, 2);
    assert_int_equal(e.message, 0x1005);
    assert_true(e.ticket == UINT64_MAX);
    assert_int_equal(e.epoch, 1);
    assert_int_equal(e.sequence, 4);
    assert_int_equal(e.content.size, 6);
    assert_memory_equal(seen.content, "status", 6);
    assert_int_equal(e.reason.size, 6);
}

static void an_end_has_the_reason_of_its_connection(void **state)
{
    int fd = terminal(0, 1);

    (void)state;
    (void)relay_rig_news();
    conn_close(device(1)->conn, CLOSE_KICKED);
    relay_rig_settle();
    EXPECT_NEWS(WENT("00000001", "kicked"));
    close(fd);
    fd = terminal(0, 1);
    (void)relay_rig_news();
    assert_int_equal(send(fd, "nonsense", 8, MSG_NOSIGNAL), 8);
    relay_rig_settle();
    EXPECT_NEWS(WENT("00000001", "bad_start"));
    close(fd);
}

static void a_take_over_is_no_event_wherever_it_comes_from(void **state)
{
    (void)state;
    for (unsigned shard = 0; shard < RELAY_SHARDS; shard++) {
        int old = terminal(0, 1 + shard), new;

        (void)relay_rig_news();
        new = terminal(shard, 1 + shard);
        EXPECT_NEWS("");
        assert_int_equal(look(1 + shard).epoch, 2);
        assert_int_equal(look(1 + shard).state, PRESENCE_ALIVE);
        hang_up(old); /* too late to move anything */
        EXPECT_NEWS("");
        assert_true(look(1 + shard).connected);
        hang_up(new);
        assert_string_not_equal(relay_rig_news(), "");
    }
}

static void a_connection_that_changes_its_name_ends_the_old_one(void **state)
{
    int fd = terminal(0, 1);

    (void)state;
    (void)relay_rig_news();
    beat(fd, 2);
    assert_int_equal(look(1).state, PRESENCE_CLOSE);
    assert_int_equal(look(2).state, PRESENCE_ALIVE);
    assert_non_null(strstr(relay_rig_news(), WENT("00000001", "renamed")));
    hang_up(fd);
}

static void events_of_a_device_never_go_back_in_time(void **state)
{
    int64_t first_ms;
    int fd = terminal(0, 1);

    (void)state;
    first_ms = look(1).since_ms;
    assert_int_equal(first_ms, START_WALL);
    wall_ms -= DAY;
    pass(SECOND);
    hang_up(fd);
    assert_int_equal(look(1).since_ms, first_ms);
}

static void a_moment_has_one_time_unless_the_clock_is_set(void **state)
{
    int64_t seen_ms;
    int fd = terminal(0, 1);

    (void)state;
    seen_ms = look(1).last_seen_ms;
    for (int i = 0; i < 4; i++) {
        wall_ms += i % 2 ? -1 : 1; /* as its fractions fall */
        pass(SECOND);
        assert_int_equal(look(1).last_seen_ms, seen_ms);
    }
    wall_ms += 1;
    pass(SECOND);
    restart();
    assert_int_equal(look(1).last_seen_ms, seen_ms);
    close(fd);
    fd = terminal(0, 2);
    wall_ms += DAY;
    pass(SECOND);
    hang_up(fd);
    assert_int_equal(look(2).since_ms, wall_ms);
}

/* ---- rules ---- */

static void silence_beyond_the_timeout_closes(void **state)
{
    int fd;

    (void)state;
    set_policy(
        (struct presence_policy){.rule = PRESENCE_RULE_TIMEOUT, .timeout_ms = MINUTE});
    fd = terminal(0, 1);
    (void)relay_rig_news();
    pass(40 * SECOND);
    beat(fd, 1);
    pass(MINUTE - 1);
    EXPECT_NEWS("");
    pass(5); /* the wheel turns late */
    EXPECT_NEWS(WENT("00000001", "timeout"));
    assert_int_equal(look(1).since_ms, START_WALL + 100 * SECOND);
    assert_int_equal(look(1).last_seen_ms, START_WALL + 40 * SECOND);
    assert_false(look(1).connected);
    assert_int_equal(home_of(1)->shard->stats.closed[CLOSE_SILENT], 1);
    close(fd);
}

static void strikes_recovery_and_leave_hold_follow_the_clock(void **state)
{
    int fd;

    (void)state;
    set_policy(by_cursor);
    fd = terminal(0, 1);
    EXPECT_NEWS(CAME("00000001")); /* the first time it is alive at once */
    /* The interval of its heartbeat takes nothing off: 15 silent ones follow. */
    pass_slowly(160 * SECOND - 1, 7 * SECOND);
    EXPECT_NEWS("");
    pass(1);
    EXPECT_NEWS("00000001 alive>leave strikes");
    assert_int_equal(look(1).since_ms, START_WALL + 160 * SECOND);
    for (int i = 0; i < 5; i++) {
        EXPECT_NEWS("");
        beat(fd, 1);
        pass(10 * SECOND);
    }
    EXPECT_NEWS("00000001 leave>alive recovered");
    pass_slowly(150 * SECOND, 10 * SECOND);
    EXPECT_NEWS("00000001 alive>leave strikes");
    pass_slowly(30 * MINUTE, MINUTE);
    EXPECT_NEWS("00000001 leave>close leave_hold");
    assert_false(look(1).connected);
    close(fd);

    fd = terminal(0, 1); /* it must earn what the first connection got */
    EXPECT_NEWS("00000001 close>leave connected");
    hang_up(fd);
    EXPECT_NEWS("00000001 leave>close peer_closed");
}

static void rejoin_alive_spares_the_recovery(void **state)
{
    struct presence_policy p = by_cursor;

    (void)state;
    p.rejoin = PRESENCE_ALIVE;
    set_policy(p);
    hang_up(terminal(0, 1));
    (void)relay_rig_news();
    hang_up(terminal(0, 1));
    EXPECT_NEWS(CAME("00000001") ", " WENT("00000001", "peer_closed"));
}

/* ---- restarts ---- */

static void a_restart_is_no_event_for_who_comes_back_in_time(void **state)
{
    int fd;

    (void)state;
    (void)terminal(0, 1);
    (void)terminal(0, 2);
    hang_up(terminal(0, 3));
    (void)relay_rig_news();
    restart();
    EXPECT_NEWS("");
    assert_int_equal(look(1).state, PRESENCE_ALIVE);
    assert_int_equal(look(3).state, PRESENCE_CLOSE);
    assert_int_equal(totals().devices[PROTOCOL_TTMS][PRESENCE_ALIVE], 2);
    pass(30 * SECOND);
    fd = terminal(0, 1);
    EXPECT_NEWS("");
    assert_int_equal(look(1).epoch, 2);
    pass(30 * SECOND - 1);
    EXPECT_NEWS("");
    pass(1);
    EXPECT_NEWS(WENT("00000002", "not_back"));
    assert_int_equal(totals().devices[PROTOCOL_TTMS][PRESENCE_ALIVE], 1);
    restart();
    assert_int_equal(look(1).epoch, 2);
    assert_int_equal(look(2).state, PRESENCE_CLOSE);
    pass(MINUTE);
    EXPECT_NEWS(WENT("00000001", "not_back"));
    close(fd);
}

static void a_crash_costs_at_most_a_minute_of_last_seen(void **state)
{
    struct device_view before;
    int fd = terminal(0, 1);

    (void)state;
    for (int i = 0; i < 30; i++) {
        pass(10 * SECOND);
        beat(fd, 1);
    }
    before = look(1);
    relay_rig_kill();
    restart();
    assert_int_equal(look(1).state, PRESENCE_ALIVE);
    assert_int_equal(look(1).epoch, 1);
    assert_true(look(1).last_seen_ms >= before.last_seen_ms - 70 * SECOND);
    assert_true(look(1).messages_in >= before.messages_in - 7);
    close(fd);
}

static void an_orderly_end_costs_nothing(void **state)
{
    struct device_view before;
    int fd = terminal(0, 1), other = terminal(1, 2);

    (void)state;
    pass(13 * SECOND);
    send_frame(fd, TTMS_DATA, 2, "hello");
    pass(13 * SECOND);
    read_all(other);
    before = look(1);
    assert_int_equal(look(2).messages_out, 1);
    restart();
    assert_int_equal(look(1).last_seen_ms, before.last_seen_ms);
    assert_int_equal(look(1).messages_in, before.messages_in);
    assert_int_equal(look(1).since_ms, before.since_ms);
    assert_int_equal(look(1).sequence, before.sequence);
    assert_string_equal(look(1).listener, "terminals");
    assert_int_equal(look(2).messages_out, 1);
    close(fd);
    close(other);
}

/* ---- counters ---- */

static void messages_add_up_over_connections_and_names(void **state)
{
    int fd = terminal(0, 1);

    (void)state;
    send_frame(fd, TTMS_DATA, 9, "hello");
    assert_int_equal(look(1).messages_in, 2);
    beat(fd, 2); /* its frames are the other one's from here on */
    beat(fd, 2);
    assert_int_equal(look(1).messages_in, 2);
    assert_int_equal(look(2).messages_in, 2);
    hang_up(fd);
    fd = terminal(0, 1);
    assert_int_equal(look(1).messages_in, 3);
    fd = terminal(1, 1); /* takes over */
    assert_int_equal(look(1).messages_in, 4);
    pass(2 * MINUTE); /* rounds count, too */
    assert_int_equal(look(1).messages_in, 4);
    hang_up(fd);
    assert_int_equal(look(1).messages_in, 4);
}

/* ---- forgetting ---- */

static void who_is_gone_for_too_long_is_forgotten_but_not_with_mail(void **state)
{
    int fd;

    (void)state;
    hang_up(terminal(0, 1));
    hang_up(terminal(0, 2));
    fd = terminal(0, 3);
    send_frame(fd, TTMS_DATA, 2, "for later");
    pass(30 * DAY - MINUTE);
    assert_non_null(device(1));
    pass(2 * MINUTE);
    pass(MINUTE); /* the next round */
    assert_null(device(1));
    assert_non_null(device(2));
    assert_non_null(device(3));
    mailbox_purge(home_of(2)->mailbox, &device(2)->mail);
    pass(2 * MINUTE);
    assert_null(device(2));
    assert_int_equal(totals().forgotten, 2);
    hang_up(fd);
    restart();
    assert_null(device(1));
    assert_null(device(2));
    assert_non_null(device(3));
}

static void the_address_of_mail_is_forgotten_with_it(void **state)
{
    int fd = terminal(0, 1);

    (void)state;
    (void)relay_rig_news();
    send_frame(fd, TTMS_DATA, 2, "hello");
    assert_int_equal(look(2).epoch, 0);
    assert_int_equal(look(2).state, PRESENCE_CLOSE);
    assert_int_equal(look(2).mail_messages, 1);
    assert_int_equal(look(2).last_seen_ms, 0);
    mailbox_purge(home_of(2)->mailbox, &device(2)->mail);
    relay_rig_settle();
    EXPECT_NEWS("");
    hang_up(fd);
}

static int open_small_rig(void **state)
{
    (void)state;
    mono_ms = 1000000;
    wall_ms = START_WALL;
    store_mem_wipe();
    relay_rig_defaults();
    relay_rig.max_devices = 3;
    relay_rig_open();
    return 0;
}

static void a_full_table_forgets_the_one_gone_longest(void **state)
{
    uint32_t a = address_on(0, 1), b = address_on(0, a + 1), c = address_on(0, b + 1),
             d = address_on(0, c + 1), e = address_on(0, d + 1);
    int stays = terminal(0, c), fd;

    (void)state;
    hang_up(terminal(0, b));
    pass(MINUTE);
    hang_up(terminal(0, a));
    restart(); /* as they are sorted then, too */
    stays = terminal(0, c);
    fd = terminal(0, d);
    assert_null(device(b));
    assert_non_null(device(a));
    send_frame(fd, TTMS_DATA, a, "hello"); /* its mail keeps it */
    hang_up(terminal(0, e));
    assert_null(device(e));
    assert_non_null(device(a));
    assert_int_equal(totals().refused, 1);
    assert_int_equal(totals().forgotten, 1);
    hang_up(fd);
    hang_up(terminal(0, e));
    assert_null(device(d));
    assert_non_null(device(e));
    close(stays);
}

static void remember(uint32_t address, int64_t since_ms)
{
    struct card card = {
        .device = id_of(address),
        .listener = slice_of("gone", 4),
        .since_ms = since_ms,
        .last_seen_ms = since_ms,
        .state = PRESENCE_CLOSE,
        .epoch = 1,
    };
    uint32_t number = feed_new_card(home_of(address)->tracker->feed);

    assert_int_equal(tracker_adopt(&relay_rig.group, number, &card), OK);
}

static void those_remembered_stand_in_the_order_of_their_going(void **state)
{
    uint32_t a = address_on(0, 1), b = address_on(0, a + 1), c = address_on(0, b + 1),
             d = address_on(0, c + 1);

    (void)state;
    remember(a, START_WALL - MINUTE);
    remember(b, START_WALL - 3 * MINUTE);
    remember(c, START_WALL - 2 * MINUTE);
    tracker_start(&relay_rig.group);
    assert_string_equal(look(a).listener, "gone");
    hang_up(terminal(0, d));
    assert_null(device(b));
    hang_up(terminal(0, b));
    assert_null(device(c));
    hang_up(terminal(0, c));
    assert_null(device(a));
}

/* ---- looking ---- */

static void a_view_shows_what_the_session_adds(void **state)
{
    int fd = terminal(0, 1);

    (void)state;
    assert_string_equal(look(1).extra, "\"length\":\"total\"");
    hang_up(fd);
    assert_string_equal(look(1).extra, "");
}

int main(void)
{
#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, relay_rig_end)
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_device_comes_and_goes_with_two_events_each),
        RIG_TEST(a_report_becomes_an_event_with_the_beginning_of_its_body),
        RIG_TEST(a_tickets_state_is_told_with_what_is_known_of_its_device),
        RIG_TEST(an_end_has_the_reason_of_its_connection),
        RIG_TEST(a_take_over_is_no_event_wherever_it_comes_from),
        RIG_TEST(a_connection_that_changes_its_name_ends_the_old_one),
        RIG_TEST(events_of_a_device_never_go_back_in_time),
        RIG_TEST(a_moment_has_one_time_unless_the_clock_is_set),
        RIG_TEST(silence_beyond_the_timeout_closes),
        RIG_TEST(strikes_recovery_and_leave_hold_follow_the_clock),
        RIG_TEST(rejoin_alive_spares_the_recovery),
        RIG_TEST(a_restart_is_no_event_for_who_comes_back_in_time),
        RIG_TEST(a_crash_costs_at_most_a_minute_of_last_seen),
        RIG_TEST(an_orderly_end_costs_nothing),
        RIG_TEST(messages_add_up_over_connections_and_names),
        RIG_TEST(who_is_gone_for_too_long_is_forgotten_but_not_with_mail),
        RIG_TEST(the_address_of_mail_is_forgotten_with_it),
        cmocka_unit_test_setup_teardown(a_full_table_forgets_the_one_gone_longest,
                                        open_small_rig, relay_rig_end),
        cmocka_unit_test_setup_teardown(
            those_remembered_stand_in_the_order_of_their_going, open_small_rig,
            relay_rig_end),
        RIG_TEST(a_view_shows_what_the_session_adds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
