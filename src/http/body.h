/* body.h - what the bodies of requests say: JSON, read once, with nothing in it that is
 * unknown, doubled or out of range.
 *
 * Pure functions, any thread. Whatever comes, memory stays within a small multiple of
 * the body, which the server has bounded. */
#pragma once

#include "command/commands.h"

#define BODY_WHY_SIZE 256

/* {"command": ..., "args": {...}, ...} or {"message_id": ..., "body": "hex", ...}. Fills
 * what CREATE has to do with it; o->args stays the caller's to free. OK; ERR_INVALID,
 * ERR_NOMEM: `why` is a sentence for the client. */
MUST_CHECK int body_read_command(struct slice body, struct order *o,
                                 char why[BODY_WHY_SIZE]);

/* {"body": "hex"}. The same; what was read is appended to `out`. */
MUST_CHECK int body_read_message(struct slice body, struct buf *out,
                                 char why[BODY_WHY_SIZE]);
