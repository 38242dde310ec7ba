/* credentials_inside.h - what the two files of the table of tokens share:
 *
 *   credentials.c        who has which token
 *   credentials_write.c  its way to the ledger, and who is told when it is there */
#pragma once

#include "session/credentials.h"
#include "base/list.h"

enum awaited { FOR_TOKEN, FOR_PROOF, FOR_REVOCATION };

/* Who is to be told what the disk says. */
struct waiter {
    struct waiter *next;
    uint64_t who;
    enum awaited what;
};

struct credential {
    struct device device;   /* first: the registry allocates it */
    struct link idle;       /* on the list of those that may make room */
    struct waiter *waiters; /* while `is_writing` */
    struct recent *recent;  /* what it reported; NULL: nothing yet */
    uint32_t number;        /* of its record */
    bool has_fresh : 1, has_proved : 1;
    bool is_stored : 1;   /* its record exists on the disk, or will again */
    bool is_writing : 1;  /* ... it is on its way there */
    bool is_revoked : 1;  /* the disk does not know it yet */
    bool is_revoking : 1; /* that is what is being written */
    bool is_unsaved : 1;  /* a token was shown, and the disk may not know it */
    uint8_t fresh[HASH_SIZE], proved[HASH_SIZE];
};

struct credentials {
    struct credentials_conf conf;
    struct book *book;
    struct registry table;
    struct list idle; /* never shown, oldest first */
    struct credentials_stats stats;
};

static inline struct credential *credential_of(struct device *d)
{
    return CONTAINER_OF(d, struct credential, device);
}

static inline struct credential *credential_with_ref(struct credentials *k,
                                                     uint32_t ref)
{
    struct device *d = registry_from(&k->table, ref);

    return d && d->ref == ref ? credential_of(d) : NULL;
}

/* ---- credentials.c ---- */

/* Among those that may make room, if it may. */
void credential_place(struct credentials *k, struct credential *p);
void credential_forget(struct credentials *k, struct credential *p);
/* ... and its record. */
void credential_drop(struct credentials *k, struct credential *p);

/* ---- credentials_write.c ---- */

/* One write of it is under way at a time; whoever waits is told afterwards. */
MUST_CHECK int credential_save(struct credentials *k, struct credential *p);
void credential_begin_revoking(struct credentials *k, struct credential *p);
void credential_on_written(void *credentials, uint64_t tag, int rc);

MUST_CHECK int credential_await(struct credential *p, enum awaited what, uint64_t who);
/* The newest one waits no more. */
void credential_await_no_more(struct credential *p);
void credential_free_waiters(struct credential *p);
