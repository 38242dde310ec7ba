/* The conversation with devices that a profile describes. */
#include "unit.h"
#include "relayrig.h"
#include "command/commands.h"
#include "session/device_inside.h"

#include <errno.h>
#include <stdio.h>

#define T10     "5439303030303130" /* T9000010 */
#define LOGIN   "7e 1001 0000 " T10 " 0001 7c 7e"
#define WELCOME "7e1001000154393030303031300001007d017e"
#define BEAT    "7e 1002 0000 " T10 " 0007 79 7e"
#define BEATEN  "7e100200015439303030303130000700787e"

static struct device_settings settings;
static struct listener listener;

static struct inbox orders_back;

static int begin(void **state)
{
    (void)state;
    log_setup(LOG_ERROR, 0);
    settings = (struct device_settings){
        .common.commands = {.in_flight = 1, .retry_ms = 1000000},
        .framing = device_framing(DEVICE_ID_ASCII8),
        .form = DEVICE_ID_ASCII8,
        .packages = {.max_groups = 4, .max_bytes = 65536, .max_age_ms = 60000},
        .profile = profile_vending,
    };
    listener = (struct listener){
        .name = "devices",
        .ops = &device_ops.conn,
        .conf = &settings,
        .register_timeout_ms = 1000000,
        .read_timeout_ms = 1000000,
    };
    store_mem_wipe();
    relay_rig_defaults();
    relay_rig.devices = &listener;
    relay_rig.device_count = 1;
    relay_rig_open();
    return inbox_init(&orders_back);
}

static int end(void **state)
{
    int rc;

    relay_rig_settle();
    rc = relay_rig_end(state);
    inbox_fini(&orders_back);
    return rc;
}

/* ---- verbs ---- */

static int device(unsigned shard)
{
    return relay_rig_accept(shard, &listener, 0);
}

static size_t unhex(const char *digits, uint8_t *to)
{
    size_t n = 0;

    for (unsigned byte; *digits; digits++)
        if (*digits != ' ' && sscanf(digits++, "%2x", &byte) == 1)
            to[n++] = (uint8_t)byte;
    return n;
}

static void give(int fd, const uint8_t *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
    relay_rig_settle();
}

static void say(int fd, const char *digits)
{
    static uint8_t bytes[8192];

    give(fd, bytes, unhex(digits, bytes));
}

/* A frame with a right checksum. */
static void say_frame(int fd, uint16_t message, const char *name, uint16_t serial,
                      struct slice body)
{
    struct device_head head = {.form = DEVICE_ID_ASCII8};
    struct buf wire = {0};

    memcpy(head.id, name, 8);
    assert_int_equal(device_encode(&head, message, serial, 0, 0, body, &wire), OK);
    give(fd, buf_peek(&wire).data, buf_used(&wire));
    buf_fini(&wire);
}

/* What it was sent, as hex; "ended" and "" for the obvious. */
static const char *heard(int fd)
{
    static char text[8192];
    uint8_t bytes[4000];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return "ended";
    text[0] = '\0';
    for (ssize_t i = 0; i < n; i++)
        sprintf(text + 2 * i, "%02x", bytes[i]);
    return text;
}

static struct terminal *find(const char *name)
{
    struct id id;

    assert_int_equal(id_make(PROTOCOL_DEVICE, slice_of(name, strlen(name)), &id), OK);
    return relay_rig_device(relay_rig_home(&id), &id);
}

static struct conn *conn_of(const char *name)
{
    return find(name) ? find(name)->conn : NULL;
}

static const char *shown(const char *name)
{
    static char text[128];
    struct buf out = {0};
    struct json j = json_to(&out);

    json_open(&j, '{');
    device_ops.show(conn_of(name), &j);
    json_close(&j, '}');
    snprintf(text, sizeof(text), "%.*s", (int)buf_used(&out), buf_peek(&out).data);
    buf_fini(&out);
    return text;
}

#define COUNT(member)                                                                  \
    (relay_rig.relays[0].stats.member + relay_rig.relays[1].stats.member)

static uint64_t closed(enum close_reason reason)
{
    return relay_rig.shards[0].stats.closed[reason] +
           relay_rig.shards[1].stats.closed[reason];
}

static uint64_t reports(void)
{
    return tracker_stats(&relay_rig.relays[0]).reports +
           tracker_stats(&relay_rig.relays[1]).reports;
}

/* ---- who it is ---- */

static void a_login_is_answered_with_its_serial(void **state)
{
    (void)state;
    for (unsigned shard = 0; shard < RELAY_SHARDS; shard++) { /* one of them moves */
        int fd = device(shard);

        say(fd, LOGIN);
        assert_string_equal(heard(fd), WELCOME);
        assert_non_null(conn_of("T9000010"));
        assert_int_equal(conn_of("T9000010")->rx_frames, 1);
        close(fd);
        relay_rig_settle();
        assert_null(conn_of("T9000010"));
    }
}

static void any_good_frame_says_who_it_is(void **state)
{
    int fd = device(0), other = device(1);

    (void)state;
    say_frame(fd, 0x1002, "T9000010", 7, (struct slice){0});
    assert_string_equal(heard(fd), BEATEN);
    say_frame(other, 0x1003, "T9000011", 8, slice_of("\0\0\0\2", 4));
    assert_string_equal(heard(other), "");
    assert_non_null(conn_of("T9000010"));
    assert_string_equal(shown("T9000011"),
                        "{\"reported\":{\"state\":\"paused\",\"code\":2}}");
    close(fd);
    close(other);
}

static void its_letters_are_echoed_as_they_came(void **state)
{
    int fd = device(0);

    (void)state;
    say_frame(fd, 0x1001, "t900001b", 1, (struct slice){0});
    assert_non_null(conn_of("T900001B"));
    assert_string_equal(heard(fd), "7e1001000174393030303031620001000f7e");
    say_frame(fd, 0x1002, "T900001B", 2, (struct slice){0}); /* the same device */
    assert_int_equal(conn_of("T900001B")->rx_frames, 2);
    assert_int_equal(find("T900001B")->epoch, 1);
    close(fd);
}

static void another_id_is_another_device(void **state)
{
    char name[9];
    int fd = device(0);

    (void)state;
    say(fd, LOGIN);
    for (int i = 0; i < 20; i++) { /* there and back between the shards */
        snprintf(name, sizeof(name), "T800%04d", i);
        say_frame(fd, 0x1001, name, 3, (struct slice){0});
        assert_non_null(conn_of(name));
        assert_null(conn_of("T9000010"));
        say(fd, LOGIN);
        assert_null(conn_of(name));
        assert_non_null(conn_of("T9000010"));
    }
    close(fd);
}

static void a_second_connection_takes_over(void **state)
{
    int old = device(0), young = device(1);

    (void)state;
    say(old, LOGIN);
    assert_string_equal(heard(old), WELCOME);
    say(young, LOGIN);
    assert_string_equal(heard(old), "ended");
    assert_string_equal(heard(young), WELCOME);
    assert_int_equal(closed(CLOSE_REPLACED), 1);
    assert_int_equal(find("T9000010")->epoch, 2);
    close(old);
    close(young);
}

/* ---- what it says ---- */

static void reports_become_events_and_are_not_answered(void **state)
{
    int fd = device(0);

    (void)state;
    say(fd, LOGIN);
    (void)heard(fd);
    for (uint8_t code = 1; code <= 6; code++) {
        uint8_t body[4] = {0, 0, 0, code};

        say_frame(fd, 0x1003, "T9000010", code, slice_of(body, 4));
        assert_int_equal(reports(), code);
    }
    assert_string_equal(shown("T9000010"),
                        "{\"reported\":{\"state\":null,\"code\":6}}");
    say_frame(fd, 0x1003, "T9000010", 9, (struct slice){0}); /* tells no state */
    assert_string_equal(shown("T9000010"),
                        "{\"reported\":{\"state\":null,\"code\":6}}");
    assert_string_equal(heard(fd), "");
    close(fd);
}

static void what_answers_a_command_is_not_answered(void **state)
{
    int fd = device(0);

    (void)state;
    say(fd, LOGIN);
    (void)heard(fd);
    assert_string_equal(shown("T9000010"), "{}");
    say_frame(fd, 0x1005, "T9000010", 2, slice_of("\0\0\0\5", 4));
    assert_string_equal(shown("T9000010"),
                        "{\"reported\":{\"state\":\"ready\",\"code\":5}}");
    say_frame(fd, 0x9999, "T9000010", 3, slice_of("\0\0\0\1", 4));
    assert_string_equal(shown("T9000010"),
                        "{\"reported\":{\"state\":\"ready\",\"code\":5}}");
    assert_string_equal(heard(fd), "");
    assert_int_equal(reports(), 0);
    close(fd);
}

static void packages_are_one_message(void **state)
{
    int fd = device(0);

    (void)state;
    say(fd, LOGIN);
    (void)heard(fd);
    say(fd, "7e 1003 2002 " T10 " 0005 0002 0002 0003 5b 7e");
    assert_int_equal(reports(), 0);
    say(fd, "7e 1003 2002 " T10 " 0004 0002 0001 0000 5a 7e");
    assert_int_equal(COUNT(bad_frames), 0);
    assert_int_equal(reports(), 1);
    assert_string_equal(shown("T9000010"),
                        "{\"reported\":{\"state\":\"cooling\",\"code\":3}}");
    assert_null(device_session_of(conn_of("T9000010"))->packages);
    /* half of one, and away: its memory goes with the connection */
    say(fd, "7e 1003 2002 " T10 " 0005 0002 0002 0003 5b 7e");
    assert_non_null(device_session_of(conn_of("T9000010"))->packages);
    say(fd, "7e 1003 2002 " T10 " 0005 0002 0003 0003 5a 7e");
    assert_int_equal(COUNT(bad_frames), 1);
    close(fd);
}

/* ---- what is bad ---- */

/* What each costs, and that the frame behind it is answered. */
static void bad_frames_cost_themselves_only(void **state)
{
    static const struct {
        const char *bytes;
        unsigned bad;
    } cases[] = {
        {"7e 1002 0000 " T10 " 0007 78 7e", 1},         /* checksum */
        {"7e 1002 0001 " T10 " 0007 78 7e", 1},         /* shorter than it says */
        {"7e 1002 0000 " T10 " 0007 00 79 7e", 1},      /* longer */
        {"7e 1002 0400 " T10 " 0007 7d01 7e", 1},       /* encrypted */
        {"7e 1002 0000 54390030303031300007 49 7e", 1}, /* a NUL in its id */
        {"7e 1002 0000 " T10 " 0007 7d 7e", 1},         /* half an escape */
        {"7e 1002 0000 " T10 " 0007 7d03 79 7e", 1},    /* no escape */
        {"7e 1002 7e", 1},                              /* too short */
        {"7e 1002 0000 54393030", 1},                   /* never closed */
        {"7e 7e 7e 7e", 0},
        {"00 01 7e", 1},
        {"7e 474554202f 7e", 1},
        {"7e 1002 0000 " T10 " 0007 78 7e 1002 7e 00 7e", 3},
    };
    int fd = device(0);
    uint64_t bad = 0;

    (void)state;
    say(fd, LOGIN);
    (void)heard(fd);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        say(fd, cases[i].bytes);
        assert_string_equal(heard(fd), "");
        say(fd, BEAT);
        assert_string_equal(heard(fd), BEATEN);
        bad += cases[i].bad;
        assert_int_equal(COUNT(bad_frames), bad);
    }
    close(fd);
}

static void one_mark_may_close_and_open(void **state)
{
    int fd = device(1);

    (void)state;
    say(fd, "7e 1001 0000 " T10 " 0001 7c 7e 1002 0000 " T10 " 0007 79 7e");
    assert_string_equal(heard(fd), WELCOME BEATEN);
    close(fd);
}

static void too_large_a_frame_is_dropped_and_counted_once(void **state)
{
    static uint8_t large[5000];
    int fd = device(0);

    (void)state;
    say(fd, LOGIN);
    (void)heard(fd);
    memset(large, 'x', sizeof(large));
    give(fd, (const uint8_t *)"\x7e", 1);
    for (size_t at = 0; at < sizeof(large); at += 100)
        give(fd, large + at, 100);
    say(fd, BEAT);
    assert_string_equal(heard(fd), BEATEN);
    assert_int_equal(COUNT(bad_frames), 1);
    close(fd);
}

static void a_little_junk_may_stand_before_the_first_frame(void **state)
{
    static const uint8_t junk[64] = "GET /status/T9000010 HTTP/1.0\r\n\r\n";

    (void)state;
    for (int bytewise = 0; bytewise <= 1; bytewise++) {
        int fd = device(0);

        if (bytewise)
            for (size_t i = 0; i < sizeof(junk); i++)
                give(fd, junk + i, 1);
        else
            give(fd, junk, sizeof(junk));
        assert_string_equal(heard(fd), "");
        assert_int_equal(COUNT(bad_frames), bytewise + 1);
        say(fd, LOGIN);
        assert_string_equal(heard(fd), WELCOME);
        close(fd);
        relay_rig_settle();
    }
}

static void who_sends_more_of_it_is_no_device(void **state)
{
    uint8_t junk[200] = "POST / HTTP/1.1\r\n";
    int fd = device(0), bytewise = device(1), together = device(0);

    (void)state;
    memset(junk + 17, 'x', sizeof(junk) - 17);
    give(fd, junk, 65);
    assert_string_equal(heard(fd), "ended");
    for (size_t i = 0; i < 65; i++)
        give(bytewise, junk + i, 1);
    assert_string_equal(heard(bytewise), "ended");
    /* also if a frame follows at once: how bytes arrive changes nothing */
    (void)unhex(LOGIN, junk + 65);
    give(together, junk, 65 + 17);
    assert_string_equal(heard(together), "ended");
    assert_int_equal(closed(CLOSE_BAD_START), 3);
    assert_null(find("T9000010"));
    close(fd);
    close(bytewise);
    close(together);
}

static void every_cut_of_a_conversation_reads_the_same(void **state)
{
    static const char conversation[] =
        "2424 " LOGIN "7e 1002 0000 " T10 " 0007 78 7e"
        "7e 1003 0004 " T10 " 00 7d02 7d01 7d02 00 01 07 7e" BEAT;
    uint8_t bytes[256];
    size_t size = unhex(conversation, bytes);

    (void)state;
    for (size_t cut = 1; cut < size; cut++) {
        int fd = device(cut % RELAY_SHARDS);
        uint64_t bad = COUNT(bad_frames), told = reports();
        char all[512];

        give(fd, bytes, cut);
        strcpy(all, heard(fd));
        give(fd, bytes + cut, size - cut);
        strcat(all, heard(fd));
        assert_string_equal(all, WELCOME BEATEN);
        assert_int_equal(COUNT(bad_frames), bad + 2);
        assert_int_equal(reports(), told + 1);
        assert_int_equal(conn_of("T9000010")->rx_frames, 3);
        close(fd);
        relay_rig_settle();
    }
}

static void who_never_reads_the_answers_is_not_read_from(void **state)
{
    uint8_t bytes[64];
    size_t size = unhex(BEAT, bytes), given = 0;
    int fd;

    (void)state;
    relay_rig_close();
    relay_rig.output_limit = 2000;
    relay_rig_open();
    fd = device(0);
    for (int i = 0; i < 100000 && send(fd, bytes, size, MSG_DONTWAIT) > 0; i++) {
        given++;
        if (i % 100 == 0)
            relay_rig_turn();
    }
    relay_rig_settle();
    assert_true(conn_output_size(conn_of("T9000010")) < 2 * 2000 + 100);
    for (size_t got = 0; got < given; relay_rig_turn()) {
        char answers[4096];
        ssize_t n = recv(fd, answers, sizeof(answers), MSG_DONTWAIT);

        for (ssize_t i = 0; i < n; i++)
            got += answers[i] == 0x78; /* the checksum of each */
    }
    assert_int_equal(conn_of("T9000010")->rx_frames, given);
    close(fd);
}

/* ---- commands ---- */

static struct order order;

static void order_done(struct trip *t)
{
    t->inbox = NULL; /* it is ours again */
}

static void take_back(void)
{
    relay_rig_settle();
    for (struct parcel *p = inbox_take(&orders_back), *next; p; p = next) {
        next = p->next;
        p->open(p, NULL);
    }
}

static void send_order(void)
{
    order.trip.inbox = &orders_back;
    order.trip.done = order_done;
    commands_order(&relay_rig.group, &order);
    take_back();
}

static void ask(const char *device, const char *command, int64_t ttl_ms)
{
    struct id id;

    buf_fini(&order.view.answer);
    assert_int_equal(id_make(PROTOCOL_DEVICE, slice_of(device, strlen(device)), &id),
                     OK);
    order = (struct order){.kind = ORDER_CREATE,
                           .ids = {id},
                           .id_count = 1,
                           .wait_ms = 600000,
                           .ttl_ms = ttl_ms};
    snprintf(order.command.name, sizeof(order.command.name), "%s", command);
    send_order();
}

/* "answered 00000005", "failed disconnected", "asked": it is not back. */
static const char *fate(void)
{
    static char text[128];
    struct slice answer;

    take_back();
    if (order.trip.inbox)
        return "asked";
    assert_int_equal(order.rc, OK);
    answer = buf_peek(&order.view.answer);
    snprintf(text, sizeof(text), "%s%s%s", ticket_state_word(order.view.state),
             order.view.reason || order.view.has_answer ? " " : "",
             order.view.reason ? ticket_reason_word(order.view.reason) : "");
    for (size_t i = 0; i < answer.size; i++)
        sprintf(text + strlen(text), "%02x", answer.data[i]);
    buf_fini(&order.view.answer);
    return text;
}

/* The same with its escapes undone: serials begin anywhere. */
static const char *heard_plain(int fd)
{
    static char plain[16384];
    const char *text = heard(fd);
    size_t used = 0;

    for (; *text; text += 2) {
        bool is_escape = strncmp(text, "7d0", 3) == 0;

        if (is_escape)
            text += 2;
        memcpy(plain + used, is_escape ? text[1] == '1' ? "7d" : "7e" : text, 2);
        used += 2;
        assert_true(used < sizeof(plain));
    }
    plain[used] = '\0';
    return plain;
}

/* The serial of the last frame that the device heard. */
static uint16_t heard_serial(int fd, const char *message)
{
    const char *text = heard_plain(fd);
    unsigned serial = 0;

    assert_memory_equal(text + 2, message, 4);
    assert_memory_equal(text + 10, T10, 16);
    sscanf(text + 26, "%4x", &serial);
    return (uint16_t)serial;
}

static void a_command_brings_its_answer_back(void **state)
{
    static const uint8_t ready[4] = {0, 0, 0, 5};
    int fd = device(0);
    uint16_t serial;

    (void)state;
    say(fd, LOGIN);
    (void)heard(fd);
    ask("T9000010", "status", 0);
    assert_string_equal(fate(), "asked");
    serial = heard_serial(fd, "1005");
    say_frame(fd, 0x1005, "T9000010", (uint16_t)(serial + 1), slice_of(ready, 4));
    assert_string_equal(fate(), "asked"); /* another serial answers something else */
    say_frame(fd, 0x1006, "T9000010", serial, slice_of(ready, 4));
    assert_string_equal(fate(), "asked");
    say_frame(fd, 0x1005, "T9000010", serial, slice_of(ready, 4));
    assert_string_equal(fate(), "answered 00000005");
    ask("T9000010", "turn_on", 0);
    assert_string_equal(heard(fd), "7e1004000854393030303031300010"
                                   "0003010000000000627e");
    say_frame(fd, 0x1004, "T9000010", 0x10, slice_of("\0\0\0\1", 4));
    assert_string_equal(fate(), "answered 00000001");
    close(fd);
}

static void an_answer_counts_on_its_own_connection_only(void **state)
{
    static const uint8_t on[4] = {0, 0, 0, 1};
    int fd = device(0), other = device(1), young;
    uint16_t serial;

    (void)state;
    say(fd, LOGIN);
    (void)heard(fd);
    say_frame(other, 0x1001, "T9000011", 1, (struct slice){0});
    ask("T9000010", "status", 0);
    serial = heard_serial(fd, "1005");
    say_frame(other, 0x1005, "T9000011", serial, slice_of(on, 4));
    assert_string_equal(fate(), "asked");
    young = device(1); /* the device comes back: what was asked before is lost */
    say(young, LOGIN);
    assert_string_equal(fate(), "failed disconnected");
    close(fd);
    close(other);
    close(young);
}

static void who_takes_another_id_answers_no_more(void **state)
{
    int fd = device(0);

    (void)state;
    say(fd, LOGIN);
    (void)heard(fd);
    ask("T9000010", "status", 0);
    say_frame(fd, 0x1001, "T9000011", 1, (struct slice){0});
    assert_string_equal(fate(), "failed disconnected");
    close(fd);
}

static void a_command_waits_for_its_device_if_it_may(void **state)
{
    static const uint8_t on[4] = {0, 0, 0, 1};
    int fd = device(0);
    uint16_t serial;

    (void)state;
    say(fd, LOGIN);
    close(fd);
    relay_rig_settle();
    ask("T9000010", "status", 0);
    assert_string_equal(fate(), "failed offline");
    ask("T9000010", "status", 600000);
    assert_string_equal(fate(), "asked");
    fd = device(1);
    say(fd, BEAT); /* any good frame will do; what it is answered comes first */
    assert_memory_equal(heard(fd), BEATEN "7e1005", strlen(BEATEN "7e1005"));
    close(fd);
    relay_rig_settle();
    fd = device(0);
    say_frame(fd, 0x1003, "T9000010", 1, slice_of(on, 4));
    serial = heard_serial(fd, "1005");
    say_frame(fd, 0x1005, "T9000010", serial, slice_of(on, 4));
    assert_string_equal(fate(), "answered 00000001");
    close(fd);
}

static void a_long_command_goes_in_packages(void **state)
{
    static uint8_t body[2 * DEVICE_BODY_MAX + 1];
    const char *text;
    int fd = device(0);

    (void)state;
    say(fd, LOGIN);
    (void)heard(fd);
    ask("T9000010", "status", 0);
    say_frame(fd, 0x1005, "T9000010", heard_serial(fd, "1005"), (struct slice){0});
    assert_string_equal(fate(), "answered ");
    order.command = (struct command){.message = 0x8300, .args = slice_of(body, 2047)};
    memset(body, 'x', sizeof(body));
    send_order();
    text = heard_plain(fd);
    assert_int_equal(strlen(text), 2 * (2 * (DEVICE_BODY_MAX + 21) + 22));
    assert_memory_equal(text, "7e830023ff" T10, 26);
    assert_memory_equal(text + 30, "00030001", 8);
    assert_memory_equal(text + strlen(text) - 2 * 22, "7e83002001" T10, 26);
    close(fd);
    take_back();
}

/* ---- the dialect ---- */

static const struct wire_command *encoded(const char *name, const char *args,
                                          int expect)
{
    static struct wire_command w;
    struct command c = {.args = slice_of(args, strlen(args)), .message = 0x8105};
    char why[DIALECT_WHY_SIZE] = "";

    buf_fini(&w.body);
    snprintf(c.name, sizeof(c.name), "%s", name);
    assert_int_equal(device_ops.dialect->encode(&settings, &c, 0, &w, why), expect);
    assert_int_equal(*why != '\0', expect < 0);
    return &w;
}

static void commands_are_put_into_messages(void **state)
{
    static char large[DEVICE_BODY_MAX * 2 + 2];
    const struct wire_command *w = encoded("status", "", OK);

    (void)state;
    assert_int_equal(w->message, 0x1005);
    assert_int_equal(w->answer, 0x1005);
    assert_true(w->answer_has_serial && !w->has_serial && w->serials == 1);
    assert_int_equal(buf_used(&w->body), 0);
    w = encoded("turn_on", " {} ", OK);
    assert_true(w->has_serial && w->serial == 0x10);
    assert_memory_equal(buf_peek(&w->body).data, "\0\3\1\0\0\0\0\0", 8);
    encoded("dance", "", ERR_NOTFOUND);
    encoded("status", "{\"a\":1}", ERR_INVALID);
    w = encoded("", "\4", OK);
    assert_int_equal(w->message, 0x8105);
    assert_int_equal(w->answer, 0x8105);
    assert_memory_equal(buf_peek(&w->body).data, "\4", 1);
    memset(large, 'x', sizeof(large) - 1);
    assert_int_equal(encoded("", large, OK)->serials, 3);
    encoded("", "", OK); /* frees the large one */
}

static void states_have_names_and_codes(void **state)
{
    const struct dialect *d = device_ops.dialect;
    struct slice ready = slice_of("\0\0\0\5", 4);

    (void)state;
    assert_int_equal(d->state(&settings, 0x1005, ready), 5);
    assert_int_equal(d->state(&settings, 0x1003, ready), 5);
    assert_int_equal(d->state(&settings, 0x1001, ready), -1);
    assert_int_equal(d->state(&settings, 0x1005, slice_of("\0\0\0", 3)), -1);
    assert_string_equal(d->state_word(&settings, 5), "ready");
    assert_null(d->state_word(&settings, 77));
    assert_int_equal(d->state_code(&settings, "cooling"), 3);
    assert_int_equal(d->state_code(&settings, "Cooling"), -1);
    assert_string_equal(d->state_query(&settings), "status");
    assert_string_equal(d->message_word(&settings, 0x1001), "login");
    assert_string_equal(d->message_word(&settings, 0x1003), "report");
    assert_string_equal(d->message_word(&settings, 0x1004), "turn_on");
    assert_null(d->message_word(&settings, 0x8105));
    assert_string_equal(d->command_word(&settings, 2), "restart");
    assert_null(d->command_word(&settings, 3));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_login_is_answered_with_its_serial),
        CASE(any_good_frame_says_who_it_is),
        CASE(its_letters_are_echoed_as_they_came),
        CASE(another_id_is_another_device),
        CASE(a_second_connection_takes_over),
        CASE(reports_become_events_and_are_not_answered),
        CASE(what_answers_a_command_is_not_answered),
        CASE(packages_are_one_message),
        CASE(bad_frames_cost_themselves_only),
        CASE(one_mark_may_close_and_open),
        CASE(too_large_a_frame_is_dropped_and_counted_once),
        CASE(a_little_junk_may_stand_before_the_first_frame),
        CASE(who_sends_more_of_it_is_no_device),
        CASE(every_cut_of_a_conversation_reads_the_same),
        CASE(who_never_reads_the_answers_is_not_read_from),
        CASE(a_command_brings_its_answer_back),
        CASE(an_answer_counts_on_its_own_connection_only),
        CASE(who_takes_another_id_answers_no_more),
        CASE(a_command_waits_for_its_device_if_it_may),
        CASE(a_long_command_goes_in_packages),
        CASE(commands_are_put_into_messages),
        CASE(states_have_names_and_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
