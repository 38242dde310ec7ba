/* keeper.h - the one thread that touches a store, and how it outlives a failing disk.
 *
 *             no space left                  commit or sync failed
 *   FULL <--------------------- OPEN ----------------------------> SHUT
 *     '--- the reserve fits --->^ ^<--- opened and read again ------'
 *
 * FULL: nothing is added, but what is there can be read and removed: the reserve was
 * given up for that. SHUT: there is no store. A failed sync is never retried: the store
 * is closed, and opened by reading the disk again. The attempts to get out of either
 * follow each other after a growing delay.
 *
 * Work arrives as parcels in `inbox`. What to do with it is the owner's part: it embeds
 * a keeper, makes transactions while there is a store, and reports how they end. */
#pragma once

#include "base/inbox.h"
#include "store/store.h"

#include <pthread.h>

enum keeper_state { KEEPER_OPEN, KEEPER_FULL, KEEPER_SHUT };

struct keeper;

/* All run on the keeper's thread. */
struct keeper_conf {
    const struct store_engine *engine;
    const struct store_kind *kind;
    const char *dir;     /* the data directory; copied */
    const char *subject; /* of log lines, and the thread's name */
    /* What that means for people, in log lines: "messages are refused". */
    const char *when_full, *when_shut;
    /* Does what waits in the inbox. */
    void (*turn)(struct keeper *k, int64_t now_ms);
    /* Opens the store again, which is closed. `verify`: all of it, from the disk. OK,
     * or an error: then it is closed again. */
    int (*reopen)(struct keeper *k, bool verify);
    _Atomic int *health; /* kept up to date: OK, ERR_NOSPACE, ERR_IO */
    /* After each turn with work: what comes meanwhile shares the next transaction, and
     * wakes nobody. 0: those who wait for a commit are not to wait longer. */
    int64_t pause_ms;
    int niceness; /* of the thread: above 0 others go first when cores are short */
};

struct keeper {
    struct inbox inbox; /* any thread may push */
    struct keeper_conf conf;
    struct store *store; /* NULL: shut */
    enum keeper_state state;
    bool proven;      /* a commit succeeded since the last trouble */
    int64_t delay_ms; /* between attempts to get out of FULL or SHUT */
    int64_t due_ms;   /* the next one */
    pthread_t thread;
    bool has_thread;
    _Atomic bool stop;
};

/* Returns OK, ERR_NOMEM or ERR_IO; keeper_fini in any case. It closes the store. */
MUST_CHECK int keeper_init(struct keeper *k, const struct keeper_conf *conf);
void keeper_fini(struct keeper *k);

/* Starts the thread; ends it after what it is at, if there is one. */
MUST_CHECK int keeper_start(struct keeper *k);
void keeper_join(struct keeper *k);

/* The store was opened: takes its reserve, so it is OPEN, or else FULL. */
void keeper_opened(struct keeper *k, int64_t now_ms);

/* In trouble, and an attempt to get out of it is due: makes it. False: it was not. */
bool keeper_recover(struct keeper *k, int64_t now_ms);

/* A transaction succeeded; or failed: decides the state. `in_commit`: not before its
 * commit, so that the store may only be closed. */
void keeper_committed(struct keeper *k);
void keeper_failed(struct keeper *k, int rc, bool in_commit, int64_t now_ms);
