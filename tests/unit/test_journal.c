#include "journalrig.h"

#include <unistd.h>

static void events_are_read_in_the_order_of_their_telling(void **state)
{
    (void)state;
    EXPECT_READ(0, "");
    assert_int_equal(journal_newest(jig.journal), 0);
    jig_tell(0, 3);
    EXPECT_READ(0, "");
    jig_turn();
    EXPECT_READ(0, "1 2 3");
    assert_int_equal(jig.published, 1);
    assert_int_equal(jig.cursor, journal_newest(jig.journal));
    jig_tell(0, 1);
    jig_tell(1, 1);
    jig_turn();
    EXPECT_READ(jig.cursor, "4 5");
    assert_int_equal(jig.published, 2);
    jig_turn(); /* nothing to publish */
    assert_int_equal(jig.published, 2);
}

static void events_survive_a_restart_and_numbers_go_on(void **state)
{
    uint64_t last;

    (void)state;
    jig_tell(0, 2);
    jig_turn();
    last = journal_newest(jig.journal);
    jig_restart();
    EXPECT_READ(0, "1 2");
    assert_int_equal(jig.cursor, last);
    jig_tell(0, 1);
    jig_turn();
    EXPECT_READ(last, "3");
    assert_true(jig.cursor >= last + CLAIM_REACH);
}

static void a_card_is_shown_after_a_restart_as_it_was_kept_last(void **state)
{
    uint32_t a = feed_new_card(jig.feeds[0]), b = feed_new_card(jig.feeds[0]);

    (void)state;
    assert_true(a > 0 && b > 0 && a != b);
    jig_keep(a, "00000001", 1);
    jig_keep(b, "00000002", 1);
    jig_turn();
    jig_keep(a, "00000001", 2);
    jig_keep(a, "00000001", 3);
    jig_turn();
    assert_int_equal(store_mem_records(&journal_store), 3); /* and the claim */
    jig_restart();
    assert_string_equal(jig.cards, "00000002:1 00000001:3");
    feed_drop(jig.feeds[0], jig.numbers[0]);
    jig_turn();
    jig_restart();
    assert_string_equal(jig.cards, "00000001:3");
    assert_int_equal(journal_stats(jig.journal).cards, 1);
}

/* ---- on a real disk ---- */

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static int start_on_disk(void **state)
{
    (void)jig_start(state);
    journal_close(&jig.journal);
    strcpy(dir, "/tmp/holdfast-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    jig.conf.engine = &store_lmdb;
    jig.conf.dir = dir;
    jig_open();
    return 0;
}

static int stop_on_disk(void **state)
{
    static const char *const names[] = {"journal/data.mdb", "journal/lock.mdb",
                                        "journal/reserve"};

    (void)jig_stop(state);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(unlink(in_dir(names[i])), 0);
    assert_int_equal(rmdir(in_dir("journal")), 0);
    assert_int_equal(rmdir(dir), 0);
    return 0;
}

static void lmdb_keeps_events_and_cards(void **state)
{
    uint32_t number = feed_new_card(jig.feeds[0]);

    (void)state;
    for (uint32_t i = 1; i <= 5; i++) {
        jig_tell(0, 1);
        jig_keep(number, "00000001", i);
        jig_turn();
    }
    jig_kill();
    jig_open();
    EXPECT_READ(0, "1 2 3 4 5");
    assert_string_equal(jig.cards, "00000001:5");
    jig_tell(0, 2);
    jig_turn();
    jig_restart();
    EXPECT_READ(0, "1 2 3 4 5 6 7");
    assert_true(journal_stats(jig.journal).disk_bytes > 0);
}

int main(void)
{
#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, start_on_disk, stop_on_disk)
#define RIGGED(test)  cmocka_unit_test_setup_teardown(test, jig_start, jig_stop)
    const struct CMUnitTest tests[] = {
        RIGGED(events_are_read_in_the_order_of_their_telling),
        RIGGED(events_survive_a_restart_and_numbers_go_on),
        RIGGED(a_card_is_shown_after_a_restart_as_it_was_kept_last),
        ON_DISK(lmdb_keeps_events_and_cards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
