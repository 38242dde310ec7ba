#include "mailrig.h"

#include <stdlib.h>

static void append(uint64_t first, uint64_t last)
{
    for (uint64_t p = first; p <= last; p++)
        assert_int_equal(rig_append(1, p, MAIL_NEW), OK);
}

static struct mailqueue *queue(void)
{
    return &rig.queues[1];
}

static void load(void)
{
    mailbox_load(rig.box, queue(), 1 << 20);
}

/* Until the writer had every chance to recover. */
static void wait_long(void)
{
    rig_pass(120);
}

static void a_failed_sync_makes_nothing_safe_and_shuts_the_store(void **state)
{
    (void)state;
    append(1, 2);
    rig_turn();
    rig.heard[0] = '\0';
    append(3, 4);
    store_mem_fail(&mailbox_store, MEM_COMMIT, 1, 1, ERR_IO);
    rig_turn();
    EXPECT_HEARD("io3 io4");
    assert_int_equal(mailbox_health(rig.box), ERR_IO);
    assert_int_equal(rig_append(1, 5, MAIL_NEW), ERR_IO);
    rig.now_ms += 99;
    rig_turn();
    assert_int_equal(mailbox_health(rig.box), ERR_IO);
    rig.now_ms += 1;
    rig_turn();
    assert_int_equal(mailbox_health(rig.box), OK);
    append(6, 6);
    rig_turn();
    EXPECT_HEARD("F6");
    load();
    rig_turn();
    EXPECT_HEARD("M1 M2 M6 L1");
}

static void what_a_failed_commit_left_behind_is_removed(void **state)
{
    (void)state;
    append(1, 1);
    rig_turn();
    append(2, 3);
    store_mem_keep_failed_commit(&mailbox_store);
    store_mem_fail(&mailbox_store, MEM_COMMIT, 1, 1, ERR_IO);
    rig_turn();
    EXPECT_HEARD("F1 io2 io3");
    assert_int_equal(store_mem_records(&mailbox_store), 3);
    wait_long();
    assert_int_equal(store_mem_records(&mailbox_store), 1);
    rig_drop();
    rig_open();
    assert_int_equal(rig.adopted, 1);
}

static void the_delay_between_attempts_grows_to_half_a_minute(void **state)
{
    int64_t began, last = 0;

    (void)state;
    append(1, 1);
    store_mem_fail(&mailbox_store, MEM_COMMIT, 1, 1, ERR_IO);
    store_mem_fail(&mailbox_store, MEM_OPEN, 1, 12, ERR_IO);
    rig_turn();
    for (int i = 0; i < 12; i++) {
        int64_t want = 100ll << i < 30000 ? 100ll << i : 30000;

        began = rig.now_ms;
        last = rig.writer->keeper.due_ms;
        assert_int_equal(last - began, want);
        rig.now_ms = last;
        rig_turn();
        assert_int_equal(mailbox_health(rig.box), ERR_IO);
    }
    rig.now_ms += 30000;
    rig_turn();
    assert_int_equal(mailbox_health(rig.box), OK);
}

static void removals_of_a_failed_commit_are_done_after_it(void **state)
{
    (void)state;
    append(1, 3);
    rig_turn();
    load();
    rig_turn();
    mailbox_remove(rig.box, queue(), 1);
    mailbox_remove(rig.box, queue(), 2);
    store_mem_fail(&mailbox_store, MEM_COMMIT, 1, 1, ERR_IO);
    rig_turn();
    assert_int_equal(store_mem_records(&mailbox_store), 3);
    mailbox_remove(rig.box, queue(), 3); /* while it is shut */
    rig_turn();
    wait_long();
    assert_int_equal(store_mem_records(&mailbox_store), 0);
    assert_int_equal(atomic_load(&mail_writer_gauges(rig.writer)->used), 0);
}

static void a_load_during_the_failure_is_answered_after_it(void **state)
{
    (void)state;
    append(1, 2);
    rig_turn();
    append(3, 3);
    store_mem_fail(&mailbox_store, MEM_COMMIT, 1, 1, ERR_IO);
    rig_turn();
    rig.heard[0] = '\0';
    load();
    rig_turn();
    EXPECT_HEARD("");
    assert_true(mailqueue_is_loading(queue()));
    wait_long();
    EXPECT_HEARD("M1 M2 L1");
}

static void a_read_error_that_passes_costs_only_time(void **state)
{
    (void)state;
    append(1, 3);
    rig_turn();
    rig.heard[0] = '\0';
    store_mem_fail(&mailbox_store, MEM_READ, 2, 1, ERR_IO);
    load();
    rig_turn();
    EXPECT_HEARD("M1");
    rig_pass(1);
    EXPECT_HEARD("M2 M3 L1");
}

static void returned_mail_is_held_delivered_and_stored_later(void **state)
{
    (void)state;
    append(5, 5);
    rig_turn();
    EXPECT_HEARD("F5");
    for (uint64_t p = 1; p <= 3; p++)
        assert_int_equal(rig_append(1, p, MAIL_RETURNED), OK);
    store_mem_fail(&mailbox_store, MEM_COMMIT, 1, 1, ERR_IO);
    store_mem_fail(&mailbox_store, MEM_OPEN, 1, 3, ERR_IO);
    rig_turn();
    EXPECT_HEARD("L1 L1 L1"); /* held: they can be loaded */
    assert_int_equal(rig_append(1, 4, MAIL_RETURNED), OK);
    assert_true(mailqueue_has_loadable(queue()));
    mailbox_load(rig.box, queue(), 1);
    rig_turn();
    EXPECT_HEARD("M1 L1");
    mailbox_remove(rig.box, queue(), 1);
    rig_turn();
    EXPECT_HEARD("F1"); /* delivered is as good as stored */
    mailbox_load(rig.box, queue(), 1);
    rig_turn();
    EXPECT_HEARD("M2 L1");
    mailbox_unload(rig.box, queue());
    wait_long();
    EXPECT_HEARD("F2 F3 F4");
    assert_int_equal(store_mem_records(&mailbox_store), 4);
    load();
    rig_turn();
    EXPECT_HEARD("M2 M3 M4 M5 L1");
    rig_drop();
    rig_open();
    assert_int_equal(rig.adopted, 4);
}

static void held_mail_can_be_purged_and_freed(void **state)
{
    (void)state;
    store_mem_fail(&mailbox_store, MEM_COMMIT, 1, 1, ERR_IO);
    append(9, 9);
    rig_turn();
    for (uint64_t p = 1; p <= 3; p++)
        assert_int_equal(rig_append(1, p, MAIL_RETURNED), OK);
    EXPECT_HEARD("io9");
    assert_int_equal(mailbox_purge(rig.box, queue()), 3);
    rig_turn();
    assert_true(mailqueue_is_idle(queue()));
    assert_int_equal(rig_append(1, 4, MAIL_RETURNED), OK); /* still held at the end */
}

static void a_full_disk_refuses_mail_but_removals_and_reads_go_on(void **state)
{
    (void)state;
    append(1, 3);
    rig_turn();
    rig.heard[0] = '\0';
    store_mem_set_full(&mailbox_store, true);
    append(4, 5);
    rig_turn();
    EXPECT_HEARD("nospace4 nospace5");
    assert_int_equal(mailbox_health(rig.box), ERR_NOSPACE);
    assert_int_equal(rig_append(1, 6, MAIL_NEW), ERR_NOSPACE);
    load();
    rig_turn();
    EXPECT_HEARD("M1 M2 M3 L1");
    mailbox_remove(rig.box, queue(), 1);
    mailbox_remove(rig.box, queue(), 2);
    rig_turn();
    assert_int_equal(store_mem_records(&mailbox_store), 1);
    wait_long();
    assert_int_equal(mailbox_health(rig.box), ERR_NOSPACE);
    store_mem_set_full(&mailbox_store, false);
    rig_pass(6);
    assert_int_equal(mailbox_health(rig.box), OK);
    append(7, 7);
    rig_turn();
    EXPECT_HEARD("F7");
}

static void removals_in_the_refused_transaction_are_done_at_once(void **state)
{
    (void)state;
    append(1, 2);
    rig_turn();
    load();
    rig_turn();
    store_mem_set_full(&mailbox_store, true);
    mailbox_remove(rig.box, queue(), 1);
    append(3, 3);
    rig_turn();
    assert_int_equal(store_mem_records(&mailbox_store), 1);
    assert_int_equal(atomic_load(&mail_writer_gauges(rig.writer)->backlog), 0);
    mailbox_remove(rig.box, queue(), 2);
    rig_turn();
    assert_int_equal(atomic_load(&mail_writer_gauges(rig.writer)->used), 0);
}

static void too_much_for_one_transaction_is_refused_without_alarm(void **state)
{
    (void)state;
    append(1, 2);
    store_mem_fail(&mailbox_store, MEM_PUT, 2, 1, ERR_FULL);
    rig_turn();
    EXPECT_HEARD("full1 full2");
    assert_int_equal(mailbox_health(rig.box), OK);
    append(3, 3);
    rig_turn();
    EXPECT_HEARD("F3");
}

/* Fails the n-th call of every kind, for n = 1, 2, 3 ... beyond what a run makes. */
static void whatever_fails_nothing_safe_is_lost_or_doubled(void **state)
{
    static const int errors[] = {ERR_IO, ERR_NOSPACE, ERR_NOMEM, ERR_DAMAGED};
    unsigned runs = 0;

    for (int call = MEM_SCAN; call < MEM_CALL_COUNT; call++) {
        for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
            for (unsigned nth = 1; nth < 30; nth++) {
                uint64_t safe = 0;

                if (call == MEM_READ && errors[e] == ERR_DAMAGED)
                    continue; /* that one is lost, and said so */
                (void)rig_stop(state);
                (void)rig_start(state);
                store_mem_fail(&mailbox_store, (enum mem_call)call, nth, 1, errors[e]);
                for (uint64_t p = 10; p < 20; p++) {
                    (void)rig_append(1, p, MAIL_NEW);
                    if (p % 3 == 0)
                        assert_int_equal(rig_append(1, p - 9, MAIL_RETURNED), OK);
                    rig_turn();
                    if (p == 14) {
                        load();
                        rig_turn();
                        mailbox_unload(rig.box, queue());
                    }
                    rig_pass(1);
                }
                wait_long();
                /* Every F is there, everything else is not. */
                safe = mailqueue_messages(queue());
                assert_int_equal(store_mem_records(&mailbox_store), safe);
                assert_int_equal(mailbox_health(rig.box), OK);
                for (const char *f = rig.heard; (f = strchr(f, 'F')); f++)
                    safe--;
                assert_int_equal(safe, 0);
                store_mem_fail(&mailbox_store, (enum mem_call)call, 0, 0, OK);
                rig_drop();
                rig_open();
                assert_int_equal(rig.adopted, store_mem_records(&mailbox_store));
                runs++;
            }
        }
    }
    assert_true(runs > 700);
}

static void the_thread_serves_several_shards(void **state)
{
    struct inbox inbox;
    struct mailbox *other;
    struct mailqueue theirs = {0};
    uint64_t heard = 0;

    (void)state;
    assert_int_equal(inbox_init(&inbox), OK);
    assert_int_equal(mailbox_new(&(struct mailbox_conf){.limits = rig.limits,
                                                        .writer = rig.writer,
                                                        .inbox = &inbox,
                                                        .events = &rig_events},
                                 &other),
                     OK);
    assert_int_equal(mail_writer_start(rig.writer), OK);
    for (uint64_t p = 1; p <= 300; p++) {
        struct parcel *parcel;

        append(p, p);
        mailbox_flush(rig.box);
        assert_int_equal(mailbox_append(other, &theirs, &rig.ids[7], p,
                                        slice_of("x", 1), MAIL_NEW,
                                        (struct mail_receipt){0}),
                         OK);
        mailbox_flush(other);
        rig_answers();
        for (parcel = inbox_take(&inbox); parcel; parcel = parcel->next)
            heard++;
    }
    mail_writer_stop(rig.writer); /* finishes what is in its inbox */
    rig_answers();
    for (struct parcel *parcel = inbox_take(&inbox); parcel; parcel = parcel->next)
        heard++;
    assert_int_equal(heard, 300);
    assert_int_equal(mailbox_unanswered(rig.box), 0);
    assert_int_equal(store_mem_records(&mailbox_store), 600);
    mailbox_free(&other);
    inbox_fini(&inbox);
}

int main(void)
{
#define RIGGED(test) cmocka_unit_test_setup_teardown(test, rig_start, rig_stop)
    const struct CMUnitTest tests[] = {
        RIGGED(a_failed_sync_makes_nothing_safe_and_shuts_the_store),
        RIGGED(what_a_failed_commit_left_behind_is_removed),
        RIGGED(the_delay_between_attempts_grows_to_half_a_minute),
        RIGGED(removals_of_a_failed_commit_are_done_after_it),
        RIGGED(a_load_during_the_failure_is_answered_after_it),
        RIGGED(a_read_error_that_passes_costs_only_time),
        RIGGED(returned_mail_is_held_delivered_and_stored_later),
        RIGGED(held_mail_can_be_purged_and_freed),
        RIGGED(a_full_disk_refuses_mail_but_removals_and_reads_go_on),
        RIGGED(removals_in_the_refused_transaction_are_done_at_once),
        RIGGED(too_much_for_one_transaction_is_refused_without_alarm),
        RIGGED(whatever_fails_nothing_safe_is_lost_or_doubled),
        RIGGED(the_thread_serves_several_shards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
