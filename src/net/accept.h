/* accept.h - one connection off a listener's queue, and what a failure means.
 *
 * A failure concerns the peer that was to come, and the next one may do better. When it
 * concerns all (descriptors or memory are short), or when many fail in a row whatever
 * the reason, the caller rests for a while: the listener stays readable, and it would
 * spin. */
#pragma once

#include "base/err.h"

#include <netinet/in.h>

enum { ACCEPT_EMPTY = -1, ACCEPT_FAILED = -2, ACCEPT_REST = -3 };

/* A descriptor that does not block, or one of the above; with ACCEPT_REST errno says
 * why. `failures` counts those in a row, for one listener. */
MUST_CHECK int accept_next(int listen_fd, unsigned *failures,
                           struct sockaddr_storage *from, socklen_t *size);

/* What a person can do about it, for the end of a line of log. */
const char *accept_hint(int error);
