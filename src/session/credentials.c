/* Who may speak for which vehicle: the table of tokens. */
#include "session/credentials_inside.h"
#include "base/log.h"
#include "session/recent.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

static uint64_t hash_of(const struct credentials *k, const struct id *id)
{
    return hash_bytes(&k->conf.key,
                      slice_of(id, offsetof(struct id, text) + id->length));
}

static struct credential *find(struct credentials *k, const struct id *id)
{
    struct device *d = registry_find(&k->table, id, hash_of(k, id));

    return d ? credential_of(d) : NULL;
}

/* ---- the table ---- */

static uint32_t known(const struct credentials *k)
{
    return atomic_load_explicit(k->conf.count, memory_order_relaxed);
}

static struct credential *try_add(struct credentials *k, const struct id *id)
{
    struct device *d = registry_try_add(&k->table, id, hash_of(k, id));

    if (!d)
        return NULL;
    atomic_fetch_add_explicit(k->conf.count, 1, memory_order_relaxed);
    return credential_of(d);
}

void credential_forget(struct credentials *k, struct credential *p)
{
    credential_free_waiters(p);
    if (link_is_on_list(&p->idle))
        list_remove(&k->idle, &p->idle);
    recent_free(&p->recent);
    registry_remove(&k->table, &p->device);
    atomic_fetch_sub_explicit(k->conf.count, 1, memory_order_relaxed);
}

void credential_drop(struct credentials *k, struct credential *p)
{
    book_drop(k->book, p->number);
    credential_forget(k, p);
}

/* It waits at the end of those that may make room, unless it must stay. */
void credential_place(struct credentials *k, struct credential *p)
{
    if (link_is_on_list(&p->idle))
        list_remove(&k->idle, &p->idle);
    if (!p->has_proved && !p->is_writing)
        list_append(&k->idle, &p->idle);
}

static bool make_room(struct credentials *k)
{
    struct link *oldest = list_first(&k->idle);

    if (known(k) < k->conf.max)
        return true;
    if (!oldest)
        return false;
    credential_drop(k, CONTAINER_OF(oldest, struct credential, idle));
    return true;
}

/* ---- for sessions ---- */

static int add_new(struct credentials *k, const struct id *id, struct credential **out)
{
    if (!make_room(k))
        return ERR_FULL;
    if (!(*out = try_add(k, id)))
        return ERR_NOMEM;
    if (((*out)->number = book_new_number(k->book)))
        return OK;
    credential_forget(k, *out);
    return ERR_NOMEM;
}

static int write_fresh(struct credentials *k, struct credential *p, uint64_t waiter)
{
    bool was_revoked = p->is_revoked;
    int rc = credential_await(p, FOR_TOKEN, waiter);

    if (rc < 0)
        return rc;
    p->is_revoked = false; /* what it had then is overwritten */
    if ((rc = credential_save(k, p)) < 0) {
        p->is_revoked = was_revoked;
        credential_await_no_more(p);
    }
    return rc;
}

int credentials_issue(struct credentials *k, const struct id *id, bool is_proved,
                      uint64_t waiter, char token[TOKEN_SIZE])
{
    struct credential *p = find(k, id);
    struct credential before;
    int rc;

    if (p && p->has_proved && !is_proved)
        return ERR_EXISTS;
    if (p && p->is_writing)
        return ERR_BUSY;
    if (!p && (rc = add_new(k, id, &p)) < 0)
        return rc;
    before = *p;
    token_make(token);
    token_hash(slice_of(token, TOKEN_SIZE), p->fresh);
    p->has_fresh = true;
    if ((rc = write_fresh(k, p, waiter)) == OK)
        return OK;
    memcpy(p->fresh, before.fresh, HASH_SIZE);
    p->has_fresh = before.has_fresh;
    if (!p->is_stored)
        credential_forget(k, p);
    return rc;
}

static bool fits(bool has, const uint8_t *hash, const uint8_t *shown)
{
    return has && token_hash_fits(hash, shown);
}

/* Whatever is being written has the proof, too. */
static int await_proof(struct credentials *k, struct credential *p, uint64_t waiter)
{
    int rc = credential_await(p, FOR_PROOF, waiter);

    if (rc < 0 || p->is_writing)
        return rc;
    if ((rc = credential_save(k, p)) < 0)
        credential_await_no_more(p);
    return rc;
}

int credentials_prove(struct credentials *k, const struct id *id, struct slice token,
                      uint64_t waiter, struct credential **out)
{
    struct credential *p = find(k, id);
    uint8_t shown[HASH_SIZE];
    bool is_fresh;

    *out = NULL;
    token_hash(token, shown);
    is_fresh = p && !p->is_writing && fits(p->has_fresh, p->fresh, shown);
    if (!is_fresh && !(p && fits(p->has_proved, p->proved, shown))) {
        k->stats.wrong++;
        return ERR_NOTFOUND;
    }
    if (is_fresh) {
        memcpy(p->proved, p->fresh, HASH_SIZE);
        p->has_proved = true;
        p->has_fresh = false;
        p->is_unsaved = true;
        credential_place(k, p);
    }
    if (p->is_unsaved)
        return await_proof(k, p, waiter);
    k->stats.proved++;
    *out = p;
    return OK;
}

int credentials_revoke(struct credentials *k, const struct id *id, uint64_t waiter)
{
    struct credential *p = find(k, id);
    int rc;

    if (!p || !(p->has_fresh || p->has_proved || p->is_revoked))
        return ERR_NOTFOUND;
    if ((rc = credential_await(p, FOR_REVOCATION, waiter)) < 0)
        return rc;
    p->is_revoked = true;
    p->has_fresh = p->has_proved = p->is_unsaved = false;
    if (!p->is_writing)
        credential_begin_revoking(k, p);
    return OK;
}

uint32_t credential_ref(const struct credential *p)
{
    return p->device.ref;
}

struct recent **credential_recent(struct credential *p)
{
    return &p->recent;
}

struct recent **credentials_recent(struct credentials *k, uint32_t ref)
{
    struct credential *p = credential_with_ref(k, ref);

    return p ? &p->recent : NULL;
}

/* ---- life ---- */

int credentials_new(const struct credentials_conf *conf, struct credentials **out)
{
    struct credentials *k = calloc(1, sizeof(*k));
    struct book_conf book = {.inbox = conf->inbox,
                             .written = credential_on_written,
                             .user = k};
    int rc;

    if (!k)
        return ERR_NOMEM;
    k->conf = *conf;
    registry_init(&k->table, sizeof(struct credential));
    list_init(&k->idle);
    if ((rc = book_new(conf->ledger, &book, &k->book)) < 0)
        credentials_free(&k);
    *out = k;
    return rc;
}

/* The book is the ledger's. */
void credentials_free(struct credentials **k)
{
    if (!*k)
        return;
    for (struct device *d = registry_next(&(*k)->table, NULL); d;
         d = registry_next(&(*k)->table, d)) {
        recent_free(&credential_of(d)->recent);
        credential_free_waiters(credential_of(d));
    }
    registry_fini(&(*k)->table);
    free(*k);
    *k = NULL;
}

int credentials_adopt(struct credentials *k, uint32_t number, struct slice record)
{
    struct credential_record c;
    struct credential *p;
    int rc = credential_read(record, &c);

    if (rc == OK && find(k, &c.id))
        rc = ERR_EXISTS;
    if (rc == ERR_DAMAGED || rc == ERR_EXISTS) {
        log_error(SESSION, "credential number=%u left out reason=%s", number,
                  err_word(rc));
        return OK; /* that terminal must be revoked, or register again */
    }
    if (rc < 0)
        return rc;
    if (!(p = try_add(k, &c.id)))
        return ERR_NOMEM;
    p->number = number;
    p->is_stored = true;
    p->has_fresh = c.has_fresh;
    p->has_proved = c.has_proved;
    memcpy(p->fresh, c.fresh, HASH_SIZE);
    memcpy(p->proved, c.proved, HASH_SIZE);
    credential_place(k, p);
    return OK;
}

void credentials_flush(struct credentials *k)
{
    book_flush(k->book);
}

bool credentials_is_settled(const struct credentials *k)
{
    return book_is_settled(k->book);
}

const struct credentials_stats *credentials_stats(const struct credentials *k)
{
    return &k->stats;
}
