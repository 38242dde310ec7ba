#include "presence_gateway.h"
#include "base/clock.h"
#include "mailbox/writer.h"

#include <stdio.h>
#include <stdlib.h>

_Atomic int64_t presence_now_ms = 1000;

/* Instead of base/clock.c: time passes when we say so. */
int64_t clock_mono_ms(void)
{
    return presence_now_ms;
}

int64_t clock_mono_us(void)
{
    return presence_now_ms * 1000;
}

int64_t clock_wall_ms(void)
{
    return 1763724302000 + presence_now_ms;
}

_Noreturn void presence_die(const char *what, int rc)
{
    fprintf(stderr, "presence_bench: %s: %s\n", what, err_text(rc));
    exit(1);
}

double presence_seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int no_mail(void *user, const struct id *id, const struct mail_record *record)
{
    (void)user, (void)id, (void)record;
    return ERR_EXISTS;
}

static int found_card(void *user, uint32_t number, const struct card *card)
{
    return tracker_adopt(user, number, card);
}

static const struct session_ops nobody;

static void must(const char *what, int rc)
{
    if (rc < 0)
        presence_die(what, rc);
}

static void open_tracker(struct presence_gateway *g)
{
    struct journal_conf conf = {
        .engine = &store_lmdb,
        .dir = g->dir,
        .keep = 100000,
        .max_bytes = 64 << 20,
        .max_cards = g->devices,
        .backlog_bytes = 1ull << 30,
    };

    g->settings.presence = (struct presence_policy){
        .rule = PRESENCE_RULE_CURSOR,
        .rejoin = PRESENCE_LEAVE,
        .threshold = 5,
        .strikes = 3,
        .recover = 5,
        .interval_ms = PRESENCE_INTERVAL_MS,
        .leave_hold_ms = 1800000,
    };
    g->listener =
        (struct listener){.name = "clients", .ops = &nobody.conn, .conf = &g->settings};
    must("journal", journal_new(&conf, &g->journal));
    g->tracker = (struct tracker_conf){
        .journal = g->journal,
        .listeners = &g->listener,
        .listener_count = 1,
        .restart_grace_ms = PRESENCE_GRACE_MS,
        .forget_after_ms = 30ll * 24 * 3600 * 1000,
    };
    g->group = (struct relay_group){
        .relays = &g->relay,
        .count = 1,
        .key = {1, 2},
        .max_devices = 16000000,
        .max_messages = 1000,
        .max_bytes = 1 << 20,
    };
    must("tracker", tracker_group_new(&g->tracker, &g->group.tracker));
}

static void open_shard(struct presence_gateway *g)
{
    struct shard_conf shard = {.limits = g->limits,
                               .output_limit = 1 << 20,
                               .before_writes = relay_before_writes,
                               .after_writes = relay_after_writes};
    struct mail_writer_conf writer = {.engine = &store_null, .dir = g->dir};
    struct mailbox_conf box = {
        .inbox = &g->shard.loop.inbox,
        .events = &relay_mailbox_events,
        .user = &g->relay,
    };

    must("shard", shard_init(&g->shard, &shard));
    must("relay", relay_init(&g->relay, &g->group, &g->shard));
    must("writer", mail_writer_new(&writer, &g->writer));
    box.writer = g->writer;
    must("mailbox", mailbox_new(&box, &g->relay.mailbox));
    must("store", mail_writer_open(g->writer, no_mail, NULL));
    mailbox_adopted(g->relay.mailbox);
    g->conn = (struct conn){.shard = &g->shard,
                            .listener = &g->listener,
                            .peer_port = 40110,
                            .state = CONN_READ};
}

double presence_gateway_open(struct presence_gateway *g)
{
    double begun;

    must("limits", limits_new(0, 0, &g->limits));
    open_tracker(g);
    open_shard(g);
    begun = presence_seconds(CLOCK_MONOTONIC);
    must("cards", journal_open(g->journal, found_card, &g->group));
    tracker_start(&g->group);
    must("journal", journal_start(g->journal));
    return presence_seconds(CLOCK_MONOTONIC) - begun;
}

void presence_gateway_close(struct presence_gateway *g)
{
    journal_stop(g->journal);
    mail_writer_close(&g->writer);
    mailbox_free(&g->relay.mailbox);
    relay_fini(&g->relay);
    shard_fini(&g->shard);
    tracker_group_free(&g->group.tracker);
    journal_close(&g->journal);
    limits_free(&g->limits);
}
