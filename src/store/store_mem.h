/* store_mem.h - the store in memory, for tests: fails on demand.
 *
 * What is committed outlives close and open, as on a disk. Each kind of store has one
 * such disk in a process; only one thread may use it. */
#pragma once

#include "store/store.h"

extern const struct store_engine store_mem;

#define MEM_CALLS(X)                                                                   \
    X(OPEN) X(SCAN) X(BEGIN) X(PUT) X(REMOVE) X(COMMIT) X(READ) X(RESERVE)

enum mem_call {
#define X(name) MEM_##name,
    MEM_CALLS(X)
#undef X
        MEM_CALL_COUNT
};

/* Makes all disks empty, with nothing wrong with them. */
void store_mem_wipe(void);

/* The `nth` call from now (1: the next one) and `times - 1` after it answer `rc`. */
void store_mem_fail(const struct store_kind *kind, enum mem_call call, unsigned nth,
                    unsigned times, int rc);

/* The next commit that fails reaches the disk all the same. */
void store_mem_keep_failed_commit(const struct store_kind *kind);

/* Full: a commit that adds records answers ERR_NOSPACE; one that only removes succeeds
 * if the reserve was given up. */
void store_mem_set_full(const struct store_kind *kind, bool is_full);

/* Flips a bit of a stored record; false if there is no such record or byte. */
bool store_mem_flip(const struct store_kind *kind, uint64_t seq, size_t byte);

/* For looking: how many records, and commits that succeeded since the wipe. */
size_t store_mem_records(const struct store_kind *kind);
unsigned store_mem_commits(const struct store_kind *kind);
