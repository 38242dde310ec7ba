#include "base/clock.h"
#include "ledgerrig.h"

#include <poll.h>

/* ---- what is written ---- */

static void a_record_is_told_when_it_is_durable(void **state)
{
    (void)state;
    lig_make(0, "a", 7);
    lig_flush();
    lig_open_parcels();
    EXPECT_TOLD("");
    assert_false(book_is_settled(lig.books[0]));
    ledger_turn(lig.ledger, lig.now_ms);
    EXPECT_TOLD(""); /* not on the ledger's thread */
    lig_open_parcels();
    EXPECT_TOLD("7");
    assert_true(book_is_settled(lig.books[0]));
    assert_int_equal(store_mem_records(&ledger_store), 1);
}

static void records_survive_a_restart_under_their_numbers(void **state)
{
    (void)state;
    assert_int_equal(lig_make(0, "a", 0), 1);
    lig_turn();
    assert_int_equal(lig_make(1, "b", 0), 2);
    lig_turn();
    assert_int_equal(book_new_number(lig.books[0]), 3);
    assert_int_equal(book_write(lig.books[0], 3, LEDGER_CREDENTIAL,
                                slice_of("secret", 6), true, 0),
                     OK);
    lig_turn();
    EXPECT_AFTER_RESTART("1=a 2=b c3=secret");
    assert_int_equal(lig_make(0, "d", 0), 4);
}

static void one_commit_takes_what_came_from_all_books(void **state)
{
    unsigned before = store_mem_commits(&ledger_store);

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        lig_make((int)i % RIG_BOOKS, "record", 0);
    lig_turn();
    assert_int_equal(store_mem_commits(&ledger_store), before + 1);
    assert_int_equal(store_mem_records(&ledger_store), 100);
    assert_int_equal(ledger_stats(lig.ledger).records, 100);
    assert_int_equal(ledger_stats(lig.ledger).backlog, 0);
    lig_turn(); /* nothing to write */
    assert_int_equal(store_mem_commits(&ledger_store), before + 1);
}

static void a_change_replaces_what_was_there(void **state)
{
    uint32_t a = lig_make(0, "queued", 0), b = lig_make(0, "queued", 0);

    (void)state;
    lig_turn();
    lig_change(0, a, "sent", 1);
    lig_change(1, b, "sent", 0); /* any book may */
    lig_change(1, b, "answered: the engine runs", 2);
    lig_turn();
    EXPECT_TOLD("1 2");
    assert_int_equal(store_mem_records(&ledger_store), 2);
    EXPECT_AFTER_RESTART("1=sent 2=answered: the engine runs");
    assert_int_equal(store_mem_records(&ledger_store), 2);
}

static void a_new_record_may_change_before_it_is_written(void **state)
{
    uint32_t a = lig_make(0, "queued", 1);

    (void)state;
    lig_change(0, a, "cancelled", 2);
    lig_turn();
    EXPECT_TOLD("1 2");
    assert_int_equal(store_mem_records(&ledger_store), 1);
    EXPECT_AFTER_RESTART("1=cancelled");
}

static void what_is_dropped_is_gone_and_its_number_free(void **state)
{
    uint32_t a = lig_make(0, "a", 0), b = lig_make(0, "b", 0);

    (void)state;
    lig_turn();
    book_drop(lig.books[0], a);
    assert_int_not_equal(book_new_number(lig.books[0]), a); /* not yet */
    lig_turn();
    assert_int_equal(store_mem_records(&ledger_store), 1);
    assert_int_equal(ledger_stats(lig.ledger).records, 1);
    assert_int_equal(lig_make(0, "c", 0), a);
    lig_turn();
    EXPECT_AFTER_RESTART("2=b 1=c");
    (void)b;
}

static void a_record_that_is_dropped_at_once_leaves_nothing(void **state)
{
    uint32_t a = lig_make(0, "a", 1);

    (void)state;
    book_drop(lig.books[0], a);
    lig_turn();
    EXPECT_TOLD("1");
    assert_int_equal(store_mem_records(&ledger_store), 0);
    assert_int_equal(ledger_stats(lig.ledger).records, 0);
    assert_int_equal(book_new_number(lig.books[0]), a);
    assert_int_not_equal(book_new_number(lig.books[0]), a); /* once only */
}

static void numbers_between_are_used_after_a_restart(void **state)
{
    bool seen[11] = {false};

    (void)state;
    for (int i = 0; i < 10; i++)
        lig_make(0, "x", 0);
    lig_turn();
    for (uint32_t n = 1; n < 10; n++)
        book_drop(lig.books[0], n);
    lig_turn();
    EXPECT_AFTER_RESTART("10=x");
    for (int i = 0; i < 9; i++) {
        uint32_t n = book_new_number(lig.books[i % RIG_BOOKS]);

        if (n < 11)
            seen[n] = true;
    }
    for (uint32_t n = 1; n < 9; n++)
        assert_true(seen[n]);
}

static int refuse_found(void *user, uint32_t number, uint8_t form, struct slice record)
{
    (void)user, (void)number, (void)form, (void)record;
    return ERR_NOMEM;
}

static void a_start_that_refuses_a_record_fails(void **state)
{
    (void)state;
    lig_make(0, "a", 0);
    lig_turn();
    lig_close();
    assert_int_equal(lig_try_open(refuse_found), ERR_NOMEM);
    EXPECT_AFTER_RESTART("1=a");
}

/* ---- bounds ---- */

static void beyond_the_backlog_what_is_new_is_refused(void **state)
{
    static char text[30001];
    uint32_t a = lig_make(0, "a", 0), n;
    int rc;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    lig_turn();
    lig_make(0, text, 0);
    lig_flush();
    lig_make(0, text, 0);
    n = book_new_number(lig.books[0]);
    rc = lig_write(0, n, text, true, 1);
    assert_int_equal(rc, ERR_BUSY);
    assert_int_equal(book_new_number(lig.books[0]), n);
    lig_change(0, a, text, 2); /* never */
    lig_turn();
    EXPECT_TOLD("2");
    assert_int_equal(ledger_stats(lig.ledger).refused, 1);
    assert_int_equal(lig_write(0, n, text, true, 1), OK);
}

static void beyond_its_size_what_is_new_is_refused_until_something_goes(void **state)
{
    static char text[50001];
    uint32_t numbers[32], count = 0;
    int rc;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    for (;; count++) {
        assert_in_range(count, 0, 31);
        numbers[count] = book_new_number(lig.books[0]);
        if ((rc = lig_write(0, numbers[count], text, true, 0)) < 0)
            break;
        lig_turn();
    }
    assert_int_equal(rc, ERR_NOSPACE);
    assert_int_equal(count, (1 << 20) / (50000 + RECORD_CHARGE));
    lig_restart(); /* it is counted again */
    assert_int_equal(lig_write(0, count + 1, text, true, 0), ERR_NOSPACE);
    lig_change(0, numbers[0], "short", 0);
    lig_turn();
    assert_int_equal(lig_write(0, count + 1, text, true, 0), OK);
    lig_turn();
    assert_int_equal(lig_write(0, count + 2, text, true, 0), ERR_NOSPACE);
    book_drop(lig.books[0], numbers[1]);
    lig_turn();
    assert_int_equal(lig_write(0, count + 2, text, true, 0), OK);
}

/* ---- a failing disk ---- */

static void a_failed_sync_refuses_what_is_new_and_keeps_what_changes(void **state)
{
    uint32_t a = lig_make(0, "a", 0), b = lig_make(0, "b", 0), c;

    (void)state;
    lig_turn();
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_IO);
    c = lig_make(0, "c", 1);
    lig_change(0, a, "A", 2);
    book_drop(lig.books[0], b);
    lig_turn();
    EXPECT_TOLD("1:io 2:io");
    assert_int_equal(ledger_health(lig.ledger), ERR_IO);
    assert_int_equal(lig_write(0, book_new_number(lig.books[0]), "d", true, 3), ERR_IO);
    lig_pass(1);
    assert_int_equal(ledger_health(lig.ledger), OK);
    EXPECT_TOLD("");
    EXPECT_AFTER_RESTART("1=A");
    (void)c;
}

static void what_a_failed_commit_left_on_the_disk_is_removed(void **state)
{
    uint32_t a = lig_make(0, "a", 0);

    (void)state;
    lig_turn();
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_IO);
    store_mem_keep_failed_commit(&ledger_store);
    lig_make(0, "refused", 1);
    lig_change(0, a, "A", 2);
    lig_turn();
    EXPECT_TOLD("1:io 2:io");
    assert_int_equal(store_mem_records(&ledger_store), 2);
    lig_pass(1);
    assert_int_equal(store_mem_records(&ledger_store), 1);
    EXPECT_AFTER_RESTART("1=A");
}

static void
what_changes_while_the_store_is_shut_is_written_in_its_last_form(void **state)
{
    uint32_t a = lig_make(0, "a", 0), b = lig_make(0, "b", 0);

    (void)state;
    lig_turn();
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_IO);
    store_mem_fail(&ledger_store, MEM_OPEN, 1, 3, ERR_IO);
    lig_change(0, a, "1", 0);
    lig_turn();
    lig_change(0, a, "2", 0);
    lig_turn();
    lig_change(0, a, "3", 0);
    lig_change(0, b, "4", 9);
    book_drop(lig.books[0], b);
    lig_turn();
    EXPECT_TOLD("9:io");
    assert_int_equal(ledger_stats(lig.ledger).records, 1);
    lig_pass(10);
    assert_int_equal(ledger_health(lig.ledger), OK);
    EXPECT_AFTER_RESTART("1=3");
}

static void what_follows_a_refused_record_is_refused_too(void **state)
{
    uint32_t a = lig_make(0, "a", 1);

    (void)state;
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_IO);
    lig_flush();
    ledger_turn(lig.ledger, lig.now_ms); /* its book does not know yet */
    lig_change(0, a, "b", 2);
    lig_flush();
    book_drop(lig.books[0], a);
    lig_flush();
    lig.now_ms += 1000;
    ledger_turn(lig.ledger, lig.now_ms);
    assert_int_equal(ledger_health(lig.ledger), OK);
    lig_open_parcels();
    EXPECT_TOLD("1:io 2:io");
    assert_int_equal(book_new_number(lig.books[0]), a);
    assert_int_not_equal(book_new_number(lig.books[0]), a); /* once only */
    assert_int_equal(store_mem_records(&ledger_store), 0);
}

static void a_number_whose_drop_waits_takes_a_new_record(void **state)
{
    uint32_t a = lig_make(0, "a", 0);

    (void)state;
    lig_turn();
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_IO);
    book_drop(lig.books[0], a);
    lig_turn();
    lig.now_ms += 1000;
    ledger_turn(lig.ledger, lig.now_ms); /* works again; "a" is removed now */
    assert_int_equal(store_mem_records(&ledger_store), 0);
    assert_int_equal(lig_make(0, "b", 1), a);
    lig_turn();
    EXPECT_TOLD("1");
    EXPECT_AFTER_RESTART("1=b");
}

/* Its drop waits in memory, the disk works again, and fails with the new one. */
static void a_new_record_that_is_refused_leaves_the_drop_before_it(void **state)
{
    uint32_t a = lig_make(0, "a", 0);

    (void)state;
    lig_turn();
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 2, ERR_IO);
    book_drop(lig.books[0], a);
    lig_flush();
    ledger_turn(lig.ledger, lig.now_ms);
    atomic_store(&lig.ledger->health, OK); /* as its book may have seen it before */
    lig_open_parcels();
    assert_int_equal(lig_make(0, "b", 1), a);
    lig.now_ms += 1000;
    lig_turn();
    EXPECT_TOLD("1:io");
    assert_int_equal(ledger_stats(lig.ledger).records, 0);
    lig_pass(5);
    assert_int_equal(ledger_health(lig.ledger), OK);
    EXPECT_AFTER_RESTART("");
    assert_int_equal(book_new_number(lig.books[0]), a);
}

static void a_full_disk_still_takes_removals(void **state)
{
    uint32_t a = lig_make(0, "a", 0), b = lig_make(0, "b", 0);

    (void)state;
    lig_turn();
    store_mem_set_full(&ledger_store, true);
    lig_make(0, "c", 1);
    lig_change(0, a, "A", 2);
    book_drop(lig.books[0], b);
    lig_turn();
    EXPECT_TOLD("1:nospace 2:nospace");
    assert_int_equal(ledger_health(lig.ledger), ERR_NOSPACE);
    assert_int_equal(store_mem_records(&ledger_store), 1);
    store_mem_set_full(&ledger_store, false);
    lig_pass(6);
    assert_int_equal(ledger_health(lig.ledger), OK);
    EXPECT_AFTER_RESTART("1=A");
}

static void a_full_disk_with_room_inside_takes_changes(void **state)
{
    uint32_t a = lig_make(0, "a", 0);

    (void)state;
    lig_turn();
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_NOSPACE);
    store_mem_fail(&ledger_store, MEM_RESERVE, 1, 1000, ERR_NOSPACE);
    lig_make(0, "c", 1);
    lig_change(0, a, "A", 2);
    lig_turn();
    EXPECT_TOLD("1:nospace 2");
    lig_change(0, a, "B", 3);
    lig_turn();
    EXPECT_TOLD("3");
    assert_int_equal(ledger_health(lig.ledger), ERR_NOSPACE);
    EXPECT_AFTER_RESTART("1=B");
}

static void a_disk_that_is_full_at_the_start_opens_and_refuses(void **state)
{
    (void)state;
    lig_make(0, "a", 0);
    lig_turn();
    lig_close();
    store_mem_fail(&ledger_store, MEM_RESERVE, 1, 1, ERR_NOSPACE);
    lig_open();
    assert_string_equal(lig.found, "1=a");
    assert_int_equal(ledger_health(lig.ledger), ERR_NOSPACE);
    lig_pass(1);
    assert_int_equal(ledger_health(lig.ledger), OK);
}

static void the_end_writes_what_a_failing_store_left(void **state)
{
    uint32_t a = lig_make(0, "a", 0);

    (void)state;
    lig_turn();
    store_mem_fail(&ledger_store, MEM_COMMIT, 1, 1, ERR_IO);
    lig_change(0, a, "A", 0);
    lig_turn();
    EXPECT_AFTER_RESTART("1=A");
}

/* Every call of the engine's, failing once at every place. */
static void whatever_call_fails_the_books_are_told_the_truth(void **state)
{
    (void)state;
    for (enum mem_call call = MEM_BEGIN; call <= MEM_COMMIT; call++)
        for (unsigned nth = 1; nth < 8; nth++) {
            uint32_t a, b;

            lig_stop(NULL);
            lig_start(NULL);
            a = lig_make(0, "a", 0);
            b = lig_make(0, "b", 0);
            lig_turn();
            store_mem_fail(&ledger_store, call, nth, 1, ERR_IO);
            lig_change(0, a, "A", 1);
            lig_make(0, "c", 2);
            book_drop(lig.books[0], b);
            lig_turn();
            lig_change(0, a, "AA", 3);
            lig_turn();
            if (strstr(lig.told, "2:io"))
                assert_string_equal(lig.told, "1:io 2:io 3:io");
            else if (strstr(lig.told, "3:io"))
                assert_string_equal(lig.told, "1 2 3:io");
            else
                assert_string_equal(lig.told, "1 2 3");
            lig_pass(2);
            assert_int_equal(ledger_health(lig.ledger), OK);
            if (strstr(lig.told, "2:io"))
                EXPECT_AFTER_RESTART("1=AA");
            else
                EXPECT_AFTER_RESTART("3=c 1=AA");
        }
}

/* ---- damage ---- */

static void a_damaged_record_is_left_out_and_removed(void **state)
{
    (void)state;
    lig_make(0, "a", 0);
    lig_make(0, "b", 0);
    lig_make(0, "c", 0);
    lig_turn();
    assert_true(store_mem_flip(&ledger_store, 2, LINE_HEAD));
    EXPECT_AFTER_RESTART("1=a 3=c");
    assert_int_equal(ledger_stats(lig.ledger).damaged, 1);
    assert_int_equal(store_mem_records(&ledger_store), 2);
    assert_true(book_new_number(lig.books[0]) == 2 ||
                book_new_number(lig.books[1]) == 2);
    EXPECT_AFTER_RESTART("1=a 3=c");
    assert_int_equal(ledger_stats(lig.ledger).damaged, 0);
}

/* Puts a record into the store behind the ledger's back, as salvage may. */
static void plant(uint64_t seq, uint32_t number, const char *text)
{
    struct store_conf conf = {.kind = &ledger_store, .dir = "mem"};
    struct line line = {.number = number,
                        .form = LEDGER_TICKET,
                        .record = slice_of(text, strlen(text))};
    struct store *store;
    uint8_t *room;

    assert_int_equal(store_mem.open(&conf, &store), OK);
    assert_int_equal(store_mem.begin(store), OK);
    assert_int_equal(store_mem.put(store, seq, LINE_HEAD + strlen(text), &room), OK);
    line_encode(&line, seq, room);
    assert_int_equal(store_mem.commit(store), OK);
    store_mem.close(&store);
}

static void of_two_records_with_one_number_the_newer_counts(void **state)
{
    (void)state;
    lig_make(0, "old", 0);
    lig_make(0, "b", 0);
    lig_turn();
    lig_close();
    plant(9, 1, "new");
    lig_open();
    assert_string_equal(lig.found, "2=b 1=new");
    assert_int_equal(ledger_stats(lig.ledger).records, 2);
    assert_int_equal(store_mem_records(&ledger_store), 2);
    lig_make(0, "c", 0); /* behind number 9 */
    lig_turn();
    EXPECT_AFTER_RESTART("2=b 1=new 3=c");
}

/* ---- with its thread ---- */

static void the_thread_answers_by_waking_the_shard(void **state)
{
    struct pollfd p;

    (void)state;
    lig_close();
    assert_int_equal(inbox_init(&lig.inbox), OK);
    lig_open();
    assert_int_equal(ledger_start(lig.ledger), OK);
    for (unsigned i = 1; i <= 50; i++) {
        lig_make((int)i % RIG_BOOKS, "a", i);
        lig_flush();
        p = (struct pollfd){.fd = lig.inbox.event_fd, .events = POLLIN};
        if (inbox_may_sleep(&lig.inbox))
            assert_int_equal(poll(&p, 1, 10000), 1);
        inbox_wake(&lig.inbox);
        inbox_clear(&lig.inbox);
        lig_open_parcels();
    }
    lig_make(0, "last", 51);
    lig_flush();
    ledger_stop(lig.ledger); /* writes what was handed over */
    lig_open_parcels();
    assert_non_null(strstr(lig.told, "50 51"));
    assert_int_equal(store_mem_records(&ledger_store), 51);
    lig_close();
    inbox_fini(&lig.inbox);
    lig.inbox.event_fd = -1;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, lig_start, lig_stop)
    const struct CMUnitTest tests[] = {
        T(a_record_is_told_when_it_is_durable),
        T(records_survive_a_restart_under_their_numbers),
        T(one_commit_takes_what_came_from_all_books),
        T(a_change_replaces_what_was_there),
        T(a_new_record_may_change_before_it_is_written),
        T(what_is_dropped_is_gone_and_its_number_free),
        T(a_record_that_is_dropped_at_once_leaves_nothing),
        T(numbers_between_are_used_after_a_restart),
        T(a_start_that_refuses_a_record_fails),
        T(beyond_the_backlog_what_is_new_is_refused),
        T(beyond_its_size_what_is_new_is_refused_until_something_goes),
        T(a_failed_sync_refuses_what_is_new_and_keeps_what_changes),
        T(what_a_failed_commit_left_on_the_disk_is_removed),
        T(what_changes_while_the_store_is_shut_is_written_in_its_last_form),
        T(what_follows_a_refused_record_is_refused_too),
        T(a_number_whose_drop_waits_takes_a_new_record),
        T(a_new_record_that_is_refused_leaves_the_drop_before_it),
        T(a_full_disk_still_takes_removals),
        T(a_full_disk_with_room_inside_takes_changes),
        T(a_disk_that_is_full_at_the_start_opens_and_refuses),
        T(the_end_writes_what_a_failing_store_left),
        T(whatever_call_fails_the_books_are_told_the_truth),
        T(a_damaged_record_is_left_out_and_removed),
        T(of_two_records_with_one_number_the_newer_counts),
        T(the_thread_answers_by_waking_the_shard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
