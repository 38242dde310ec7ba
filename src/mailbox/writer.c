#include "mailbox/writer.h"

#include "base/clock.h"
#include "mailbox/record.h"
#include "mailbox/writer_inside.h"

#include <stdlib.h>

struct mail_gauges *mail_writer_gauges(struct mail_writer *w)
{
    return &w->gauges;
}

void mail_writer_send(struct mail_writer *w, struct mail_batch *batch)
{
    inbox_push(&w->keeper.inbox, &batch->parcel);
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
        .dir = w->keeper.conf.dir,
        .total_bytes = w->conf.total_bytes,
        .check = check,
        .drop_cache = drop_cache,
    };

    return w->conf.engine->open(&conf, &w->keeper.store);
}

/* The failed commit may have reached the disk after all, with its removals. `counted`:
 * the content still counts what they removed. */
static int settle_owed(struct mail_writer *w, bool counted)
{
    const struct store_engine *engine = w->conf.engine;
    size_t kept = 0;
    int rc = engine->begin_reads(w->keeper.store);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < w->again_count; i++) {
        struct removal r = w->again[i];
        struct slice record;
        int found = rc == OK ? engine->read(w->keeper.store, r.seq, &record) : rc;

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
    engine->end_reads(w->keeper.store);
    return rc;
}

/* Unless it is to verify all, it reads what the failed commit may have left behind. */
static int reopen(struct keeper *k, bool verify)
{
    struct mail_writer *w = CONTAINER_OF(k, struct mail_writer, keeper);
    struct scan scan = {.w = w};
    uint64_t from = verify ? 0 : w->doubt;
    uint64_t committed = w->content.messages, owed = w->again_count;
    int rc = open_store(w, verify, verify);

    if (rc == OK && (verify || w->doubt))
        rc = w->conf.engine->scan(w->keeper.store, from, on_seen, &scan);
    if (rc == OK)
        rc = settle_owed(w, !verify);
    if (rc < 0) {
        w->conf.engine->close(&w->keeper.store);
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
                  w->keeper.conf.dir, (unsigned long long)scan.content.messages,
                  (unsigned long long)scan.content.damaged,
                  (unsigned long long)committed);
    atomic_fetch_add(&w->gauges.used, scan.content.charge - w->content.charge);
    w->content = scan.content;
    return OK;
}

/* ---- its life ---- */

static void on_turn(struct keeper *k, int64_t now_ms)
{
    mail_writer_turn(CONTAINER_OF(k, struct mail_writer, keeper), now_ms);
}

int mail_writer_new(const struct mail_writer_conf *conf, struct mail_writer **out)
{
    struct mail_writer *w = aligned_alloc(CACHE_LINE, sizeof(*w));
    int rc;

    if (!w)
        return ERR_NOMEM;
    *w = (struct mail_writer){.conf = *conf};
    rc = keeper_init(
        &w->keeper,
        &(struct keeper_conf){
            .engine = conf->engine,
            .kind = &mailbox_store,
            .dir = conf->dir,
            .subject = "store",
            .when_full =
                "what is stored is delivered as before, but messages are refused",
            .when_shut = "messages are refused",
            .turn = on_turn,
            .reopen = reopen,
            .health = &w->gauges.health,
        });
    if (rc < 0)
        mail_writer_close(&w);
    *out = w;
    return rc;
}

int mail_writer_open(struct mail_writer *w, mail_found *found, void *user)
{
    struct scan scan = {.w = w, .found = found, .user = user};
    int rc;

    if ((rc = open_store(w, true, false)) == OK)
        rc = w->conf.engine->scan(w->keeper.store, 0, on_seen, &scan);
    if (rc < 0) {
        log_error(MAILBOX, "store cannot be opened dir=%s reason=%s: %s",
                  w->keeper.conf.dir, err_word(rc), err_text(rc));
        return rc;
    }
    w->content = scan.content;
    w->next_seq = scan.content.last_seq + 1;
    atomic_store(&w->gauges.used, scan.content.charge);
    log_info(MAILBOX,
             "store opened engine=%s messages=%llu damaged=%llu disk_bytes=%llu",
             w->conf.engine->name, (unsigned long long)scan.content.messages,
             (unsigned long long)scan.content.damaged,
             (unsigned long long)w->conf.engine->disk_bytes(w->keeper.store));
    keeper_opened(&w->keeper, 0);
    return OK;
}

void mail_writer_turn(struct mail_writer *w, int64_t mono_ms)
{
    struct parcel *waiting = inbox_take(&w->keeper.inbox);

    if (keeper_recover(&w->keeper, mono_ms)) {
        w->removals_wait = false;
        writer_remove_owed(w, mono_ms);
    }
    while (waiting)
        writer_serve(w, &waiting, mono_ms);
}

int mail_writer_start(struct mail_writer *w)
{
    return keeper_start(&w->keeper);
}

void mail_writer_stop(struct mail_writer *w)
{
    int64_t now_ms = clock_mono_ms();

    keeper_join(&w->keeper);
    w->keeper.due_ms = now_ms; /* one more attempt, if it is in trouble */
    mail_writer_turn(w, now_ms);
    w->removals_wait = false;
    if (w->keeper.store)
        writer_remove_owed(w, now_ms);
}

void mail_writer_close(struct mail_writer **writer)
{
    struct mail_writer *w = *writer;

    *writer = NULL;
    if (!w)
        return;
    if (w->keeper.inbox.event_fd >= 0)
        mail_writer_stop(w);
    keeper_fini(&w->keeper);
    free(w->again);
    free(w);
}
