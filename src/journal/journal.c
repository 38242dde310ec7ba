#include "journal/journal_inside.h"

#include "base/clock.h"

#include <stdlib.h>

/* So much later than they might, readers hear of an event that follows another one
 * closely, and terminals that their report is safe. Without it each event of a quiet
 * gateway is a sync of its own. */
#define PAUSE_MS 2

/* Events are told soon enough; devices and callers must not wait for their telling. */
#define NICENESS 5

static void on_turn(struct keeper *k, int64_t now_ms)
{
    journal_turn(CONTAINER_OF(k, struct journal, keeper), now_ms);
}

int journal_new(const struct journal_conf *conf, struct journal **out)
{
    static const char suffering[] =
        "events are published but would not survive a restart";
    struct journal *j = aligned_alloc(CACHE_LINE, sizeof(*j));
    int rc;

    assert(conf->keep > 0 && conf->max_bytes > 0 && conf->backlog_bytes > 0);
    if (!j)
        return ERR_NOMEM;
    *j = (struct journal){.conf = *conf, .next_number = 1};
    pthread_mutex_init(&j->lock, NULL);
    cards_init(&j->cards);
    rc = keeper_init(&j->keeper, &(struct keeper_conf){
                                     .engine = conf->engine,
                                     .kind = &journal_store,
                                     .dir = conf->dir,
                                     .subject = "journal",
                                     .when_full = suffering,
                                     .when_shut = suffering,
                                     .turn = on_turn,
                                     .reopen = journal_reopen,
                                     .health = &j->health,
                                     .pause_ms = PAUSE_MS,
                                     .niceness = NICENESS,
                                 });
    j->conf.dir = j->keeper.conf.dir;
    if (rc == OK)
        rc = ring_init(&j->ring, conf->keep, conf->max_bytes);
    if (rc < 0)
        journal_close(&j);
    *out = j;
    return rc;
}

int journal_open(struct journal *j, card_found *found, void *user)
{
    int rc = journal_read_store(j, found, user);

    if (rc < 0) {
        log_error(JOURNAL, "journal cannot be opened dir=%s reason=%s: %s", j->conf.dir,
                  err_word(rc), err_text(rc));
        return rc;
    }
    j->is_open = true;
    keeper_opened(&j->keeper, 0);
    journal_write(j, 0);
    return OK;
}

void journal_turn(struct journal *j, int64_t mono_ms)
{
    struct parcel *waiting = inbox_take(&j->keeper.inbox);

    (void)keeper_recover(&j->keeper, mono_ms);
    journal_serve(j, waiting, mono_ms);
}

int journal_start(struct journal *j)
{
    return keeper_start(&j->keeper);
}

void journal_stop(struct journal *j)
{
    int64_t now_ms = clock_mono_ms();

    if (!j || !j->is_open)
        return;
    keeper_join(&j->keeper);
    j->keeper.due_ms = now_ms; /* one more attempt, if it is in trouble */
    journal_turn(j, now_ms);
    j->conf.engine->close(&j->keeper.store);
    j->is_open = false;
}

void journal_close(struct journal **journal)
{
    struct journal *j = *journal;

    *journal = NULL;
    if (!j)
        return;
    journal_stop(j);
    while (j->feeds) {
        struct feed *f = j->feeds;

        j->feeds = f->next;
        feed_free(&f);
    }
    keeper_fini(&j->keeper);
    ring_fini(&j->ring);
    cards_fini(&j->cards);
    pthread_mutex_destroy(&j->lock);
    stale_fini(&j->stale);
    free(j);
}
