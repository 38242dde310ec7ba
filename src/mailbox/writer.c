#include "mailbox/writer.h"

#include "base/clock.h"
#include "base/log.h"
#include "mailbox/record.h"
#include "mailbox/writer_inside.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_DELAY_MS  100
#define LONGEST_FULL_MS 5000  /* looking for space costs little */
#define LONGEST_SHUT_MS 30000 /* opening rereads the whole store */

struct mail_gauges *mail_writer_gauges(struct mail_writer *w)
{
    return &w->gauges;
}

void mail_writer_send(struct mail_writer *w, struct mail_batch *batch)
{
    inbox_push(&w->inbox, &batch->parcel);
}

/* ---- opening, and reading everything ---- */

struct scan {
    struct mail_writer *w;
    mail_found *found; /* NULL: only count */
    void *user;
    struct content content;
};

static int on_seen(void *user, uint64_t seq, struct slice bytes)
{
    struct scan *scan = user;
    struct mail_writer *w = scan->w;
    struct record record;
    int rc;

    scan->content.last_seq = seq;
    if (w->doubt && seq >= w->doubt) {
        writer_owe_removal(w, seq, 0); /* nobody was told that it is safe */
        return OK;
    }
    if ((rc = record_decode(bytes, seq, &record)) < 0) {
        scan->content.damaged++;
        scan->content.charge += record_charge(bytes.size);
        LOG_THROTTLED(LOG_ERROR, MAILBOX,
                      "store record %llu damaged reason=%s size=%zu; left where it is",
                      (unsigned long long)seq, err_word(rc), bytes.size);
        return OK;
    }
    scan->content.messages++;
    scan->content.charge += record_charge(record.body.size);
    if (!scan->found)
        return OK;
    return scan->found(scan->user, &record.id,
                       &(struct mail_record){.seq = seq,
                                             .position = record.position,
                                             .stored_ms = record.stored_ms,
                                             .size = (uint32_t)record.body.size});
}

static int open_store(struct mail_writer *w, bool check, bool drop_cache)
{
    struct store_conf conf = {
        .kind = &mailbox_store,
        .dir = w->conf.dir,
        .total_bytes = w->conf.total_bytes,
        .check = check,
        .drop_cache = drop_cache,
    };

    return w->conf.engine->open(&conf, &w->store);
}

int mail_writer_new(const struct mail_writer_conf *conf, struct mail_writer **out)
{
    struct mail_writer *w = aligned_alloc(CACHE_LINE, sizeof(*w));
    int rc = ERR_NOMEM;

    if (!w)
        return ERR_NOMEM;
    *w =
        (struct mail_writer){.conf = *conf, .proven = true, .delay_ms = FIRST_DELAY_MS};
    w->inbox.event_fd = -1;
    if (!(w->conf.dir = strdup(conf->dir)))
        goto fail;
    if ((rc = inbox_init(&w->inbox)) < 0)
        goto fail;
    *out = w;
    return OK;
fail:
    mail_writer_close(&w);
    return rc;
}

/* The failed commit may have reached the disk after all, with its removals. `counted`:
 * the content still counts what they removed. */
static int settle_owed(struct mail_writer *w, bool counted)
{
    const struct store_engine *engine = w->conf.engine;
    size_t kept = 0;
    int rc = engine->begin_reads(w->store);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < w->again_count; i++) {
        struct removal r = w->again[i];
        struct slice record;
        int found = rc == OK ? engine->read(w->store, r.seq, &record) : rc;

        if (found != ERR_NOTFOUND) {
            w->again[kept++] = r;
            rc = found;
        } else if (counted && r.charge > 0) {
            w->content.messages--;
            w->content.charge -= r.charge;
            atomic_fetch_sub(&w->gauges.used, r.charge);
        }
    }
    w->again_count = kept;
    engine->end_reads(w->store);
    return rc;
}

/* Opens the store again. `verify`: the whole of it, from the disk; otherwise only what
 * the failed commit may have left behind. */
static int reopen(struct mail_writer *w, bool verify)
{
    struct scan scan = {.w = w};
    uint64_t from = verify ? 0 : w->doubt;
    uint64_t committed = w->content.messages, owed = w->again_count;
    int rc = open_store(w, verify, verify);

    if (rc == OK && (verify || w->doubt))
        rc = w->conf.engine->scan(w->store, from, on_seen, &scan);
    if (rc == OK)
        rc = settle_owed(w, !verify);
    if (rc < 0) {
        w->conf.engine->close(&w->store);
        return rc;
    }
    if (w->again_count == 0)
        w->doubt = 0;
    if (!verify)
        return OK;
    if (scan.content.messages + owed < committed)
        log_error(MAILBOX,
                  "store lost messages dir=%s found=%llu damaged=%llu committed=%llu; "
                  "each will be reported when it is due",
                  w->conf.dir, (unsigned long long)scan.content.messages,
                  (unsigned long long)scan.content.damaged,
                  (unsigned long long)committed);
    atomic_fetch_add(&w->gauges.used, scan.content.charge - w->content.charge);
    w->content = scan.content;
    return OK;
}

/* ---- states ---- */

static void enter(struct mail_writer *w, enum writer_state next, int64_t now_ms)
{
    static const int health[] =
        {[WRITER_OPEN] = OK, [WRITER_FULL] = ERR_NOSPACE, [WRITER_SHUT] = ERR_IO};
    int64_t longest = next == WRITER_FULL ? LONGEST_FULL_MS : LONGEST_SHUT_MS;

    if (next != WRITER_OPEN) {
        w->due_ms = now_ms + w->delay_ms;
        w->delay_ms = w->delay_ms * 2 < longest ? w->delay_ms * 2 : longest;
    }
    w->state = next;
    atomic_store(&w->gauges.health, health[next]);
}

void writer_committed(struct mail_writer *w)
{
    w->removals_wait = false;
    if (w->proven || w->state != WRITER_OPEN)
        return;
    w->proven = true;
    w->delay_ms = FIRST_DELAY_MS;
    log_info(MAILBOX, "store recovered dir=%s messages=%llu", w->conf.dir,
             (unsigned long long)w->content.messages);
}

static void shut(struct mail_writer *w, int rc, int64_t now_ms)
{
    w->conf.engine->close(&w->store);
    if (w->proven)
        log_error(
            MAILBOX,
            "store shut dir=%s reason=%s: messages are refused until the disk can be "
            "written again; check it. Trying every %d ms at first, every %d s at last",
            w->conf.dir, err_word(rc), FIRST_DELAY_MS, LONGEST_SHUT_MS / 1000);
    w->proven = false;
    enter(w, WRITER_SHUT, now_ms);
}

static void run_full(struct mail_writer *w, bool in_commit, int64_t now_ms)
{
    if (w->proven)
        log_error(
            MAILBOX,
            "store full dir=%s reason=nospace: messages are refused until there is "
            "space on this disk; what is stored is delivered as before",
            w->conf.dir);
    w->proven = false;
    enter(w, WRITER_FULL, now_ms);
    if (w->store)
        w->conf.engine->give_reserve(w->store);
    if (in_commit) {
        int rc;

        w->conf.engine->close(&w->store);
        if ((rc = reopen(w, false)) < 0)
            shut(w, rc, now_ms);
    }
}

void writer_trouble(struct mail_writer *w, int rc, bool in_commit, int64_t now_ms)
{
    if (rc == ERR_NOSPACE)
        run_full(w, in_commit, now_ms);
    else if (in_commit || (rc != ERR_FULL && rc != ERR_NOMEM))
        shut(w, rc, now_ms);
    /* else this one transaction was too much; the next may fit */
}

/* Whenever it is OPEN it has its reserve. */
static void leave_trouble(struct mail_writer *w, int64_t now_ms)
{
    w->removals_wait = false;
    if (w->conf.engine->take_reserve(w->store) == OK)
        enter(w, WRITER_OPEN, now_ms);
    else
        run_full(w, false, now_ms);
}

static void leave_shut(struct mail_writer *w, int64_t now_ms)
{
    if (reopen(w, true) == OK)
        leave_trouble(w, now_ms);
    else
        enter(w, WRITER_SHUT, now_ms);
}

/* ---- work ---- */

int mail_writer_open(struct mail_writer *w, mail_found *found, void *user)
{
    struct scan scan = {.w = w, .found = found, .user = user};
    int rc;

    if ((rc = open_store(w, true, false)) == OK)
        rc = w->conf.engine->scan(w->store, 0, on_seen, &scan);
    if (rc < 0) {
        log_error(MAILBOX, "store cannot be opened dir=%s reason=%s: %s", w->conf.dir,
                  err_word(rc), err_text(rc));
        return rc;
    }
    w->content = scan.content;
    w->next_seq = scan.content.last_seq + 1;
    atomic_store(&w->gauges.used, scan.content.charge);
    log_info(MAILBOX,
             "store opened engine=%s messages=%llu damaged=%llu disk_bytes=%llu",
             w->conf.engine->name, (unsigned long long)scan.content.messages,
             (unsigned long long)scan.content.damaged,
             (unsigned long long)w->conf.engine->disk_bytes(w->store));
    leave_trouble(w, 0);
    return OK;
}

void mail_writer_turn(struct mail_writer *w, int64_t mono_ms)
{
    struct parcel *waiting = inbox_take(&w->inbox);

    if (w->state != WRITER_OPEN && mono_ms >= w->due_ms) {
        if (w->state == WRITER_FULL)
            leave_trouble(w, mono_ms);
        else
            leave_shut(w, mono_ms);
        writer_remove_owed(w, mono_ms);
    }
    while (waiting)
        writer_serve(w, &waiting, mono_ms);
}

static int sleep_ms(const struct mail_writer *w, int64_t now_ms)
{
    if (w->state == WRITER_OPEN)
        return -1;
    return w->due_ms > now_ms ? (int)(w->due_ms - now_ms) : 0;
}

static void *run(void *arg)
{
    struct mail_writer *w = arg;

    while (!atomic_load(&w->stop)) {
        if (inbox_may_sleep(&w->inbox)) {
            struct pollfd p = {.fd = w->inbox.event_fd, .events = POLLIN};

            if (poll(&p, 1, sleep_ms(w, clock_mono_ms())) > 0)
                inbox_clear(&w->inbox);
            inbox_wake(&w->inbox);
        }
        mail_writer_turn(w, clock_mono_ms());
    }
    return NULL;
}

int mail_writer_start(struct mail_writer *w)
{
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        return ERR_NOMEM;
    w->has_thread = true;
    pthread_setname_np(w->thread, "store");
    return OK;
}

static void join_thread(struct mail_writer *w)
{
    uint64_t one = 1;

    atomic_store(&w->stop, true);
    (void)!write(w->inbox.event_fd, &one, sizeof(one));
    pthread_join(w->thread, NULL);
    w->has_thread = false;
}

void mail_writer_stop(struct mail_writer *w)
{
    int64_t now_ms = clock_mono_ms();

    if (w->has_thread)
        join_thread(w);
    w->due_ms = now_ms; /* one more attempt, if it is in trouble */
    mail_writer_turn(w, now_ms);
    w->removals_wait = false;
    if (w->store)
        writer_remove_owed(w, now_ms);
}

void mail_writer_close(struct mail_writer **writer)
{
    struct mail_writer *w = *writer;

    *writer = NULL;
    if (!w)
        return;
    if (w->inbox.event_fd >= 0)
        mail_writer_stop(w);
    w->conf.engine->close(&w->store);
    inbox_fini(&w->inbox);
    free((void *)w->conf.dir);
    free(w->again);
    free(w);
}
