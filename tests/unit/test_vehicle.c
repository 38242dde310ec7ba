/* The conversation with vehicle terminals: who may say what, and what becomes of it. */
#include "relayrig.h"

#include "codec/jt808.h"
#include "command/commands.h"
#include "session/device.h"
#include "session/vehicle_inside.h"
#include "unit.h"

#define PHONE  "13912344329"
#define OTHER  "13912344330"
#define OURS   0x8000u /* bit of what the platform sends */
#define SECOND 1000

static struct device_settings settings;
static struct listener vehicles;
static char said[4096]; /* what a terminal read: "8001 7:0002:0, ..." */
static char token[TOKEN_SIZE + 1];

static int begin(void **state)
{
    settings = (struct device_settings){
        .framing = device_framing(DEVICE_ID_JT808),
        .form = DEVICE_ID_JT808,
        .packages = {.max_groups = 4,
                     .max_bytes = 128 * 1024,
                     .max_age_ms = 60 * SECOND,
                     .ask_after_ms = 30 * SECOND,
                     .max_asks = 1},
        .registration = REGISTRATION_OPEN,
    };
    vehicles = (struct listener){
        .name = "vehicles",
        .ops = &vehicle_ops.conn,
        .conf = &settings,
        .register_timeout_ms = 1000000,
        .read_timeout_ms = 1000000,
    };
    (void)state;
    store_mem_wipe();
    relay_rig_defaults();
    relay_rig.devices = &vehicles;
    relay_rig.device_count = 1;
    relay_rig_open();
    return 0;
}

static struct id id_of(const char *phone)
{
    struct id id;

    assert_int_equal(id_make(PROTOCOL_JT808, slice_of(phone, strlen(phone)), &id), OK);
    return id;
}

static struct relay *home_of(const char *phone)
{
    struct id id = id_of(phone);

    return relay_rig_home(&id);
}

static struct terminal *device_called(const char *phone)
{
    struct id id = id_of(phone);

    return relay_rig_device(home_of(phone), &id);
}

/* A count of all shards together. */
#define STAT(name)                                                                     \
    (vehicles_stats(&relay_rig.relays[0]).name +                                       \
     vehicles_stats(&relay_rig.relays[1]).name)

/* ---- the terminal's side ---- */

static struct device_head head_of(const char *phone, bool is_2019)
{
    size_t digits = is_2019 ? 20 : 12, size = strlen(phone);
    struct device_head h = {.form = is_2019 ? DEVICE_ID_BCD10 : DEVICE_ID_BCD6,
                            .version = is_2019};

    for (size_t i = 0; i < size; i++) {
        size_t at = digits - size + i;

        h.id[at / 2] |= (uint8_t)((phone[i] - '0') << (at % 2 ? 0 : 4));
    }
    return h;
}

/* Bytes of one frame, appended. */
static void form(struct buf *to, const char *phone, bool is_2019, uint16_t message,
                 uint16_t serial, uint16_t total, uint16_t number, struct slice body)
{
    struct device_head h = head_of(phone, is_2019);

    assert_int_equal(device_encode(&h, message, serial, total, number, body, to), OK);
}

static void pour(int fd, struct buf *bytes)
{
    struct slice all = buf_peek(bytes);

    assert_int_equal(send(fd, all.data, all.size, MSG_NOSIGNAL), (ssize_t)all.size);
    buf_fini(bytes);
}

static void say_without_waiting(int fd, const char *phone, uint16_t message,
                                uint16_t serial, struct slice body)
{
    struct buf bytes = {0};

    form(&bytes, phone, false, message, serial, 0, 0, body);
    pour(fd, &bytes);
}

static void say_as(int fd, const char *phone, uint16_t message, uint16_t serial,
                   const char *body)
{
    say_without_waiting(fd, phone, message, serial, slice_of(body, strlen(body)));
    relay_rig_settle();
}

static void say(int fd, uint16_t message, uint16_t serial, const char *body)
{
    say_as(fd, PHONE, message, serial, body);
}

/* Fields of the general answer; of 8100 the result, and the token is kept. */
static void note_frame(const struct device_frame *f)
{
    size_t used = strlen(said), room = sizeof(said) - used;
    const uint8_t *b = f->body.data;
    char *to = said + used;

    if (f->message == JT808_PLATFORM_ANSWER && f->body.size == 5) {
        snprintf(to, room, "%s8001 %d:%04x:%d", used ? ", " : "", b[0] << 8 | b[1],
                 b[2] << 8 | b[3], b[4]);
    } else if (f->message == JT808_REGISTER_ANSWER) {
        snprintf(to, room, "%s8100 %d:%d%s", used ? ", " : "", b[0] << 8 | b[1], b[2],
                 f->body.size > 3 ? ":token" : "");
        if (f->body.size > 3)
            memcpy(token, b + 3, TOKEN_SIZE);
    } else {
        snprintf(to, room, "%s%04x", used ? ", " : "", f->message);
        for (size_t i = 0; i < f->body.size && i < 32; i++)
            snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%02x",
                     i ? "" : " ", b[i]);
    }
}

/* Everything that arrived: "closed" at its end if the gateway has closed it. */
static const char *heard(int fd)
{
    struct framing framing = device_framing(DEVICE_ID_JT808);
    struct framing_state state = {0};
    uint8_t bytes[65536], scratch[DEVICE_FRAME_MAX];
    size_t size = 0;
    ssize_t n;

    said[0] = '\0';
    while ((n = recv(fd, bytes + size, sizeof(bytes) - size, MSG_DONTWAIT)) > 0)
        size += (size_t)n;
    for (size_t at = 0; at < size;) {
        struct device_frame f;
        struct frame cut;
        ssize_t used = framing_cut(&framing, &state, slice_of(bytes + at, size - at),
                                   false, scratch, &cut);

        assert_true(used > 0 && cut.fault == OK);
        at += (size_t)used;
        if (!cut.bytes.size)
            continue;
        assert_int_equal(device_decode(DEVICE_ID_JT808, cut.body, &f), OK);
        note_frame(&f);
    }
    if (n == 0)
        snprintf(said + strlen(said), sizeof(said) - strlen(said), "%sclosed",
                 *said ? ", " : "");
    relay_rig_settle();
    return said;
}

#define EXPECT(fd, text) assert_string_equal(heard(fd), text)

static int connect_to(unsigned shard)
{
    return relay_rig_accept(shard, &vehicles, 0);
}

static void register_as(int fd, const char *phone)
{
    say_as(fd, phone, JT808_REGISTER, 0, "a registration");
    EXPECT(fd, "8100 0:0:token");
}

static void authenticate_as(int fd, const char *phone, const char *shown)
{
    say_as(fd, phone, JT808_AUTHENTICATE, 1, shown);
}

/* A terminal that has proved who it is. */
static int enter_as(const char *phone)
{
    int fd = connect_to(0);

    register_as(fd, phone);
    authenticate_as(fd, phone, token);
    EXPECT(fd, "8001 1:0102:0");
    return fd;
}

static int enter(void)
{
    return enter_as(PHONE);
}

static void leave(int fd)
{
    close(fd);
    relay_rig_settle();
}

/* ---- getting in ---- */

static void a_terminal_registers_and_proves_who_it_is(void **state)
{
    int fd = connect_to(0), elsewhere = connect_to(1);

    (void)state;
    register_as(fd, PHONE);
    assert_null(device_called(PHONE));
    authenticate_as(fd, PHONE, token);
    EXPECT(fd, "8001 1:0102:0");
    assert_non_null(device_called(PHONE)->conn);
    assert_string_equal(relay_rig_news(), PHONE " close>leave connected, " PHONE
                                                " leave>alive connected");
    register_as(elsewhere, OTHER);
    authenticate_as(elsewhere, OTHER, token);
    EXPECT(elsewhere, "8001 1:0102:0");
    leave(fd);
    leave(elsewhere);
}

static void a_token_serves_each_later_connection(void **state)
{
    int fd = enter();

    (void)state;
    leave(fd);
    fd = connect_to(1);
    authenticate_as(fd, PHONE, token);
    EXPECT(fd, "8001 1:0102:0");
    leave(fd);
}

static void tokens_and_ids_survive_a_restart(void **state)
{
    int fd = enter();

    (void)state;
    leave(fd);
    relay_rig_close();
    relay_rig_open();
    fd = connect_to(0);
    say(fd, JT808_REGISTER, 5, "a registration");
    EXPECT(fd, "8100 5:3");
    authenticate_as(fd, PHONE, token);
    EXPECT(fd, "8001 1:0102:0");
    leave(fd);
}

static void both_headers_name_the_same_terminal(void **state)
{
    struct buf bytes = {0};
    char body[64] = {TOKEN_SIZE};
    int fd = connect_to(0);

    (void)state;
    register_as(fd, PHONE);
    memcpy(body + 1, token, TOKEN_SIZE);
    form(&bytes, PHONE, true, JT808_AUTHENTICATE, 1, 0, 0,
         slice_of(body, 1 + TOKEN_SIZE));
    pour(fd, &bytes);
    relay_rig_settle();
    EXPECT(fd, "8001 1:0102:0");
    say(fd, JT808_HEARTBEAT, 2, "");
    EXPECT(fd, "8001 2:0002:0");
    leave(fd);
}

static void everything_in_one_read_is_answered_in_order(void **state)
{
    struct buf bytes = {0};
    int fd;

    (void)state;
    leave(enter());
    fd = connect_to(0);
    form(&bytes, PHONE, false, JT808_AUTHENTICATE, 1, 0, 0,
         slice_of(token, TOKEN_SIZE));
    form(&bytes, PHONE, false, JT808_HEARTBEAT, 2, 0, 0, (struct slice){0});
    form(&bytes, PHONE, false, JT808_LOCATION, 3, 0, 0, slice_of("here", 4));
    form(&bytes, PHONE, false, JT808_HEARTBEAT, 4, 0, 0, (struct slice){0});
    pour(fd, &bytes);
    relay_rig_settle();
    /* Also though the report waits for the disk, and the others need not. */
    EXPECT(fd, "8001 1:0102:0, 8001 2:0002:0, 8001 3:0200:0, 8001 4:0002:0");
    leave(fd);
}

static void what_follows_a_registration_waits_for_its_answer(void **state)
{
    struct buf bytes = {0};
    int fd = connect_to(0);

    (void)state;
    form(&bytes, PHONE, false, JT808_REGISTER, 0, 0, 0, slice_of("x", 1));
    form(&bytes, PHONE, false, JT808_HEARTBEAT, 1, 0, 0, (struct slice){0});
    pour(fd, &bytes);
    relay_rig_settle();
    EXPECT(fd, "8100 0:0:token, 8001 1:0002:1");
    leave(fd);
}

static void a_registration_in_packages_is_answered_once(void **state)
{
    struct buf bytes = {0};
    int fd = connect_to(0);

    (void)state;
    for (uint16_t i = 1; i <= 3; i++)
        form(&bytes, PHONE, true, JT808_REGISTER, (uint16_t)(6 + i), 3, i,
             slice_of("part", 4));
    pour(fd, &bytes);
    relay_rig_settle();
    EXPECT(fd, "8100 7:0:token");
    leave(fd);
}

/* ---- who may not ---- */

static void before_it_has_proved_itself_nothing_it_says_counts(void **state)
{
    static const uint16_t messages[] = {0x0002, 0x0003, 0x0004, 0x0005, 0x0200,
                                        0x0704, 0x0702, 0x0900, 0x7777};
    int fd = connect_to(0);

    (void)state;
    register_as(fd, PHONE);
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        char text[32];

        say(fd, messages[i], (uint16_t)i, "body");
        snprintf(text, sizeof(text), "8001 %zu:%04x:1", i, messages[i]);
        EXPECT(fd, text);
    }
    say(fd, JT808_TERMINAL_ANSWER, 1, "abcde"); /* never answered */
    say(fd, JT808_PARAMETERS, 2, "ab");
    EXPECT(fd, "");
    assert_int_equal(STAT(unproved), ARRAY_LEN(messages) + 2);
    assert_null(device_called(PHONE));
    assert_string_equal(relay_rig_news(), "");
    leave(fd);
}

static void a_wrong_token_is_refused_and_guessing_is_ended(void **state)
{
    int fd = connect_to(0);

    (void)state;
    leave(enter());
    for (int i = 0; i < 7; i++) {
        authenticate_as(fd, PHONE, "0123456789abcdef0123456789abcdef");
        EXPECT(fd, "8001 1:0102:1");
    }
    authenticate_as(fd, PHONE, "");
    EXPECT(fd, "8001 1:0102:1, closed");
    assert_int_equal(STAT(wrong), 8);
    assert_null(device_called(PHONE)->conn);
    close(fd);
}

static void a_token_is_no_good_for_another_terminal(void **state)
{
    char theirs[TOKEN_SIZE + 1];
    int fd = enter_as(OTHER), thief;

    (void)state;
    memcpy(theirs, token, sizeof(theirs));
    leave(enter());
    thief = connect_to(0);
    authenticate_as(thief, PHONE, theirs);
    EXPECT(thief, "8001 1:0102:1");
    say(thief, JT808_HEARTBEAT, 2, "");
    EXPECT(thief, "8001 2:0002:1");
    leave(thief);
    leave(fd);
}

static void only_who_has_proved_itself_takes_a_terminal_over(void **state)
{
    int fd = enter(), second = connect_to(1);
    struct conn *before = device_called(PHONE)->conn;

    (void)state;
    say(second, JT808_REGISTER, 0, "x");
    EXPECT(second, "8100 0:3");
    authenticate_as(second, PHONE, "not the token at all............");
    EXPECT(second, "8001 1:0102:1");
    say(second, JT808_LOCATION, 2, "there");
    EXPECT(second, "8001 2:0200:1");
    assert_ptr_equal(device_called(PHONE)->conn, before);
    say(fd, JT808_HEARTBEAT, 9, "");
    EXPECT(fd, "8001 9:0002:0");
    authenticate_as(second, PHONE, token);
    EXPECT(second, "8001 1:0102:0");
    EXPECT(fd, "closed");
    say(second, JT808_HEARTBEAT, 3, "");
    EXPECT(second, "8001 3:0002:0");
    leave(fd);
    leave(second);
}

static void another_terminals_message_is_refused_and_changes_nothing(void **state)
{
    int fd = enter();
    struct conn *c;

    (void)state;
    relay_rig_news();
    c = device_called(PHONE)->conn;
    say_as(fd, OTHER, JT808_LOCATION, 4, "there");
    EXPECT(fd, "8001 4:0200:1");
    say_as(fd, OTHER, JT808_REGISTER, 5, "x");
    EXPECT(fd, "8001 5:0100:1");
    say_as(fd, OTHER, JT808_AUTHENTICATE, 6, token);
    EXPECT(fd, "8001 6:0102:1");
    say_as(fd, OTHER, JT808_TERMINAL_ANSWER, 7, "abcde");
    EXPECT(fd, "");
    assert_int_equal(STAT(foreign), 4);
    assert_string_equal(relay_rig_news(), "");
    assert_null(device_called(OTHER));
    /* What we say of ourselves still goes to the terminal that is here. */
    assert_memory_equal(device_session_of(c)->head.id, head_of(PHONE, false).id,
                        DEVICE_ID_BYTES);
    say(fd, JT808_HEARTBEAT, 8, "");
    EXPECT(fd, "8001 8:0002:0");
    leave(fd);
}

static void registering_again_ends_the_proof(void **state)
{
    char old[TOKEN_SIZE + 1];
    int fd = enter();

    (void)state;
    memcpy(old, token, sizeof(old));
    say(fd, JT808_REGISTER, 2, "again");
    EXPECT(fd, "8100 2:0:token");
    assert_memory_not_equal(old, token, TOKEN_SIZE);
    assert_null(device_called(PHONE)->conn);
    say(fd, JT808_LOCATION, 3, "here");
    EXPECT(fd, "8001 3:0200:1");
    say(fd, JT808_REGISTER, 2, "again"); /* the answer was lost: it is given again */
    EXPECT(fd, "8100 2:0:token");
    say(fd, JT808_REGISTER, 4, "again"); /* a new one, unproved */
    EXPECT(fd, "8100 4:3");
    authenticate_as(fd, PHONE, token);
    EXPECT(fd, "8001 1:0102:0");
    assert_non_null(device_called(PHONE)->conn);
    leave(fd);
    fd = connect_to(0);
    authenticate_as(fd, PHONE, old);
    EXPECT(fd, "8001 1:0102:1");
    leave(fd);
}

static void who_registers_again_has_only_so_long_to_prove_itself(void **state)
{
    int fd = enter();

    (void)state;
    vehicles.register_timeout_ms = 0;
    say(fd, JT808_REGISTER, 2, "again");
    for (int i = 0; i < 100 && !strstr(heard(fd), "closed"); i++)
        poll(NULL, 0, 1);
    assert_non_null(strstr(said, "closed"));
    assert_int_equal(home_of(PHONE)->shard->stats.closed[CLOSE_REGISTER_TIMEOUT], 1);
    close(fd);
}

static void who_may_register_is_the_listeners_choice(void **state)
{
    struct id_list *list;
    int fd = connect_to(0);

    (void)state;
    settings.registration = REGISTRATION_CLOSED;
    say(fd, JT808_REGISTER, 0, "x");
    EXPECT(fd, "8100 0:4");
    settings.registration = REGISTRATION_LIST;
    say(fd, JT808_REGISTER, 1, "x");
    EXPECT(fd, "8100 1:4");
    assert_int_equal(id_list_new(OTHER "\n0" PHONE "\n", &list), OK);
    settings.may_register = list;
    say(fd, JT808_REGISTER, 2, "x");
    EXPECT(fd, "8100 2:0:token");
    authenticate_as(fd, PHONE, token);
    EXPECT(fd, "8001 1:0102:0");
    assert_int_equal(STAT(denied), 2);
    settings.registration = REGISTRATION_CLOSED;
    say(fd, JT808_REGISTER, 3, "x"); /* who is registered stays so */
    EXPECT(fd, "8100 3:0:token");
    leave(fd);
    id_list_free(&list);
}

static bool is_back;

static void on_revoked(struct trip *t)
{
    (void)t;
    is_back = true;
}

static int revoke_now(const char *phone)
{
    static struct revocation v;

    is_back = false;
    v = (struct revocation){.trip = {.inbox = &relay_rig.shards[0].loop.inbox,
                                     .done = on_revoked},
                            .id = id_of(phone)};
    vehicles_revoke(&relay_rig.group, &v);
    relay_rig_settle();
    assert_true(is_back);
    return v.rc;
}

static void a_revoked_terminal_is_closed_and_may_register_again(void **state)
{
    char old[TOKEN_SIZE + 1];
    int fd = enter();

    (void)state;
    memcpy(old, token, sizeof(old));
    assert_int_equal(revoke_now(OTHER), ERR_NOTFOUND);
    EXPECT(fd, "");
    assert_int_equal(revoke_now(PHONE), OK);
    assert_int_equal(revoke_now(PHONE), ERR_NOTFOUND);
    EXPECT(fd, "closed");
    close(fd);
    fd = connect_to(0);
    authenticate_as(fd, PHONE, old);
    EXPECT(fd, "8001 1:0102:1");
    register_as(fd, PHONE);
    leave(fd);
}

static void a_revocation_that_the_disk_refuses_is_not_done(void **state)
{
    int fd = enter();

    (void)state;
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_IO);
    assert_int_equal(revoke_now(PHONE), ERR_IO);
    EXPECT(fd, "closed");
    close(fd);
    assert_int_equal(revoke_now(PHONE), OK);
    relay_rig_close();
    relay_rig_open();
    assert_int_equal(revoke_now(PHONE), ERR_NOTFOUND);
}

static void a_first_token_is_good_when_the_disk_knows_that_it_was_shown(void **state)
{
    int fd = connect_to(0);

    (void)state;
    register_as(fd, PHONE);
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_IO);
    authenticate_as(fd, PHONE, token);
    EXPECT(fd, "8001 1:0102:1");
    assert_null(device_called(PHONE));
    authenticate_as(fd, PHONE, token);
    EXPECT(fd, "8001 1:0102:0");
    leave(fd);
    fd = connect_to(0);
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_IO);
    authenticate_as(fd, PHONE, token); /* again: the disk is not asked */
    EXPECT(fd, "8001 1:0102:0");
    leave(fd);
}

static void what_follows_a_first_proof_waits_for_its_answer(void **state)
{
    struct buf bytes = {0};
    int fd = connect_to(0);

    (void)state;
    register_as(fd, PHONE);
    form(&bytes, PHONE, false, JT808_AUTHENTICATE, 1, 0, 0,
         slice_of(token, TOKEN_SIZE));
    form(&bytes, PHONE, false, JT808_HEARTBEAT, 2, 0, 0, (struct slice){0});
    form(&bytes, PHONE, false, JT808_LOCATION, 3, 0, 0, slice_of("here", 4));
    pour(fd, &bytes);
    loop_turn(&relay_rig.shards[0].loop, 0);
    loop_turn(&relay_rig.shards[1].loop, 0);
    assert_null(device_called(PHONE));
    relay_rig_settle();
    EXPECT(fd, "8001 1:0102:0, 8001 2:0002:0, 8001 3:0200:0");
    leave(fd);
}

/* ---- what it says ---- */

static char reports[1024];
static uint64_t read_to;

static bool note_report(void *user, const struct event *e)
{
    size_t used = strlen(reports);

    (void)user;
    read_to = e->cursor;
    if (e->kind == EVENT_REPORT)
        snprintf(reports + used, sizeof(reports) - used, "%s%04x:%u:%.*s",
                 used ? " " : "", e->message, e->serial, (int)e->content.size,
                 (const char *)e->content.data);
    return true;
}

/* Since the last call. */
static const char *reported(void)
{
    reports[0] = '\0';
    assert_int_equal(journal_read(relay_rig.journal, read_to, note_report, NULL), OK);
    return reports;
}

static int begin_reports(void **state)
{
    read_to = 0;
    return begin(state);
}

static void a_report_is_answered_when_it_is_on_the_disk(void **state)
{
    int fd = enter();

    (void)state;
    say_without_waiting(fd, PHONE, JT808_LOCATION, 7, slice_of("here", 4));
    for (int i = 0; i < 3; i++) /* the shards alone: the journal does nothing */
        loop_turn(&home_of(PHONE)->shard->loop, 0);
    EXPECT(fd, "");
    relay_rig_settle();
    EXPECT(fd, "8001 7:0200:0");
    assert_string_equal(reported(), "0200:7:here");
    leave(fd);
}

static void a_report_that_the_disk_refuses_is_not_answered(void **state)
{
    int fd = enter();

    (void)state;
    store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_IO);
    say(fd, JT808_LOCATION, 7, "here");
    EXPECT(fd, "");
    assert_true(STAT(unsafe) > 0);
    relay_rig_settle();
    say(fd, JT808_LOCATION, 7, "here"); /* it comes again: it is no repetition */
    EXPECT(fd, "8001 7:0200:0");
    assert_int_equal(STAT(repeated), 0);
    leave(fd);
}

static void a_report_that_comes_again_is_answered_again_and_told_once(void **state)
{
    struct buf bytes = {0};
    int fd = enter();

    (void)state;
    for (int i = 0; i < 2; i++)
        form(&bytes, PHONE, false, JT808_LOCATION, 7, 0, 0, slice_of("here", 4));
    pour(fd, &bytes);
    relay_rig_settle();
    EXPECT(fd, "8001 7:0200:0, 8001 7:0200:0");
    say(fd, JT808_LOCATION, 7, "here");
    EXPECT(fd, "8001 7:0200:0");
    leave(fd);
    fd = connect_to(1);
    authenticate_as(fd, PHONE, token);
    say(fd, JT808_LOCATION, 7, "here");
    EXPECT(fd, "8001 1:0102:0, 8001 7:0200:0");
    assert_string_equal(reported(), "0200:7:here");
    assert_int_equal(STAT(repeated), 3);
    say(fd, JT808_LOCATION, 7, "there");
    say(fd, JT808_LOCATION, 8, "there");
    EXPECT(fd, "8001 7:0200:0, 8001 8:0200:0");
    assert_string_equal(reported(), "0200:7:there 0200:8:there");
    leave(fd);
}

static void an_unknown_message_is_told_and_called_unsupported(void **state)
{
    int fd = enter();

    (void)state;
    say(fd, 0x0f01, 7, "what");
    EXPECT(fd, "8001 7:0f01:3");
    assert_string_equal(reported(), "0f01:7:what");
    leave(fd);
}

static void answers_that_nobody_asked_for_are_not_answered(void **state)
{
    static const uint16_t messages[] = {0x0001, 0x0104, 0x0107, 0x0201, 0x0302, 0x0500,
                                        0x0608, 0x0700, 0x0802, 0x0805, 0x0a00};
    int fd = enter();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(messages); i++)
        say(fd, messages[i], (uint16_t)i, "abcde");
    say(fd, JT808_TERMINAL_ANSWER, 20, "abc"); /* too short */
    EXPECT(fd, "");
    assert_string_equal(reported(), "");
    assert_int_equal(STAT(bad), 1);
    leave(fd);
}

static void the_time_is_told_and_a_log_out_ends_it(void **state)
{
    int fd = enter();

    (void)state;
    say(fd, JT808_ASK_TIME, 3, "");
    assert_int_equal(strncmp(heard(fd), "8004 ", 5), 0);
    assert_int_equal(strlen(said), 5 + 12);
    say(fd, JT808_LOG_OUT, 4, "");
    EXPECT(fd, "8001 4:0003:0, closed");
    assert_int_equal(home_of(PHONE)->shard->stats.closed[CLOSE_LOGGED_OUT], 1);
    close(fd);
}

static void what_it_reported_is_answered_before_its_log_out(void **state)
{
    struct buf bytes = {0};
    int fd = enter();

    (void)state;
    form(&bytes, PHONE, false, JT808_LOCATION, 3, 0, 0, slice_of("here", 4));
    form(&bytes, PHONE, false, JT808_LOG_OUT, 4, 0, 0, (struct slice){0});
    form(&bytes, PHONE, false, JT808_LOCATION, 5, 0, 0, slice_of("late", 4));
    pour(fd, &bytes);
    relay_rig_settle();
    EXPECT(fd, "8001 3:0200:0, 8001 4:0003:0, closed");
    assert_string_equal(reported(), "0200:3:here");
    assert_int_equal(home_of(PHONE)->shard->stats.closed[CLOSE_LOGGED_OUT], 1);
    close(fd);
}

static void who_has_many_answers_due_is_not_read_from(void **state)
{
    struct buf bytes = {0};
    int fd = enter();
    struct conn *c = device_called(PHONE)->conn;

    (void)state;
    for (uint16_t i = 0; i < 2000; i++)
        form(&bytes, PHONE, false, JT808_LOCATION, i, 0, 0, slice_of(&i, 2));
    pour(fd, &bytes);
    for (int i = 0; i < 5; i++)
        loop_turn(&home_of(PHONE)->shard->loop, 0);
    assert_int_equal(c->holds, 1);
    assert_int_equal(vehicle_of(c)->due, 512);
    for (int i = 0; i < 10; i++)
        relay_rig_settle();
    assert_int_equal(c->holds, 0);
    assert_int_equal(vehicle_of(c)->due, 0);
    assert_int_equal(c->tx_frames, 2002);
    leave(fd);
}

static void a_due_answer_is_not_for_who_registered_since(void **state)
{
    struct buf bytes = {0};
    int fd = enter();

    (void)state;
    form(&bytes, PHONE, false, JT808_LOCATION, 3, 0, 0, slice_of("here", 4));
    form(&bytes, PHONE, false, JT808_REGISTER, 4, 0, 0, (struct slice){0});
    pour(fd, &bytes);
    relay_rig_settle();
    EXPECT(fd, "8100 4:0:token");
    assert_string_equal(reported(), "0200:3:here");
    leave(fd);
}

/* ---- packages ---- */

static void a_message_in_packages_is_answered_once_for_its_first(void **state)
{
    struct buf bytes = {0};
    int fd = enter();

    (void)state;
    form(&bytes, PHONE, false, JT808_BATCH, 9, 3, 2, slice_of("b", 1));
    form(&bytes, PHONE, false, JT808_BATCH, 8, 3, 1, slice_of("a", 1));
    form(&bytes, PHONE, false, JT808_BATCH, 12, 3, 3, slice_of("c", 1));
    pour(fd, &bytes);
    relay_rig_settle();
    EXPECT(fd, "8001 8:0704:0");
    assert_string_equal(reported(), "0704:8:abc");
    leave(fd);
}

static void missing_packages_are_asked_for(void **state)
{
    struct buf bytes = {0};
    int fd = enter();

    (void)state;
    settings.packages.ask_after_ms = 0;
    form(&bytes, PHONE, false, JT808_BATCH, 8, 3, 1, slice_of("a", 1));
    pour(fd, &bytes);
    for (int i = 0; i < 100 && !*heard(fd); i++)
        poll(NULL, 0, 1);
    assert_string_equal(said, "8003 00080200020003");
    leave(fd);
}

static void an_impossible_package_is_refused(void **state)
{
    struct buf bytes = {0};
    int fd = enter();

    (void)state;
    form(&bytes, PHONE, false, JT808_BATCH, 8, 3, 4, slice_of("a", 1));
    pour(fd, &bytes);
    relay_rig_settle();
    EXPECT(fd, "8001 8:0704:2");
    say(fd, JT808_HEARTBEAT, 9, "");
    EXPECT(fd, "8001 9:0002:0");
    leave(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin_reports, relay_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_terminal_registers_and_proves_who_it_is),
        T(a_token_serves_each_later_connection),
        T(tokens_and_ids_survive_a_restart),
        T(both_headers_name_the_same_terminal),
        T(everything_in_one_read_is_answered_in_order),
        T(what_follows_a_registration_waits_for_its_answer),
        T(a_registration_in_packages_is_answered_once),
        T(before_it_has_proved_itself_nothing_it_says_counts),
        T(a_wrong_token_is_refused_and_guessing_is_ended),
        T(a_token_is_no_good_for_another_terminal),
        T(only_who_has_proved_itself_takes_a_terminal_over),
        T(another_terminals_message_is_refused_and_changes_nothing),
        T(registering_again_ends_the_proof),
        T(who_registers_again_has_only_so_long_to_prove_itself),
        T(who_may_register_is_the_listeners_choice),
        T(a_revoked_terminal_is_closed_and_may_register_again),
        T(a_revocation_that_the_disk_refuses_is_not_done),
        T(a_first_token_is_good_when_the_disk_knows_that_it_was_shown),
        T(what_follows_a_first_proof_waits_for_its_answer),
        T(a_report_is_answered_when_it_is_on_the_disk),
        T(a_report_that_the_disk_refuses_is_not_answered),
        T(a_report_that_comes_again_is_answered_again_and_told_once),
        T(an_unknown_message_is_told_and_called_unsupported),
        T(answers_that_nobody_asked_for_are_not_answered),
        T(the_time_is_told_and_a_log_out_ends_it),
        T(what_it_reported_is_answered_before_its_log_out),
        T(who_has_many_answers_due_is_not_read_from),
        T(a_due_answer_is_not_for_who_registered_since),
        T(a_message_in_packages_is_answered_once_for_its_first),
        T(missing_packages_are_asked_for),
        T(an_impossible_package_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
