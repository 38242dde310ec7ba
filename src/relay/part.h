/* part.h - what else works on the terminals of a shard: commands, the credentials of
 * vehicle terminals.
 *
 *   delivery --attached, detached--> each part
 *   relay -----may it go? it goes--> each part
 *   the turn's end ----------------> each part
 *
 * The relay tells its parts what happens, and knows nothing of what they do. */
#pragma once

#include "relay/relay.h"

struct part;

/* What a part does not care for is NULL, but for the last three. */
struct part_ops {
    /* A connection speaks for the terminal from now on: t->conn; or is about to do so
     * no longer. Nothing may be sent to it yet: first it is answered what it came with.
     */
    void (*attached)(struct part *p, struct terminal *t);
    void (*detached)(struct part *p, struct terminal *t);
    /* The terminal may not be forgotten. */
    bool (*needs)(const struct part *p, const struct terminal *t);
    void (*forget)(struct part *p, struct terminal *t);
    /* At the turn's end: the last words to connections; then those to other threads. */
    void (*before_writes)(struct part *p);
    void (*flush)(struct part *p);
    bool (*is_settled)(const struct part *p); /* nothing of it is under way */
    void (*free)(struct part *p);
};

/* Embedded in what the part has on its shard. */
struct part {
    const struct part_ops *ops;
    struct part *next;
};

/* When it is whole, and before the shard runs. relay_fini() frees it. */
void part_join(struct relay *r, struct part *p, const struct part_ops *ops);

/* ---- for the relay: what all of them are told, or say ---- */

void parts_attached(struct relay *r, struct terminal *t);
void parts_detached(struct relay *r, struct terminal *t);
bool parts_need(const struct relay *r, const struct terminal *t);
void parts_forget(struct relay *r, struct terminal *t);
void parts_before_writes(struct relay *r);
void parts_flush(struct relay *r);
bool parts_are_settled(const struct relay *r);
void parts_free(struct relay *r);
