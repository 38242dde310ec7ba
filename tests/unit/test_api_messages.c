/* Relay messages from an application to a terminal. */
#include "http/calls.h"
#include "apirig.h"

#define BYTES "application/octet-stream"

static int open_rig(void **state)
{
    (void)state;
    return api_rig_begin(1000);
}

static int close_rig(void **state)
{
    (void)state;
    return api_rig_end();
}

static void send_frame(int fd, enum ttms_command command, uint32_t address,
                       const char *content, size_t size)
{
    uint8_t bytes[512];
    size_t n = ttms_formed_size(size, TTMS_LENGTH_TOTAL);

    ttms_form(command, address, slice_of(content, size), TTMS_LENGTH_TOTAL, bytes);
    assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
    relay_rig_settle();
}

static int terminal(unsigned shard, uint32_t id)
{
    int fd = relay_rig_connect(shard);

    send_frame(fd, TTMS_HEARTBEAT, id, "\0\0\3\350", 4);
    return fd;
}

static unsigned post(const char *target, const char *type, const void *body,
                     size_t size)
{
    unsigned n = http_rig_post(target, type, slice_of(body, size));

    for (int i = 0; i < 4; i++) {
        relay_rig_settle();
        api_rig_settle();
    }
    return n;
}

static void assert_answer(unsigned n, unsigned status, const char *text)
{
    if (http_rig_status(n) != status || !strstr(http_rig_body(n), text))
        fail_msg("%u %s instead of %u %s", http_rig_status(n), http_rig_body(n), status,
                 text);
}

/* Its next frame's content, from this sender. */
static void assert_gets(int fd, uint32_t sender, const char *content, size_t size)
{
    uint8_t expected[512], got[512];
    size_t n = ttms_formed_size(size, TTMS_LENGTH_TOTAL);

    ttms_form_message(sender, slice_of(content, size), TTMS_LENGTH_TOTAL, expected);
    assert_int_equal(recv(fd, got, n, MSG_DONTWAIT), (ssize_t)n);
    assert_memory_equal(got, expected, n);
}

static void a_message_reaches_a_terminal_that_is_here(void **state)
{
    static const uint8_t vector[] = {0x24, 0x54, 0x54, 0x4d, 0x58, 0x00, 0x0f, 0xff,
                                     0xff, 0xff, 0xff, 0xaa, 'h',  'i',  0x95};
    int a = terminal(0, 1);
    uint8_t got[64];
    unsigned n;

    (void)state;
    n = post("/api/v1/devices/00000001/messages", BYTES, "hi", 2);
    assert_answer(n, 202, "{\"accepted\":true,\"stored\":false}");
    assert_int_equal(recv(a, got, sizeof(got), MSG_DONTWAIT), sizeof(vector));
    assert_memory_equal(got, vector, sizeof(vector));
    n = post("/api/v1/devices/00000001/messages", "application/json",
             "{\"body\":\"00fF\"}", 15);
    assert_answer(n, 202, "\"stored\":false");
    assert_gets(a, 0xffffffff, "\0\xff", 2);
    n = post("/api/v1/devices/00000001/messages", BYTES, "", 0);
    assert_answer(n, 202, "\"stored\":false");
    assert_gets(a, 0xffffffff, "", 0);
    assert_int_equal(api_rig.api->calls.length, 0);
    close(a);
}

static void a_message_for_who_is_away_is_stored_in_its_place(void **state)
{
    int a = terminal(0, 1), b;
    unsigned n;

    (void)state;
    send_frame(a, TTMS_DATA, 2, "first", 5);
    n = post("/api/v1/devices/00000002/messages", BYTES, "second", 6);
    assert_answer(n, 202, "{\"accepted\":true,\"stored\":true}");
    send_frame(a, TTMS_DATA, 2, "third", 5);
    b = terminal(1, 2);
    relay_rig_settle();
    assert_gets(b, 1, "first", 5);
    assert_gets(b, 0xffffffff, "second", 6);
    assert_gets(b, 1, "third", 5);
    close(a);
    close(b);
}

static void a_durable_listeners_terminal_has_it_stored_first(void **state)
{
    int a;
    unsigned n;

    (void)state;
    relay_rig.settings.durable = true;
    a = terminal(0, 1);
    n = post("/api/v1/devices/00000001/messages", BYTES, "hi", 2);
    assert_answer(n, 202, "{\"accepted\":true,\"stored\":true}");
    assert_gets(a, 0xffffffff, "hi", 2);
    close(a);
}

static void a_frame_counts_its_length_as_the_terminal_does(void **state)
{
    uint8_t bytes[32], expected[32];
    size_t size = ttms_formed_size(4, TTMS_LENGTH_CONTENT2);
    int a = relay_rig_connect(0);

    (void)state;
    relay_rig.settings.codec.length = TTMS_LENGTH_AUTO;
    ttms_form(TTMS_HEARTBEAT, 1, slice_of("\0\0\3\350", 4), TTMS_LENGTH_CONTENT2,
              bytes);
    assert_int_equal(send(a, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
    relay_rig_settle();
    post("/api/v1/devices/00000001/messages", BYTES, "hi", 2);
    size = ttms_formed_size(2, TTMS_LENGTH_CONTENT2);
    ttms_form_message(0xffffffff, slice_of("hi", 2), TTMS_LENGTH_CONTENT2, expected);
    assert_int_equal(recv(a, bytes, sizeof(bytes), MSG_DONTWAIT), (ssize_t)size);
    assert_memory_equal(bytes, expected, size);
    close(a);
}

static void a_refused_message_says_why(void **state)
{
    int a = terminal(0, 1);
    unsigned n;

    (void)state;
    send_frame(a, TTMS_DATA, 2, "hello", 5);
    store_mem_set_full(&mailbox_store, true);
    n = post("/api/v1/devices/00000002/messages", BYTES, "hi", 2);
    assert_answer(n, 507, "{refused 507 : no space left");
    store_mem_set_full(&mailbox_store, false);
    close(a);
}

static void a_full_mailbox_refuses(void **state)
{
    const char *target = "/api/v1/devices/00000002/messages";
    int a;

    (void)state;
    api_rig_close();
    api_rig.max_messages = 3;
    api_rig_open(1000);
    a = terminal(0, 1);
    send_frame(a, TTMS_DATA, 2, "hello", 5);
    assert_answer(post(target, BYTES, "hi", 2), 202, "\"stored\":true");
    assert_answer(post(target, BYTES, "hi", 2), 202, "\"stored\":true");
    assert_answer(post(target, BYTES, "hi", 2), 507, "the terminal's mailbox is full");
    api_rig.max_messages = 0;
    close(a);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    static uint8_t large[65536];
    int a = terminal(0, 1);

    (void)state;
    assert_answer(post("/api/v1/devices/00000002/messages", BYTES, "hi", 2), 404,
                  "there is no device `00000002`");
    assert_answer(post("/api/v1/devices/00000001/messages", "text/plain", "hi", 2), 415,
                  "media-type");
    assert_answer(post("/api/v1/devices/00000001/messages", NULL, "hi", 2), 415,
                  "media-type");
    assert_answer(post("/api/v1/devices/00000001/messages", "application/json", "{}",
                       2),
                  400, "must have a member `body`");
    assert_answer(post("/api/v1/devices/00000001/messages", "application/json",
                       "{\"body\":\"0\"}", 12),
                  400, "`body` must be hex digits");
    assert_answer(post("/api/v1/devices/00000001/messages", "application/json",
                       "{\"body\":\"00\",\"to\":1}", 20),
                  400, "a member `to`");
    assert_answer(post("/api/v1/devices/00000001/messages", BYTES, large,
                       sizeof(large)),
                  413, "too-large");
    assert_answer(post("/api/v1/devices/00000001/messages", BYTES, large, 65523), 413,
                  "too-large");
    assert_answer(post("/api/v1/devices/00000001/messages", BYTES, large, 65522), 202,
                  "accepted");
    assert_int_equal(api_rig.api->calls.length, 0);
    close(a);
}

static void devices_of_other_protocols_take_none(void **state)
{
    struct id id = {.protocol = PROTOCOL_HEARTBEAT, .length = 4};
    struct relay_group *g = &relay_rig.group;
    uint64_t hash;

    (void)state;
    memcpy(id.text, "a:80", 4);
    hash = relay_hash(g, &id);
    assert_non_null(
        relay_terminal(&relay_rig.relays[relay_shard_of(g, hash)], &id, hash));
    assert_answer(post("/api/v1/devices/a:80/messages", BYTES, "hi", 2), 409,
                  "{no-messages 409 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_reaches_a_terminal_that_is_here),
        TEST(a_message_for_who_is_away_is_stored_in_its_place),
        TEST(a_durable_listeners_terminal_has_it_stored_first),
        TEST(a_frame_counts_its_length_as_the_terminal_does),
        TEST(a_refused_message_says_why),
        TEST(a_full_mailbox_refuses),
        TEST(what_cannot_be_sent_is_refused),
        TEST(devices_of_other_protocols_take_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
