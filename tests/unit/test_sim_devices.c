/* Simulated vending machines and vehicle terminals, against a gateway that each test
 * plays itself: one device, one connection. */
#include "sim/devices/plant.h"
#include "base/hex.h"
#include "base/reader.h"

#include "unit.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_TURNS 200 /* of 100 ms at most */

static _Atomic bool stop;

/* ---- the gateway's side ---- */

static struct plant_settings settings;
static struct plant plant;
static int listener, conn = -1;
static struct buf input;
static uint8_t room[WIRE_FRAME_MAX];

static void begin(bool is_jt808, const char *line)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(to);
    char copy[256], *argv[32];
    int argc = 0;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &size), 0);
    snprintf(copy, sizeof(copy), "--count 1 --address 127.0.0.1:%u %s",
             ntohs(to.sin_port), line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    assert_int_equal(plant_settings_read(&settings, is_jt808, argc, argv, stderr), OK);
    assert_int_equal(plant_open(&plant, &settings, &stop), OK);
}

static void end(void)
{
    plant_close(&plant);
    close(listener);
    close(conn);
    conn = -1;
    buf_fini(&input);
}

/* Takes what the device has sent; an ended connection makes room for the next one. */
static void take_some(void)
{
    uint8_t bytes[4096];
    ssize_t n;

    if (conn < 0)
        conn = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (conn < 0 || (n = recv(conn, bytes, sizeof(bytes), 0)) < 0)
        return;
    assert_int_equal(buf_try_append(&input, slice_of(bytes, (size_t)n)), OK);
    if (n == 0) {
        close(conn);
        conn = -1;
    }
}

/* The next frame of the device, with this message. */
static struct wire_frame expect(uint16_t message)
{
    struct wire_frame f;
    struct slice content = {0};
    bool is_damaged;

    for (int turns = 0; content.size == 0; turns++) {
        size_t used = wire_cut(buf_peek(&input), room, &content, &is_damaged);

        assert_false(is_damaged);
        if (used) {
            buf_consume(&input, used);
            continue;
        }
        assert_true(turns < PATIENCE_TURNS);
        plant_turn(&plant);
        take_some();
    }
    assert_null(wire_read(content, &plant.machines[0].id, &f));
    assert_int_equal(f.message, message);
    return f;
}

static void say(uint16_t message, uint16_t serial, const void *body, size_t size)
{
    const struct wire_frame f = {.message = message,
                                 .serial = serial,
                                 .body = slice_of(body, size)};
    struct buf frame = {0};

    assert_int_equal(wire_write(&frame, &plant.machines[0].id, &f), OK);
    assert_int_equal(send(conn, buf_peek(&frame).data, buf_used(&frame), 0),
                     buf_used(&frame));
    buf_fini(&frame);
}

static void expect_body(uint16_t message, uint16_t serial, const void *body,
                        size_t size)
{
    struct wire_frame f = expect(message);

    assert_int_equal(f.serial, serial);
    assert_int_equal(f.body.size, size);
    assert_memory_equal(f.body.data, body, size);
}

static void until_tally(enum plant_tally tally, uint64_t count)
{
    for (int turns = 0; plant.tally[tally] < count; turns++) {
        assert_true(turns < PATIENCE_TURNS);
        plant_turn(&plant);
        take_some();
    }
    assert_int_equal(plant.tally[tally], count);
}

static void log_in(void)
{
    struct wire_frame f = expect(0x1001);

    say(0x1001, f.serial, "\0", 1);
    until_tally(PLANT_ACCEPTED, plant.tally[PLANT_CONNECTS]);
}

static void answer_8001(const struct wire_frame *f, uint8_t result)
{
    uint8_t body[5] = {[4] = result};

    put_u16(body, f->serial);
    put_u16(body + 2, f->message);
    say(0x8001, 0, body, sizeof(body));
}

static void enter_as_vehicle(void)
{
    struct wire_frame f = expect(0x0100);
    uint8_t body[] = {0, 0, 0, 'k', 'e', 'y'};

    put_u16(body, f.serial);
    say(0x8100, 0, body, sizeof(body));
    f = expect(0x0102);
    assert_true(slice_equal(f.body, slice_of("key", 3)));
    answer_8001(&f, 0);
    until_tally(PLANT_ACCEPTED, 1);
}

/* ---- frames ---- */

static struct slice bytes_of(const char *digits, struct buf *to)
{
    buf_clear(to);
    assert_int_equal(hex_read(slice_of(digits, strlen(digits)), to), OK);
    return buf_peek(to);
}

static void frames_are_written_and_read_as_published(void **state)
{
    static const struct {
        const char *digits;
        struct wire_id id;
        struct wire_frame frame;
    } cases[] = {
        {"7e100100005439303030303130"
         "00017c7e",
         {8, "T9000010"},
         {0x1001, 1}},
        {"7e1005000454393030303031300002000000057a7e",
         {8, "T9000010"},
         {0x1005, 2, .body = {(const uint8_t *)"\0\0\0\5", 4}}},
        {"7e100300045439303030303130007d027d017d020001077e",
         {8, "T9000010"},
         {0x1003, 0x7e, .body = {(const uint8_t *)"\x7d\x7e\0\1", 4}}},
        {"7e0002000004304832546500b7ca7e", {6, "\x04\x30\x48\x32\x54\x65"}, {2, 0xb7}},
        {"7e000240000112345678901234567890ffff437e",
         {10, "\x12\x34\x56\x78\x90\x12\x34\x56\x78\x90"},
         {2, 0xffff}},
    };
    struct buf wanted = {0}, got = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice bytes = bytes_of(cases[i].digits, &wanted), content;
        struct wire_frame f;
        bool is_damaged;

        buf_clear(&got);
        assert_int_equal(wire_write(&got, &cases[i].id, &cases[i].frame), OK);
        assert_true(slice_equal(buf_peek(&got), bytes));
        for (size_t n = 0; n < bytes.size; n++)
            assert_int_equal(wire_cut(slice_of(bytes.data, n), room, &content,
                                      &is_damaged),
                             0);
        assert_int_equal(wire_cut(bytes, room, &content, &is_damaged), bytes.size);
        assert_null(wire_read(content, &cases[i].id, &f));
        assert_int_equal(f.message, cases[i].frame.message);
        assert_int_equal(f.serial, cases[i].frame.serial);
        assert_true(slice_equal(f.body, cases[i].frame.body));
    }
    buf_fini(&wanted);
    buf_fini(&got);
}

static void what_is_wrong_with_a_frame_is_told(void **state)
{
    static const struct wire_id id = {8, "T9000010"}, other = {8, "T9000011"};
    struct buf b = {0};
    struct wire_frame f;
    struct slice content;
    bool is_damaged;

    (void)state;
    wire_cut(bytes_of("7e10010000543930303030313000017c7e", &b), room, &content,
             &is_damaged);
    assert_string_equal(wire_read(content, &other, &f), "id");
    room[5] ^= 1;
    assert_string_equal(wire_read(content, &id, &f), "checksum");
    room[5] ^= 1;
    room[3] ^= 1; /* the length, and the sum with it */
    room[content.size - 1] ^= 1;
    assert_string_equal(wire_read(content, &id, &f), "length");

    assert_int_equal(wire_cut(bytes_of("aabb7e", &b), room, &content, &is_damaged), 2);
    assert_true(is_damaged);
    assert_int_equal(wire_cut(bytes_of("7e7d037e", &b), room, &content, &is_damaged),
                     4);
    assert_true(is_damaged && content.size == 0);
    buf_fini(&b);
}

/* ---- vending machines ---- */

static void a_machine_holds_its_state(void **state)
{
    (void)state;
    begin(false, "");
    log_in();
    say(0x1005, 2, "", 0);
    expect_body(0x1005, 2, "\0\0\0\5", 4);
    say(0x1004, 0x10, "\0\3\1\0\0\0\0\0", 8);
    expect_body(0x1004, 0x10, "\0\0\0\1", 4);
    say(0x1005, 3, "", 0);
    expect_body(0x1005, 3, "\0\0\0\1", 4);
    say(0x1006, 4, "", 0);
    expect_body(0x1006, 4, "\0\0\0\5", 4);
    until_tally(PLANT_COMMANDS, 4);
    assert_int_equal(plant.tally[PLANT_REPEATS], 0);
    assert_true(plant_is_good(&plant));
    end();
}

static void what_was_turned_on_is_ready_again_later(void **state)
{
    struct wire_frame f;

    (void)state;
    begin(false, "--on 30ms");
    log_in();
    say(0x1004, 0x10, "", 0);
    expect_body(0x1004, 0x10, "\0\0\0\1", 4);
    do {
        say(0x1005, 1, "", 0);
        f = expect(0x1005);
    } while (f.body.data[3] == 1);
    assert_int_equal(f.body.data[3], 5);
    assert_true(plant.tally[PLANT_REPEATS] == plant.tally[PLANT_COMMANDS] - 2);
    end();
}

static void heartbeats_and_reports_go_on(void **state)
{
    struct wire_frame f;

    (void)state;
    begin(false, "--heartbeat 20ms --report 1h --state cooling");
    log_in();
    for (int i = 0; i < 3; i++) {
        f = expect(0x1002);
        say(0x1002, f.serial, "\0", 1);
    }
    until_tally(PLANT_ACKNOWLEDGED, 4);
    end();
    begin(false, "--heartbeat 1h --report 20ms --state cooling");
    log_in();
    f = expect(0x1003);
    assert_int_equal(f.body.data[3], 3);
    end();
}

static void commands_are_answered_in_the_manner_asked_for(void **state)
{
    int64_t asked_ns;

    (void)state;
    begin(false, "--answer twice");
    log_in();
    say(0x1005, 2, "", 0);
    expect_body(0x1005, 2, "\0\0\0\5", 4);
    expect_body(0x1005, 2, "\0\0\0\5", 4);
    end();

    begin(false, "--answer serial");
    log_in();
    say(0x1005, 2, "", 0);
    expect_body(0x1005, 3, "\0\0\0\5", 4);
    end();

    begin(false, "--answer 40ms");
    log_in();
    asked_ns = loop_now_ns();
    say(0x1005, 2, "", 0);
    expect_body(0x1005, 2, "\0\0\0\5", 4);
    assert_true(loop_now_ns() - asked_ns >= 39000000);
    end();

    begin(false, "--answer never");
    log_in();
    say(0x1005, 2, "", 0);
    until_tally(PLANT_WITHHELD, 1);
    assert_int_equal(plant.tally[PLANT_ANSWERS], 0);
    end();
}

static void a_late_answer_outlives_its_connection(void **state)
{
    (void)state;
    begin(false, "--answer 1500ms");
    log_in();
    say(0x1005, 2, "", 0);
    until_tally(PLANT_COMMANDS, 1);
    close(conn);
    conn = -1;
    buf_clear(&input);
    until_tally(PLANT_DROPPED, 1);
    log_in();
    expect_body(0x1005, 2, "\0\0\0\5", 4);
    assert_false(plant_is_good(&plant)); /* the gateway ended a connection */
    end();
}

static void who_is_restarted_goes_and_comes_back(void **state)
{
    (void)state;
    begin(false, "--away 20ms");
    log_in();
    say(0x1006, 2, "", 0);
    expect_body(0x1006, 2, "\0\0\0\5", 4);
    until_tally(PLANT_LEFT, 1);
    log_in();
    assert_int_equal(plant.tally[PLANT_RECONNECTS], 1);
    assert_true(plant_is_good(&plant));
    end();
}

static void what_a_gateway_must_not_send_is_counted(void **state)
{
    static const enum plant_tally bad[] = {PLANT_DAMAGED, PLANT_STRANGE,
                                           PLANT_MISROUTED};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        begin(false, "");
        log_in();
        if (bad[i] == PLANT_DAMAGED)
            assert_int_equal(send(conn, "\x7e\x7d\x7e", 3, 0), 3);
        else if (bad[i] == PLANT_STRANGE)
            say(0x1007, 1, "", 0);
        else
            assert_int_equal(send(conn, "\x7e\x10\x05\0\0T9000011\0\2\x7a\x7e", 17, 0),
                             17);
        until_tally(bad[i], 1);
        assert_false(plant_is_good(&plant));
        end();
    }
}

/* ---- vehicle terminals ---- */

static void a_terminal_registers_once_and_keeps_its_token(void **state)
{
    struct wire_frame f;

    (void)state;
    begin(true, "--away 20ms");
    enter_as_vehicle();
    say(0x8105, 7, "\4", 1);
    f = expect(0x0001);
    assert_true(slice_equal(f.body, slice_of("\0\7\x81\5\0", 5)));
    f = expect(0x0102); /* on a new connection */
    answer_8001(&f, 0);
    until_tally(PLANT_ACCEPTED, 2);
    assert_true(plant_is_good(&plant));
    end();
}

static void a_terminal_without_a_good_token_registers_again(void **state)
{
    struct wire_frame f;

    (void)state;
    begin(true, "--version 2019");
    f = expect(0x0100);
    say(0x8100, 0, "\0\0\0k", 4);
    f = expect(0x0102);
    assert_int_equal(f.body.data[0], 1);
    assert_int_equal(f.body.size, 1 + 1 + 15 + 20);
    answer_8001(&f, 1);
    expect(0x0100);
    assert_int_equal(plant.tally[PLANT_REFUSED], 1);
    end();
}

static void a_terminal_holds_parameters(void **state)
{
    struct wire_frame f;

    (void)state;
    begin(true, "");
    enter_as_vehicle();
    say(0x8103, 1, "\2\0\0\0\1\4\0\0\0\x3c\0\0\xf1\0\1z", 1 + 9 + 6);
    f = expect(0x0001);
    assert_int_equal(f.body.data[4], 0);
    say(0x8106, 2, "\2\0\0\0\1\0\0\xf1\0", 9);
    f = expect(0x0104);
    assert_true(slice_equal(f.body, slice_of("\0\2\2\0\0\0\1\4\0\0\0\x3c\0\0\xf1\0\1z",
                                             3 + 9 + 6)));
    say(0x8104, 3, "", 0);
    f = expect(0x0104);
    assert_int_equal(f.body.data[2], 8); /* with those that all have */
    end();
}

static void a_long_answer_comes_in_packages_and_a_lost_one_again(void **state)
{
    struct wire_frame f;
    uint8_t ask[5] = {0, 0, 1, 0, 2};

    (void)state;
    begin(true, "--extra-parameters 40 --lose-packages");
    enter_as_vehicle();
    say(0x8104, 3, "", 0);
    f = expect(0x0104);
    assert_int_equal(f.total, 2);
    assert_int_equal(f.number, 1);
    assert_int_equal(f.body.size, 1023);
    assert_int_equal(f.body.data[2], 47);
    put_u16(ask, f.serial);
    say(0x8003, 0, ask, sizeof(ask));
    f = expect(0x0104);
    assert_int_equal(f.number, 2);
    assert_int_equal(plant.tally[PLANT_RESENT], 1);
    assert_true(plant_is_good(&plant));
    end();
}

static void what_a_terminal_does_not_know_or_want_it_says(void **state)
{
    struct wire_frame f;

    (void)state;
    begin(true, "");
    enter_as_vehicle();
    say(0x8400, 3, "", 0);
    f = expect(0x0001);
    assert_true(slice_equal(f.body, slice_of("\0\3\x84\0\3", 5)));
    end();
    begin(true, "--answer refuse");
    enter_as_vehicle();
    say(0x8107, 3, "", 0);
    f = expect(0x0001);
    assert_true(slice_equal(f.body, slice_of("\0\3\x81\7\1", 5)));
    end();
}

/* ---- options ---- */

static void shares_are_dealt_out_in_order(void **state)
{
    char *argv[] = {"--count",  "10",        "--answer", "20%:never",
                    "--answer", "30%:150ms", "--answer", "twice"};
    static const uint8_t wanted[10] = {HOW_NEVER, HOW_NEVER, HOW_LATER, HOW_LATER,
                                       HOW_LATER, HOW_TWICE, HOW_TWICE, HOW_TWICE,
                                       HOW_TWICE, HOW_TWICE};

    (void)state;
    assert_int_equal(plant_settings_read(&settings, false, ARRAY_LEN(argv), argv,
                                         stderr),
                     OK);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(plant_settings_manner(&settings, i)->how, wanted[i]);
    assert_int_equal(plant_settings_manner(&settings, 2)->delay_ns, 150000000);
}

static void nonsense_is_refused(void **state)
{
    static const char *const bad[][2] = {
        {"--count", "0"},         {"--first-id", "T90"},  {"--answer", "always"},
        {"--answer", "0%:never"}, {"--answer", "x%:now"}, {"--answer", "101%:now"},
        {"--state", "broken"},    {"--heartbeat", "0"},   {"--first-id", "T9999999"},
        {"--version", "2019"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *argv[] = {(char *)bad[i][0], (char *)bad[i][1]};
        char *complaint;
        size_t size;
        FILE *errors = open_memstream(&complaint, &size);

        assert_int_equal(plant_settings_read(&settings, false, 2, argv, errors),
                         ERR_INVALID);
        fclose(errors);
        assert_true(size > 0);
        free(complaint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_written_and_read_as_published),
        cmocka_unit_test(what_is_wrong_with_a_frame_is_told),
        cmocka_unit_test(a_machine_holds_its_state),
        cmocka_unit_test(what_was_turned_on_is_ready_again_later),
        cmocka_unit_test(heartbeats_and_reports_go_on),
        cmocka_unit_test(commands_are_answered_in_the_manner_asked_for),
        cmocka_unit_test(a_late_answer_outlives_its_connection),
        cmocka_unit_test(who_is_restarted_goes_and_comes_back),
        cmocka_unit_test(what_a_gateway_must_not_send_is_counted),
        cmocka_unit_test(a_terminal_registers_once_and_keeps_its_token),
        cmocka_unit_test(a_terminal_without_a_good_token_registers_again),
        cmocka_unit_test(a_terminal_holds_parameters),
        cmocka_unit_test(a_long_answer_comes_in_packages_and_a_lost_one_again),
        cmocka_unit_test(what_a_terminal_does_not_know_or_want_it_says),
        cmocka_unit_test(shares_are_dealt_out_in_order),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
