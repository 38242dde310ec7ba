/* A credential on its way to the ledger, and who waits for that. */
#include "session/credentials_inside.h"

#include <assert.h>
#include <stdlib.h>

/* ---- who waits ---- */

int credential_await(struct credential *p, enum awaited what, uint64_t who)
{
    struct waiter *w = malloc(sizeof(*w));

    if (!w)
        return ERR_NOMEM;
    *w = (struct waiter){.next = p->waiters, .who = who, .what = what};
    p->waiters = w;
    return OK;
}

void credential_await_no_more(struct credential *p)
{
    struct waiter *w = p->waiters;

    p->waiters = w->next;
    free(w);
}

void credential_free_waiters(struct credential *p)
{
    while (p->waiters) {
        struct waiter *w = p->waiters;

        p->waiters = w->next;
        free(w);
    }
}

/* ---- its record ---- */

int credential_save(struct credentials *k, struct credential *p)
{
    struct credential_record c = {
        .id = device_id(&p->device),
        .has_fresh = p->has_fresh,
        .has_proved = p->has_proved,
    };
    uint8_t bytes[CREDENTIAL_RECORD_MAX];
    int rc;

    memcpy(c.fresh, p->fresh, HASH_SIZE);
    memcpy(c.proved, p->proved, HASH_SIZE);
    rc = book_write(k->book, p->number, LEDGER_CREDENTIAL,
                    slice_of(bytes, credential_write(&c, bytes)), !p->is_stored,
                    p->device.ref);
    if (rc < 0)
        return rc;
    p->is_writing = true;
    p->is_revoking = p->is_revoked;
    credential_place(k, p);
    return OK;
}

static void tell(struct credentials *k, struct credential *p, const struct waiter *w,
                 int rc)
{
    void *user = k->conf.user;

    switch (w->what) {
    case FOR_TOKEN:
        k->stats.issued += rc == OK;
        k->conf.issued(user, w->who, rc);
        break;
    case FOR_PROOF:
        k->stats.proved += rc == OK;
        k->conf.proved(user, w->who, rc == OK ? p : NULL, rc);
        break;
    case FOR_REVOCATION:
        k->stats.revoked += rc == OK;
        k->conf.revoked(user, w->who, rc);
    }
}

/* `rc` is for those who wait for the token or the proof, `revoked` for the others; 1:
 * they wait on. */
static void tell_all(struct credentials *k, struct credential *p, int rc, int revoked)
{
    struct waiter *w, *next = p->waiters;

    p->waiters = NULL;
    while ((w = next)) {
        int what = w->what == FOR_REVOCATION ? revoked : rc;

        next = w->next;
        if (what > 0) {
            w->next = p->waiters;
            p->waiters = w;
        } else {
            tell(k, p, w, what);
            free(w);
        }
    }
}

/* A record without tokens, and then none: until the first is durable there is somebody
 * to ask for it again. */
void credential_begin_revoking(struct credentials *k, struct credential *p)
{
    int rc = credential_save(k, p);

    if (rc == OK)
        return;
    credential_place(k, p);
    tell_all(k, p, rc, rc);
}

/* One that is being written stays in the table, so its place names it. */
void credential_on_written(void *user, uint64_t tag, int rc)
{
    struct credentials *k = user;
    struct credential *p = credential_with_ref(k, (uint32_t)tag);
    bool was_revoking = p->is_revoking, is_gone = rc < 0 && !p->is_stored;

    assert(p->is_writing);
    p->is_writing = p->is_revoking = false;
    p->is_stored = true;
    if (rc == OK)
        p->is_unsaved = false;
    credential_place(k, p);
    if (is_gone) {
        tell_all(k, p, rc, OK);
        credential_forget(k, p); /* the ledger has forgotten it, too */
    } else if (was_revoking) {
        tell_all(k, p, rc, rc);
        if (rc == OK)
            credential_drop(k, p);
    } else if (p->is_revoked) {
        tell_all(k, p, ERR_CLOSED, 1);
        credential_begin_revoking(k, p);
    } else {
        tell_all(k, p, rc, 1);
    }
}
