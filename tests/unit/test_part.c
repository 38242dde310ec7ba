#include "relayrig.h"

#include "relay/part.h"
#include "unit.h"

/* ---- a part that writes down what it is told ---- */

static struct part parts[RELAY_SHARDS];
static char told[512];    /* "00000001 attached, ..." since the last look */
static bool needs_all;    /* no terminal may be forgotten */
static unsigned attached; /* in this turn */
static unsigned freed;

static void note(const struct terminal *t, const char *what)
{
    struct id id = device_id(&t->device);
    size_t used = strlen(told);

    snprintf(told + used, sizeof(told) - used, "%s%.*s %s", used ? ", " : "",
             ID_ARGS(&id), what);
}

static void on_attached(struct part *p, struct terminal *t)
{
    (void)p;
    assert_non_null(t->conn);
    assert_false(conn_is_closing(t->conn));
    note(t, "attached");
    attached++;
}

static void on_detached(struct part *p, struct terminal *t)
{
    (void)p;
    assert_non_null(t->conn); /* still the one that it had */
    note(t, "detached");
}

static bool needs(const struct part *p, const struct terminal *t)
{
    (void)p;
    (void)t;
    return needs_all;
}

static void forget(struct part *p, struct terminal *t)
{
    (void)p;
    assert_null(t->conn);
    note(t, "forgotten");
}

static void before_writes(struct part *p)
{
    (void)p;
    if (attached && strlen(told) + 16 < sizeof(told))
        strcat(told, ", the turn ends");
    attached = 0;
}

static void flush(struct part *p)
{
    (void)p;
}

static bool is_settled(const struct part *p)
{
    (void)p;
    return true;
}

static void count_freed(struct part *p)
{
    (void)p;
    freed++;
}

static const struct part_ops noting = {
    .attached = on_attached,
    .detached = on_detached,
    .needs = needs,
    .forget = forget,
    .before_writes = before_writes,
    .flush = flush,
    .is_settled = is_settled,
    .free = count_freed,
};

static int begin(void **state)
{
    int rc = relay_rig_begin(state);

    for (int i = 0; i < RELAY_SHARDS; i++)
        part_join(&relay_rig.relays[i], &parts[i], &noting);
    told[0] = '\0';
    needs_all = false;
    attached = freed = 0;
    return rc;
}

static const char *news(void)
{
    static char text[sizeof(told)];

    strcpy(text, told);
    told[0] = '\0';
    return text;
}

/* ---- terminals ---- */

static void send_frame(int fd, enum ttms_command command, uint32_t address)
{
    struct slice content = slice_of("\0\0\3\350", 4);
    uint8_t bytes[64];
    size_t size = ttms_formed_size(content.size, TTMS_LENGTH_TOTAL);

    ttms_form(command, address, content, TTMS_LENGTH_TOTAL, bytes);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
    relay_rig_settle();
}

static int terminal(uint32_t address)
{
    int fd = relay_rig_connect(0);

    send_frame(fd, TTMS_HEARTBEAT, address);
    return fd;
}

static void hang_up(int fd)
{
    close(fd);
    relay_rig_settle();
}

/* ---- tests ---- */

static void a_part_hears_who_comes_and_goes(void **state)
{
    int fd = terminal(1);

    (void)state;
    assert_string_equal(news(), "00000001 attached, the turn ends");
    send_frame(fd, TTMS_HEARTBEAT, 1);
    assert_string_equal(news(), "");
    hang_up(fd);
    assert_string_equal(news(), "00000001 detached");
}

static void a_new_name_and_a_take_over_are_both(void **state)
{
    int fd = terminal(1), newer;

    (void)state;
    (void)news();
    send_frame(fd, TTMS_HEARTBEAT, 2);
    assert_string_equal(news(), "00000001 detached, 00000002 attached, the turn ends");
    newer = terminal(2);
    assert_string_equal(news(), "00000002 detached, 00000002 attached, the turn ends");
    hang_up(fd);
    assert_string_equal(news(), "");
    hang_up(newer);
    assert_string_equal(news(), "00000002 detached");
}

static void what_a_part_needs_is_not_forgotten(void **state)
{
    struct id id = {.protocol = PROTOCOL_TTMS, .length = 8, .text = "00000002"};
    struct relay *home = relay_rig_home(&id);
    int fd = terminal(1);

    (void)state;
    needs_all = true;
    send_frame(fd, TTMS_DATA, 2);
    (void)news();
    assert_int_equal(delivery_purge(home, relay_rig_device(home, &id)), 1);
    relay_rig_settle();
    assert_non_null(relay_rig_device(home, &id));
    needs_all = false;
    (void)delivery_purge(home, relay_rig_device(home, &id));
    relay_rig_settle();
    assert_null(relay_rig_device(home, &id));
    assert_string_equal(news(), "00000002 forgotten");
    close(fd);
}

static void it_ends_with_its_relay(void **state)
{
    (void)state;
    relay_rig_close();
    assert_int_equal(freed, RELAY_SHARDS);
    relay_rig_open();
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, relay_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_part_hears_who_comes_and_goes),
        T(a_new_name_and_a_take_over_are_both),
        T(what_a_part_needs_is_not_forgotten),
        T(it_ends_with_its_relay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
