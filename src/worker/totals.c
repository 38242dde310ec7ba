/* What the worker did in its life, a log line per figure that is not 0. */
#include "worker/worker_inside.h"
#include "base/log.h"

static struct relay_stats relay_totals(const struct worker *w)
{
    struct relay_stats all = {0};

    for (unsigned i = 0; i < w->shard_count; i++) {
        const struct relay_stats *s = &w->group.relays[i].stats;

#define X(name, text) all.name += s->name;
        RELAY_COUNTERS(X)
#undef X
    }
    return all;
}

void totals_log(const struct worker *w)
{
    struct relay_stats all = relay_totals(w);

#define X(name, text)                                                                  \
    if (all.name)                                                                      \
        log_info(MAIN, "totals " #name "=%llu", (unsigned long long)all.name);
    RELAY_COUNTERS(X)
#undef X
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++) {
        uint64_t n = 0;

        for (unsigned i = 0; i < w->shard_count; i++)
            n += w->shards[i].stats.closed[reason];
        if (n)
            log_info(MAIN, "totals closed=%llu reason=%s", (unsigned long long)n,
                     close_reason_word((uint8_t)reason));
    }
}
