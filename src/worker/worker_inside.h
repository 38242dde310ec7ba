/* worker_inside.h - the worker's parts, for the files that make, join and end them.
 *
 *   listeners.c   a listener of the configuration -> a session's operations, settings
 *   shards.c      a shard per core, each with its relay and its mailbox
 *   stores.c      what is on the disk: the mailbox, the journal with its tracker, the
 *                 ledger
 *   http.c        the server and the API on it
 *   drain.c       the end, step by step
 *   totals.c      what it did in its life
 *
 * worker.c calls them in order, on the process's first thread. */
#pragma once

#include "http/api.h"
#include "command/commands.h"
#include "journal/journal.h"
#include "ledger/ledger.h"
#include "mailbox/writer.h"
#include "relay/tracker.h"
#include "worker/worker.h"

union settings; /* what a listener's `conf` points to */

struct worker {
    const struct config *config;
    const struct supervisor_work *work;
    struct vital *vital;
    uint32_t max_connections;
    unsigned shard_count;
    struct shard *shards;
    unsigned running; /* shards with a thread */
    struct relay_group group;
    struct tracker_group *tracker;
    struct listener *listeners; /* those served here */
    size_t listener_count;
    union settings *settings;
    struct process_conf *processes; /* of services: the API asks them */
    struct limits *limits;
    struct mail_writer *writer;
    struct journal *journal;
    struct ledger *ledger;
    struct commands_group *commands;
    struct api *api;
    struct http_server *http; /* NULL: off */
};

/* `fds` has one per listener of the configuration, also those not served here. */
MUST_CHECK int listeners_make(struct worker *w, const int *fds);
void listeners_free(struct worker *w);
/* The processes of services, for the API; before stores_make. */
MUST_CHECK int processes_make(struct worker *w);

/* The stores must be made, and what stands on them. */
MUST_CHECK int shards_make(struct worker *w);
MUST_CHECK int shards_start(struct worker *w);
void shards_free(struct worker *w);

/* Before the shards are made, and when they are: opening tells them what is stored. */
MUST_CHECK int stores_make(struct worker *w);
MUST_CHECK int stores_open(struct worker *w);

/* On threads that turn a loop: `index` is their place in struct vital. */
void thread_begins(unsigned index, void *vital);
void thread_ends(unsigned index, void *vital);

/* When the shards are made and the journal is open. OK also when HTTP is off. */
MUST_CHECK int http_serve(struct worker *w, int listen_fd);

/* Returns when the shards' threads were told to stop and have nothing to lose. */
void drain(struct worker *w);

/* After the shards have ended. */
void totals_log(const struct worker *w);
