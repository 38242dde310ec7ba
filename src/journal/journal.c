#include "journal/journal_inside.h"

#include "base/clock.h"
#include "base/log.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_DELAY_MS  100
#define LONGEST_FULL_MS 5000  /* looking for space costs little */
#define LONGEST_SHUT_MS 30000 /* opening rereads the whole store */

int journal_new(const struct journal_conf *conf, struct journal **out)
{
    struct journal *j = aligned_alloc(CACHE_LINE, sizeof(*j));
    int rc = ERR_NOMEM;

    assert(conf->keep > 0 && conf->backlog_bytes > 0);
    if (!j)
        return ERR_NOMEM;
    *j = (struct journal){.conf = *conf,
                          .proven = true,
                          .delay_ms = FIRST_DELAY_MS,
                          .next_number = 1};
    j->inbox.event_fd = -1;
    pthread_mutex_init(&j->lock, NULL);
    cards_init(&j->cards);
    if (!(j->conf.dir = strdup(conf->dir)))
        goto fail;
    if ((rc = ring_init(&j->ring, conf->keep)) < 0)
        goto fail;
    if ((rc = inbox_init(&j->inbox)) < 0)
        goto fail;
    *out = j;
    return OK;
fail:
    journal_close(&j);
    return rc;
}

/* ---- states ---- */

static void enter(struct journal *j, enum journal_state next, int64_t now_ms)
{
    static const int health[] =
        {[JOURNAL_OPEN] = OK, [JOURNAL_FULL] = ERR_NOSPACE, [JOURNAL_SHUT] = ERR_IO};
    int64_t longest = next == JOURNAL_FULL ? LONGEST_FULL_MS : LONGEST_SHUT_MS;

    if (next != JOURNAL_OPEN) {
        j->due_ms = now_ms + j->delay_ms;
        j->delay_ms = j->delay_ms * 2 < longest ? j->delay_ms * 2 : longest;
    }
    j->state = next;
    atomic_store(&j->health, health[next]);
}

void journal_committed(struct journal *j)
{
    atomic_fetch_add_explicit(&j->commits, 1, memory_order_relaxed);
    atomic_store_explicit(&j->disk_bytes, j->conf.engine->disk_bytes(j->store),
                          memory_order_relaxed);
    if (j->proven)
        return;
    j->proven = true;
    j->delay_ms = FIRST_DELAY_MS;
    log_info(JOURNAL, "journal recovered dir=%s: events and devices are kept again",
             j->conf.dir);
}

static void shut(struct journal *j, int rc, int64_t now_ms)
{
    j->conf.engine->close(&j->store);
    if (j->proven)
        log_error(JOURNAL,
                  "journal shut dir=%s reason=%s: events are published but would not "
                  "survive a restart until the disk can be written again; check it. "
                  "Trying every %d ms at first, every %d s at last",
                  j->conf.dir, err_word(rc), FIRST_DELAY_MS, LONGEST_SHUT_MS / 1000);
    j->proven = false;
    enter(j, JOURNAL_SHUT, now_ms);
}

static void run_full(struct journal *j, bool in_commit, int64_t now_ms)
{
    int rc;

    if (j->proven)
        log_error(JOURNAL,
                  "journal full dir=%s reason=nospace: events are published but would "
                  "not survive a restart until there is space on this disk",
                  j->conf.dir);
    j->proven = false;
    enter(j, JOURNAL_FULL, now_ms);
    j->conf.engine->give_reserve(j->store);
    if (in_commit && (rc = journal_reopen(j, false)) < 0)
        shut(j, rc, now_ms);
}

void journal_trouble(struct journal *j, int rc, bool in_commit, int64_t now_ms)
{
    atomic_fetch_add_explicit(&j->failures, 1, memory_order_relaxed);
    if (rc == ERR_NOSPACE)
        run_full(j, in_commit, now_ms);
    else
        shut(j, rc, now_ms);
}

/* Whenever it is OPEN it has its reserve. */
static void leave_full(struct journal *j, int64_t now_ms)
{
    if (j->conf.engine->take_reserve(j->store) == OK)
        enter(j, JOURNAL_OPEN, now_ms);
    else
        run_full(j, false, now_ms);
}

static void leave_shut(struct journal *j, int64_t now_ms)
{
    if (journal_reopen(j, true) == OK)
        leave_full(j, now_ms);
    else
        enter(j, JOURNAL_SHUT, now_ms);
}

/* ---- work ---- */

int journal_open(struct journal *j, card_found *found, void *user)
{
    int rc = journal_read_store(j, found, user);

    if (rc < 0) {
        log_error(JOURNAL, "journal cannot be opened dir=%s reason=%s: %s", j->conf.dir,
                  err_word(rc), err_text(rc));
        return rc;
    }
    j->is_open = true;
    leave_full(j, 0);
    journal_write(j, 0);
    return OK;
}

void journal_turn(struct journal *j, int64_t mono_ms)
{
    struct parcel *waiting = inbox_take(&j->inbox);

    if (j->state != JOURNAL_OPEN && mono_ms >= j->due_ms) {
        if (j->state == JOURNAL_FULL)
            leave_full(j, mono_ms);
        else
            leave_shut(j, mono_ms);
    }
    journal_serve(j, waiting, mono_ms);
}

static int sleep_ms(const struct journal *j, int64_t now_ms)
{
    if (j->state == JOURNAL_OPEN)
        return -1;
    return j->due_ms > now_ms ? (int)(j->due_ms - now_ms) : 0;
}

static void *run(void *arg)
{
    struct journal *j = arg;

    while (!atomic_load(&j->stop)) {
        if (inbox_may_sleep(&j->inbox)) {
            struct pollfd p = {.fd = j->inbox.event_fd, .events = POLLIN};

            if (poll(&p, 1, sleep_ms(j, clock_mono_ms())) > 0)
                inbox_clear(&j->inbox);
            inbox_wake(&j->inbox);
        }
        journal_turn(j, clock_mono_ms());
    }
    return NULL;
}

int journal_start(struct journal *j)
{
    if (pthread_create(&j->thread, NULL, run, j) != 0)
        return ERR_NOMEM;
    j->has_thread = true;
    pthread_setname_np(j->thread, "journal");
    return OK;
}

static void join_thread(struct journal *j)
{
    uint64_t one = 1;

    atomic_store(&j->stop, true);
    (void)!write(j->inbox.event_fd, &one, sizeof(one));
    pthread_join(j->thread, NULL);
    j->has_thread = false;
}

void journal_stop(struct journal *j)
{
    int64_t now_ms = clock_mono_ms();

    if (!j || !j->is_open)
        return;
    if (j->has_thread)
        join_thread(j);
    j->due_ms = now_ms; /* one more attempt, if it is in trouble */
    journal_turn(j, now_ms);
    j->conf.engine->close(&j->store);
    j->is_open = false;
}

void journal_close(struct journal **journal)
{
    struct journal *j = *journal;

    *journal = NULL;
    if (!j)
        return;
    journal_stop(j);
    j->conf.engine->close(&j->store);
    while (j->feeds) {
        struct feed *f = j->feeds;

        j->feeds = f->next;
        feed_free(&f);
    }
    inbox_fini(&j->inbox);
    ring_fini(&j->ring);
    cards_fini(&j->cards);
    pthread_mutex_destroy(&j->lock);
    free(j->stale.seqs);
    free((void *)j->conf.dir);
    free(j);
}
