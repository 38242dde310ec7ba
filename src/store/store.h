/* store.h - where records live: one engine behind one table.
 *
 * A store maps sequence numbers, which only grow, to records: it keeps bytes and knows
 * nothing of devices. What they mean is said by the store's kind; of each kind there is
 * one below a data directory (messages that wait, what happened to devices). One thread
 * uses a store, its writer's (or a command that only reads). Changes come in
 * transactions; what a commit said OK to survives a power cut.
 *
 *   open -> scan -> { begin -> put, remove ... -> commit | abort } -> close
 *                     begin_reads -> read ... -> end_reads
 *
 * After a commit that failed, a store may only be closed: whether the disk holds the
 * old state or the new one is found out by opening it again. Three engines: lmdb (the
 * disk), mem (tests: fails on demand), null (refuses everything: a gateway without
 * mailbox). */
#pragma once

#include "base/log.h"

struct store_engine;

/* What every engine's store begins with. */
struct store {
    const struct store_engine *engine;
};

/* What tells one store from another; a constant of its owner's. */
struct store_kind {
    const char *name;  /* of its directory; never to be changed, like the next two */
    const char *magic; /* what its format mark begins with; at most STORE_MAGIC_MAX */
    uint32_t format;   /* and ends with; a newer one is refused */
    enum log_topic topic;
    /* Is this a record of ours, with nothing wrong? Only those are saved out of a
     * damaged file. Pure. */
    bool (*is_sound)(uint64_t seq, struct slice record);
};

#define STORE_MAGIC_MAX 32

struct store_conf {
    const struct store_kind *kind;
    const char *dir;      /* the data directory; an engine owns `name/` in it */
    uint64_t total_bytes; /* the most that will be kept: for sizing */
    bool read_only;       /* changes nothing; the gateway may run at the same time */
    bool drop_cache;      /* believe the disk, not the kernel's cache of it */
    bool check; /* look at all of it before trusting it, and mend it if need be
                             (read only: ERR_DAMAGED); nobody may be writing to it */
};

/* `record` is valid during the call. Returning <0 ends the scan with that error. */
typedef int store_seen(void *user, uint64_t seq, struct slice record);

struct store_engine {
    const char *name;

    /* While starting, and after a failed commit. May block. Returns OK, ERR_NOTFOUND
     * (read only, and there is none), ERR_LOCKED, ERR_VERSION, ERR_DAMAGED,
     * ERR_NOSPACE, ERR_IO, ERR_NOMEM, ERR_INVALID (the directory is not safe to use);
     * logs what to do. */
    int (*open)(const struct store_conf *conf, struct store **out);
    void (*close)(struct store **store); /* accepts NULL; no sync */

    /* Shows every record with a number >= `from`, in order. May block. ERR_DAMAGED when
     * the structure that holds the records is broken, ERR_IO, or what `seen` returned.
     */
    int (*scan)(struct store *store, uint64_t from, store_seen *seen, void *user);

    /* One transaction at a time. When begin, put or remove fails, abort. put: `seq` is
     * larger than any before; *room is `size` bytes to be filled before the next call.
     * ERR_NOMEM, ERR_FULL, ERR_NOSPACE, ERR_IO, ERR_DAMAGED; remove also ERR_NOTFOUND,
     * which spoils nothing. None of them waits for the disk, except to read from it. */
    int (*begin)(struct store *store);
    int (*put)(struct store *store, uint64_t seq, size_t size, uint8_t **room);
    int (*remove)(struct store *store, uint64_t seq);
    void (*abort)(struct store *store);

    /* Writes and syncs, once; blocks for that long. OK: all of it is durable.
     * ERR_NOSPACE or ERR_IO: nothing may be believed, close the store. */
    int (*commit)(struct store *store);

    /* Between begin_reads and end_reads; *record is valid until end_reads.
     * ERR_NOTFOUND, ERR_IO, ERR_DAMAGED. May block. Not while a transaction is open. */
    int (*begin_reads)(struct store *store);
    int (*read)(struct store *store, uint64_t seq, struct slice *record);
    void (*end_reads)(struct store *store);

    /* Space set aside so that removals can commit on a full disk. take: makes sure that
     * it is there; OK or ERR_NOSPACE, ERR_IO. give: frees it for the next commit. */
    int (*take_reserve)(struct store *store);
    void (*give_reserve)(struct store *store);

    uint64_t (*disk_bytes)(struct store *store); /* what it takes on the disk */
};

extern const struct store_engine store_lmdb;
extern const struct store_engine store_null;
