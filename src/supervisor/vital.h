/* vital.h - one page that the worker shares with the supervisor: its pulse and its last
 * words.
 *
 *     | ready | log level | turns, thread of shard 0 | 1 | ... | words .............. |
 *      of the worker  ^ for it             of the worker        read after its death
 * after its death
 *
 * The page is a memory file, so that a crash handler can write(2) to it and the text
 * outlives the process. */
#pragma once

#include "base/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VITAL_SHARDS    257 /* one more for the HTTP thread */
#define VITAL_WORDS_MAX 16384

struct vital_shard {
    _Alignas(CACHE_LINE) _Atomic uint64_t turns;
    _Atomic pid_t thread; /* 0: not running, and not watched */
};

struct vital {
    int fd;            /* of this memory, positioned at the end of the words */
    _Atomic int ready; /* the worker serves */
    /* From the supervisor: what to log from now on; SIGUSR1 says that it changed. */
    _Atomic int log_level;
    _Atomic uint32_t log_topics;
    struct vital_shard shards[VITAL_SHARDS];
    char words[VITAL_WORDS_MAX]; /* zero behind the last one */
};

/* NULL when memory is out. */
struct vital *vital_new(void);
void vital_free(struct vital **v);

/* Before a new worker: no pulse, no words. */
void vital_clear(struct vital *v);

/* The worker says that it serves. */
void vital_set_ready(struct vital *v);

/* By the shard's thread: at its start, once per loop turn (and at least once a second),
 * and when it ends in good order. */
void vital_shard_start(struct vital *v, unsigned shard);
void vital_shard_stop(struct vital *v, unsigned shard);

static inline void vital_turn(struct vital *v, unsigned shard)
{
    /* Only this thread writes it: no locked instruction is needed. */
    _Atomic uint64_t *turns = &v->shards[shard].turns;

    atomic_store_explicit(turns, atomic_load_explicit(turns, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* What the supervisor remembers of each shard between two looks. Zeroed at the start.
 */
struct vital_watch {
    int64_t looked_ms;
    uint64_t turns[VITAL_SHARDS];
    int64_t still_ms[VITAL_SHARDS]; /* how long we have seen it not turn */
};

/* A look every half second. Returns the first shard that did not turn for
 * `timeout_ms`, or -1. Time in which the supervisor itself did not run (the whole
 * machine or the whole process group was stopped) does not count against the worker. */
int vital_find_stuck(struct vital *v, struct vital_watch *watch, int64_t timeout_ms,
                     int64_t now_ms);
