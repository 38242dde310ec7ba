/* shard.h - one thread: a loop, its connections, its part of the listeners.
 *
 * Everything of a shard is touched by its thread alone. Others reach it by pushing a
 * parcel into its loop's inbox; the parcel is opened with the shard as receiver. What
 * the sessions share on a shard hangs at `app`. */
#pragma once

#include "base/slab.h"
#include "net/acks.h"
#include "net/conn.h"
#include "net/limits.h"

#include <pthread.h>

#define SHARDS_MAX 256

/* The same for all shards; lives in the worker. */
struct listener {
    const char *name;
    int fd; /* listening, non-blocking; belongs to the supervisor */
    const struct conn_ops *ops;
    const void *conf; /* the session's settings */
    uint16_t index;   /* among the listeners */
    int64_t register_timeout_ms;
    int64_t read_timeout_ms;
};

struct shard_conf {
    unsigned index;
    const struct listener *listeners;
    size_t listener_count;
    struct limits *limits; /* shared by all shards */
    /* Connections stay where they are accepted, so accepting has to be shared evenly
     * with the others who have the listeners. */
    bool takes_turns;
    size_t output_limit; /* bytes per connection */
    /* The sessions' part of a turn's end. */
    void (*before_writes)(struct shard *s);
    void (*after_writes)(struct shard *s);
    _Atomic uint64_t *turns; /* for the watchdog; may be NULL */
    void (*thread_begins)(unsigned index, void *user); /* on the shard's thread */
    void (*thread_ends)(unsigned index, void *user);
    void *user;
};

#define SHARD_COUNTERS(X)                                                              \
    X(accepted, "connections accepted")                                                \
    X(refused, "connections refused: a limit is reached")                              \
    X(moved_in, "connections that came from another shard")                            \
    X(moved_out, "connections that went to another shard")

struct shard_stats {
#define X(name, text) uint64_t name;
    SHARD_COUNTERS(X)
#undef X
    uint64_t closed[CLOSE_REASON_COUNT];
};

union shard_slot {
    struct conn *conn;
    uintptr_t next_free; /* its lowest bit is set: free. 0: free, the last one */
};

struct accepting; /* one listener, as this shard sees it */

struct shard {
    struct shard_conf conf;
    struct loop loop;
    void *app;               /* the sessions' */
    uint8_t *input;          /* what a read fills; SHARD_INPUT_SIZE bytes */
    union shard_slot *table; /* connections by slot */
    uint32_t table_size;
    uintptr_t first_free;             /* slot, marked; 0: none */
    uint64_t opened;                  /* connections so far: makes their numbers */
    struct list in[CONN_STATE_COUNT]; /* connections by state */
    struct conn *due; /* chain of connections to be written, or read on from */
    uint32_t resumed; /* of them: to be read on from */
    struct acks acks;
    struct slab conns;
    struct slab owed;
    struct slab rests;
    struct buf spare_answer; /* conn_output.c's */
    struct accepting *accepting;
    struct shard_stats stats;
    pthread_t thread;
    bool draining; /* accepts no more */
    bool ended;    /* has closed all connections */
};

#define SHARD_INPUT_SIZE (256 * 1024)

MUST_CHECK int shard_init(struct shard *s, const struct shard_conf *conf);
void shard_fini(struct shard *s); /* all connections are closed */

/* Runs the loop on a new thread until shard_stop (from that thread). Signals are
 * blocked there. Returns OK or ERR_NOMEM. */
MUST_CHECK int shard_start(struct shard *s);
void shard_join(struct shard *s);

/* An orderly end, step by step, on the shard's thread: no new connections and no more
 * input; the peers have acknowledged everything; what had arrived meanwhile is read and
 * all connections are closed. */
void shard_quiet(struct shard *s);
bool shard_is_flushed(const struct shard *s);
void shard_close_all(struct shard *s);

/* The connection with this number in this slot, or NULL when it is gone. */
struct conn *shard_find_conn(struct shard *s, uint64_t handle);
uint64_t conn_handle(const struct conn *c);

/* The one in this slot, or NULL: for who looks at all of them, up to table_size. */
struct conn *shard_conn_at(const struct shard *s, uint32_t slot);

/* For conn.c. */
MUST_CHECK int shard_give_slot(struct shard *s, struct conn *c);
void shard_take_slot(struct shard *s, struct conn *c);
uint64_t shard_next_number(struct shard *s);
void shard_forget_due(struct shard *s, struct conn *c);

static inline void shard_post(struct shard *to, struct parcel *parcel)
{
    inbox_push(&to->loop.inbox, parcel);
}
