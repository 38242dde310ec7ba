/* relayrig.h - the relay without a network: shards turned by hand, stores in memory,
 * and socket pairs as terminals.
 *
 * "Acknowledged" means here that the other end has read it, so a test decides by
 * reading what is delivered. No threads, no waiting. */
#pragma once

#include "base/reader.h"
#include "codec/ttms.h"
#include "command/commands.h"
#include "journal/journal_inside.h"
#include "ledger/ledger_inside.h"
#include "mailbox/mailbox.h"
#include "mailbox/record.h"
#include "mailbox/writer.h"
#include "relay/delivery.h"
#include "relay/relay.h"
#include "relay/tracker.h"
#include "session/heartbeat.h"
#include "session/ttms.h"
#include "session/vehicles.h"
#include "store/store_mem.h"

#include <assert.h>
#include <limits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define RELAY_SHARDS 2

/* Instead of net/unacked.c: a local socket knows what was not read, until its other end
 * closes; from then on nothing more is delivered. */
long output_unacked(int fd)
{
    struct pollfd p = {.fd = fd};
    int n = 0;

    if (poll(&p, 1, 0) == 1 && p.revents & POLLHUP)
        return INT_MAX;
    return ioctl(fd, SIOCOUTQ, &n) == 0 && n == 0 ? 0 : INT_MAX;
}

struct relay_rig {
    struct shard shards[RELAY_SHARDS];
    struct relay relays[RELAY_SHARDS];
    struct relay_group group;
    struct ttms_settings settings;
    struct heartbeat_settings beats;
    struct listener listener; /* ttms */
    struct listener clients;  /* heartbeat */
    /* Instead of these: of devices that take commands. */
    const struct listener *devices;
    size_t device_count;
    struct commands_conf commands;
    struct limits *limits;
    struct mail_writer *writer;
    struct journal *journal;
    struct ledger *ledger;
    uint32_t keep; /* events */
    void (*published)(void *user);
    void *published_user;
    struct tracker_group *tracker;
    struct mailbox_limits mail;
    uint32_t max_devices;
    int64_t restart_grace_ms, forget_after_ms;
    size_t output_limit;
    int64_t now_ms;
    bool killed;        /* journal and ledger are cut off */
    uint64_t news_read; /* cursor of the last event that relay_rig_news() showed */
    char news[8192];
};

static struct relay_rig relay_rig;

static inline int relay_rig_found(void *user, const struct id *id,
                                  const struct mail_record *record)
{
    (void)user;
    return relay_adopt(&relay_rig.group, id, record);
}

static inline int relay_rig_card(void *user, uint32_t number, const struct card *card)
{
    (void)user;
    return tracker_adopt(&relay_rig.group, number, card);
}

static inline int relay_rig_record(void *user, uint32_t number, uint8_t form,
                                   struct slice record)
{
    (void)user;
    if (form == LEDGER_CREDENTIAL)
        return vehicles_adopt(&relay_rig.group, number, record);
    if (!relay_rig.group.commands)
        return OK;
    return commands_adopt(&relay_rig.group, number, record);
}

static inline void relay_rig_ledger(void)
{
    const struct ledger_conf conf = {
        .engine = &store_mem,
        .dir = "mem",
        .total_bytes = 64 << 20,
        .backlog_bytes = 16 << 20,
    };
    int rc = ledger_new(&conf, &relay_rig.ledger);

    assert(rc == OK);
}

static inline void relay_rig_commands(void)
{
    struct relay_rig *g = &relay_rig;
    int rc;

    if (g->device_count == 0)
        return;
    g->commands.ledger = g->ledger;
    g->commands.listeners = g->devices;
    g->commands.listener_count = g->device_count;
    rc = commands_group_new(&g->commands, &g->group.commands);
    assert(rc == OK);
}

static inline void relay_rig_journal(void)
{
    struct relay_rig *g = &relay_rig;
    struct journal_conf journal = {
        .engine = &store_mem,
        .dir = "mem",
        .keep = g->keep,
        .max_bytes = 64 << 20,
        .max_cards = g->max_devices,
        .backlog_bytes = 64 << 20,
        .published = g->published,
        .user = g->published_user,
    };
    struct tracker_conf conf = {
        .listeners = &g->listener,
        .listener_count = 1,
        .restart_grace_ms = g->restart_grace_ms,
        .forget_after_ms = g->forget_after_ms,
    };
    int rc = journal_new(&journal, &g->journal);

    if (g->device_count) {
        conf.listeners = g->devices;
        conf.listener_count = g->device_count;
    }
    conf.journal = g->journal;
    if (rc == OK)
        rc = tracker_group_new(&conf, &g->tracker);
    assert(rc == OK);
}

static inline void relay_rig_shard(unsigned i)
{
    struct relay_rig *g = &relay_rig;
    struct shard_conf conf = {
        .index = i,
        .limits = g->limits,
        .output_limit = g->output_limit,
        .before_writes = relay_before_writes,
        .after_writes = relay_after_writes,
    };
    struct mailbox_conf box = {
        .limits = g->mail,
        .writer = g->writer,
        .inbox = &g->shards[i].loop.inbox,
        .events = &relay_mailbox_events,
        .user = &g->relays[i],
    };
    int rc = shard_init(&g->shards[i], &conf);

    if (rc == OK)
        rc = relay_init(&g->relays[i], &g->group, &g->shards[i]);
    if (rc == OK)
        rc = commands_new(&g->relays[i]);
    if (rc == OK)
        rc = vehicles_new(&g->relays[i]);
    if (rc == OK)
        rc = mailbox_new(&box, &g->relays[i].mailbox);
    assert(rc == OK);
}

/* Opens on whatever the stores in memory hold. Set what relay_rig_defaults() sets
 * otherwise first. */
static inline void relay_rig_open(void)
{
    struct relay_rig *g = &relay_rig;
    struct mail_writer_conf conf = {.engine = &store_mem,
                                    .dir = "mem",
                                    .total_bytes = g->mail.total_bytes};
    int rc = limits_new(0, 0, &g->limits);

    g->killed = false;
    g->listener = (struct listener){
        .name = "terminals",
        .ops = &ttms_ops.conn,
        .conf = &g->settings,
        .register_timeout_ms = 1000000,
        .read_timeout_ms = 1000000,
    };
    g->clients = (struct listener){
        .name = "clients",
        .ops = &heartbeat_ops.conn,
        .conf = &g->beats,
        .register_timeout_ms = 1000000,
        .read_timeout_ms = 1000000,
    };
    relay_rig_journal();
    relay_rig_ledger();
    g->group = (struct relay_group){
        .relays = g->relays,
        .count = RELAY_SHARDS,
        .key = {1, 2},
        .tracker = g->tracker,
        .ledger = g->ledger,
        .max_devices = g->max_devices,
        .max_messages = g->mail.max_messages,
        .max_bytes = g->mail.max_bytes,
    };
    relay_rig_commands();
    if (rc == OK)
        rc = mail_writer_new(&conf, &g->writer);
    assert(rc == OK);
    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        relay_rig_shard(i);
    rc = journal_open(g->journal, relay_rig_card, NULL);
    if (rc == OK)
        rc = mail_writer_open(g->writer, relay_rig_found, NULL);
    if (rc == OK)
        rc = ledger_open(g->ledger, relay_rig_record, NULL);
    assert(rc == OK);
    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        mailbox_adopted(g->relays[i].mailbox);
    tracker_start(&g->group);
}

static inline void relay_rig_defaults(void)
{
    relay_rig = (struct relay_rig){
        .settings = {.codec = {.length = TTMS_LENGTH_TOTAL, .max_frame = 1 << 20}},
        .beats = {.framing = heartbeat_framing(4096)},
        .mail = {.max_messages = 100000,
                 .max_bytes = 64 << 20,
                 .total_bytes = 256 << 20,
                 .backlog_bytes = 64 << 20},
        .output_limit = 1 << 20,
        .keep = 10000,
        .max_devices = 10000,
        .commands = {.max_queued = 100, .max_tickets = 1000, .keep_ms = 3600000},
        .restart_grace_ms = 60000,
        .forget_after_ms = 30ll * 24 * 3600 * 1000,
        .now_ms = 1000,
    };
}

/* Every shard turns, the stores commit, acknowledgements are asked for. */
static inline void relay_rig_turn(void)
{
    struct relay_rig *g = &relay_rig;

    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        loop_turn(&g->shards[i].loop, 0);
    g->now_ms += 1000000; /* whatever the writer waits for is over */
    mail_writer_turn(g->writer, g->now_ms);
    if (!g->killed) {
        journal_turn(g->journal, g->now_ms);
        ledger_turn(g->ledger, g->now_ms);
    }
    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        for (uint32_t slot = 0; slot < g->shards[i].table_size; slot++) {
            struct conn *c = shard_conn_at(&g->shards[i], slot);

            if (c)
                conn_acknowledge(c);
        }
}

/* Until everything that was on its way has arrived. */
static inline void relay_rig_settle(void)
{
    for (int i = 0; i < 12; i++)
        relay_rig_turn();
}

/* A new connection, accepted by that shard from that port; the peer's end of it,
 * non-blocking. */
static inline int relay_rig_accept(unsigned shard, const struct listener *listener,
                                   in_port_t port)
{
    struct sockaddr_in6 peer = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct relay_rig *g = &relay_rig;
    int ends[2];
    int rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
    enum limits_verdict verdict = limits_enter(g->limits, &peer.sin6_addr);
    struct conn *c;

    assert(rc == 0 && verdict == LIMITS_PASS);
    c = conn_open(&g->shards[shard], listener, ends[0], &peer);
    assert(c);
    return ends[1];
}

/* A terminal's. */
static inline int relay_rig_connect(unsigned shard)
{
    return relay_rig_accept(shard, &relay_rig.listener, 0);
}

static inline void relay_rig_close(void)
{
    struct relay_rig *g = &relay_rig;

    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        commands_end(&g->relays[i]);
    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        shard_close_all(&g->shards[i]);
    relay_rig_settle();
    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        assert(relay_is_settled(&g->relays[i]) || g->killed);
    mail_writer_close(&g->writer);
    journal_close(&g->journal);
    ledger_close(&g->ledger);
    for (unsigned i = 0; i < RELAY_SHARDS; i++) {
        mailbox_free(&g->relays[i].mailbox);
        relay_fini(&g->relays[i]);
        shard_fini(&g->shards[i]);
    }
    tracker_group_free(&g->tracker);
    commands_group_free(&g->group.commands);
    limits_free(&g->limits);
}

static inline bool relay_rig_show(void *user, const struct event *e)
{
    struct relay_rig *g = &relay_rig;
    size_t used = strlen(g->news);

    (void)user;
    snprintf(g->news + used, sizeof(g->news) - used, "%s%.*s %s>%s %.*s",
             used ? ", " : "", ID_ARGS(&e->device), presence_word(e->from),
             presence_word(e->to), (int)e->reason.size, (const char *)e->reason.data);
    g->news_read = e->cursor;
    return true;
}

/* The events since the last call: "00000001 alive>leave reset, ...". */
static inline const char *relay_rig_news(void)
{
    struct relay_rig *g = &relay_rig;
    int rc;

    g->news[0] = '\0';
    rc = journal_read(g->journal, g->news_read, relay_rig_show, NULL);
    assert(rc == OK);
    return g->news;
}

/* On this shard, or NULL. */
static inline struct terminal *relay_rig_device(struct relay *r, const struct id *id)
{
    struct device *d =
        registry_find(&r->terminals, id, relay_hash(&relay_rig.group, id));

    return d ? terminal_of(d) : NULL;
}

static inline struct relay *relay_rig_home(const struct id *id)
{
    struct relay_rig *g = &relay_rig;

    return &g->relays[relay_shard_of(&g->group, relay_hash(&g->group, id))];
}

/* Cuts journal and ledger off, as if the gateway were killed; relay_rig_close()
 * follows. */
static inline void relay_rig_kill(void)
{
    store_mem.close(&relay_rig.ledger->keeper.store);
    relay_rig.ledger->is_open = false;
    store_mem.close(&relay_rig.journal->keeper.store);
    relay_rig.journal->is_open = false;
    relay_rig.killed = true;
}

/* Set-up and tear-down of a test: empty stores, default settings. */
static inline int relay_rig_begin(void **state)
{
    (void)state;
    store_mem_wipe();
    relay_rig_defaults();
    relay_rig_open();
    return 0;
}

static inline int relay_rig_end(void **state)
{
    (void)state;
    relay_rig_close();
    store_mem_wipe();
    return 0;
}
