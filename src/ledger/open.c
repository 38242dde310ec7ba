#include "ledger/ledger_inside.h"

#include "base/log.h"

static int open_store(struct ledger *l, bool check, bool drop_cache)
{
    struct store_conf conf = {
        .kind = &ledger_store,
        .dir = l->keeper.conf.dir,
        .total_bytes = l->conf.total_bytes,
        .check = check,
        .drop_cache = drop_cache,
    };

    return l->conf.engine->open(&conf, &l->keeper.store);
}

static void drop_damaged(struct ledger *l, uint64_t seq, struct slice bytes, int rc)
{
    ledger_count(&l->damaged, 1);
    LOG_THROTTLED(LOG_ERROR, LEDGER,
                  "ledger entry %llu damaged reason=%s size=%zu; dropped",
                  (unsigned long long)seq, err_word(rc), bytes.size);
    ledger_add_stale(l, seq);
}

/* ---- at the start ---- */

struct scan {
    struct ledger *l;
    ledger_found *found;
    void *user;
    uint32_t limit; /* all numbers are smaller */
    uint64_t seen;  /* records that stand where their places say */
};

/* First pass: where each record is. Of two with one number the newer one counts: a
 * crash leaves none, salvage may. */
static int on_seen(void *user, uint64_t seq, struct slice bytes)
{
    struct scan *scan = user;
    struct ledger *l = scan->l;
    struct place *place;
    struct line line;
    int rc = line_decode(bytes, seq, &line);

    l->last_put = seq;
    if (rc < 0) {
        drop_damaged(l, seq, bytes, rc);
        return OK;
    }
    if (!(place = places_try_at(&l->places, line.number)))
        return ERR_NOMEM;
    if (place->seq) {
        ledger_add_stale(l, place->seq);
        ledger_count(&l->used, -(uint64_t)(place->size + RECORD_CHARGE));
    } else {
        ledger_count(&l->records, 1);
    }
    place->seq = seq;
    place->size = (uint32_t)line.record.size;
    ledger_count(&l->used, place->size + RECORD_CHARGE);
    if (line.number >= scan->limit)
        scan->limit = line.number + 1;
    return OK;
}

/* Second pass. */
static int on_record(void *user, uint64_t seq, struct slice bytes)
{
    struct scan *scan = user;
    struct line line;

    if (line_decode(bytes, seq, &line) < 0 ||
        scan->l->places.at[line.number].seq != seq)
        return OK;
    return scan->found(scan->user, line.number, line.form, line.record);
}

/* Those between the ones in use, to each book its share. */
static void share_out_numbers(struct ledger *l, uint32_t limit)
{
    struct book *b = l->books;

    atomic_store(&l->next_number, limit);
    for (uint32_t number = limit - 1; b && number > 0; number--) {
        if (places_has(&l->places, number))
            continue;
        book_free_number(b, number);
        b = b->next ? b->next : l->books;
    }
}

int ledger_read_store(struct ledger *l, ledger_found *found, void *user)
{
    const struct store_engine *engine = l->conf.engine;
    struct scan scan = {.l = l, .found = found, .user = user, .limit = 1};
    int rc = open_store(l, true, false);

    if (rc == OK)
        rc = engine->scan(l->keeper.store, 0, on_seen, &scan);
    if (rc == OK && l->places.at)
        rc = engine->scan(l->keeper.store, 0, on_record, &scan);
    if (rc < 0)
        return rc;
    share_out_numbers(l, scan.limit);
    l->next_seq = l->last_put + 1;
    atomic_store(&l->disk_bytes, engine->disk_bytes(l->keeper.store));
    log_info(LEDGER,
             "ledger opened engine=%s records=%llu damaged=%llu disk_bytes=%llu",
             engine->name, (unsigned long long)atomic_load(&l->records),
             (unsigned long long)atomic_load(&l->damaged),
             (unsigned long long)atomic_load(&l->disk_bytes));
    return OK;
}

/* ---- after a failure ---- */

/* What a failed commit left behind takes the place of what it removed. What else does
 * not stand where its place says was refused, or salvage brought it back. */
static int on_seen_again(void *user, uint64_t seq, struct slice bytes)
{
    struct scan *scan = user;
    struct ledger *l = scan->l;
    struct places *p = &l->places;
    bool is_left_behind = seq > l->last_put;
    struct line line;
    int rc = line_decode(bytes, seq, &line);
    uint64_t before = rc == OK ? places_seq(p, line.number) : 0;

    if (is_left_behind)
        l->last_put = seq;
    if (rc < 0) {
        drop_damaged(l, seq, bytes, rc);
    } else if (before == seq) {
        scan->seen++;
    } else if (is_left_behind && places_move(p, line.number, seq)) {
        scan->seen++;
        if (before)
            ledger_add_stale(l, before);
    } else {
        ledger_add_stale(l, seq);
    }
    return OK;
}

/* What is held may be gone: the commit that failed reached the disk after all. */
static uint64_t least_in_store(const struct places *p)
{
    uint64_t n = 0;

    for (uint32_t number = 1; number < p->room; number++)
        n += !p->at[number].is_held && p->at[number].seq > 0;
    return n;
}

static void report_lost(const struct ledger *l, uint64_t seen)
{
    uint64_t least = least_in_store(&l->places);

    if (seen < least)
        log_error(LEDGER,
                  "ledger lost records dir=%s found=%llu committed=%llu; each is "
                  "written again when it changes",
                  l->keeper.conf.dir, (unsigned long long)seen,
                  (unsigned long long)least);
}

int ledger_reopen(struct keeper *k, bool verify)
{
    struct ledger *l = CONTAINER_OF(k, struct ledger, keeper);
    const struct store_engine *engine = l->conf.engine;
    uint64_t from = verify ? 0 : l->last_put + 1;
    struct scan scan = {.l = l};
    int rc = open_store(l, verify, verify);

    if (verify)
        stale_settle(&l->stale, l->stale.count); /* all of them will be seen again */
    if (rc == OK)
        rc = engine->scan(k->store, from, on_seen_again, &scan);
    if (rc < 0)
        engine->close(&k->store);
    else if (verify)
        report_lost(l, scan.seen);
    return rc;
}
