/* datadir.h - the data directory: ours alone, and one gateway at a time.
 *
 * DIR/lock is locked with flock(2) and holds the supervisor's process id. The worker
 * inherits the lock, so a new gateway cannot touch the store before the old worker,
 * which may have lost its supervisor, has ended. */
#pragma once

#include "supervisor/identity.h"

#include <stdint.h>

/* Creates `dir` (0700) for `id` if it is missing; refuses a symlink, a directory of
 * somebody else, one that others may write to, one that cannot be written. When a
 * worker without supervisor still holds it, waits for up to `wait_ms`. Logs what is
 * wrong and what to do. Sets *lock to a descriptor that keeps the lock while it is
 * open. Returns OK, ERR_LOCKED, ERR_INVALID, ERR_IO or ERR_NOSPACE. */
MUST_CHECK int datadir_open(const char *dir, const char *where,
                            const struct identity *id, int64_t wait_ms, int *lock);
