/* What is done to one device, and what its connection shows. */
#include "apirig.h"

#include "session/vehicle_inside.h"

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

static void give(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
    relay_rig_settle();
}

static void send_frame(int fd, enum ttms_command command, uint32_t address,
                       const char *content, size_t size)
{
    uint8_t bytes[512];

    ttms_form(command, address, slice_of(content, size), TTMS_LENGTH_TOTAL, bytes);
    give(fd, bytes, ttms_formed_size(size, TTMS_LENGTH_TOTAL));
}

static int terminal(unsigned shard, uint32_t id)
{
    int fd = relay_rig_connect(shard);

    send_frame(fd, TTMS_HEARTBEAT, id, "\0\0\3\350", 4);
    return fd;
}

static bool is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static unsigned delete_at(const char *target)
{
    unsigned n = http_rig_ask(HTTP_DELETE, target, NULL);

    api_rig_settle();
    return n;
}

/* ---- kicking ---- */

static void a_kicked_device_is_disconnected(void **state)
{
    int a = terminal(0, 1), b = terminal(1, 2);
    unsigned n;

    (void)state;
    n = delete_at("/api/v1/devices/00000001/connection");
    relay_rig_settle();
    assert_int_equal(http_rig_status(n), 204);
    assert_true(is_closed(a));
    assert_false(is_closed(b));
    n = api_rig_get("/api/v1/devices/00000001");
    assert_string_equal(text_of(http_rig_body(n), "state"), "close");
    close(a);
    close(b);
}

static void who_has_no_connection_cannot_be_kicked(void **state)
{
    int a = terminal(0, 1);
    unsigned n;

    (void)state;
    send_frame(a, TTMS_DATA, 2, "hello", 5);
    n = delete_at("/api/v1/devices/00000002/connection");
    assert_int_equal(http_rig_status(n), 404);
    assert_non_null(strstr(http_rig_body(n), "has no connection"));
    n = delete_at("/api/v1/devices/00000003/connection");
    assert_int_equal(http_rig_status(n), 404);
    assert_non_null(strstr(http_rig_body(n), "no device"));
    close(a);
}

static void a_doubtful_id_is_nobodys(void **state)
{
    struct id id = {.protocol = PROTOCOL_HEARTBEAT, .length = 8};
    struct relay_group *g = &relay_rig.group;
    int a = terminal(0, 1);
    uint64_t hash;
    unsigned n;

    (void)state;
    memcpy(id.text, "00000001", 8);
    hash = relay_hash(g, &id);
    assert_non_null(
        relay_terminal(&relay_rig.relays[relay_shard_of(g, hash)], &id, hash));
    n = delete_at("/api/v1/devices/00000001/connection");
    assert_int_equal(http_rig_status(n), 409);
    assert_false(is_closed(a));
    assert_int_equal(http_rig_status(api_rig_get("/api/v1/devices/00000001")), 409);
    n = delete_at("/api/v1/devices/00000001/connection?protocol=ttms");
    assert_int_equal(http_rig_status(n), 204);
    close(a);
}

/* ---- mailboxes ---- */

static void a_mailbox_is_shown_and_emptied(void **state)
{
    int a = terminal(0, 1);
    unsigned n;

    (void)state;
    send_frame(a, TTMS_DATA, 2, "hello", 5);
    send_frame(a, TTMS_DATA, 2, "again", 5);
    n = api_rig_get("/api/v1/devices/00000002/mailbox");
    assert_string_equal(http_rig_body(n), "{\"messages\":2,\"bytes\":36}");
    n = delete_at("/api/v1/devices/00000002/mailbox");
    assert_string_equal(http_rig_body(n), "{\"removed\":2}");
    relay_rig_settle();
    n = delete_at("/api/v1/devices/00000001/mailbox");
    assert_string_equal(http_rig_body(n), "{\"removed\":0}");
    close(a);
}

static void a_device_whose_mail_was_dropped_gets_what_comes_next(void **state)
{
    int a = terminal(0, 1), b;
    char bytes[256];
    ssize_t size;

    (void)state;
    send_frame(a, TTMS_DATA, 2, "old", 3);
    delete_at("/api/v1/devices/00000002/mailbox");
    relay_rig_settle();
    b = terminal(1, 2);
    send_frame(a, TTMS_DATA, 2, "new", 3);
    size = recv(b, bytes, sizeof(bytes), MSG_DONTWAIT);
    assert_int_equal(size, ttms_formed_size(3, TTMS_LENGTH_TOTAL));
    assert_memory_equal(bytes + TTMS_HEAD, "new", 3);
    close(a);
    close(b);
}

/* ---- credentials ---- */

static void who_has_no_credential_has_none_to_lose(void **state)
{
    unsigned n = delete_at("/api/v1/devices/13912344329/credential");

    (void)state;
    assert_int_equal(http_rig_status(n), 404);
    assert_non_null(strstr(http_rig_body(n), "no vehicle terminal `13912344329` has"));
    n = delete_at("/api/v1/devices/"
                  "0123456789012345678901234567890123456789012345678901234/credential");
    assert_int_equal(http_rig_status(n), 404);
}

static void give_credential(const char *phone)
{
    char token[TOKEN_SIZE];
    struct id id;

    assert_int_equal(id_make(PROTOCOL_JT808, slice_of(phone, strlen(phone)), &id), OK);
    assert_int_equal(credentials_issue(relay_rig_home(&id)->vehicles->credentials, &id,
                                       false, 0, token),
                     OK);
    relay_rig_settle();
}

/* With the disk's word. */
static unsigned status_of(unsigned n)
{
    relay_rig_settle();
    api_rig_settle();
    return http_rig_status(n);
}

static void a_credential_is_revoked_when_the_disk_says_so(void **state)
{
    static const char at[] = "/api/v1/devices/13912344329/credential";
    unsigned n;

    (void)state;
    give_credential("13912344329");
    n = delete_at(at);
    assert_int_equal(http_rig_status(n), 0); /* the disk was not asked yet */
    assert_int_equal(status_of(n), 204);
    assert_int_equal(http_rig_status(delete_at(at)), 404);
    give_credential("13912344329");
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_IO);
    n = delete_at(at);
    assert_int_equal(status_of(n), 503);
    assert_non_null(strstr(http_rig_body(n), "a restart may bring it back"));
    assert_int_equal(status_of(delete_at(at)), 204);
}

/* ---- connections ---- */

static void a_connection_shows_what_it_waits_for(void **state)
{
    int a = terminal(0, 1), b = relay_rig_connect(1);
    uint8_t frame[64];
    const char *body;
    unsigned n;

    (void)state;
    ttms_form(TTMS_DATA, 2, slice_of("hello there", 11), TTMS_LENGTH_TOTAL, frame);
    give(a, frame, 15);
    n = api_rig_get("/api/v1/connections?state=read");
    body = http_rig_body(n);
    assert_int_equal(times_in(body, "\"session\":"), 1);
    assert_string_equal(text_of(body, "device"), "00000001");
    assert_non_null(strstr(body, "\"read\":15,\"wanted\":24,\"to_write\":0"));
    assert_string_equal(text_of(body, "length"), "total");
    n = api_rig_get("/api/v1/connections?state=accept");
    body = http_rig_body(n);
    assert_non_null(strstr(body, "\"device\":null,\"state\":\"accept\""));
    assert_non_null(strstr(body, "\"read\":0,\"wanted\":null"));
    assert_int_equal(times_in(http_rig_body(api_rig_get("/api/v1/connections")),
                              "\"session\":"),
                     2);
    n = api_rig_get("/api/v1/connections?listener=elsewhere");
    assert_string_equal(http_rig_body(n), "{\"connections\":[],\"next\":null}");
    close(a);
    close(b);
}

static void connections_come_in_pages(void **state)
{
    char target[96] = "/api/v1/connections?limit=7";
    unsigned seen = 0;
    int fds[20];

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        fds[i] = terminal(i % 2, i + 1);
    for (int page = 0; page < 3; page++) {
        unsigned n = api_rig_get(target);

        seen += times_in(http_rig_body(n), "\"session\":");
        snprintf(target, sizeof(target), "/api/v1/connections?limit=7&cursor=%s",
                 text_of(http_rig_body(n), "next"));
    }
    assert_int_equal(seen, 20);
    assert_string_equal(target, "/api/v1/connections?limit=7&cursor=");
    for (unsigned i = 0; i < 20; i++)
        close(fds[i]);
}

static void the_old_list_has_who_is_connected(void **state)
{
    int a = terminal(0, 1);
    const char *body;

    (void)state;
    send_frame(a, TTMS_DATA, 2, "hello", 5);
    body = http_rig_body(api_rig_get("/list/"));
    assert_memory_equal(body, "{\"00000001\":[[\"::\",0],", 22);
    assert_int_equal(times_in(body, "0000000"), 1);
    close(a);
}

/* ---- readiness ---- */

static void an_ending_gateway_is_not_ready(void **state)
{
    unsigned n;

    (void)state;
    assert_int_equal(http_rig_status(api_rig_get("/readyz")), 200);
    api_drain(api_rig.api);
    n = api_rig_get("/readyz");
    assert_int_equal(http_rig_status(n), 503);
    assert_non_null(strstr(http_rig_body(n), "not-ready"));
    assert_non_null(strstr(http_rig_body(n), "the gateway is ending"));
    assert_int_equal(http_rig_status(api_rig_get("/healthz")), 200);
}

static void a_gateway_whose_disk_is_full_is_not_ready(void **state)
{
    int a = terminal(0, 1);
    unsigned n;

    (void)state;
    store_mem_set_full(&mailbox_store, true);
    send_frame(a, TTMS_DATA, 2, "hello", 5);
    n = api_rig_get("/readyz");
    assert_int_equal(http_rig_status(n), 503);
    assert_non_null(strstr(http_rig_body(n), "no mail can be stored: no space left"));
    store_mem_set_full(&mailbox_store, false);
    close(a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kicked_device_is_disconnected),
        TEST(who_has_no_connection_cannot_be_kicked),
        TEST(a_doubtful_id_is_nobodys),
        TEST(a_mailbox_is_shown_and_emptied),
        TEST(a_device_whose_mail_was_dropped_gets_what_comes_next),
        TEST(who_has_no_credential_has_none_to_lose),
        TEST(a_credential_is_revoked_when_the_disk_says_so),
        TEST(a_connection_shows_what_it_waits_for),
        TEST(connections_come_in_pages),
        TEST(the_old_list_has_who_is_connected),
        TEST(an_ending_gateway_is_not_ready),
        TEST(a_gateway_whose_disk_is_full_is_not_ready),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
