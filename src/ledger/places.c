#include "ledger/places.h"

#include <stdlib.h>

#define FIRST_ROOM 256

void places_init(struct places *p)
{
    *p = (struct places){0};
    list_init(&p->fresh);
    list_init(&p->kept);
    list_init(&p->writing);
    slab_init(&p->slab, sizeof(struct held));
}

static void free_own(struct held *h)
{
    if (h->is_own)
        free((void *)(uintptr_t)h->line.record.data);
    h->is_own = false;
}

void places_fini(struct places *p)
{
    LIST_FOREACH (&p->kept, k)
        free_own(CONTAINER_OF(k, struct held, link));
    slab_fini(&p->slab);
    free(p->at);
    places_init(p);
}

struct place *places_try_at(struct places *p, uint32_t number)
{
    size_t room = p->room ? p->room : FIRST_ROOM;
    struct place *at;

    assert(number > 0 && number < LINE_NUMBER_LIMIT);
    while (room <= number)
        room *= 2;
    if (room > p->room) {
        if (!(at = realloc(p->at, room * sizeof(*at))))
            return NULL;
        memset(at + p->room, 0, (room - p->room) * sizeof(*at));
        p->at = at;
        p->room = room;
    }
    return &p->at[number];
}

struct held *places_held(const struct places *p, uint32_t number)
{
    return number < p->room && p->at[number].is_held ? p->at[number].held : NULL;
}

bool places_has(const struct places *p, uint32_t number)
{
    const struct held *h = places_held(p, number);

    if (h)
        return h->line.form > 0;
    return number < p->room && p->at[number].seq > 0;
}

uint64_t places_seq(const struct places *p, uint32_t number)
{
    const struct held *h = places_held(p, number);

    if (number >= p->room)
        return 0;
    return h ? h->old_seq : p->at[number].seq;
}

/* Its size stays what was counted. */
bool places_move(struct places *p, uint32_t number, uint64_t seq)
{
    struct held *h = places_held(p, number);

    if (h)
        h->old_seq = seq;
    else if (places_has(p, number))
        p->at[number].seq = seq;
    return h || places_has(p, number);
}

/* ---- held ---- */

static struct list *list_of(struct places *p, const struct held *h)
{
    return h->is_own ? &p->kept : &p->fresh;
}

static void release(struct places *p, struct held *h, struct list *list, uint64_t seq,
                    uint32_t size)
{
    struct place *place = &p->at[h->line.number];

    place->is_held = false;
    place->seq = seq;
    place->size = size;
    list_remove(list, &h->link);
    free_own(h);
    slab_free(&p->slab, h);
}

static struct held *begin_holding(struct places *p, struct place *place)
{
    struct held *h = slab_try_alloc(&p->slab);

    if (!h)
        return NULL;
    h->old_seq = place->seq;
    h->old_size = place->size;
    place->is_held = true;
    place->held = h;
    list_append(&p->fresh, &h->link);
    return h;
}

int places_hold(struct places *p, const struct line *line, bool is_new)
{
    struct place *place = places_try_at(p, line->number);
    struct held *h;

    if (!place)
        return ERR_NOMEM;
    if (!place->is_held && !begin_holding(p, place))
        return ERR_NOMEM;
    h = place->held;
    list_remove(list_of(p, h), &h->link);
    free_own(h);
    list_append(&p->fresh, &h->link);
    h->line = *line;
    h->is_new = line->form > 0 && (is_new || h->is_new);
    if (line->form == 0 && !h->old_seq)
        release(p, h, &p->fresh, 0, 0);
    return OK;
}

static void drop(struct places *p, struct held *h)
{
    list_remove(&p->fresh, &h->link);
    h->line.form = 0;
    h->line.record = (struct slice){0};
    h->is_new = false;
    h->is_own = true;
    list_append(&p->kept, &h->link);
}

void places_refuse(struct places *p, struct held *h)
{
    assert(h->is_new && !h->is_own);
    if (h->old_seq)
        drop(p, h); /* its number's last owner is still in the store */
    else
        release(p, h, &p->fresh, 0, 0);
}

int places_keep(struct places *p, struct held *h)
{
    struct slice record = h->line.record;
    uint8_t *own = record.size ? malloc(record.size) : NULL;

    assert(!h->is_new && !h->is_own);
    if (record.size > 0 && !own)
        return ERR_NOMEM;
    if (own)
        memcpy(own, record.data, record.size);
    list_remove(&p->fresh, &h->link);
    h->line.record.data = own;
    h->is_own = true;
    list_append(&p->kept, &h->link);
    return OK;
}

void places_let_go(struct places *p, struct held *h)
{
    assert(!h->is_own);
    release(p, h, &p->fresh, h->old_seq, h->old_size);
}

void places_put_back(struct places *p)
{
    struct link *k;

    while ((k = list_pop(&p->writing)))
        list_append(list_of(p, CONTAINER_OF(k, struct held, link)), k);
}

void places_settle(struct places *p, struct held *h)
{
    bool is_there = h->line.form > 0;

    release(p, h, &p->writing, is_there ? h->seq : 0,
            is_there ? (uint32_t)h->line.record.size : 0);
}
