/* view.h - connections as others may see them: copies of what a shard knows, made on
 * the shard, some in each turn. They go to another thread, and to another process: no
 * pointer is in them. */
#pragma once

#include "base/id.h"
#include "config/config.h"
#include "net/shard.h"

#define VIEW_EXTRA 96

struct view_filter {
    bool has_state;
    uint8_t state;
    char listener[LISTENER_NAME_MAX + 1]; /* empty: any */
};

struct conn_view {
    uint64_t number;
    char listener[LISTENER_NAME_MAX + 1];
    struct in6_addr ip;
    in_port_t port;
    struct id device; /* unset: nobody yet */
    unsigned shard;
    pid_t process; /* of a service; 0: it is the worker's */
    uint8_t state;
    bool registered;
    uint16_t holds;
    size_t rest, wanted, to_write, unacknowledged;
    int64_t age_ms, idle_ms;
    uint64_t rx_bytes, tx_bytes;
    uint32_t rx_frames, tx_frames;
    char extra[VIEW_EXTRA]; /* members of JSON: what its session adds */
};

/* On the shard. Looks at a few slots from `*at` on and puts views of the connections
 * that pass into `views`, at most `room`, each with its slot in `slots`; moves `*at`
 * on, and sets `*ended` when there are no more. Returns how many it put. */
unsigned view_collect(const struct shard *s, const struct view_filter *filter,
                      uint32_t *at, struct conn_view *views, uint32_t *slots,
                      unsigned room, bool *ended);
