#include "relayrig.h"

#include "unit.h"

#include <stdio.h>

/* ---- terminals ---- */

static void give(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

static void send_frame(int fd, enum ttms_command command, uint32_t address,
                       struct slice content)
{
    uint8_t bytes[4096];

    ttms_form(command, address, content, TTMS_LENGTH_TOTAL, bytes);
    give(fd, bytes, ttms_formed_size(content.size, TTMS_LENGTH_TOTAL));
}

static void beat(int fd, uint32_t id)
{
    send_frame(fd, TTMS_HEARTBEAT, id, slice_of("\0\0\3\350", 4));
    relay_rig_settle();
}

static int terminal(unsigned shard, uint32_t id)
{
    int fd = relay_rig_connect(shard);

    beat(fd, id);
    return fd;
}

static void say(int fd, uint32_t to, const char *text)
{
    send_frame(fd, TTMS_DATA, to, slice_of(text, strlen(text)));
    relay_rig_settle();
}

/* What the terminal can read now, as "sender:text sender:text". */
static const char *heard(int fd)
{
    static char text[65536];
    uint8_t bytes[65536];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    struct slice left = slice_of(bytes, n > 0 ? (size_t)n : 0);
    size_t used = 0;

    text[0] = '\0';
    while (left.size) {
        size_t size = (size_t)(left.data[5] << 8 | left.data[6]);

        assert_true(size >= TTMS_MIN_FRAME && size <= left.size);
        assert_memory_equal(left.data, "$TTMX", 5);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%x:%.*s",
                                 used ? " " : "", left.data[10],
                                 (int)(size - TTMS_MIN_FRAME), left.data + TTMS_HEAD);
        left = slice_from(left, size);
    }
    return text;
}

/* ---- conversations ---- */

static void a_message_reaches_its_target_on_every_pair_of_shards(void **state)
{
    (void)state;
    for (uint32_t from = 1; from <= 6; from++)
        for (uint32_t to = 1; to <= 6; to++) {
            int a, b;

            if (from == to)
                continue;
            a = terminal(from % 2, from);
            b = terminal(to % 2, to);
            say(a, to, "hi");
            assert_int_equal(heard(b)[0] - '0', from);
            relay_rig_settle();
            close(a);
            close(b);
            relay_rig_settle();
        }
}

static void a_terminal_may_write_to_itself(void **state)
{
    int a = terminal(0, 1);

    (void)state;
    say(a, 1, "me");
    assert_string_equal(heard(a), "1:me");
    close(a);
}

static void mail_waits_for_an_absent_target_in_order(void **state)
{
    int a = terminal(0, 1), b;

    (void)state;
    say(a, 2, "one");
    say(a, 2, "two");
    assert_int_equal(store_mem_records(&mailbox_store), 2);
    b = terminal(1, 2);
    assert_string_equal(heard(b), "1:one 1:two");
    relay_rig_settle();
    assert_int_equal(store_mem_records(&mailbox_store), 0); /* delivered: gone */
    close(a);
    close(b);
}

/* Says "one" and "two" to terminal 2, which leaves without having read them. */
static void leave_unread(int a)
{
    int b = terminal(1, 2);

    say(a, 2, "one");
    say(a, 2, "two");
    close(b);
    relay_rig_settle();
}

static void what_was_not_read_comes_again_before_what_came_later(void **state)
{
    int a = terminal(0, 1), b;

    (void)state;
    leave_unread(a);
    say(a, 2, "three");
    b = terminal(0, 2);
    assert_string_equal(heard(b), "1:one 1:two 1:three");
    close(a);
    close(b);
}

static void it_comes_in_that_order_after_a_restart_too(void **state)
{
    int a = terminal(0, 1), b;

    (void)state;
    leave_unread(a);
    say(a, 2, "three");
    close(a);
    relay_rig_close();
    relay_rig_open();
    b = terminal(0, 2);
    assert_string_equal(heard(b), "1:one 1:two 1:three");
    close(b);
}

static void a_newer_connection_takes_over_what_the_older_had_not_read(void **state)
{
    int a = terminal(0, 1), old = terminal(0, 2), young;

    (void)state;
    say(a, 2, "one");
    young = terminal(1, 2);
    assert_string_equal(heard(young), "1:one");
    say(a, 2, "two");
    assert_string_equal(heard(young), "1:two");
    close(old);
    relay_rig_settle();
    say(a, 2, "three");
    assert_string_equal(heard(young), "1:three");
    close(a);
    close(young);
}

static void a_renamed_connection_leaves_its_mail_to_the_old_name(void **state)
{
    int a = terminal(0, 1), b = terminal(1, 2), c;

    (void)state;
    say(a, 2, "for two");
    beat(b, 3); /* without having read */
    say(a, 3, "for three");
    say(a, 2, "for two again");
    /* Its socket still holds the first one, whole: it was on the wire. */
    assert_string_equal(heard(b), "1:for two 1:for three");
    c = terminal(0, 2);
    assert_string_equal(heard(c), "1:for two 1:for two again");
    close(a);
    close(b);
    close(c);
}

/* ---- the store fails ---- */

static void online_terminals_are_served_while_the_disk_is_full(void **state)
{
    int a = terminal(0, 1), b = terminal(1, 2), c;

    (void)state;
    store_mem_set_full(&mailbox_store, true);
    say(a, 3, "lost to you");
    say(a, 2, "still here");
    assert_string_equal(heard(b), "1:still here");
    store_mem_set_full(&mailbox_store, false);
    relay_rig_settle();
    say(a, 3, "stored again");
    c = terminal(0, 3);
    assert_string_equal(heard(c), "1:stored again");
    close(a);
    close(b);
    close(c);
}

static void
what_comes_back_while_the_disk_is_full_is_kept_and_stored_later(void **state)
{
    int a = terminal(0, 1), b = terminal(1, 2);

    (void)state;
    say(a, 2, "one");
    store_mem_set_full(&mailbox_store, true);
    close(b);
    relay_rig_settle();
    store_mem_set_full(&mailbox_store, false);
    relay_rig_settle();
    b = terminal(1, 2);
    relay_rig_settle();
    assert_string_equal(heard(b), "1:one");
    close(a);
    close(b);
}

/* ---- receipts ---- */

/* The receipts in what can be read: "s3" safe up to 3, "r2" 2 refused. */
static const char *receipts(int fd)
{
    static char text[4096];
    uint8_t bytes[4096];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    size_t used = 0;

    text[0] = '\0';
    for (ssize_t at = 0; at + 17 <= n; at += 17) {
        const uint8_t *f = bytes + at;

        assert_memory_equal(f, "$TTMX", 5);
        assert_true(f[11] == TTMS_RECEIPT || f[11] == TTMS_REFUSAL);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%c%d",
                                 used ? " " : "", f[11] == TTMS_RECEIPT ? 's' : 'r',
                                 f[14] << 8 | f[15]);
    }
    return text;
}

static void delivered_and_stored_frames_are_safe_and_refused_ones_named(void **state)
{
    int a, b;

    (void)state;
    relay_rig.settings.receipts = true;
    a = terminal(0, 1);
    b = terminal(1, 2);
    say(a, 2, "to one who does not read");
    assert_string_equal(receipts(a), "");
    say(a, 3, "to one who is away"); /* 2: stored, but 1 is open */
    assert_string_equal(receipts(a), "");
    (void)heard(b);
    relay_rig_settle();
    assert_string_equal(receipts(a), "s2");
    store_mem_set_full(&mailbox_store, true);
    say(a, 3, "no room");
    assert_string_equal(receipts(a), "r3 s3");
    store_mem_set_full(&mailbox_store, false);
    close(a);
    close(b);
}

static void a_renaming_waits_for_its_receipts(void **state)
{
    int a, b;

    (void)state;
    relay_rig.settings.receipts = true;
    a = terminal(0, 1);
    b = terminal(1, 2);
    say(a, 2, "unread");
    beat(a, 7);
    say(a, 2, "from the new name");
    assert_string_equal(heard(b), "1:unread");
    relay_rig_settle();
    assert_string_equal(heard(b), "7:from the new name");
    relay_rig_settle();
    assert_string_equal(receipts(a), "s1 s2");
    close(a);
    close(b);
}

static void a_renaming_that_waits_does_not_keep_the_gateway_from_ending(void **state)
{
    int a, b;

    (void)state;
    relay_rig.settings.receipts = true;
    a = terminal(0, 1);
    b = terminal(1, 2);
    say(a, 2, "unread");
    beat(a, 7);
    close(b);
    close(a); /* relay_rig_end ends the relay, and would not return */
}

static void durable_messages_are_forwarded_after_the_commit(void **state)
{
    int a, b;

    (void)state;
    relay_rig.settings.durable = true;
    a = terminal(0, 1);
    b = terminal(1, 2);
    store_mem_set_full(&mailbox_store, true);
    say(a, 2, "unsafe");
    assert_string_equal(heard(b), "");
    store_mem_set_full(&mailbox_store, false);
    relay_rig_settle();
    say(a, 2, "safe");
    assert_string_equal(heard(b), "1:safe");
    close(a);
    close(b);
}

/* The only connection of the rig. */
static struct conn *only_connection(void)
{
    for (unsigned i = 0; i < RELAY_SHARDS; i++) {
        struct link *k = list_first(&relay_rig.shards[i].in[CONN_READ]);

        if (k)
            return CONTAINER_OF(k, struct conn, link);
    }
    return NULL;
}

static void
a_sender_that_is_held_again_before_it_goes_on_is_read_from_in_the_end(void **state)
{
    int a = terminal(0, 1);
    struct conn *c = only_connection();

    (void)state;
    conn_hold(c);
    conn_release(c);
    conn_hold(c); /* in the same turn, for another reason */
    conn_release(c);
    relay_rig_settle();
    say(a, 1, "me");
    assert_string_equal(heard(a), "1:me");
    close(a);
}

/* ---- many things at random ---- */

#define PEERS 5

struct peer {
    int fd; /* -1: away */
    uint32_t sent[PEERS + 1];
    uint32_t seen[PEERS + 1]; /* highest number from each sender */
    struct buf in;
};

static struct peer peers[PEERS + 1];

/* Numbers from one sender grow by one; a lower one is a repetition. */
static void take_message(struct peer *p, struct slice frame)
{
    uint32_t from = frame.data[10];
    uint32_t number;

    memcpy(&number, frame.data + TTMS_HEAD, sizeof(number));
    assert_true(number <= p->seen[from] + 1);
    if (number == p->seen[from] + 1)
        p->seen[from] = number;
}

static void read_some(struct peer *p, size_t most)
{
    uint8_t bytes[8192];
    ssize_t n = recv(p->fd, bytes, most < sizeof(bytes) ? most : sizeof(bytes), 0);

    if (n <= 0)
        return;
    assert_int_equal(buf_try_append(&p->in, slice_of(bytes, (size_t)n)), OK);
    for (;;) {
        struct slice in = buf_peek(&p->in);
        size_t size = in.size >= 7 ? (size_t)(in.data[5] << 8 | in.data[6]) : SIZE_MAX;

        if (size > in.size)
            return;
        take_message(p, in);
        buf_consume(&p->in, size);
    }
}

static void leave(struct peer *p)
{
    close(p->fd);
    p->fd = -1;
    buf_clear(&p->in);
}

static void send_some(uint32_t from, uint32_t to)
{
    struct peer *p = &peers[from];
    uint8_t content[600] = {0}, bytes[700];
    uint32_t number = p->sent[to] + 1;
    size_t size = sizeof(number) + (size_t)rand() % 500;
    int unread = 0;

    if (ioctl(p->fd, SIOCOUTQ, &unread) < 0 || unread > 60000)
        return; /* held for long: a frame might be cut in two */
    memcpy(content, &number, sizeof(number));
    ttms_form(TTMS_DATA, to, slice_of(content, size), TTMS_LENGTH_TOTAL, bytes);
    size = ttms_formed_size(size, TTMS_LENGTH_TOTAL);
    if (send(p->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size)
        p->sent[to]++;
}

static void one_random_step(void)
{
    uint32_t who = 1 + (uint32_t)rand() % PEERS;
    struct peer *p = &peers[who];
    int what = rand() % 100;

    if (p->fd < 0) {
        if (what < 20)
            p->fd = terminal((unsigned)rand() % RELAY_SHARDS, who);
        return;
    }
    if (what < 60) {
        send_some(who, 1 + (uint32_t)rand() % PEERS);
    } else if (what < 90) {
        read_some(p, 1 + (size_t)rand() % 6000);
    } else if (what < 92) {
        /* What it sent must have been read: a reset may drop it, as on any socket. */
        relay_rig_settle();
        leave(p);
    } else if (what < 94) {
        relay_rig_settle();
        close(p->fd); /* and at once again: a take-over, or nearly */
        buf_clear(&p->in);
        p->fd = terminal((unsigned)rand() % RELAY_SHARDS, who);
    } else {
        relay_rig_turn();
    }
}

static void nothing_is_lost_or_reordered_whatever_terminals_do(void **state)
{
    (void)state;
    relay_rig.output_limit = 8192; /* reached all the time */
    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        relay_rig.shards[i].conf.output_limit = 8192;
    srand(42);
    for (int i = 1; i <= PEERS; i++)
        peers[i] = (struct peer){.fd = -1};
    for (int step = 0; step < 30000; step++)
        one_random_step();
    for (uint32_t i = 1; i <= PEERS; i++)
        if (peers[i].fd < 0)
            peers[i].fd = terminal(0, i);
    for (int round = 0; round < 600; round++) {
        relay_rig_turn();
        for (int i = 1; i <= PEERS; i++)
            read_some(&peers[i], SIZE_MAX);
    }
    for (int from = 1; from <= PEERS; from++)
        for (int to = 1; to <= PEERS; to++)
            assert_int_equal(peers[to].seen[from], peers[from].sent[to]);
    relay_rig_settle();
    assert_int_equal(store_mem_records(&mailbox_store), 0);
    for (int i = 1; i <= PEERS; i++) {
        close(peers[i].fd);
        buf_fini(&peers[i].in);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, relay_rig_begin, relay_rig_end)
    const struct CMUnitTest tests[] = {
        CASE(a_message_reaches_its_target_on_every_pair_of_shards),
        CASE(a_terminal_may_write_to_itself),
        CASE(mail_waits_for_an_absent_target_in_order),
        CASE(what_was_not_read_comes_again_before_what_came_later),
        CASE(it_comes_in_that_order_after_a_restart_too),
        CASE(a_newer_connection_takes_over_what_the_older_had_not_read),
        CASE(a_renamed_connection_leaves_its_mail_to_the_old_name),
        CASE(online_terminals_are_served_while_the_disk_is_full),
        CASE(what_comes_back_while_the_disk_is_full_is_kept_and_stored_later),
        CASE(delivered_and_stored_frames_are_safe_and_refused_ones_named),
        CASE(a_renaming_waits_for_its_receipts),
        CASE(a_renaming_that_waits_does_not_keep_the_gateway_from_ending),
        CASE(durable_messages_are_forwarded_after_the_commit),
        CASE(a_sender_that_is_held_again_before_it_goes_on_is_read_from_in_the_end),
        CASE(nothing_is_lost_or_reordered_whatever_terminals_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
