/* A shard per core, each with its relay and its mailbox. */
#include "worker/worker_inside.h"
#include "base/cores.h"
#include "base/hash.h"
#include "session/vehicles.h"
#include "supervisor/crash.h"

#include <stdlib.h>

void thread_begins(unsigned index, void *vital)
{
    crash_setup_thread();
    vital_shard_start(vital, index);
}

void thread_ends(unsigned index, void *vital)
{
    vital_shard_stop(vital, index);
}

static int make_shard(struct worker *w, unsigned i)
{
    const struct config *config = w->config;
    struct shard_conf shard_conf = {
        .index = i,
        .listeners = w->listeners,
        .listener_count = w->listener_count,
        .limits = w->limits,
        .output_limit = config->output_limit,
        .before_writes = relay_before_writes,
        .after_writes = relay_after_writes,
        .turns = &w->vital->shards[i].turns,
        .thread_begins = thread_begins,
        .thread_ends = thread_ends,
        .user = w->vital,
    };
    struct relay *r = &w->group.relays[i];
    struct mailbox_conf box_conf = {
        .writer = w->writer,
        .limits = {.max_messages = config->mailbox_max_messages,
                   .max_bytes = config->mailbox_max_bytes,
                   .max_age_ms = (uint64_t)config->mailbox_max_age_ms,
                   .total_bytes = config->mailbox_total_bytes,
                   .backlog_bytes = config->mailbox_backlog_bytes},
        .inbox = &w->shards[i].loop.inbox,
        .events = &relay_mailbox_events,
        .user = r,
    };
    int rc;

    if ((rc = shard_init(&w->shards[i], &shard_conf)) < 0)
        return rc;
    if ((rc = relay_init(r, &w->group, &w->shards[i])) < 0 ||
        (rc = commands_new(r)) < 0 || (rc = vehicles_new(r)) < 0)
        return rc;
    return mailbox_new(&box_conf, &r->mailbox);
}

int shards_make(struct worker *w)
{
    const struct config *config = w->config;
    unsigned n = config->shards ? config->shards : cores_available();
    int rc;

    w->shard_count = n < SHARDS_MAX ? n : SHARDS_MAX;
    w->group = (struct relay_group){
        .count = w->shard_count,
        .key = hash_key_random(),
        .tracker = w->tracker,
        .ledger = w->ledger,
        .commands = w->commands,
        .max_devices = config->max_devices,
        .max_messages = config->mailbox_max_messages,
        .max_bytes = config->mailbox_max_bytes,
        .relays = calloc(w->shard_count, sizeof(*w->group.relays)),
    };
    w->shards = calloc(w->shard_count, sizeof(*w->shards));
    if (!w->group.relays || !w->shards)
        return ERR_NOMEM;
    for (unsigned i = 0; i < w->shard_count; i++)
        if ((rc = make_shard(w, i)) < 0)
            return rc;
    return OK;
}

int shards_start(struct worker *w)
{
    int rc;

    for (; w->running < w->shard_count; w->running++)
        if ((rc = shard_start(&w->shards[w->running])) < 0)
            return rc;
    return OK;
}

void shards_free(struct worker *w)
{
    for (unsigned i = 0; w->group.relays && w->shards && i < w->shard_count; i++) {
        mailbox_free(&w->group.relays[i].mailbox);
        relay_fini(&w->group.relays[i]);
        shard_fini(&w->shards[i]);
    }
    free(w->group.relays);
    free(w->shards);
}
