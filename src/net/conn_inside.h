/* conn_inside.h - what the files of a connection, its shard and acks.c share. */
#pragma once

#include "net/conn.h"

#include <assert.h>

/* The only place where a connection changes its state. */
void conn_enter(struct conn *c, enum conn_state next);

/* State and epoll's interest follow from what the connection waits for. */
void conn_settle(struct conn *c);

/* It is to be written, or read on, at the turn's end. */
void conn_make_due(struct conn *c);

/* Puts a connection, new or moved here, onto this shard. Returns OK or ERR_NOMEM. */
MUST_CHECK int conn_settle_in(struct shard *s, struct conn *c);

/* Takes it off everything but the turn's chain, which looks at its state. */
void conn_leave(struct conn *c);

/* For its source: what epoll saw. */
void conn_on_events(struct source *s, uint32_t events);

/* What it keeps of an incomplete frame, with the timer for it; made if need be. NULL:
 * out of memory. */
struct rest *conn_try_rest(struct conn *c);
void conn_drop_rest(struct conn *c);

/* Shows the session the bytes, and keeps what it did not use. */
void conn_digest(struct conn *c, struct slice in, bool more_waits);

/* The close reason for an errno of the socket. */
enum close_reason conn_reason_of(int err);

/* At the turn's end: digests what a hold kept waiting; writes; frees. */
void conn_resume(struct conn *c);
void conn_flush(struct conn *c);
void conn_destroy(struct conn *c);

/* Reads what has arrived, held or not: before the end. */
void conn_read_out(struct conn *c);

/* Somebody waits for the delivery of what is in it, or for room. */
bool conn_is_awaited(const struct owed *o);

/* Gives back what an output without content occupies. */
void conn_release_output(struct conn *c);
