#include "relayrig.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>

/* ---- the codec ---- */

static const char *why;

static int decode(const char *text, struct heartbeat *out)
{
    return heartbeat_decode(slice_of(text, strlen(text)), out, &why);
}

static void assert_reports(const char *text, const char *ip,
                           enum heartbeat_status status, bool has_pid, int64_t pid)
{
    struct heartbeat b;

    if (decode(text, &b) < 0)
        fail_msg("%s is refused: %s", text, why);
    assert_int_equal(b.ip_size, strlen(ip));
    assert_memory_equal(b.ip, ip, b.ip_size);
    assert_int_equal(b.status, status);
    assert_int_equal(b.has_pid, has_pid);
    assert_int_equal(b.pid, pid);
}

static void assert_refused(const char *text, const char *word)
{
    struct heartbeat b;

    if (decode(text, &b) != ERR_MALFORMED)
        fail_msg("%s is accepted", text);
    assert_string_equal(why, word);
}

static void an_object_is_read(void **state)
{
    (void)state;
    assert_reports("{\"ip\": \"192.168.1.105\", \"status\": \"alive\", \"pid\": 26464}",
                   "192.168.1.105", HEARTBEAT_ALIVE, true, 26464);
    assert_reports("{\"ip\":\"::1\",\"status\":\"leave\"}", "::1", HEARTBEAT_LEAVE,
                   false, 0);
    assert_reports(" {\"pid\":-1,\"status\":\"close\",\"x\":[{}],\"ip\":\"a\"}\n", "a",
                   HEARTBEAT_CLOSE, true, -1);
}

static void a_string_that_holds_the_object_is_read(void **state)
{
    (void)state;
    assert_reports(
        "\"{\\\"ip\\\": \\\"192.168.1.105\\\", \\\"status\\\": \\\"alive\\\", "
        "\\\"pid\\\": 26464}\"",
        "192.168.1.105", HEARTBEAT_ALIVE, true, 26464);
}

static void one_level_of_double_encoding_is_undone_and_no_more(void **state)
{
    (void)state;
    assert_refused("\"\\\"{\\\\\\\"ip\\\\\\\":\\\\\\\"a\\\\\\\",\\\\\\\"status\\\\\\\":"
                   "\\\\\\\"alive\\\\\\\"}\\\"\"",
                   "no_json_object");
    assert_refused("\"[]\"", "no_json_object");
    assert_refused("\"\"", "no_json_object");
    assert_refused("\"{\\\"ip\\\":\\\"a\\\"}\"", "bad_status");
}

static void what_is_no_object_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "null",
        "1",
        "[]",
        "{",
        "{}x",
        "{\"ip\":\"a\",\"status\":\"alive\",}",
        "{'ip':'a','status':'alive'}",
        "{\"ip\":\"a\",\"ip\":\"b\",\"status\":\"alive\"}",
        "{\"ip\":\"a\",\"status\":\"alive\",\"pid\":99999999999999999999}",
        "{\"ip\":\"\xff\",\"status\":\"alive\"}",
        "{\"ip\":\"a\\u0000\",\"status\":\"alive\"}",
        "GET / HTTP/1.1",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_refused(texts[i], "no_json_object");
}

static void an_ip_is_a_short_printable_word(void **state)
{
    static const char *const values[] = {
        "1",
        "null",
        "[\"a\"]",
        "\"\"",
        "\"a b\"",
        "\"a\\n\"",
        "\"\\u001b[2J\"",
        "\"\\u00e9\"",
        "\"\\u007f\"",
        "\"0123456789012345678901234567890123456789012345\"",
    };
    char text[256];

    (void)state;
    assert_refused("{\"status\":\"alive\"}", "bad_ip");
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        snprintf(text, sizeof(text), "{\"ip\":%s,\"status\":\"alive\"}", values[i]);
        assert_refused(text, "bad_ip");
    }
    assert_reports("{\"ip\":\"012345678901234567890123456789012345678901234\","
                   "\"status\":\"alive\"}",
                   "012345678901234567890123456789012345678901234", HEARTBEAT_ALIVE,
                   false, 0);
}

static void a_status_is_one_of_three_words(void **state)
{
    static const char *const values[] = {"1",          "\"\"",       "\"Alive\"",
                                         "\"alive \"", "\"asleep\"", "true"};
    char text[256];

    (void)state;
    assert_refused("{\"ip\":\"a\"}", "bad_status");
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        snprintf(text, sizeof(text), "{\"ip\":\"a\",\"status\":%s}", values[i]);
        assert_refused(text, "bad_status");
    }
}

static void a_pid_is_an_integer_if_it_is_there(void **state)
{
    static const char *const values[] = {"\"1\"", "1.5", "null", "[]", "true"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        snprintf(text, sizeof(text), "{\"ip\":\"a\",\"status\":\"alive\",\"pid\":%s}",
                 values[i]);
        assert_refused(text, "bad_pid");
    }
}

static void the_framing_is_sound_up_to_its_limit(void **state)
{
    struct framing f = heartbeat_framing(4096);
    struct framing_state s = {0};
    static uint8_t bytes[4 + 4097];
    struct frame frame;

    (void)state;
    assert_null(framing_check(&f));
    for (uint32_t size = 0; size <= 4097; size++) {
        put_u32(bytes, size);
        for (size_t here = 0; here < 4; here++)
            assert_int_equal(framing_cut(&f, &s, slice_of(bytes, here), false, NULL,
                                         &frame),
                             0);
        if (size > 4096) {
            assert_int_equal(framing_cut(&f, &s, slice_of(bytes, 4), false, NULL,
                                         &frame),
                             ERR_TOO_LARGE);
            continue;
        }
        if (size > 0)
            assert_int_equal(framing_cut(&f, &s, slice_of(bytes, 4 + size - 1), false,
                                         NULL, &frame),
                             0);
        assert_int_equal(framing_cut(&f, &s, slice_of(bytes, 4 + size), false, NULL,
                                     &frame),
                         4 + size);
        assert_int_equal(frame.body.size, size);
    }
}

/* ---- the session ---- */

static int client(unsigned shard, in_port_t port)
{
    return relay_rig_accept(shard, &relay_rig.clients, port);
}

static void give(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
    relay_rig_settle();
}

static size_t form(const char *text, uint8_t *to)
{
    put_u32(to, (uint32_t)strlen(text));
    memcpy(to + 4, text, strlen(text));
    return 4 + strlen(text);
}

static void say(int fd, const char *text)
{
    uint8_t bytes[8192];

    give(fd, bytes, form(text, bytes));
}

/* The device that is called so, wherever it is; NULL: there is none. */
static struct terminal *find(const char *name)
{
    struct relay_group *g = &relay_rig.group;
    struct device *d;
    struct id id;
    uint64_t hash;

    assert_int_equal(id_make(PROTOCOL_HEARTBEAT, slice_of(name, strlen(name)), &id),
                     OK);
    hash = relay_hash(g, &id);
    d = registry_find(&g->relays[relay_shard_of(g, hash)].terminals, &id, hash);
    return d ? terminal_of(d) : NULL;
}

static struct conn *conn_of(const char *name)
{
    struct terminal *t = find(name);

    return t ? t->conn : NULL;
}

static const char *shown(const char *name)
{
    static char text[128];
    struct buf out = {0};
    struct json j = json_to(&out);
    struct conn *c = conn_of(name);

    assert_non_null(c);
    json_open(&j, '{');
    session_ops_of(c)->show(c, &j);
    json_close(&j, '}');
    assert_false(j.failed);
    snprintf(text, sizeof(text), "%.*s", (int)buf_used(&out), buf_peek(&out).data);
    buf_fini(&out);
    return text;
}

/* It ended, and nothing was ever sent to it. */
static void assert_ended(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
    close(fd);
}

static void assert_open_and_silent(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static uint64_t closed(enum close_reason reason)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        n += relay_rig.shards[i].stats.closed[reason];
    return n;
}

static const char hello[] = "{\"ip\":\"10.0.0.1\",\"status\":\"alive\",\"pid\":7}";

static void its_name_is_what_it_reports_and_its_port(void **state)
{
    int a, b;

    (void)state;
    for (unsigned shard = 0; shard < RELAY_SHARDS; shard++) {
        a = client(shard, 40000);
        b = client(shard, 40001);
        say(a, hello);
        say(b, hello);
        assert_non_null(conn_of("10.0.0.1:40000"));
        assert_non_null(conn_of("10.0.0.1:40001"));
        assert_string_equal(shown("10.0.0.1:40000"),
                            "{\"claims\":\"alive\",\"pid\":7}");
        assert_open_and_silent(a);
        close(a);
        close(b);
        relay_rig_settle();
        assert_null(conn_of("10.0.0.1:40000"));
    }
}

static void what_it_says_last_is_shown(void **state)
{
    int fd = client(0, 5);

    (void)state;
    say(fd, hello);
    say(fd, "{\"ip\":\"10.0.0.1\",\"status\":\"close\"}");
    assert_string_equal(shown("10.0.0.1:5"), "{\"claims\":\"close\"}");
    say(fd, hello);
    say(fd, hello);
    assert_string_equal(shown("10.0.0.1:5"), "{\"claims\":\"alive\",\"pid\":7}");
    assert_int_equal(conn_of("10.0.0.1:5")->rx_frames, 4);
    close(fd);
}

static void who_reports_another_ip_goes_on_under_that_name(void **state)
{
    char text[128], name[32];
    int fd = client(0, 6);

    (void)state;
    say(fd, hello);
    for (int i = 0; i < 20; i++) { /* there and back between the shards */
        snprintf(text, sizeof(text), "{\"ip\":\"10.0.1.%d\",\"status\":\"alive\"}", i);
        snprintf(name, sizeof(name), "10.0.1.%d:6", i);
        say(fd, text);
        assert_non_null(conn_of(name));
        assert_null(conn_of("10.0.0.1:6"));
        assert_true(session_ops_of(conn_of(name)) == &heartbeat_ops);
        say(fd, hello);
        assert_non_null(conn_of("10.0.0.1:6"));
        assert_null(conn_of(name));
    }
    assert_open_and_silent(fd);
    close(fd);
}

static void a_second_connection_of_the_same_name_takes_over(void **state)
{
    int old = client(0, 7), young;

    (void)state;
    say(old, hello);
    young = client(1, 7);
    say(young, hello);
    assert_ended(old);
    assert_open_and_silent(young);
    assert_non_null(conn_of("10.0.0.1:7"));
    assert_int_equal(closed(CLOSE_REPLACED), 1);
    close(young);
}

static void bad_input_ends_it_with_a_reason(void **state)
{
    static const char *const texts[] = {
        "{",
        "{\"ip\":\"10.0.0.1\"}",
        "{\"ip\":\"10.0.0.1\",\"status\":\"x\"}",
        "{\"ip\":\"\",\"status\":\"alive\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        int stranger = client(0, 8), known = client(1, 9);

        say(stranger, texts[i]);
        say(known, hello);
        say(known, texts[i]);
        assert_ended(stranger);
        assert_ended(known);
        assert_null(conn_of("10.0.0.1:9"));
        assert_int_equal(closed(CLOSE_BAD_MESSAGE), 2 * (i + 1));
    }
}

static void too_long_a_text_ends_it_before_it_comes(void **state)
{
    int fd = client(0, 10);

    (void)state;
    say(fd, hello);
    give(fd, "\0\0\x10\1", 4);
    assert_ended(fd);
    assert_int_equal(closed(CLOSE_TOO_LARGE), 1);
}

static void frames_without_text_are_counted_and_skipped(void **state)
{
    uint8_t bytes[256] = {0};
    size_t size = form(hello, bytes + 8);
    int fd = client(0, 11);

    (void)state;
    give(fd, bytes, 8 + size + 4);
    assert_int_equal(conn_of("10.0.0.1:11")->rx_frames, 1);
    assert_int_equal(relay_rig.relays[0].stats.empty_frames +
                         relay_rig.relays[1].stats.empty_frames,
                     3);
    assert_open_and_silent(fd);
    close(fd);
}

static void every_cut_of_a_stream_reads_the_same(void **state)
{
    static const char *const texts[] = {
        hello,
        "{\"ip\":\"10.0.0.2\",\"status\":\"leave\"}",
        "\"{\\\"ip\\\":\\\"10.0.0.3\\\",\\\"status\\\":\\\"close\\\"}\"",
    };
    uint8_t bytes[512];
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        size += form(texts[i], bytes + size);
    for (size_t cut = 0; cut <= size; cut++) {
        int fd = client(cut % RELAY_SHARDS, 12);

        if (cut)
            give(fd, bytes, cut);
        if (cut < size)
            give(fd, bytes + cut, size - cut);
        assert_string_equal(shown("10.0.0.3:12"), "{\"claims\":\"close\"}");
        assert_int_equal(conn_of("10.0.0.3:12")->rx_frames, 3);
        close(fd);
        relay_rig_settle();
    }
}

/* ---- the frame of all ---- */

static int open_rig(void **state)
{
    log_setup(LOG_ERROR, 0);
    return relay_rig_begin(state);
}

static int close_rig(void **state)
{
    (void)state;
    relay_rig_settle();
    relay_rig_close();
    return 0;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_read),
        cmocka_unit_test(a_string_that_holds_the_object_is_read),
        cmocka_unit_test(one_level_of_double_encoding_is_undone_and_no_more),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(an_ip_is_a_short_printable_word),
        cmocka_unit_test(a_status_is_one_of_three_words),
        cmocka_unit_test(a_pid_is_an_integer_if_it_is_there),
        cmocka_unit_test(the_framing_is_sound_up_to_its_limit),
        CASE(its_name_is_what_it_reports_and_its_port),
        CASE(what_it_says_last_is_shown),
        CASE(who_reports_another_ip_goes_on_under_that_name),
        CASE(a_second_connection_of_the_same_name_takes_over),
        CASE(bad_input_ends_it_with_a_reason),
        CASE(too_long_a_text_ends_it_before_it_comes),
        CASE(frames_without_text_are_counted_and_skipped),
        CASE(every_cut_of_a_stream_reads_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
