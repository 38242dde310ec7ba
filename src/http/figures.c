#include "http/figures.h"

#define LOOKS 512 /* slots looked at in one turn of a shard */

static void add_stats(struct figures *f, struct relay *r)
{
    const struct shard_stats *s = &r->shard->stats;
    struct mailbox_stats mail = mailbox_stats(r->mailbox);
    struct tracker_stats tracker = tracker_stats(r);

#define X(name, text) f->relay.name += r->stats.name;
    RELAY_COUNTERS(X)
#undef X
#define X(name, text) f->shard.name += s->name;
    SHARD_COUNTERS(X)
#undef X
#define X(name, text) f->mail.name += mail.name;
    MAILBOX_COUNTERS(X)
#undef X
    for (int i = 0; i < CLOSE_REASON_COUNT; i++)
        f->shard.closed[i] += s->closed[i];
    f->mail.messages += mail.messages;
    f->mail.bytes += mail.bytes;
#define X(name, text) f->tracker.name += tracker.name;
    TRACKER_COUNTERS(X)
#undef X
    for (int i = 0; i < PRESENCE_COUNT; i++) {
        f->tracker.moves[i] += tracker.moves[i];
        for (int p = 0; p < PROTOCOL_LIMIT; p++)
            f->tracker.devices[p][i] += tracker.devices[p][i];
    }
}

static void add_commands(struct figures *f, const struct relay *r)
{
    struct commands_stats commands = commands_stats(r);
    struct vehicles_stats vehicles = vehicles_stats(r);

#define X(name, text) f->commands.name += commands.name;
    COMMANDS_COUNTERS(X)
#undef X
    f->commands.queued += commands.queued;
    f->commands.in_flight += commands.in_flight;
    f->commands.tickets += commands.tickets;
#define X(name, text) f->vehicles.name += vehicles.name;
    CREDENTIALS_COUNTERS(X)
    VEHICLES_COUNTERS(X)
#undef X
}

static void add_turns(struct figures *f, struct loop_turns *took)
{
    for (int i = 0; i < LOOP_TURN_BUCKETS; i++)
        f->turns.buckets[i] += took->buckets[i];
    f->turns.sum_us += took->sum_us;
    if (took->longest_us > f->turns.longest_us)
        f->turns.longest_us = took->longest_us;
    took->longest_us = 0;
}

bool figures_add(struct figures *f, struct relay *r, const struct listener *listeners,
                 uint32_t *slot)
{
    if (*slot == 0) {
        add_stats(f, r);
        add_commands(f, r);
        add_turns(f, &r->shard->loop.took);
    }
    for (int looks = 0; looks < LOOKS; looks++) {
        const struct conn *c;

        if (*slot >= r->shard->table_size)
            return true;
        c = shard_conn_at(r->shard, (*slot)++);
        if (c)
            f->connections[c->listener - listeners][c->state]++;
    }
    return false;
}
