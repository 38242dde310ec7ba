/* ttms_inside.h - what the files of the conversation with relay terminals share.
 *
 *   ttms.c          heartbeats register it, data goes to others
 *   ttms_answers.c  what it is told: echoes, and the fate of its frames */
#pragma once

#include "session/ttms.h"
#include "relay/relay.h"

/* A connection's part of it. Moves with the connection to another shard; the pointers
 * then: `self` is let go before, `receipts` is not on a list, the route is forgotten.
 */
struct ttms_session {
    struct terminal *self; /* whom it speaks for; NULL: nobody yet */
    struct receipts
        *receipts;      /* from its first data frame on, if the listener gives them */
    struct route route; /* to the target of its last data frame */
    struct ttms_dialect dialect;
    uint32_t address; /* its own */
    uint32_t target;  /* of its last data frame */
    bool warned;      /* of a wrong check byte */
    bool renaming;    /* held until its receipts are settled */
    bool deaf;        /* held until it takes our answers */
};

static_assert(sizeof(struct ttms_session) <= CONN_SESSION_SIZE,
              "must fit a connection");

static inline struct ttms_session *ttms_session_of(const struct conn *c)
{
    return (void *)c->session;
}

static inline const struct ttms_settings *ttms_settings_of(const struct conn *c)
{
    return c->listener->conf;
}

/* The heartbeat goes back. */
void ttms_answer(struct conn *c, const struct ttms_frame *f);

/* For a frame whose fate is to be told. 0: memory is out, the connection is closing. */
MUST_CHECK uint32_t ttms_next_number(struct conn *c);

/* The calls of session_ops. */
void ttms_on_decided(struct conn *c, uint32_t number, bool safe);
void ttms_tell_receipts(struct conn *c);
