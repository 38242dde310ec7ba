/* Batches: filled by one shard, opened by another, given back to be filled again. */
#include "relay/exchange.h"
#include "base/log.h"
#include "relay/delivery.h"
#include "relay/holds.h"

#include <assert.h>
#include <stdlib.h>

/* So much may be on its way to one other shard before senders are held, and so little
 * before they go on. It is also what a mailbox over there may get after it was found to
 * be nearly full: keep it well below a quarter of one. */
#define OUTSTANDING_HIGH (256 * 1024)
#define OUTSTANDING_LOW  (OUTSTANDING_HIGH / 2)

enum entry_kind { ENTRY_FRAME, ENTRY_FATE, ENTRY_HOLD, ENTRY_RELEASE };

/* One thing that a shard tells another; a frame's bytes follow it, padded to 8. */
struct entry {
    uint64_t session; /* the sender's connection, on shard `shard` */
    uint32_t number;
    uint16_t shard;
    uint8_t kind;
    bool flag; /* FRAME: durable. FATE: safe */
    /* FRAME only: */
    uint32_t size;
    uint64_t hash;
    struct id id;
};

/* Filled by one shard, opened by another, and given back to be filled again. */
struct batch {
    struct parcel parcel;
    struct relay *from;
    struct relay *to;
    struct batch *next; /* among the spare ones */
    struct buf entries;
};

static size_t padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static struct relay *relay_at(const struct relay *r, unsigned shard)
{
    return &r->group->relays[shard];
}

static struct batch *batch_for(struct relay *r, unsigned shard)
{
    struct batch *b = r->to[shard].filling;

    if (b)
        return b;
    if ((b = r->spare))
        r->spare = b->next;
    else if (!(b = calloc(1, sizeof(*b))))
        return NULL;
    b->from = r;
    b->to = relay_at(r, shard);
    r->to[shard].filling = b;
    return b;
}

static struct entry *try_entry(struct batch *b, size_t size)
{
    struct entry *e;

    if (!b)
        return NULL;
    e = (void *)buf_try_reserve(&b->entries, sizeof(*e) + padded(size));
    if (e)
        *e = (struct entry){0};
    return e;
}

/* What is not a frame must arrive: a sender would wait for ever. */
static void tell(struct relay *r, unsigned shard, struct entry what)
{
    struct batch *b = batch_for(r, shard);
    struct entry *e = try_entry(b, 0);

    if (!e) {
        LOG_THROTTLED(LOG_ERROR, SESSION, "relay lost a word reason=no_memory");
        return;
    }
    *e = what;
    buf_commit(&b->entries, sizeof(*e));
}

static void on_batch_back(struct parcel *parcel, void *receiver)
{
    struct batch *b = CONTAINER_OF(parcel, struct batch, parcel);
    struct relay *r = b->from;
    struct outbound *o = &r->to[relay_index(b->to)];

    (void)receiver;
    o->outstanding -= buf_used(&b->entries);
    if (o->outstanding < OUTSTANDING_LOW)
        holds_release(r, &o->waiters);
    if (b->entries.size > OUTSTANDING_HIGH) /* a burst's: not worth keeping */
        buf_fini(&b->entries);
    else
        buf_clear(&b->entries);
    b->next = r->spare;
    r->spare = b;
}

static void deliver_entry(struct relay *r, const struct entry *e, const uint8_t *bytes)
{
    struct envelope env = {
        .session = e->session,
        .number = e->number,
        .shard = e->shard,
        .durable = e->flag,
    };
    struct terminal *t = relay_terminal(r, &e->id, e->hash);
    uint8_t *room;
    bool direct;

    if (!t) {
        r->stats.frames_refused++;
        if (e->number)
            relay_decide(r, e->shard, e->session, e->number, false);
        return;
    }
    if (!(room = delivery_begin(r, t, &env, e->size, &direct)))
        return;
    memcpy(room, bytes, e->size);
    delivery_commit(r, t, &env, e->size, direct);
}

static void on_batch(struct parcel *parcel, void *receiver)
{
    struct batch *b = CONTAINER_OF(parcel, struct batch, parcel);
    struct relay *r = b->to;
    struct slice left = buf_peek(&b->entries);

    (void)receiver;
    while (left.size) {
        const struct entry *e = (const void *)left.data;

        switch (e->kind) {
        case ENTRY_FRAME:
            deliver_entry(r, e, left.data + sizeof(*e));
            break;
        case ENTRY_FATE:
            relay_decide(r, relay_index(r), e->session, e->number, e->flag);
            break;
        case ENTRY_HOLD:
            relay_hold(r, relay_index(r), e->session);
            break;
        case ENTRY_RELEASE:
            relay_release(r, relay_index(r), e->session);
            break;
        }
        left = slice_from(left, sizeof(*e) + padded(e->size));
    }
    parcel->open = on_batch_back;
    shard_post(b->from->shard, parcel);
}

void exchange_send(struct relay *r)
{
    for (unsigned i = 0; i < r->group->count; i++) {
        struct batch *b = r->to[i].filling;

        if (!b)
            continue;
        r->to[i].filling = NULL;
        r->to[i].outstanding += buf_used(&b->entries);
        b->parcel.open = on_batch;
        shard_post(relay_at(r, i)->shard, &b->parcel);
    }
}

uint8_t *exchange_try_reserve(struct relay *r, unsigned shard, const struct id *id,
                              uint64_t hash, const struct envelope *from, size_t size)
{
    struct entry *e = try_entry(batch_for(r, shard), size);

    if (!e)
        return NULL;
    *e = (struct entry){
        .kind = ENTRY_FRAME,
        .session = from->session,
        .number = from->number,
        .shard = from->shard,
        .flag = from->durable,
        .size = (uint32_t)size,
        .hash = hash,
        .id = *id,
    };
    return (uint8_t *)(e + 1);
}

void exchange_commit(struct relay *r, unsigned shard, const struct envelope *from,
                     size_t size)
{
    struct outbound *o = &r->to[shard];

    buf_commit(&o->filling->entries, sizeof(struct entry) + padded(size));
    if (o->outstanding + buf_used(&o->filling->entries) > OUTSTANDING_HIGH)
        holds_add(r, &o->waiters, from->shard, from->session);
}

void exchange_tell_fate(struct relay *r, unsigned shard, uint64_t session,
                        uint32_t number, bool safe)
{
    tell(r, shard,
         (struct entry){.kind = ENTRY_FATE,
                        .session = session,
                        .number = number,
                        .shard = (uint16_t)shard,
                        .flag = safe});
}

static void tell_hold(struct relay *r, unsigned shard, uint64_t session,
                      enum entry_kind kind)
{
    tell(r, shard,
         (struct entry){.kind = (uint8_t)kind,
                        .session = session,
                        .shard = (uint16_t)shard});
}

void exchange_tell_hold(struct relay *r, unsigned shard, uint64_t session)
{
    tell_hold(r, shard, session, ENTRY_HOLD);
}

void exchange_tell_release(struct relay *r, unsigned shard, uint64_t session)
{
    tell_hold(r, shard, session, ENTRY_RELEASE);
}

bool exchange_is_settled(const struct relay *r)
{
    for (unsigned i = 0; i < r->group->count; i++)
        if (r->to[i].outstanding || r->to[i].filling)
            return false;
    return true;
}

int exchange_init(struct relay *r)
{
    r->to = calloc(r->group->count, sizeof(*r->to));
    return r->to ? OK : ERR_NOMEM;
}

static void free_batch(struct batch *b)
{
    if (b)
        buf_fini(&b->entries);
    free(b);
}

void exchange_fini(struct relay *r)
{
    for (unsigned i = 0; r->to && i < r->group->count; i++) {
        free_batch(r->to[i].filling);
        holds_drop(r, &r->to[i].waiters);
    }
    while (r->spare) {
        struct batch *b = r->spare;

        r->spare = b->next;
        free_batch(b);
    }
    free(r->to);
}
