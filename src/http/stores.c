#include "http/stores.h"

static void expose_journal(struct exposition *e, struct journal *j)
{
    struct journal_stats stats = journal_stats(j);

#define X(name, text)                                                                  \
    expose(e, "holdfast_journal_" #name "_total", EXPOSE_COUNTER, text);               \
    expose_value(e, "", NULL, stats.name);
    JOURNAL_COUNTERS(X)
#undef X
    expose(e, "holdfast_journal_cards", EXPOSE_GAUGE, "devices that are remembered");
    expose_value(e, "", NULL, stats.cards);
    expose(e, "holdfast_journal_backlog_bytes", EXPOSE_GAUGE,
           "bytes handed over and not yet written");
    expose_value(e, "", NULL, stats.backlog);
    expose(e, "holdfast_journal_disk_bytes", EXPOSE_GAUGE, "bytes used on the disk");
    expose_value(e, "", NULL, stats.disk_bytes);
    expose(e, "holdfast_journal_store_up", EXPOSE_GAUGE, "1: events can be stored");
    expose_value(e, "", NULL, journal_health(j) == OK);
}

static void expose_ledger(struct exposition *e, struct ledger *l)
{
    struct ledger_stats stats = ledger_stats(l);

#define X(name, text)                                                                  \
    expose(e, "holdfast_ledger_" #name "_total", EXPOSE_COUNTER, text);                \
    expose_value(e, "", NULL, stats.name);
    LEDGER_COUNTERS(X)
#undef X
    expose(e, "holdfast_ledger_records", EXPOSE_GAUGE,
           "tickets and credentials that are kept");
    expose_value(e, "", NULL, stats.records);
    expose(e, "holdfast_ledger_backlog_bytes", EXPOSE_GAUGE,
           "bytes handed over and not yet written");
    expose_value(e, "", NULL, stats.backlog);
    expose(e, "holdfast_ledger_disk_bytes", EXPOSE_GAUGE, "bytes used on the disk");
    expose_value(e, "", NULL, stats.disk_bytes);
    expose(e, "holdfast_ledger_store_up", EXPOSE_GAUGE, "1: tickets can be stored");
    expose_value(e, "", NULL, ledger_health(l) == OK);
}

void expose_stores(struct exposition *e, struct journal *j, struct ledger *l)
{
    expose_journal(e, j);
    expose_ledger(e, l);
}
