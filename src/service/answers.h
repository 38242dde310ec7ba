/* answers.h - the request/answer conversation: a frame comes, the service's logic makes
 * another one of it, in order (docs/protocol-nbnet.md).
 *
 *   READ ---frame---> PROCESS (logic) ---answer---> WRITE ---> READ ...
 *                        | answers later: the connection is not read meanwhile
 *
 * What stands between the bytes and the logic is a declaration (codec/frame.h). A
 * service runs in its own process with one shard, whose app is a `struct answers`. */
#pragma once

#include "codec/frame.h"
#include "holdfast/service.h"
#include "relay/session.h"

/* One per shard. */
struct answers {
    const struct hf_service *service;
    void *state; /* the service's */
    struct shard *shard;
    struct framing requests;
    struct framing replies;     /* the same, without a limit to their size */
    uint8_t *scratch;           /* for declarations that need it */
    struct buf room;            /* an answer that is wrapped when it is whole */
    uint64_t answered, refused; /* requests */
    size_t open_later;          /* answers that will come from elsewhere */
};

/* `requests` was checked (framing_check). The shard's app is `a` afterwards. Returns OK
 * or ERR_NOMEM. */
MUST_CHECK int answers_init(struct answers *a, struct shard *shard,
                            const struct framing *requests,
                            const struct hf_service *service, void *state);
void answers_fini(struct answers *a); /* the loop has ended */
void answers_drop_late(struct answers *a);

extern const struct session_ops answers_ops;

/* NULL, or why a service from elsewhere cannot be served. */
const char *answers_check(const struct hf_service *service);

/* The built-in services: `echo`, `reverse`; NULL: there is none of that name. */
const struct hf_service *answers_builtin(const char *name);
