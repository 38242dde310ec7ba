/* Who must not answer before an event is on the disk: feed_expect. */
#include "journalrig.h"

#include <stdlib.h>

#define MANY 5000

static struct {
    struct inbox inbox; /* the first feed's thread takes out of it */
    char heard[4096];   /* what it was told: "mark:word" */
    uint64_t newest;    /* mark */
    bool safe[MANY];    /* those that were OK */
    bool tells_again;
} ear;

static void on_settled(void *user, uint64_t mark, int rc)
{
    char word[32];

    assert_ptr_equal(user, &ear);
    assert_true(mark > ear.newest && mark < MANY);
    ear.newest = mark;
    ear.safe[mark] = rc == OK;
    snprintf(word, sizeof(word), "%llu:%s", (unsigned long long)mark,
             rc == OK ? "ok" : err_word(rc));
    jig_add(ear.heard, sizeof(ear.heard), word);
    if (ear.tells_again) {
        ear.tells_again = false;
        jig_tell(0, 1);
        (void)feed_expect(jig.feeds[0]);
    }
}

static unsigned take_parcels(void)
{
    unsigned n = 0;

    for (struct parcel *p = inbox_take(&ear.inbox), *next; p; p = next, n++) {
        next = p->next;
        p->open(p, NULL);
    }
    return n;
}

/* What was heard since the last time. */
static const char *hear(void)
{
    ear.heard[0] = '\0';
    (void)take_parcels();
    return ear.heard;
}

static void listen_again(void)
{
    ear.newest = 0;
    memset(ear.safe, 0, sizeof(ear.safe));
    feed_listen(jig.feeds[0], &ear.inbox, on_settled, &ear);
}

static void reopen(void)
{
    journal_close(&jig.journal);
    jig_open();
    listen_again();
}

static int start(void **state)
{
    memset(&ear, 0, sizeof(ear));
    ear.inbox.event_fd = -1;
    (void)jig_start(state);
    listen_again();
    return 0;
}

static uint64_t tell_and_expect(unsigned count)
{
    jig_tell(0, count);
    return feed_expect(jig.feeds[0]);
}

static void who_waits_is_told_when_it_is_on_the_disk(void **state)
{
    uint64_t mark = tell_and_expect(1);

    (void)state;
    feed_flush(jig.feeds[0]);
    assert_string_equal(hear(), "");
    journal_turn(jig.journal, 0);
    assert_int_equal(store_mem_records(&journal_store), 1 + 1);
    assert_int_equal(ear.newest, 0);
    assert_string_equal(hear(), "1:ok");
    assert_int_equal(ear.newest, mark);
}

static void one_call_stands_for_all_that_was_told_in_a_turn(void **state)
{
    uint64_t first = tell_and_expect(1), second = tell_and_expect(2);

    (void)state;
    jig_turn();
    assert_string_equal(hear(), "1:ok");
    assert_true(first <= second && second <= ear.newest);
    (void)tell_and_expect(1);
    jig_turn();
    (void)tell_and_expect(1);
    jig_turn();
    assert_string_equal(hear(), "2:ok 3:ok");
}

static void nobody_is_woken_for_what_nobody_waits_for(void **state)
{
    (void)state;
    jig_tell(0, 3);
    jig_turn();
    (void)tell_and_expect(1);
    jig_tell(1, 1); /* another feed's */
    jig_turn();
    jig_tell(0, 1);
    jig_turn();
    assert_int_equal(take_parcels(), 1);
}

static void what_was_told_before_is_settled_likewise(void **state)
{
    uint64_t mark;

    (void)state;
    jig_tell(0, 1);
    jig_turn();
    assert_true(feed_is_settled(jig.feeds[0]));
    mark = feed_expect(jig.feeds[0]);
    assert_false(feed_is_settled(jig.feeds[0]));
    jig_turn();
    (void)hear();
    assert_true(ear.safe[mark]);
}

static void it_is_settled_when_its_thread_has_heard_of_it(void **state)
{
    (void)state;
    (void)tell_and_expect(1);
    jig_turn();
    assert_false(feed_is_settled(jig.feeds[0]));
    (void)hear();
    assert_true(feed_is_settled(jig.feeds[0]));
}

static void who_hears_of_it_may_tell_more(void **state)
{
    (void)state;
    ear.tells_again = true;
    (void)tell_and_expect(1);
    jig_turn();
    assert_string_equal(hear(), "1:ok");
    jig_turn();
    assert_string_equal(hear(), "2:ok");
    EXPECT_READ(0, "1 2");
}

static void a_failing_disk_is_told_though_it_is_published(void **state)
{
    (void)state;
    store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_IO);
    (void)tell_and_expect(1);
    jig_turn();
    assert_string_equal(hear(), "1:io");
    EXPECT_READ(0, "1");
    (void)tell_and_expect(1);
    jig_turn(); /* it is not tried again yet */
    assert_string_equal(hear(), "2:io");
    jig_pass(1);
    (void)tell_and_expect(1);
    jig_turn();
    assert_string_equal(hear(), "3:ok");
    store_mem_set_full(&journal_store, true);
    (void)tell_and_expect(1);
    jig_turn();
    assert_string_equal(hear(), "4:nospace");
}

static void a_full_disk_that_took_it_after_all_is_not_believed(void **state)
{
    (void)state;
    store_mem_keep_failed_commit(&journal_store);
    store_mem_fail(&journal_store, MEM_COMMIT, 1, 1, ERR_NOSPACE);
    (void)tell_and_expect(1);
    jig_turn();
    assert_int_equal(store_mem_records(&journal_store), 1 + 1);
    assert_string_equal(hear(), "1:nospace");
}

static void a_dropped_event_is_not_safe(void **state)
{
    (void)state;
    jig.conf.backlog_bytes = 200;
    reopen();
    (void)tell_and_expect(10);
    jig_turn();
    assert_string_equal(hear(), "1:full");
    (void)tell_and_expect(1);
    jig_turn();
    assert_string_equal(hear(), "2:ok");
}

static void nor_is_one_that_newer_ones_pushed_out_unwritten(void **state)
{
    (void)state;
    jig.conf.keep = 4;
    reopen();
    (void)tell_and_expect(5);
    feed_flush(jig.feeds[0]);
    (void)tell_and_expect(4);
    jig_turn();
    assert_string_equal(hear(), "1:full 2:ok");
    (void)tell_and_expect(4);
    jig_turn(); /* those pushed out were on the disk */
    assert_string_equal(hear(), "3:ok");
}

/* ---- threads ---- */

#define ROUNDS 3000

struct waiter {
    pthread_t thread, self;
    struct feed *feed;
    struct inbox inbox;
    uint64_t asked, heard; /* marks */
};

static void on_heard(void *user, uint64_t mark, int rc)
{
    struct waiter *w = user;

    assert_true(pthread_equal(pthread_self(), w->self));
    assert_int_equal(rc, OK);
    assert_true(mark > w->heard && mark <= w->asked);
    w->heard = mark;
}

static void hear_all(struct waiter *w)
{
    for (struct parcel *p = inbox_take(&w->inbox), *next; p; p = next) {
        next = p->next;
        p->open(p, NULL);
    }
}

/* Two turns of three want to know. */
static void *tell_and_wait(void *arg)
{
    struct waiter *w = arg;

    w->self = pthread_self();
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        struct event e = jig_event(i);

        feed_tell(w->feed, &e);
        if (i % 3)
            w->asked = feed_expect(w->feed);
        feed_flush(w->feed);
        hear_all(w);
    }
    while (!feed_is_settled(w->feed))
        hear_all(w);
    assert_int_equal(w->heard, w->asked);
    return NULL;
}

static void each_thread_hears_of_its_own(void **state)
{
    struct waiter waiters[RIG_FEEDS];

    (void)state;
    jig.conf.keep = RIG_FEEDS * ROUNDS;
    reopen();
    assert_int_equal(journal_start(jig.journal), OK);
    for (int i = 0; i < RIG_FEEDS; i++) {
        struct waiter *w = &waiters[i];

        *w = (struct waiter){.feed = jig.feeds[i], .inbox.event_fd = -1};
        feed_listen(w->feed, &w->inbox, on_heard, w);
        assert_int_equal(pthread_create(&w->thread, NULL, tell_and_wait, w), 0);
    }
    for (int i = 0; i < RIG_FEEDS; i++)
        pthread_join(waiters[i].thread, NULL);
    assert_int_equal(journal_stats(jig.journal).events, RIG_FEEDS * ROUNDS);
    journal_stop(jig.journal);
}

/* ---- whatever happens ---- */

static struct {
    uint64_t mark_of[MANY]; /* of an event's sequence; 0: nobody waits for it */
    bool is_there[MANY];
} model;

static bool note_event(void *user, const struct event *e)
{
    (void)user;
    if (e->kind != EVENT_GAP)
        model.is_there[e->sequence] = true;
    return true;
}

static void random_step(void)
{
    static const int faults[] = {ERR_IO, ERR_NOSPACE};

    switch (rand() % 8) {
    case 0:
        store_mem_fail(&journal_store, rand() % 3 ? MEM_COMMIT : MEM_PUT,
                       1 + (unsigned)rand() % 3, 1, faults[rand() % 2]);
        break;
    case 1:
    case 2:
        jig_pass(1);
        break;
    case 3:
        feed_flush(jig.feeds[0]);
        break;
    case 4:
        (void)take_parcels();
        break;
    default:
        jig_tell(0, 1);
        if (rand() % 2)
            model.mark_of[jig.sequence] = feed_expect(jig.feeds[0]);
    }
    ear.heard[0] = '\0';
}

/* After kill -9 all is there that was told to be safe. */
static void what_was_called_safe_survives_whatever_fails(void **state)
{
    (void)state;
    srand(1);
    jig.conf.keep = MANY;
    for (int round = 0; round < 40; round++) {
        uint32_t first = jig.sequence + 1;

        reopen();
        for (int i = 0; i < 100; i++)
            random_step();
        (void)take_parcels();
        jig_kill();
        jig_open();
        memset(model.is_there, 0, sizeof(model.is_there));
        assert_int_equal(journal_read(jig.journal, 0, note_event, NULL), OK);
        for (uint32_t s = first; s <= jig.sequence; s++)
            assert_true(model.is_there[s] || !ear.safe[model.mark_of[s]]);
    }
}

int main(void)
{
#define RIGGED(test) cmocka_unit_test_setup_teardown(test, start, jig_stop)
    const struct CMUnitTest tests[] = {
        RIGGED(who_waits_is_told_when_it_is_on_the_disk),
        RIGGED(one_call_stands_for_all_that_was_told_in_a_turn),
        RIGGED(nobody_is_woken_for_what_nobody_waits_for),
        RIGGED(what_was_told_before_is_settled_likewise),
        RIGGED(it_is_settled_when_its_thread_has_heard_of_it),
        RIGGED(who_hears_of_it_may_tell_more),
        RIGGED(a_failing_disk_is_told_though_it_is_published),
        RIGGED(a_full_disk_that_took_it_after_all_is_not_believed),
        RIGGED(a_dropped_event_is_not_safe),
        RIGGED(nor_is_one_that_newer_ones_pushed_out_unwritten),
        RIGGED(each_thread_hears_of_its_own),
        RIGGED(what_was_called_safe_survives_whatever_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
