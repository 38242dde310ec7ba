#include "ledger/ledger_inside.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

static void on_turn(struct keeper *k, int64_t now_ms)
{
    ledger_turn(CONTAINER_OF(k, struct ledger, keeper), now_ms);
}

int ledger_new(const struct ledger_conf *conf, struct ledger **out)
{
    struct ledger *l = aligned_alloc(CACHE_LINE, sizeof(*l));
    int rc;

    assert(conf->total_bytes > 0 && conf->backlog_bytes > 0);
    if (!l)
        return ERR_NOMEM;
    *l = (struct ledger){.conf = *conf, .next_number = 1, .next_seq = 1};
    places_init(&l->places);
    rc = keeper_init(&l->keeper,
                     &(struct keeper_conf){
                         .engine = conf->engine,
                         .kind = &ledger_store,
                         .dir = conf->dir,
                         .subject = "ledger",
                         .when_full = "durable commands and registrations are refused, "
                                      "and what is there can end",
                         .when_shut = "durable commands and registrations are refused",
                         .turn = on_turn,
                         .reopen = ledger_reopen,
                         .health = &l->health,
                     });
    if (rc < 0)
        ledger_close(&l);
    *out = l;
    return rc;
}

int ledger_open(struct ledger *l, ledger_found *found, void *user)
{
    int rc = ledger_read_store(l, found, user);

    if (rc < 0) {
        log_error(LEDGER, "ledger cannot be opened dir=%s reason=%s: %s",
                  l->keeper.conf.dir, err_word(rc), err_text(rc));
        return rc;
    }
    l->is_open = true;
    l->when_full = SCOPE_CHANGES;
    keeper_opened(&l->keeper, 0);
    ledger_write(l, 0);
    return OK;
}

void ledger_turn(struct ledger *l, int64_t mono_ms)
{
    struct parcel *waiting = inbox_take(&l->keeper.inbox);

    if (keeper_recover(&l->keeper, mono_ms))
        l->when_full = SCOPE_CHANGES;
    ledger_serve(l, waiting, mono_ms);
}

int ledger_start(struct ledger *l)
{
    return keeper_start(&l->keeper);
}

void ledger_stop(struct ledger *l)
{
    int64_t now_ms = clock_mono_ms();

    if (!l || !l->is_open)
        return;
    keeper_join(&l->keeper);
    l->keeper.due_ms = now_ms; /* one more attempt, if it is in trouble */
    ledger_turn(l, now_ms);
    l->conf.engine->close(&l->keeper.store);
    l->is_open = false;
}

void ledger_close(struct ledger **ledger)
{
    struct ledger *l = *ledger;

    *ledger = NULL;
    if (!l)
        return;
    ledger_stop(l);
    while (l->books) {
        struct book *b = l->books;

        l->books = b->next;
        book_free(&b);
    }
    keeper_fini(&l->keeper);
    places_fini(&l->places);
    stale_fini(&l->stale);
    free(l);
}

int ledger_health(struct ledger *l)
{
    return atomic_load_explicit(&l->health, memory_order_relaxed);
}

struct ledger_stats ledger_stats(struct ledger *l)
{
    return (struct ledger_stats){
#define X(name, text) .name = atomic_load_explicit(&l->name, memory_order_relaxed),
        LEDGER_COUNTERS(X)
#undef X
            .records = atomic_load_explicit(&l->records, memory_order_relaxed),
        .backlog = atomic_load_explicit(&l->backlog, memory_order_relaxed),
        .disk_bytes = atomic_load_explicit(&l->disk_bytes, memory_order_relaxed),
    };
}
