/* credentials.h - what a vehicle terminal must show to speak for its id: a token.
 *
 *              issue              prove                issue, by who has proved
 *   (nothing) --------> fresh --------> proved <--------------------> proved, fresh
 *       ^                 |                |      prove: the fresh one      |
 *       '-----------------'----------------'       takes its place ---------'
 *         revoke; or, never shown, to make room
 *
 * A token is 128 random bits, told once and kept as its SHA-256 alone. It belongs to
 * one id. While no token of an id was ever shown, anybody who may register gets a new
 * one; from then on only who has proved to be it, until it is revoked. The old token is
 * good until the new one was shown, so that an answer that gets lost costs nothing.
 *
 * One table per shard, of the ids that live there; used by its thread alone. A token is
 * durable in the ledger before the terminal is told, and that it was shown before its
 * terminal may go on: a crash opens no id to strangers. Those that were never shown
 * make room for others when the table is full. */
#pragma once

#include "base/id.h"
#include "device/registry.h"
#include "ledger/ledger.h"
#include "session/token.h"

struct credential;
struct credentials;
struct recent; /* recent.h */

struct credentials_conf {
    struct ledger *ledger;
    struct inbox *inbox; /* the shard's */
    struct hash_key key;
    uint32_t max;            /* of all shards together; each may exceed it by one */
    _Atomic uint32_t *count; /* of all shards together */
    /* Once for each credentials_issue that said OK: the disk has the token, or (<0) it
     * has not, and the token is void. */
    void (*issued)(void *user, uint64_t waiter, int rc);
    /* Once for each credentials_prove that said OK and told none: the disk knows that
     * the token was shown, or (<0, `p` is NULL) may not. */
    void (*proved)(void *user, uint64_t waiter, struct credential *p, int rc);
    /* Once for each credentials_revoke that said OK, perhaps before it returns: it is
     * gone from the disk, or (<0) a start may bring it back; until then it is void. */
    void (*revoked)(void *user, uint64_t waiter, int rc);
    void *user;
};

MUST_CHECK int credentials_new(const struct credentials_conf *conf,
                               struct credentials **out);
void credentials_free(struct credentials **k);

/* While starting: one that the ledger found, for the shard of the id that
 * credential_read() tells. A damaged one is logged and left out. ERR_VERSION,
 * ERR_NOMEM. */
MUST_CHECK int credentials_adopt(struct credentials *k, uint32_t number,
                                 struct slice record);

/* Makes a token. `is_proved`: who asks has proved to be this id. OK: issued() follows;
 * ERR_EXISTS: another one may not have it; ERR_BUSY: one is being made; ERR_FULL: the
 * table is; ERR_NOMEM, ERR_NOSPACE, ERR_IO. */
MUST_CHECK int credentials_issue(struct credentials *k, const struct id *id,
                                 bool is_proved, uint64_t waiter,
                                 char token[TOKEN_SIZE]);

/* OK: it is that id's token; `*out` stays until it is revoked. NULL: proved() follows,
 * since it was never shown before. ERR_NOTFOUND: it is not; ERR_NOMEM. */
MUST_CHECK int credentials_prove(struct credentials *k, const struct id *id,
                                 struct slice token, uint64_t waiter,
                                 struct credential **out);

/* OK: it is void now, revoked() follows, and the id may register again as if it were
 * new. ERR_NOTFOUND: it has no credential; ERR_NOMEM. */
MUST_CHECK int credentials_revoke(struct credentials *k, const struct id *id,
                                  uint64_t waiter);

/* What the terminal reported lately: kept with its credential, since it outlives the
 * connection. By the credential's number, for who cannot be sure that it is still
 * there; NULL: it is not. */
uint32_t credential_ref(const struct credential *p);
struct recent **credential_recent(struct credential *p);
struct recent **credentials_recent(struct credentials *k, uint32_t ref);

void credentials_flush(struct credentials *k); /* at the turn's end */
bool credentials_is_settled(const struct credentials *k);

#define CREDENTIALS_COUNTERS(X)                                                        \
    X(issued, "tokens given to vehicle terminals")                                     \
    X(proved, "times a vehicle terminal showed its token")                             \
    X(wrong, "wrong tokens")                                                           \
    X(revoked, "tokens revoked")

struct credentials_stats {
#define X(name, text) uint64_t name;
    CREDENTIALS_COUNTERS(X)
#undef X
};
const struct credentials_stats *credentials_stats(const struct credentials *k);

/* ---- the record, as the ledger has it; pure ---- */

/* Stored: a change of the layout is a new CREDENTIAL_VERSION. One without any hash was
 * revoked.
 *
 *   | version | protocol | which | length | id ... | [fresh 32] | [proved 32] |
 */
#define CREDENTIAL_VERSION    1
#define CREDENTIAL_RECORD_MAX (4 + ID_TEXT_MAX + 2 * HASH_SIZE)

struct credential_record {
    struct id id;
    bool has_fresh, has_proved;
    uint8_t fresh[HASH_SIZE], proved[HASH_SIZE]; /* SHA-256 of the tokens */
};

size_t credential_write(const struct credential_record *c,
                        uint8_t to[CREDENTIAL_RECORD_MAX]);
/* OK, ERR_VERSION, ERR_DAMAGED. */
MUST_CHECK int credential_read(struct slice record, struct credential_record *out);
