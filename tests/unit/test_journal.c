#include "base/clock.h"
#include "journalrig.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#define CLAIM 1 /* the record that every store has */

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

static void what_is_not_published_is_not_read(void **state)
{
    uint64_t newest;

    (void)state;
    jig_tell(0, 3);
    jig_turn();
    newest = jig.journal->visible--; /* as while its commit is under way */
    EXPECT_READ(0, "1 2");
    assert_int_equal(journal_newest(jig.journal), newest - 1);
    jig.journal->visible = newest;
}

static void both_feeds_share_one_order_and_keep_their_own(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        jig_tell(i % 3 == 0, 1);
        if (i % 7 == 0)
            jig_turn();
    }
    jig_turn();
    assert_int_equal(jig_read(0), OK);
    for (uint32_t s = 1; s <= 50; s++) {
        char word[16];

        snprintf(word, sizeof(word), "%u", s);
        assert_non_null(strstr(jig.read, word));
    }
    assert_int_equal(journal_stats(jig.journal).events, 50);
}

/* ---- keep ---- */

static void only_the_newest_events_are_kept(void **state)
{
    (void)state;
    journal_close(&jig.journal);
    jig.conf.keep = 5;
    jig_open();
    for (int i = 0; i < 12; i++) {
        jig_tell(0, 1);
        jig_turn();
    }
    EXPECT_READ(0, "8 9 10 11 12");
    assert_int_equal(store_mem_records(&journal_store), 5 + CLAIM);
    jig_restart();
    EXPECT_READ(0, "8 9 10 11 12");
    jig_tell(0, 9); /* more than are kept, in one turn */
    jig_turn();
    EXPECT_READ(0, "17 18 19 20 21");
    assert_int_equal(store_mem_records(&journal_store), 5 + CLAIM);
}

static void long_events_push_out_more_of_the_older_ones(void **state)
{
    (void)state;
    journal_close(&jig.journal);
    jig.conf.max_bytes = 2 * ENTRY_MAX;
    jig_open();
    jig_tell(0, 10);
    jig_turn();
    jig_report(0, 4000);
    jig_turn();
    EXPECT_READ(0, "1 2 3 4 5 6 7 8 9 10 11:4000");
    jig_report(0, 4096);
    jig_turn();
    EXPECT_READ(0, "7 8 9 10 11:4000 12:4096");
    assert_int_equal(store_mem_records(&journal_store), 6 + CLAIM);
    jig_restart();
    EXPECT_READ(0, "7 8 9 10 11:4000 12:4096");
    jig_report(0, 1000);
    jig_turn();
    EXPECT_READ(0, "12:4096 13:1000");
    assert_int_equal(store_mem_records(&journal_store), 2 + CLAIM);
}

static void a_start_that_keeps_fewer_removes_the_others(void **state)
{
    (void)state;
    jig_tell(0, 100);
    jig_turn();
    journal_close(&jig.journal);
    jig.conf.keep = 3;
    jig_open();
    EXPECT_READ(0, "98 99 100");
    assert_int_equal(store_mem_records(&journal_store), 3 + CLAIM);
}

static void the_ring_takes_and_drops_many_sizes_in_order(void **state)
{
    uint8_t bytes[UINT8_MAX];
    uint64_t next = 1, oldest = 1, most = 3000 * sizeof(bytes);
    struct ring ring;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(ring_init(&ring, 3000, most), OK);
    for (int i = 0; i < 50000; i++) {
        size_t size = (size_t)(i * 37) % sizeof(bytes);

        if (ring_try_append(&ring, 2 * next, slice_of(bytes, size)) == OK)
            next++;
        else
            assert_int_equal(ring.count, 3000);
        if (i % 3 == 0 || ring.count == 3000)
            assert_int_equal(ring_drop(&ring), 2 * oldest++);
        assert_int_equal(ring.count, next - oldest);
        assert_int_equal(ring_oldest(&ring), ring.count ? 2 * oldest : 0);
    }
    for (uint64_t c = 2 * oldest; c < 2 * next; c++) {
        uint32_t i = ring_index_after(&ring, c);

        assert_int_equal(i, c / 2 - oldest + 1);
        assert_int_equal(ring_at(&ring, i - 1)->cursor, c / 2 * 2);
    }
    while (ring.count > 0)
        (void)ring_drop(&ring);
    assert_null(ring.oldest);
    assert_int_equal(ring.bytes, 0);
    ring_fini(&ring);
}

static void the_ring_holds_no_more_bytes_than_it_may(void **state)
{
    static const uint8_t bytes[ENTRY_MAX];
    uint64_t most = 3 * (RING_PREFIX + ENTRY_MAX);
    struct ring ring;

    (void)state;
    assert_int_equal(ring_init(&ring, 3000, most), OK);
    for (uint64_t c = 1; c <= 3; c++)
        assert_int_equal(ring_try_append(&ring, c, slice_of(bytes, ENTRY_MAX)), OK);
    assert_int_equal(ring.bytes, most);
    assert_int_equal(ring_try_append(&ring, 4, slice_of(bytes, 0)), ERR_FULL);
    (void)ring_drop(&ring);
    assert_int_equal(ring_try_append(&ring, 4, slice_of(bytes, 0)), OK);
    ring_fini(&ring);
    assert_int_equal(ring_init(&ring, 3000, 1), OK); /* one must fit, whatever it is */
    assert_int_equal(ring_try_append(&ring, 1, slice_of(bytes, ENTRY_MAX)), OK);
    ring_fini(&ring);
}

/* ---- cursors ---- */

static void a_cursor_of_dropped_events_comes_too_late(void **state)
{
    uint64_t first, second, last;

    (void)state;
    journal_close(&jig.journal);
    jig.conf.keep = 2;
    jig_open();
    jig_tell(0, 1);
    jig_turn();
    first = journal_newest(jig.journal);
    jig_tell(0, 1);
    jig_turn();
    second = journal_newest(jig.journal);
    jig_tell(0, 1);
    jig_turn();
    EXPECT_READ(first, "2 3"); /* nothing behind it was dropped */
    jig_tell(0, 1);
    jig_turn();
    assert_int_equal(jig_read(first), ERR_NOTFOUND);
    EXPECT_READ(second, "3 4");
    last = journal_newest(jig.journal);
    EXPECT_READ(last, "");
    assert_int_equal(jig_read(last + 1), ERR_INVALID);
    assert_int_equal(journal_oldest(jig.journal), second + 1);
    jig_restart();
    assert_int_equal(jig_read(first), ERR_NOTFOUND);
    EXPECT_READ(last, "");
    assert_int_equal(jig_read(UINT64_MAX), ERR_INVALID);
}

static void a_cursor_that_a_crash_made_forgotten_comes_too_late(void **state)
{
    uint64_t stored, unsaved;

    (void)state;
    jig_tell(0, 2);
    jig_turn();
    stored = journal_newest(jig.journal);
    store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_IO);
    jig_tell(0, 2);
    jig_turn();
    unsaved = journal_newest(jig.journal);
    EXPECT_READ(stored, "3 4");
    jig_kill();
    jig_open();
    jig_tell(0, 1);
    jig_turn();
    assert_true(journal_newest(jig.journal) > unsaved);
    assert_int_equal(jig_read(unsaved), ERR_NOTFOUND);
    EXPECT_READ(stored, "5");
}

/* ---- cards ---- */

static void a_card_is_shown_after_a_restart_as_it_was_kept_last(void **state)
{
    uint32_t a = feed_new_card(jig.feeds[0]), b = feed_new_card(jig.feeds[1]);

    (void)state;
    assert_true(a > 0 && b > 0 && a != b);
    jig_keep(0, a, "00000001", 1);
    jig_keep(1, b, "00000002", 1);
    jig_turn();
    jig_keep(0, a, "00000001", 2);
    jig_keep(0, a, "00000001", 3);
    jig_turn();
    assert_int_equal(store_mem_records(&journal_store), 2 + CLAIM);
    jig_restart();
    assert_string_equal(jig.cards, "00000002:1 00000001:3");
    feed_drop(jig.feeds[0], jig.numbers[0]);
    jig_turn();
    jig_restart();
    assert_string_equal(jig.cards, "00000001:3");
    assert_int_equal(journal_stats(jig.journal).cards, 1);
}

static void batches_of_one_feed_keep_the_order_of_a_card(void **state)
{
    uint32_t a = feed_new_card(jig.feeds[0]);

    (void)state;
    for (uint32_t i = 1; i <= 5; i++) {
        jig_keep(0, a, "00000001", i);
        feed_flush(jig.feeds[0]); /* five batches in one transaction */
    }
    jig_turn();
    assert_int_equal(store_mem_records(&journal_store), 1 + CLAIM);
    jig_restart();
    assert_string_equal(jig.cards, "00000001:5");
}

static void a_dropped_number_is_given_again_to_another_device(void **state)
{
    uint32_t a = feed_new_card(jig.feeds[0]);

    (void)state;
    jig_keep(0, a, "00000001", 1);
    jig_turn();
    feed_drop(jig.feeds[0], a);
    assert_true(feed_new_card(jig.feeds[1]) != a); /* it is the first feed's */
    assert_int_equal(feed_new_card(jig.feeds[0]), a);
    jig_keep(0, a, "00000009", 1);
    jig_turn();
    jig_restart();
    assert_string_equal(jig.cards, "00000009:1");
    assert_int_equal(store_mem_records(&journal_store), 1 + CLAIM);
}

static void a_card_dropped_before_it_was_written_leaves_nothing(void **state)
{
    uint32_t a = feed_new_card(jig.feeds[0]);

    (void)state;
    jig_keep(0, a, "00000001", 1);
    feed_drop(jig.feeds[0], a);
    jig_turn();
    assert_int_equal(store_mem_records(&journal_store), CLAIM);
    assert_int_equal(jig.journal->cards.held.length, 0);
    assert_int_equal(jig.journal->cards.slab.live, 0);
}

static void hundreds_of_cards_meet_in_one_batch(void **state)
{
    enum { MANY = 700 };
    uint32_t numbers[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++)
        numbers[i] = feed_new_card(jig.feeds[0]);
    for (uint32_t epoch = 1; epoch <= 3; epoch++) {
        for (int i = MANY; i-- > 0;) {
            char id[16];

            snprintf(id, sizeof(id), "%08x", (unsigned)i);
            jig_keep(0, numbers[i * 311 % MANY], id, epoch);
        }
    }
    assert_int_equal(jig.feeds[0]->open->card_count, MANY);
    jig_turn();
    assert_int_equal(store_mem_records(&journal_store), MANY + CLAIM);
    assert_int_equal(store_mem_commits(&journal_store), 2); /* the claim's, and this */
}

/* Puts a card into the store behind the journal's back. */
static void put_card(uint64_t seq, const char *id, uint32_t epoch)
{
    struct card card = {.device = jig_id(id), .epoch = epoch};
    uint8_t bytes[ENTRY_MAX], *room;
    size_t size = entry_of_card(&card, bytes);
    struct store *store;

    entry_seal(bytes, size, seq);
    assert_int_equal(store_mem.open(&(struct store_conf){.kind = &journal_store},
                                    &store),
                     OK);
    assert_int_equal(store_mem.begin(store), OK);
    assert_int_equal(store_mem.put(store, seq, size, &room), OK);
    memcpy(room, bytes, size);
    assert_int_equal(store_mem.commit(store), OK);
    store_mem.close(&store);
}

static void of_two_cards_for_one_device_the_newest_wins(void **state)
{
    (void)state;
    journal_close(&jig.journal);
    store_mem_wipe();
    put_card(10, "00000001", 1);
    put_card(11, "00000002", 1);
    put_card(12, "00000001", 2);
    put_card(13, "00000001", 3);
    put_card(14, "00000003", 1);
    jig_open();
    assert_string_equal(jig.cards, "00000002:1 00000001:3 00000003:1");
    assert_int_equal(store_mem_records(&journal_store), 3 + CLAIM);
}

static void a_damaged_entry_is_dropped_and_the_others_stay(void **state)
{
    uint64_t first;

    (void)state;
    jig_tell(0, 3);
    jig_turn();
    assert_int_equal(jig_read(0), OK);
    first = journal_oldest(jig.journal);
    journal_close(&jig.journal);
    assert_true(store_mem_flip(&journal_store, first + 1, 20));
    jig_open();
    EXPECT_READ(0, "1 3");
    assert_int_equal(store_mem_records(&journal_store), 2 + CLAIM);
}

static int refuse_card(void *user, uint32_t number, const struct card *card)
{
    (void)user, (void)number, (void)card;
    return ERR_FULL;
}

static void a_start_ends_when_a_card_is_refused(void **state)
{
    uint32_t a = feed_new_card(jig.feeds[0]);

    (void)state;
    jig_keep(0, a, "00000001", 1);
    jig_turn();
    journal_close(&jig.journal);
    assert_int_equal(journal_new(&jig.conf, &jig.journal), OK);
    assert_int_equal(journal_open(jig.journal, refuse_card, NULL), ERR_FULL);
    jig_restart();
    assert_string_equal(jig.cards, "00000001:1");
}

/* ---- more than it can take ---- */

static void beyond_the_backlog_events_are_lost_and_it_is_said_how_many(void **state)
{
    struct journal_stats stats;

    (void)state;
    journal_close(&jig.journal);
    jig.conf.backlog_bytes = 200;
    jig_open();
    jig_tell(0, 10);
    stats = journal_stats(jig.journal);
    assert_int_equal(stats.lost, 6);
    assert_false(feed_is_settled(jig.feeds[0]));
    feed_flush(jig.feeds[0]);
    jig_tell(0, 1); /* still on the way */
    jig_turn();
    jig_tell(0, 2);
    jig_turn();
    EXPECT_READ(0, "1 2 3 4 gap(7) 12 13");
    assert_true(feed_is_settled(jig.feeds[0]));
    assert_int_equal(journal_stats(jig.journal).backlog, 0);
    jig_restart();
    EXPECT_READ(0, "1 2 3 4 gap(7) 12 13");
}

static void what_was_lost_is_told_even_if_nothing_follows(void **state)
{
    (void)state;
    journal_close(&jig.journal);
    jig.conf.backlog_bytes = 200;
    jig_open();
    jig_tell(0, 5);
    jig_turn();
    EXPECT_READ(0, "1 2 3 4");
    jig_turn();
    EXPECT_READ(0, "1 2 3 4 gap(1)");
}

static void beyond_the_backlog_cards_wait_and_only_the_newest_counts(void **state)
{
    uint32_t a = feed_new_card(jig.feeds[0]);

    (void)state;
    journal_close(&jig.journal);
    jig.conf.backlog_bytes = 200;
    jig_open();
    jig_tell(0, 10);
    feed_flush(jig.feeds[0]); /* now the backlog is full */
    for (uint32_t i = 1; i <= 1000; i++) {
        jig_keep(0, a, "00000001", i);
        feed_flush(jig.feeds[0]);
    }
    assert_int_equal(jig.feeds[0]->sent, 1);
    assert_int_equal(jig.feeds[0]->open->card_count, 1);
    assert_false(feed_is_settled(jig.feeds[0]));
    journal_turn(jig.journal, 0);
    jig_turn();
    assert_true(feed_is_settled(jig.feeds[0]));
    jig_restart();
    assert_string_equal(jig.cards, "00000001:1000");
}

static void no_number_is_given_beyond_what_the_next_start_jumps_over(void **state)
{
    uint64_t last;

    (void)state;
    jig.journal->reach = jig.journal->next_seq + 2;
    store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_IO);
    jig_tell(0, 5);
    jig_turn();
    EXPECT_READ(0, "1 2");
    last = jig.cursor;
    assert_int_equal(journal_stats(jig.journal).lost, 3);
    jig_pass(1);
    jig_tell(0, 1);
    jig_turn();
    EXPECT_READ(last, "gap(3) 6");
}

static void a_claim_is_renewed_long_before_the_numbers_reach_it(void **state)
{
    uint64_t claim = jig.journal->claim;
    uint32_t a = feed_new_card(jig.feeds[0]);

    (void)state;
    assert_true(claim > 0);
    jig.journal->next_seq = claim + CLAIM_REACH / 2 - 1;
    jig_keep(0, a, "00000001", 1);
    jig_turn();
    assert_int_equal(jig.journal->claim, claim);
    jig_keep(0, a, "00000001", 2);
    jig_turn();
    assert_true(jig.journal->claim > claim);
    assert_int_equal(store_mem_records(&journal_store), 1 + CLAIM);
    jig_restart();
    assert_true(jig.journal->next_seq >= claim + CLAIM_REACH * 3 / 2);
}

/* ---- failing disks ---- */

static void a_failed_sync_publishes_and_writes_later_nothing_twice(void **state)
{
    uint32_t a = feed_new_card(jig.feeds[0]);

    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        uint64_t before = journal_newest(jig.journal);

        jig_tell(0, 2);
        jig_keep(0, a, "00000001", jig.sequence);
        if (kept)
            store_mem_keep_failed_commit(&journal_store);
        store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_IO);
        jig_turn();
        assert_int_equal(journal_health(jig.journal), ERR_IO);
        assert_int_equal(jig_read(before), OK);
        assert_string_equal(jig.read, kept ? "4 5" : "1 2");
        jig_tell(0, 1);
        jig_turn(); /* while it is shut */
        assert_int_equal(store_mem_records(&journal_store),
                         kept ? 3 + 2 + 1 + CLAIM : CLAIM);
        jig_pass(1);
        assert_int_equal(journal_health(jig.journal), OK);
        assert_int_equal(store_mem_records(&journal_store),
                         kept ? 7 + CLAIM : 4 + CLAIM);
    }
    EXPECT_READ(0, "1 2 3 4 5 6");
    jig_restart();
    EXPECT_READ(0, "1 2 3 4 5 6");
    assert_string_equal(jig.cards, "00000001:5");
}

static void a_full_disk_publishes_and_recovers_by_itself(void **state)
{
    uint32_t a = feed_new_card(jig.feeds[0]);

    (void)state;
    jig_tell(0, 1);
    jig_turn();
    store_mem_set_full(&journal_store, true);
    jig_tell(0, 2);
    jig_keep(0, a, "00000001", 1);
    jig_turn();
    assert_int_equal(journal_health(jig.journal), ERR_NOSPACE);
    EXPECT_READ(0, "1 2 3");
    jig_pass(60);
    jig_tell(0, 1);
    jig_keep(0, a, "00000001", 2);
    jig_turn();
    assert_int_equal(journal_health(jig.journal), ERR_NOSPACE);
    assert_int_equal(journal_stats(jig.journal).failures, 1); /* not tried in vain */
    assert_int_equal(store_mem_records(&journal_store), 1 + CLAIM);
    store_mem_set_full(&journal_store, false);
    jig_pass(6);
    assert_int_equal(journal_health(jig.journal), OK);
    jig_restart();
    EXPECT_READ(0, "1 2 3 4");
    assert_string_equal(jig.cards, "00000001:2");
}

static void events_dropped_while_it_fails_leave_the_store_later(void **state)
{
    (void)state;
    journal_close(&jig.journal);
    jig.conf.keep = 4;
    jig_open();
    jig_tell(0, 4);
    jig_turn();
    store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_IO);
    for (int i = 0; i < 3; i++) {
        jig_tell(0, 2);
        jig_turn();
    }
    EXPECT_READ(0, "7 8 9 10");
    jig_pass(1);
    assert_int_equal(store_mem_records(&journal_store), 4 + CLAIM);
    jig_restart();
    EXPECT_READ(0, "7 8 9 10");
}

static void so_do_those_that_a_failed_commit_left_behind(void **state)
{
    (void)state;
    journal_close(&jig.journal);
    jig.conf.keep = 4;
    jig_open();
    store_mem_keep_failed_commit(&journal_store);
    store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_IO);
    for (int i = 0; i < 3; i++) {
        jig_tell(0, 2);
        jig_turn();
    }
    assert_int_equal(store_mem_records(&journal_store), 2 + CLAIM);
    jig_pass(1);
    assert_int_equal(store_mem_records(&journal_store), 4 + CLAIM);
    jig_restart();
    EXPECT_READ(0, "3 4 5 6");
}

/* What it wrote is the card now: it may not be removed before the next one is written,
 * which can be a transaction later. */
static void
a_card_that_a_failed_commit_wrote_outlives_a_crash_before_the_next(void **state)
{
    enum { MANY = 20000 };
    uint32_t a, b;

    (void)state;
    journal_close(&jig.journal);
    jig.conf.keep = MANY;
    jig.conf.backlog_bytes = 64 << 20;
    jig_open();
    a = feed_new_card(jig.feeds[0]);
    b = feed_new_card(jig.feeds[0]);
    jig_keep(0, a, "00000001", 1);
    jig_keep(0, b, "00000002", 1);
    jig_turn();
    store_mem_keep_failed_commit(&journal_store);
    store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_IO);
    jig_keep(0, b, "00000002", 2);
    jig_keep(0, a, "00000001", 2);
    jig_turn();
    jig_tell(0, MANY); /* more than one transaction takes */
    jig_keep(0, b, "00000002", 3);
    store_mem_fail(&journal_store, MEM_COMMIT, 2, 1, ERR_IO);
    jig_pass(1);
    assert_int_equal(journal_health(jig.journal), ERR_IO);
    jig_kill();
    jig_open();
    assert_string_equal(jig.cards, "00000002:2 00000001:2");
    assert_int_equal(store_mem_records(&journal_store), 16384 + 2 + CLAIM);
}

static void the_end_makes_one_more_attempt(void **state)
{
    (void)state;
    jig.now_ms = clock_mono_ms() + 1000000;
    store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_IO);
    jig_tell(0, 2);
    jig_turn();
    assert_int_equal(store_mem_records(&journal_store), CLAIM);
    jig_restart();
    EXPECT_READ(0, "1 2");
}

static void more_than_one_transaction_takes_is_written_in_order(void **state)
{
    enum { MANY = 40000 };
    uint32_t a = feed_new_card(jig.feeds[0]);

    (void)state;
    journal_close(&jig.journal);
    jig.conf.keep = MANY;
    jig.conf.backlog_bytes = 64 << 20;
    jig_open();
    jig_tell(0, MANY); /* in one batch */
    jig_keep(0, a, "00000001", 1);
    jig_turn();
    assert_int_equal(store_mem_commits(&journal_store), 2 + 3);
    store_mem_fail(&journal_store, MEM_COMMIT, 2, 1, ERR_IO);
    jig_tell(0, MANY);
    jig_keep(0, a, "00000001", 2);
    jig_turn();
    assert_int_equal(journal_health(jig.journal), ERR_IO);
    jig_pass(1);
    assert_int_equal(journal_health(jig.journal), OK);
    assert_int_equal(store_mem_records(&journal_store), MANY + 1 + CLAIM);
    jig_restart();
    assert_string_equal(jig.cards, "00000001:2");
    assert_int_equal(jig.journal->ring.count, MANY);
}

static void the_delay_between_attempts_grows_to_half_a_minute(void **state)
{
    (void)state;
    jig_tell(0, 1);
    store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_IO);
    store_mem_fail(&journal_store, MEM_OPEN, 1, 12, ERR_IO);
    jig_turn();
    for (int i = 0; i < 12; i++) {
        int64_t want = 100ll << i < 30000 ? 100ll << i : 30000;

        assert_int_equal(jig.journal->keeper.due_ms - jig.now_ms, want);
        jig.now_ms = jig.journal->keeper.due_ms - 1;
        jig_turn();
        assert_int_equal(jig.journal->keeper.due_ms, jig.now_ms + 1);
        jig.now_ms++;
        jig_turn();
        assert_int_equal(journal_health(jig.journal), ERR_IO);
    }
    jig.now_ms += 30000;
    jig_turn();
    assert_int_equal(journal_health(jig.journal), OK);
    store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_IO);
    jig_tell(0, 1);
    jig_turn();
    assert_int_equal(jig.journal->keeper.due_ms - jig.now_ms,
                     100); /* it worked meanwhile */
}

static unsigned count_lines(const char *text, const char *what)
{
    unsigned n = 0;

    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static void one_line_says_that_it_fails_and_one_that_it_works_again(void **state)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    char text[8192] = {0};

    (void)state;
    log_redirect(fd);
    for (int round = 0; round < 2; round++) {
        store_mem_fail(&journal_store, MEM_COMMIT, 1, 3, ERR_IO);
        for (int i = 0; i < 8; i++) {
            jig_tell(0, 1);
            jig_pass(1);
        }
        assert_int_equal(journal_health(jig.journal), OK);
    }
    log_redirect(STDERR_FILENO);
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    close(fd);
    assert_int_equal(count_lines(text, "journal shut"), 2);
    assert_int_equal(count_lines(text, "journal recovered"), 2);
}

static void two_stores_in_memory_fail_each_for_itself(void **state)
{
    static const struct store_kind other = {.name = "other"};
    struct store *store;
    uint8_t *room;

    (void)state;
    store_mem_fail(&other, MEM_COMMIT, 1, 1, ERR_IO);
    assert_int_equal(store_mem.open(&(struct store_conf){.kind = &other}, &store), OK);
    assert_int_equal(store_mem.begin(store), OK);
    assert_int_equal(store_mem.put(store, 1, 1, &room), OK);
    *room = 'x';
    jig_tell(0, 1);
    jig_turn();
    assert_int_equal(journal_health(jig.journal), OK);
    assert_int_equal(store_mem.commit(store), ERR_IO);
    store_mem.close(&store);
    assert_int_equal(store_mem_records(&other), 0);
    assert_int_equal(store_mem_records(&journal_store), 1 + CLAIM);
}

/* What the journal said, or must be able to say after a crash. */
static struct {
    uint32_t safe;       /* events up to this one were committed */
    uint32_t safe_epoch; /* and the card as of this epoch */
    bool failed;
} told;

static void look(uint32_t epoch)
{
    bool writes =
        jig.journal->keeper.state == KEEPER_OPEN && jig.journal->keeper.proven;

    if (writes && feed_is_settled(jig.feeds[0])) {
        told.safe = jig.sequence;
        told.safe_epoch = epoch;
    }
    told.failed |= !writes;
}

/* All of 1..last in order, some behind `safe` perhaps missing. */
static void check_events(uint32_t safe)
{
    uint32_t last = 0;
    char *word, *rest = NULL;

    assert_int_equal(jig_read(0), OK);
    for (word = strtok_r(jig.read, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest)) {
        uint32_t sequence = (uint32_t)strtoul(word, NULL, 10);

        assert_true(last < sequence);
        if (last < safe)
            assert_int_equal(sequence, last + 1);
        last = sequence;
    }
    assert_true(last >= safe);
}

static void check_cards(uint32_t safe_epoch)
{
    unsigned epoch = 0;

    assert_true(jig.card_count <= 2);
    assert_null(strstr(jig.cards, "00000009")); /* it was dropped... */
    if (safe_epoch > 0)
        assert_int_equal(sscanf(jig.cards, "00000001:%u", &epoch), 1);
    assert_true(epoch >= safe_epoch);
}

enum {
    KEEP_IT = 1,    /* a failed commit reaches the disk all the same */
    FAIL_AGAIN = 2, /* so do the first attempts to get out of it */
    KILL = 4,       /* the run ends where it stands */
    WAYS = 8,
};

static void live_through(enum mem_call call, unsigned nth, int error, unsigned way)
{
    uint32_t a = feed_new_card(jig.feeds[0]), b = feed_new_card(jig.feeds[0]);
    uint64_t newest = 0;

    jig_keep(0, b, "00000009", 1);
    jig_turn();
    feed_drop(jig.feeds[0], b);
    jig_turn();
    memset(&told, 0, sizeof(told));
    if (way & KEEP_IT)
        store_mem_keep_failed_commit(&journal_store);
    if (way & FAIL_AGAIN) {
        store_mem_fail(&journal_store, MEM_OPEN, 1, 1, ERR_IO);
        store_mem_fail(&journal_store, MEM_SCAN, 1, 1, ERR_IO);
        store_mem_fail(&journal_store, MEM_RESERVE, 1, 1, ERR_NOSPACE);
    }
    store_mem_fail(&journal_store, call, nth, 1, error);
    for (uint32_t i = 1; i <= 10; i++) {
        jig_tell(0, i % 3);
        jig_keep(0, a, "00000001", i);
        jig_turn();
        look(i);
        assert_true(journal_newest(jig.journal) >= newest); /* published at once */
        newest = journal_newest(jig.journal);
        check_events(jig.sequence);
        jig_pass(1);
        look(i);
    }
}

/* Fails the n-th call of every kind, for n = 1, 2, 3 ... beyond what a run makes. */
static void whatever_fails_what_was_published_as_durable_is_there(void **state)
{
    static const enum mem_call calls[] = {MEM_BEGIN, MEM_PUT, MEM_REMOVE, MEM_COMMIT};
    static const int errors[] = {ERR_IO, ERR_NOSPACE, ERR_NOMEM, ERR_FULL, ERR_DAMAGED};
    enum { CALLS = ARRAY_LEN(calls), ERRORS = ARRAY_LEN(errors), MOST = 40 };
    unsigned failed = 0;

    for (unsigned i = 0; i < CALLS * ERRORS * MOST * WAYS; i++) {
        enum mem_call call = calls[i % CALLS];
        unsigned nth = 1 + i / CALLS / ERRORS % MOST, way = i / CALLS / ERRORS / MOST;

        (void)jig_stop(state);
        (void)jig_start(state);
        live_through(call, nth, errors[i / CALLS % ERRORS], way);
        failed += told.failed;
        if (way & KILL) {
            jig_kill();
        } else {
            jig_pass(40);
            assert_int_equal(journal_health(jig.journal), OK);
            assert_int_equal(store_mem_records(&journal_store),
                             jig.sequence + 1 + CLAIM);
            told.safe = jig.sequence;
            told.safe_epoch = 10;
            journal_close(&jig.journal);
        }
        for (int c = 0; c < MEM_CALL_COUNT; c++)
            store_mem_fail(&journal_store, (enum mem_call)c, 0, 0, OK);
        jig_open();
        check_events(told.safe);
        check_cards(told.safe_epoch);
    }
    assert_true(failed > 1900);
}

static void a_start_that_fails_can_be_repeated(void **state)
{
    uint32_t a = feed_new_card(jig.feeds[0]);

    (void)state;
    jig_tell(0, 2);
    jig_keep(0, a, "00000001", 1);
    jig_turn();
    for (unsigned nth = 1; nth <= 2; nth++) {
        journal_close(&jig.journal);
        store_mem_fail(&journal_store, nth == 1 ? MEM_OPEN : MEM_SCAN, nth, 1, ERR_IO);
        assert_int_equal(jig_try_open(), nth == 1 ? ERR_IO : ERR_IO);
        jig_restart();
        EXPECT_READ(0, "1 2");
        assert_string_equal(jig.cards, "00000001:1");
    }
}

/* ---- with its thread ---- */

#define TELLERS 3
#define TOLD    4000u

struct teller {
    pthread_t thread;
    struct feed *feed;
    uint32_t number;
};

/* Its epoch is the teller's index, so that a reader can tell them apart. */
static void *tell_all(void *arg)
{
    struct teller *t = arg;
    uint32_t card = feed_new_card(t->feed);

    for (uint32_t i = 1; i <= TOLD; i++) {
        struct event e = jig_event(i);

        e.epoch = t->number;
        feed_tell(t->feed, &e);
        if (i % 16 == 0) {
            feed_keep(t->feed, card,
                      &(struct card){.device = e.device, .epoch = t->number});
            feed_flush(t->feed);
        }
    }
    do
        feed_flush(t->feed);
    while (!feed_is_settled(t->feed));
    return NULL;
}

struct reader_of_all {
    pthread_t thread;
    struct journal *journal;
    uint64_t cursor;
    uint32_t last[TELLERS];
    uint32_t seen;
};

static bool on_event(void *user, const struct event *e)
{
    struct reader_of_all *r = user;

    assert_true(e->cursor > r->cursor);
    assert_int_equal(e->sequence, r->last[e->epoch] + 1);
    r->last[e->epoch] = e->sequence;
    r->cursor = e->cursor;
    return ++r->seen % 100 != 0; /* not all at once */
}

static void *read_all(void *arg)
{
    struct reader_of_all *r = arg;

    while (r->seen < TELLERS * TOLD) {
        assert_int_equal(journal_read(r->journal, r->cursor, on_event, r), OK);
        (void)journal_stats(r->journal);
        assert_true(journal_oldest(r->journal) <= journal_newest(r->journal));
    }
    return NULL;
}

static void many_threads_tell_and_read_in_order(void **state)
{
    struct teller tellers[TELLERS] = {0};
    struct reader_of_all readers[2] = {0};

    (void)state;
    journal_close(&jig.journal);
    jig.conf.keep = TELLERS * TOLD;
    jig.conf.published = NULL;
    assert_int_equal(journal_new(&jig.conf, &jig.journal), OK);
    for (uint32_t i = 0; i < TELLERS; i++) {
        tellers[i].number = i;
        assert_int_equal(feed_new(jig.journal, &tellers[i].feed), OK);
    }
    assert_int_equal(journal_open(jig.journal, jig_card, NULL), OK);
    store_mem_fail(&journal_store, MEM_COMMIT, 5, 1, ERR_IO);
    assert_int_equal(journal_start(jig.journal), OK);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        readers[i].journal = jig.journal;
        pthread_create(&readers[i].thread, NULL, read_all, &readers[i]);
    }
    for (int i = 0; i < TELLERS; i++)
        pthread_create(&tellers[i].thread, NULL, tell_all, &tellers[i]);
    for (int i = 0; i < TELLERS; i++)
        pthread_join(tellers[i].thread, NULL);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        pthread_join(readers[i].thread, NULL);
    journal_stop(jig.journal); /* writes what a failure left to be written */
    assert_int_equal(store_mem_records(&journal_store),
                     TELLERS * TOLD + TELLERS + CLAIM);
    assert_int_equal(journal_stats(jig.journal).events, TELLERS * TOLD);
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

static void empty_dir(void)
{
    static const char *const names[] = {"journal/data.mdb", "journal/lock.mdb",
                                        "journal/reserve",
                                        "journal/data.mdb.damaged-1"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlink(in_dir(names[i]));
}

static int stop_on_disk(void **state)
{
    (void)jig_stop(state);
    empty_dir();
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
        jig_keep(0, number, "00000001", i);
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

static size_t read_data(uint8_t *to, size_t room)
{
    int fd = open(in_dir("journal/data.mdb"), O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, to, room);

    assert_true(size > 0 && (size_t)size < room);
    close(fd);
    return (size_t)size;
}

static void write_data(const uint8_t *from, size_t size)
{
    int fd = open(in_dir("journal/data.mdb"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, from, size), size);
    close(fd);
}

static bool count_event(void *user, const struct event *e)
{
    unsigned *count = user;

    assert_true(e->cursor > jig.cursor);
    jig.cursor = e->cursor;
    (*count)++;
    return true;
}

/* Cards that had been replaced are still on free pages: salvage finds them, too. */
static void make_history(void)
{
    uint32_t numbers[20];

    for (unsigned i = 0; i < 20; i++)
        numbers[i] = feed_new_card(jig.feeds[0]);
    for (uint32_t turn = 1; turn <= 100; turn++) {
        jig_tell(0, 3);
        for (unsigned i = 0; i < 20; i++) {
            char id[16];

            snprintf(id, sizeof(id), "%08x", i);
            if (turn % 3 == i % 3)
                jig_keep(0, numbers[i], id, turn);
        }
        jig_turn();
    }
}

static void any_flipped_bit_of_its_file_is_survived(void **state)
{
    static uint8_t bytes[1 << 20];
    unsigned least_events = UINT_MAX, least_cards = UINT_MAX;
    size_t size;

    (void)state;
    make_history();
    journal_close(&jig.journal);
    size = read_data(bytes, sizeof(bytes));
    srand(1);
    for (int i = 0; i < 400; i++) {
        /* Half of them in the heads of pages, where they do most harm. */
        size_t page = (size_t)rand() % (size / 4096), bit = (size_t)rand() % 8;
        size_t at = page * 4096 + (size_t)rand() % (i % 2 ? 48 : 4096);
        unsigned events = 0;

        bytes[at] ^= (uint8_t)(1 << bit);
        empty_dir();
        write_data(bytes, size);
        jig_open();
        for (unsigned c = 0; c < jig.card_count; c++) {
            char id[16];

            snprintf(id, sizeof(id), "%08x:", c);
            assert_true(count_lines(jig.cards, id) <= 1);
        }
        jig.cursor = 0;
        assert_int_equal(journal_read(jig.journal, 0, count_event, &events), OK);
        if (events < least_events)
            least_events = events;
        if (jig.card_count < least_cards)
            least_cards = jig.card_count;
        jig_tell(0, 1);
        jig_turn();
        assert_int_equal(journal_health(jig.journal), OK);
        journal_close(&jig.journal);
        bytes[at] ^= (uint8_t)(1 << bit);
    }
    print_message("at least %u of 300 events and %u of 20 cards were saved\n",
                  least_events, least_cards);
    assert_true(least_events > 200 && least_cards > 0);
}

static void the_file_of_another_store_is_refused(void **state)
{
    struct store_kind mine = journal_store;
    struct store *store;

    (void)state;
    journal_close(&jig.journal);
    mine.magic = "holdfast mailbox";
    assert_int_equal(store_lmdb.open(&(struct store_conf){.kind = &mine, .dir = dir},
                                     &store),
                     ERR_DAMAGED);
    mine = journal_store;
    mine.format--;
    assert_int_equal(store_lmdb.open(&(struct store_conf){.kind = &mine, .dir = dir},
                                     &store),
                     ERR_VERSION);
}

int main(void)
{
#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, start_on_disk, stop_on_disk)
#define RIGGED(test)  cmocka_unit_test_setup_teardown(test, jig_start, jig_stop)
    const struct CMUnitTest tests[] = {
        RIGGED(events_are_read_in_the_order_of_their_telling),
        RIGGED(events_survive_a_restart_and_numbers_go_on),
        RIGGED(what_is_not_published_is_not_read),
        RIGGED(both_feeds_share_one_order_and_keep_their_own),
        RIGGED(only_the_newest_events_are_kept),
        RIGGED(a_start_that_keeps_fewer_removes_the_others),
        RIGGED(the_ring_takes_and_drops_many_sizes_in_order),
        RIGGED(the_ring_holds_no_more_bytes_than_it_may),
        RIGGED(long_events_push_out_more_of_the_older_ones),
        RIGGED(a_cursor_of_dropped_events_comes_too_late),
        RIGGED(a_cursor_that_a_crash_made_forgotten_comes_too_late),
        RIGGED(a_card_is_shown_after_a_restart_as_it_was_kept_last),
        RIGGED(batches_of_one_feed_keep_the_order_of_a_card),
        RIGGED(a_dropped_number_is_given_again_to_another_device),
        RIGGED(a_card_dropped_before_it_was_written_leaves_nothing),
        RIGGED(hundreds_of_cards_meet_in_one_batch),
        RIGGED(of_two_cards_for_one_device_the_newest_wins),
        RIGGED(a_damaged_entry_is_dropped_and_the_others_stay),
        RIGGED(a_start_ends_when_a_card_is_refused),
        RIGGED(beyond_the_backlog_events_are_lost_and_it_is_said_how_many),
        RIGGED(what_was_lost_is_told_even_if_nothing_follows),
        RIGGED(beyond_the_backlog_cards_wait_and_only_the_newest_counts),
        RIGGED(no_number_is_given_beyond_what_the_next_start_jumps_over),
        RIGGED(a_claim_is_renewed_long_before_the_numbers_reach_it),
        RIGGED(a_failed_sync_publishes_and_writes_later_nothing_twice),
        RIGGED(a_full_disk_publishes_and_recovers_by_itself),
        RIGGED(events_dropped_while_it_fails_leave_the_store_later),
        RIGGED(so_do_those_that_a_failed_commit_left_behind),
        RIGGED(a_card_that_a_failed_commit_wrote_outlives_a_crash_before_the_next),
        RIGGED(the_end_makes_one_more_attempt),

        RIGGED(more_than_one_transaction_takes_is_written_in_order),
        RIGGED(the_delay_between_attempts_grows_to_half_a_minute),
        RIGGED(one_line_says_that_it_fails_and_one_that_it_works_again),
        RIGGED(two_stores_in_memory_fail_each_for_itself),
        RIGGED(whatever_fails_what_was_published_as_durable_is_there),
        RIGGED(a_start_that_fails_can_be_repeated),
        RIGGED(many_threads_tell_and_read_in_order),
        ON_DISK(lmdb_keeps_events_and_cards),
        ON_DISK(any_flipped_bit_of_its_file_is_survived),
        ON_DISK(the_file_of_another_store_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
