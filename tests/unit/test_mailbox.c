#include "mailrig.h"
#include "mailbox/queue.h"

#include <stdlib.h>

static void append(unsigned device, uint64_t position)
{
    assert_int_equal(rig_append(device, position, MAIL_NEW), OK);
}

static void give_back(unsigned device, uint64_t position)
{
    assert_int_equal(rig_append(device, position, MAIL_RETURNED), OK);
}

static void load(unsigned device, size_t max_bytes)
{
    mailbox_load(rig.box, &rig.queues[device], max_bytes);
}

/* As killed, with what limits and stores are now. */
static void restart(void)
{
    rig_drop();
    rig_open();
}

static struct mailqueue *queue(unsigned device)
{
    return &rig.queues[device];
}

static void a_message_is_safe_only_after_the_commit(void **state)
{
    (void)state;
    append(1, 1);
    mailbox_flush(rig.box);
    EXPECT_HEARD("");
    assert_false(mailqueue_has_loadable(queue(1)));
    mail_writer_turn(rig.writer, 0);
    assert_int_equal(store_mem_records(&mailbox_store), 1);
    rig_answers();
    EXPECT_HEARD("F1");
    assert_true(mailqueue_has_loadable(queue(1)));
    assert_int_equal(mailqueue_waiting(queue(1)), 1);
}

static void one_turns_messages_are_one_commit(void **state)
{
    (void)state;
    for (uint64_t p = 1; p <= 100; p++)
        append((unsigned)(p % 3), p);
    rig_turn();
    assert_int_equal(store_mem_commits(&mailbox_store), 1);
    assert_int_equal(store_mem_records(&mailbox_store), 100);
}

static void mail_comes_in_order_and_leaves_when_removed(void **state)
{
    (void)state;
    append(1, 1);
    append(1, 2);
    append(2, 3);
    rig_turn();
    EXPECT_HEARD("F1 F2 F3");
    load(1, 1 << 20);
    rig_turn();
    EXPECT_HEARD("M1 M2 L1");
    assert_int_equal(mailqueue_waiting(queue(1)), 0);
    assert_int_equal(mailqueue_messages(queue(1)), 2);
    mailbox_remove(rig.box, queue(1), 1);
    mailbox_remove(rig.box, queue(1), 2);
    assert_true(mailqueue_is_idle(queue(1)));
    rig_turn();
    assert_int_equal(store_mem_records(&mailbox_store), 1);
    assert_int_equal(mailbox_stats(rig.box).delivered, 2);
}

static void a_load_is_bounded_but_brings_at_least_one(void **state)
{
    (void)state;
    for (uint64_t p = 1; p <= 3; p++)
        append(1, p);
    rig_turn();
    EXPECT_HEARD("F1 F2 F3");
    load(1, 1);
    rig_turn();
    EXPECT_HEARD("M1 L1");
    load(1, 1);
    rig_turn();
    EXPECT_HEARD("M2 L1");
}

static void a_load_stops_before_what_is_not_stored_yet(void **state)
{
    (void)state;
    append(1, 1);
    rig_turn();
    append(1, 2);
    load(1, 1 << 20);
    rig_turn();
    EXPECT_HEARD("F1 F2 M1 L1");
    assert_true(mailqueue_has_loadable(queue(1)));
}

static void what_comes_back_stands_before_what_came_later(void **state)
{
    (void)state;
    append(1, 7);
    append(1, 9);
    rig_turn();
    give_back(1, 3);
    give_back(1, 4);
    append(1, 12);
    give_back(1, 8);
    rig_turn();
    rig.heard[0] = '\0';
    load(1, 1 << 20);
    rig_turn();
    EXPECT_HEARD("M3 M4 M7 M8 M9 M12 L1");
}

static void what_comes_back_during_a_load_is_not_overtaken(void **state)
{
    (void)state;
    append(1, 7);
    rig_turn();
    rig.heard[0] = '\0';
    load(1, 1 << 20);
    give_back(1, 3);
    rig_turn();
    EXPECT_HEARD("L1 F3");
    load(1, 1 << 20);
    rig_turn();
    EXPECT_HEARD("M3 M7 L1");
}

static void the_next_message_may_be_taken_at_its_fate(void **state)
{
    (void)state;
    rig.takes = true;
    append(1, 1);
    append(1, 2);
    rig_turn();
    EXPECT_HEARD("F1 T1 F2 T2");
    mailbox_unload(rig.box, queue(1));
    append(1, 3);
    rig_turn();
    EXPECT_HEARD("F3");
    load(1, 1 << 20);
    rig_turn();
    EXPECT_HEARD("M1 M2 M3 L1");
}

static void unloaded_mail_comes_again_and_the_old_load_is_forgotten(void **state)
{
    (void)state;
    append(1, 1);
    append(1, 2);
    rig_turn();
    rig.heard[0] = '\0';
    load(1, 1);
    rig_turn();
    EXPECT_HEARD("M1 L1");
    load(1, 1 << 20);
    mailbox_unload(rig.box, queue(1));
    rig_turn();
    EXPECT_HEARD("");
    assert_int_equal(mailqueue_waiting(queue(1)), 2);
    load(1, 1 << 20);
    mailbox_unload(rig.box, queue(1));
    load(1, 1 << 20);
    rig_turn();
    EXPECT_HEARD("M1 M2 L1");
}

static void a_restart_finds_everything_in_order_of_position(void **state)
{
    (void)state;
    append(1, 5);
    append(1, 6);
    rig_turn();
    give_back(1, 2);
    append(2, 9);
    rig_turn();
    append(1, 7); /* not committed */
    restart();
    assert_int_equal(mailqueue_messages(queue(1)), 3);
    assert_int_equal(queue_at(queue(1)->body, 2)->position, 6);
    assert_int_equal(mailbox_stats(rig.box).messages, 4);
    rig.heard[0] = '\0';
    load(1, 1 << 20);
    load(2, 1 << 20);
    rig_turn();
    EXPECT_HEARD("M2 M5 M6 L1 M9 L2");
}

static void a_devices_limits_refuse_new_mail_but_not_returned(void **state)
{
    (void)state;
    rig.limits.max_messages = 2;
    restart();
    append(1, 1);
    append(1, 2);
    assert_int_equal(rig_append(1, 3, MAIL_NEW), ERR_FULL);
    give_back(1, 0);
    append(2, 1);
    rig.limits.max_messages = 1000;
    rig.limits.max_bytes = 300;
    restart();
    for (uint64_t p = 1; rig_append(3, p, MAIL_NEW) == OK; p++)
        assert_true(p < 300);
    assert_true(mailqueue_bytes(queue(3)) > 200);
    assert_true(mailqueue_bytes(queue(3)) <= 300);
    assert_int_equal(mailbox_stats(rig.box).refused_full, 1);
}

static void the_total_limit_counts_what_is_on_the_way_and_comes_back(void **state)
{
    uint64_t p = 1;

    (void)state;
    rig.limits.total_bytes = 2000;
    restart();
    while (rig_append(1, p, MAIL_NEW) == OK)
        p++;
    assert_in_range(p, 5, 20);
    rig_turn();
    assert_int_equal(rig_append(2, p, MAIL_NEW), ERR_FULL);
    restart(); /* and after a restart */
    assert_int_equal(rig_append(2, p, MAIL_NEW), ERR_FULL);
    assert_int_equal(mailbox_purge(rig.box, queue(1)), p - 1);
    rig_turn();
    assert_int_equal(rig_append(2, p, MAIL_NEW), OK);
}

static void a_full_backlog_is_busy_and_half_of_it_congested(void **state)
{
    uint64_t p = 1;
    int rc;

    (void)state;
    rig.limits.backlog_bytes = 4000;
    restart();
    while (!mailbox_is_congested(rig.box))
        append(1, p++);
    assert_in_range(p, 8, 22);
    while ((rc = rig_append(1, p, MAIL_NEW)) == OK)
        p++;
    assert_int_equal(rc, ERR_BUSY);
    assert_in_range(p, 16, 42);
    give_back(1, p);
    rig_turn();
    assert_non_null(strstr(rig.heard, "room0"));
    assert_false(mailbox_is_congested(rig.box));
    assert_int_equal(rig_append(1, p + 1, MAIL_NEW), OK);
}

static void others_congestion_is_noticed_when_it_ends(void **state)
{
    struct mail_gauges *gauges = mail_writer_gauges(rig.writer);

    (void)state;
    atomic_fetch_add(&gauges->backlog, 600 << 10); /* another shard's */
    append(1, 1);
    assert_true(mailbox_is_congested(rig.box));
    rig_turn();
    EXPECT_HEARD("F1");
    atomic_fetch_sub(&gauges->backlog, 600 << 10);
    rig_turn();
    EXPECT_HEARD("room0");
}

static void old_mail_expires_at_the_tick_and_at_the_load(void **state)
{
    (void)state;
    rig.limits.max_age_ms = 10000;
    restart();
    append(1, 1);
    rig_turn();
    rig_pass(6);
    append(1, 2);
    rig_turn();
    rig.heard[0] = '\0';
    rig_pass(5);
    EXPECT_HEARD("expired1");
    assert_int_equal(store_mem_records(&mailbox_store), 1);
    rig.now_ms += 9000;
    rig.box->clock_ms += 9000; /* the tick has not come yet */
    load(1, 1 << 20);
    rig_turn();
    EXPECT_HEARD("expired2 L1");
    assert_true(mailqueue_is_idle(queue(1)));
    assert_int_equal(mailbox_stats(rig.box).expired, 2);
}

static void a_clock_that_jumps_expires_nothing(void **state)
{
    (void)state;
    rig.limits.max_age_ms = 10000;
    restart();
    append(1, 1);
    rig_turn();
    rig.now_ms += 365ll * 86400 * 1000;
    rig_pass(2);
    rig.now_ms -= 2 * 365ll * 86400 * 1000;
    rig_pass(2);
    EXPECT_HEARD("F1");
    rig_pass(10);
    EXPECT_HEARD("expired1");
}

static void a_purge_takes_all_also_what_is_under_way(void **state)
{
    (void)state;
    append(1, 1);
    append(1, 2);
    rig_turn();
    load(1, 1);
    rig_turn();
    append(1, 3);
    rig.heard[0] = '\0';
    assert_int_equal(mailbox_purge(rig.box, queue(1)), 3);
    assert_int_equal(mailqueue_messages(queue(1)), 0); /* whoever looks now */
    assert_int_equal(mailqueue_bytes(queue(1)), 0);
    assert_int_equal(mailbox_stats(rig.box).messages, 0);
    assert_int_equal(mailbox_stats(rig.box).bytes, 0);
    assert_int_equal(mailbox_purge(rig.box, queue(1)), 0);
    mailbox_remove(rig.box, queue(1), 1); /* the session did not know yet */
    rig_turn();
    EXPECT_HEARD("F3");
    assert_true(mailqueue_is_idle(queue(1)));
    rig_turn();
    assert_int_equal(store_mem_records(&mailbox_store), 0);
    assert_int_equal(mailbox_stats(rig.box).messages, 0);
    assert_int_equal(mailbox_stats(rig.box).bytes, 0);
}

static void a_damaged_record_is_reported_and_never_delivered(void **state)
{
    (void)state;
    for (uint64_t p = 1; p <= 3; p++)
        append(1, p);
    rig_turn();
    assert_true(store_mem_flip(&mailbox_store, 2, 40));
    rig.heard[0] = '\0';
    load(1, 1 << 20);
    rig_turn();
    EXPECT_HEARD("M1 damaged2 M3 L1");
    assert_int_equal(store_mem_records(&mailbox_store), 3);
    restart();
    assert_int_equal(rig.adopted, 2);
}

/* k returned before n waiting would be k * n steps in a plain array: minutes. */
static void many_returned_before_many_waiting_take_linear_time(void **state)
{
    struct mailqueue_body q = {0};
    const uint32_t n = 300000;

    (void)state;
    for (uint32_t i = 0; i < n; i++)
        assert_true(queue_try_insert(&q, 1000000 + i, 1) >= 0);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(queue_try_insert(&q, 1 + i, 1) >= 0);
        if (i % 3 == 0)
            assert_true(queue_try_insert(&q, 2000000 + i, 1) >= 0);
    }
    entries_check(&q.entries);
    assert_int_equal(queue_count(&q), n * 2 + n / 3);
    while (queue_count(&q) > 0)
        queue_drop(&q, 0);
    entries_fini(&q.entries);
}

static void what_batches_keep_is_bounded(void **state)
{
    size_t kept = 0;

    (void)state;
    for (uint64_t n = 1; n <= 3000; n++) {
        assert_int_equal(rig_append(0, n, MAIL_RETURNED), OK);
        mailbox_flush(rig.box); /* the disk is slow: one batch more */
    }
    rig_turn();
    for (struct mail_batch *b = rig.box->all_batches; b; b = b->next_of_box)
        kept += batch_memory(b);
    assert_int_equal(kept, rig.box->spare_bytes);
    assert_in_range(kept, BOX_SPARE_BYTES / 2, BOX_SPARE_BYTES);
}

int main(void)
{
#define RIGGED(test) cmocka_unit_test_setup_teardown(test, rig_start, rig_stop)
    const struct CMUnitTest tests[] = {
        RIGGED(a_message_is_safe_only_after_the_commit),
        RIGGED(one_turns_messages_are_one_commit),
        RIGGED(mail_comes_in_order_and_leaves_when_removed),
        RIGGED(a_load_is_bounded_but_brings_at_least_one),
        RIGGED(a_load_stops_before_what_is_not_stored_yet),
        RIGGED(what_comes_back_stands_before_what_came_later),
        RIGGED(what_comes_back_during_a_load_is_not_overtaken),
        RIGGED(the_next_message_may_be_taken_at_its_fate),
        RIGGED(unloaded_mail_comes_again_and_the_old_load_is_forgotten),
        RIGGED(a_restart_finds_everything_in_order_of_position),
        RIGGED(a_devices_limits_refuse_new_mail_but_not_returned),
        RIGGED(the_total_limit_counts_what_is_on_the_way_and_comes_back),
        RIGGED(a_full_backlog_is_busy_and_half_of_it_congested),
        RIGGED(others_congestion_is_noticed_when_it_ends),
        RIGGED(old_mail_expires_at_the_tick_and_at_the_load),
        RIGGED(a_clock_that_jumps_expires_nothing),
        RIGGED(a_purge_takes_all_also_what_is_under_way),
        RIGGED(a_damaged_record_is_reported_and_never_delivered),
        RIGGED(what_batches_keep_is_bounded),
        cmocka_unit_test(many_returned_before_many_waiting_take_linear_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
