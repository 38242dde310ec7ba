/* identity.h - who the worker is: an unprivileged user, or at least one without
 * capabilities. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct identity {
    const char *user; /* to become; NULL: we stay who we are */
    uid_t uid;
    gid_t gid;
};

/* `user` may be NULL; `where` tells where it was set. Logs what is wrong with it, and
 * warns when the answer is root. Returns OK, ERR_NOTFOUND or ERR_INVALID. */
MUST_CHECK int identity_find(const char *user, const char *where, struct identity *out);

/* For good, in the worker: becomes that user, drops all capabilities, gains none ever.
 * Returns OK or ERR_INVALID: then the worker must not go on. */
MUST_CHECK int identity_assume(const struct identity *id);
