/* ledger.h - small records that change, each durable before anybody relies on it: what
 * was asked of devices (tickets), and what they proved (credentials).
 *
 *   shard --book--.                                       .--> written(): book's owner
 *   shard --book--+--> ledger's thread --commit, sync-----+
 *   shard --book--'    one transaction for all that came
 *
 * A record has a number, which stays while its bytes change, and a form, which says
 * whose it is. A book hands over one batch per turn. On the disk each record has a sum
 * over its form, number and bytes; a damaged one is reported and left out.
 *
 * When the store fails, what is new is refused (ERR_NOSPACE, ERR_IO); what changes or
 * drops a record that is there is kept in memory, and written when it works again. */
#pragma once

#include "base/buf.h"
#include "base/inbox.h"
#include "store/store.h"

/* Stored: never renumber, only add. */
enum ledger_form { LEDGER_TICKET = 1, LEDGER_CREDENTIAL = 2, LEDGER_FORM_LIMIT };

#define LEDGER_RECORD_MAX 70000 /* bytes */

struct ledger;
struct book;

struct ledger_conf {
    const struct store_engine *engine;
    const char *dir;        /* the data directory */
    uint64_t total_bytes;   /* sizes the store */
    uint64_t backlog_bytes; /* handed over and not written: beyond it, refused */
};

MUST_CHECK int ledger_new(const struct ledger_conf *conf, struct ledger **out);

struct book_conf {
    struct inbox *inbox; /* the shard's: answers arrive there as parcels */
    /* On the shard's thread, once for each book_write with a `tag`. OK: it is durable.
     * ERR_NOSPACE, ERR_IO, ERR_NOMEM: it is not; a new record is gone and its number
     * free, a changed one is tried again without another word. */
    void (*written)(void *user, uint64_t tag, int rc);
    void *user;
};

/* One per shard, used by its thread; made before ledger_open, freed by ledger_close. */
MUST_CHECK int book_new(struct ledger *l, const struct book_conf *conf,
                        struct book **out);

/* Opens the store and shows every record. `record` is valid during the call; returning
 * <0 ends the scan with that error. No thread runs yet. */
typedef int ledger_found(void *user, uint32_t number, uint8_t form,
                         struct slice record);
MUST_CHECK int ledger_open(struct ledger *l, ledger_found *found, void *user);

/* Starts the thread. Without it (tests) ledger_turn() does one round of work. */
MUST_CHECK int ledger_start(struct ledger *l);
void ledger_turn(struct ledger *l, int64_t mono_ms);

/* Writes what was handed over, joins the thread, closes the store. Accept NULL. */
void ledger_stop(struct ledger *l);
void ledger_close(struct ledger **l);

/* ---- for shards ---- */

/* A number for a new record; 0: memory is out. Any book may change any record, one at a
 * time. */
MUST_CHECK uint32_t book_new_number(struct book *b);

/* Copies the record, in place of the one with that number. `tag` 0: nobody waits for
 * it. OK: written() follows if there is a tag. ERR_BUSY, ERR_NOSPACE, ERR_IO: a new
 * record is refused now, and its number is free again; ERR_NOMEM. `is_new`: it was
 * never written before. */
MUST_CHECK int book_write(struct book *b, uint32_t number, uint8_t form,
                          struct slice record, bool is_new, uint64_t tag);

/* It is over; the number may be given to another one. */
void book_drop(struct book *b, uint32_t number);

/* At the turn's end. */
void book_flush(struct book *b);
/* Everything handed over is written, or was tried; and told. */
bool book_is_settled(const struct book *b);

/* ---- any thread ---- */

/* OK, or why nothing is written now: ERR_NOSPACE, ERR_IO. */
int ledger_health(struct ledger *l);

#define LEDGER_COUNTERS(X)                                                             \
    X(written, "records written")                                                      \
    X(refused, "records refused: the store fails, or cannot follow")                   \
    X(commits, "transactions synced")                                                  \
    X(failures, "transactions that failed")                                            \
    X(damaged, "records found damaged")

struct ledger_stats {
#define X(name, text) uint64_t name;
    LEDGER_COUNTERS(X)
#undef X
    uint64_t records, backlog, disk_bytes; /* now */
};
struct ledger_stats ledger_stats(struct ledger *l);
