/* letter.h - a message from an application to a relay terminal, as another terminal
 * would send it.
 *
 *   letter (http) ==parcel==> shard: straight to the output, or to the mailbox
 *      ^                                       |                 | it is durable,
 *      '==parcel== accepted <------------------'-----------------'  or refused
 *
 * It keeps its place among the terminal's other messages. */
#pragma once

#include "relay/relay.h"
#include "relay/trip.h"

struct letter {
    struct trip trip;
    struct id to;
    uint32_t sender; /* the address from which it comes */
    struct buf body; /* the payload; the sender frees it */
    /* What came of it. OK; ERR_NOTFOUND: no such terminal is known. ERR_TOO_LARGE.
     * Refused: ERR_FULL (a limit), ERR_NOSPACE, ERR_IO (the store), ERR_NOMEM. */
    int rc;
    bool stored; /* durable in its mailbox; else on its way to the connection */
    struct outsider outside; /* the shard's business */
};

/* Any thread. It comes back once, as long as the shards run. */
void letter_send(struct relay_group *g, struct letter *l);
