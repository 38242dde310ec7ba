/* tracker_inside.h - what the tracker's files share: what happens to a device
 * (tracker.c), the rounds through all of them (tracker_rounds.c), and its beginning,
 * its end and what others see of it (tracker_life.c). */
#pragma once

#include "relay/tracker.h"

struct tracker_group {
    struct tracker_conf conf;
    char **names; /* of listeners: `conf`'s, then others in cards and tickets */
    size_t name_count;
};

/* Of a device whose rule judges it, while it is connected. */
struct watch {
    struct timer timer;
    struct tracker *tracker;
    struct terminal *terminal;
    const struct presence_policy *policy;
    struct presence_watch notes;
};

/* What the 48 bits hold that a device has for its counts. */
#define COUNT_MASK ((UINT64_C(1) << 48) - 1)

/* A walk through the registry, a slice per turn. */
struct walk {
    struct timer timer;
    uint32_t at; /* the device's number to go on with */
};

struct tracker {
    struct relay *relay;
    struct tracker_group *group;
    struct feed *feed;
    struct slab watches;
    struct walk round;      /* through all devices, again and again */
    struct walk grace;      /* once, after a restart: through those that are not back */
    int64_t round_began_ms; /* monotonic: this one, and the one before it */
    int64_t before_began_ms; /* heard since then: to be saved */
    int64_t round_wall_ms;   /* this slice's time */
    int64_t zero_ms;         /* the wall clock's time when the loop's was 0 */
    int64_t compared_ms;     /* in the turn of this time; 0: never */
    struct tracker_stats stats;
    struct buf shown; /* by a session, for a view */
};

/* The wall clock's time at this moment of the loop's: always the same, unless the wall
 * clock was set meanwhile. */
int64_t tracker_wall(struct tracker *k, int64_t mono_ms);

int64_t tracker_last_seen(struct tracker *k, const struct terminal *t);

/* The only place where a device changes its state. */
void tracker_enter(struct tracker *k, struct terminal *t, enum presence next,
                   const char *reason, int64_t wall_ms);

/* What its connection has received since the last count. */
void tracker_count(struct terminal *t, const struct conn *c);

/* Writes its card. */
void tracker_keep(struct tracker *k, struct terminal *t);

void tracker_start_rounds(struct tracker *k);
