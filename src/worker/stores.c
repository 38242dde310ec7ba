/* What is on the disk: the mailbox behind its writer; the journal, with the tracker
 * that tells it; the ledger of tickets and credentials. Opening them tells the shards
 * what the worker before this one knew. */
#include "worker/worker_inside.h"
#include "command/commands.h"
#include "session/vehicles.h"

#include <stdlib.h>

/* Events and cards in memory on their way to the disk; then events are lost. */
#define JOURNAL_BACKLOG (64u << 20)

/* Records on their way to the disk; then new ones are refused. */
#define LEDGER_BACKLOG (16u << 20)

/* What the ledger is made for: so much of each ticket on the average, and of each
 * vehicle terminal its credential. */
#define TICKET_BYTES     2048u
#define CREDENTIAL_BYTES 256u

static int make_writer(struct worker *w)
{
    struct mail_writer_conf conf = {
        .engine = &store_lmdb,
        .dir = w->config->data_dir,
        .total_bytes = w->config->mailbox_total_bytes,
    };

    return mail_writer_new(&conf, &w->writer);
}

static int make_tracker(struct worker *w)
{
    const struct config *config = w->config;
    struct api_conf api_conf = {
        .group = &w->group,
        .listeners = w->listeners,
        .listener_count = w->listener_count,
        .processes = w->processes,
        .process_count = w->work->line_count,
        .order = commands_order,
        .legacy = config->http_legacy,
        .sender = (uint32_t)strtoul(config->http_sender, NULL, 16),
    };
    struct journal_conf journal_conf = {
        .engine = &store_lmdb,
        .dir = config->data_dir,
        .keep = config->events_keep,
        .max_bytes = config->events_max_bytes,
        .max_cards = config->max_devices,
        .backlog_bytes = JOURNAL_BACKLOG,
        .published = api_published,
    };
    struct tracker_conf conf = {
        .listeners = w->listeners,
        .listener_count = w->listener_count,
        .restart_grace_ms = config->restart_grace_ms,
        .forget_after_ms = config->forget_after_ms,
    };
    int rc;

    if ((rc = api_new(&api_conf, &w->api)) < 0)
        return rc;
    journal_conf.user = w->api;
    if ((rc = journal_new(&journal_conf, &w->journal)) < 0)
        return rc;
    conf.journal = w->journal;
    return tracker_group_new(&conf, &w->tracker);
}

static int make_ledger(struct worker *w)
{
    const struct config *config = w->config;
    struct ledger_conf conf = {
        .engine = &store_lmdb,
        .dir = config->data_dir,
        .total_bytes = (uint64_t)config->commands_max_tickets * TICKET_BYTES +
                       (uint64_t)config->max_devices * CREDENTIAL_BYTES,
        .backlog_bytes = LEDGER_BACKLOG,
    };

    return ledger_new(&conf, &w->ledger);
}

static int make_commands(struct worker *w)
{
    const struct config *config = w->config;
    struct commands_conf conf = {
        .ledger = w->ledger,
        .listeners = w->listeners,
        .listener_count = w->listener_count,
        .max_queued = config->commands_max_queued,
        .max_tickets = config->commands_max_tickets,
        .keep_ms = config->commands_keep_ms,
    };

    return commands_group_new(&conf, &w->commands);
}

int stores_make(struct worker *w)
{
    int rc = make_writer(w);

    if (rc == OK)
        rc = make_ledger(w);
    if (rc == OK)
        rc = make_commands(w);
    return rc < 0 ? rc : make_tracker(w);
}

static int on_card(void *user, uint32_t number, const struct card *card)
{
    struct worker *w = user;

    return tracker_adopt(&w->group, number, card);
}

static int open_journal(struct worker *w)
{
    int rc = journal_open(w->journal, on_card, w);

    return rc < 0 ? rc : journal_start(w->journal);
}

static int on_found(void *user, const struct id *id, const struct mail_record *record)
{
    struct worker *w = user;

    return relay_adopt(&w->group, id, record);
}

static int open_mail(struct worker *w)
{
    int rc = mail_writer_open(w->writer, on_found, w);

    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < w->shard_count; i++)
        mailbox_adopted(w->group.relays[i].mailbox);
    return mail_writer_start(w->writer);
}

static int on_record(void *user, uint32_t number, uint8_t form, struct slice record)
{
    struct worker *w = user;

    if (form == LEDGER_CREDENTIAL)
        return vehicles_adopt(&w->group, number, record);
    return commands_adopt(&w->group, number, record);
}

/* When the journal has told which devices there are. */
static int open_ledger(struct worker *w)
{
    int rc = ledger_open(w->ledger, on_record, w);

    return rc < 0 ? rc : ledger_start(w->ledger);
}

int stores_open(struct worker *w)
{
    int rc = open_journal(w);

    if (rc == OK)
        rc = open_ledger(w);
    return rc < 0 ? rc : open_mail(w);
}
