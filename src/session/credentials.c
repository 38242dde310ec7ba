/* Who may speak for which vehicle: the table of tokens, and its way to the ledger. */
#include "session/credentials.h"
#include "base/list.h"
#include "base/log.h"
#include "session/recent.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct credential {
    struct device device;  /* first: the registry allocates it */
    struct link idle;      /* on the list of those that may make room */
    uint64_t waiter;       /* while `is_writing`: who is to be told */
    struct recent *recent; /* what it reported; NULL: nothing yet */
    uint32_t number;       /* of its record */
    bool has_fresh : 1, has_proved : 1;
    bool is_stored : 1;  /* its record exists on the disk, or will again */
    bool is_writing : 1; /* a token is on its way to the disk */
    bool is_revoked : 1; /* meanwhile: it goes when that is over */
    bool is_unsaved : 1; /* memory was out: to be written with the next proof */
    uint8_t fresh[HASH_SIZE], proved[HASH_SIZE];
};

struct credentials {
    struct credentials_conf conf;
    struct book *book;
    struct registry table;
    struct list idle; /* never shown, oldest first */
    struct credentials_stats stats;
};

static struct credential *credential_of(struct device *d)
{
    return CONTAINER_OF(d, struct credential, device);
}

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

static void forget(struct credentials *k, struct credential *p)
{
    if (link_is_on_list(&p->idle))
        list_remove(&k->idle, &p->idle);
    recent_free(&p->recent);
    registry_remove(&k->table, &p->device);
    atomic_fetch_sub_explicit(k->conf.count, 1, memory_order_relaxed);
}

static void drop(struct credentials *k, struct credential *p)
{
    book_drop(k->book, p->number);
    forget(k, p);
}

/* It waits at the end of those that may make room, unless it must stay. */
static void place(struct credentials *k, struct credential *p)
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
    drop(k, CONTAINER_OF(oldest, struct credential, idle));
    return true;
}

/* ---- its record ---- */

static int write_record(struct credentials *k, struct credential *p, uint64_t tag)
{
    struct credential_record c = {
        .id = device_id(&p->device),
        .has_fresh = p->has_fresh,
        .has_proved = p->has_proved,
    };
    uint8_t bytes[CREDENTIAL_RECORD_MAX];

    memcpy(c.fresh, p->fresh, HASH_SIZE);
    memcpy(c.proved, p->proved, HASH_SIZE);
    return book_write(k->book, p->number, LEDGER_CREDENTIAL,
                      slice_of(bytes, credential_write(&c, bytes)), !p->is_stored, tag);
}

static struct credential *with_ref(struct credentials *k, uint32_t ref)
{
    struct device *d = registry_from(&k->table, ref);

    return d && d->ref == ref ? credential_of(d) : NULL;
}

/* One that is being written stays in the table, so its place names it. */
static void on_written(void *user, uint64_t tag, int rc)
{
    struct credentials *k = user;
    struct credential *p = with_ref(k, (uint32_t)tag);
    uint64_t waiter = p->waiter;
    bool is_new = !p->is_stored;

    assert(p->is_writing);
    p->is_writing = false;
    if (rc == OK)
        k->stats.issued++;
    if (rc < 0 && is_new) {
        forget(k, p); /* the ledger has forgotten it, too */
    } else {
        p->is_stored = true;
        if (p->is_revoked) {
            drop(k, p);
            rc = ERR_CLOSED;
        } else {
            place(k, p);
        }
    }
    k->conf.issued(k->conf.user, waiter, rc);
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
    forget(k, *out);
    return ERR_NOMEM;
}

int credentials_issue(struct credentials *k, const struct id *id, bool is_proved,
                      uint64_t waiter, char token[TOKEN_SIZE])
{
    struct credential *p = find(k, id);
    struct credential before;
    int rc;

    if (p && p->is_writing)
        return ERR_BUSY;
    if (p && p->has_proved && !is_proved)
        return ERR_EXISTS;
    if (!p && (rc = add_new(k, id, &p)) < 0)
        return rc;
    before = *p;
    token_make(token);
    token_hash(slice_of(token, TOKEN_SIZE), p->fresh);
    p->has_fresh = true;
    if ((rc = write_record(k, p, p->device.ref)) < 0) {
        memcpy(p->fresh, before.fresh, HASH_SIZE);
        p->has_fresh = before.has_fresh;
        if (!p->is_stored)
            forget(k, p);
        return rc;
    }
    p->waiter = waiter;
    p->is_writing = true;
    place(k, p);
    return OK;
}

static bool fits(bool has, const uint8_t *hash, const uint8_t *shown)
{
    return has && token_hash_fits(hash, shown);
}

/* A crash may forget that the token was shown. Then the id may be registered again, as
 * it could have been a moment before. */
static void keep_proof(struct credentials *k, struct credential *p)
{
    p->is_unsaved = write_record(k, p, 0) < 0;
    if (p->is_unsaved)
        LOG_THROTTLED(LOG_WARN, SESSION, "credential was not written reason=no_memory");
}

struct credential *credentials_prove(struct credentials *k, const struct id *id,
                                     struct slice token)
{
    struct credential *p = find(k, id);
    uint8_t shown[HASH_SIZE];
    bool is_fresh;

    token_hash(token, shown);
    is_fresh = p && !p->is_writing && fits(p->has_fresh, p->fresh, shown);
    if (!is_fresh && !(p && fits(p->has_proved, p->proved, shown))) {
        k->stats.wrong++;
        return NULL;
    }
    if (is_fresh) {
        memcpy(p->proved, p->fresh, HASH_SIZE);
        p->has_proved = true;
        p->has_fresh = false;
        place(k, p);
    }
    if (is_fresh || p->is_unsaved)
        keep_proof(k, p);
    k->stats.proved++;
    return p;
}

bool credentials_revoke(struct credentials *k, const struct id *id)
{
    struct credential *p = find(k, id);

    if (!p || p->is_revoked)
        return false;
    k->stats.revoked++;
    p->has_fresh = p->has_proved = false;
    if (p->is_writing)
        p->is_revoked = true;
    else
        drop(k, p);
    return true;
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
    struct credential *p = with_ref(k, ref);

    return p ? &p->recent : NULL;
}

/* ---- life ---- */

int credentials_new(const struct credentials_conf *conf, struct credentials **out)
{
    struct credentials *k = calloc(1, sizeof(*k));
    struct book_conf book = {.inbox = conf->inbox, .written = on_written, .user = k};
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
         d = registry_next(&(*k)->table, d))
        recent_free(&credential_of(d)->recent);
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
    place(k, p);
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
