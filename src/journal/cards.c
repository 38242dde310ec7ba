#include "journal/cards.h"

#include <stdlib.h>

#define FIRST_ROOM   1024
#define USUALLY_HELD 256          /* memory beyond it is given back */
#define HELD         (1ull << 63) /* in a slot */

static card_slot slot_of(const struct held_card *h)
{
    return HELD | (uintptr_t)h;
}

static struct held_card *held_in(card_slot slot)
{
    return slot & HELD ? (struct held_card *)(uintptr_t)(slot & ~HELD) : NULL;
}

void cards_init(struct cards *c)
{
    *c = (struct cards){0};
    list_init(&c->held);
    slab_init(&c->slab, sizeof(struct held_card));
}

void cards_fini(struct cards *c)
{
    slab_fini(&c->slab);
    free(c->slots);
    cards_init(c);
}

card_slot *cards_try_slot(struct cards *c, uint32_t number)
{
    size_t room = c->room ? c->room : FIRST_ROOM;
    card_slot *slots;

    while (room <= number)
        room *= 2;
    if (room > c->room) {
        if (!(slots = realloc(c->slots, room * sizeof(*slots))))
            return NULL;
        memset(slots + c->room, 0, (room - c->room) * sizeof(*slots));
        c->slots = slots;
        c->room = room;
    }
    return &c->slots[number];
}

static void release(struct cards *c, struct held_card *h)
{
    list_remove(&c->held, &h->link);
    slab_free(&c->slab, h);
    if (c->slab.live == 0 && c->most_held > USUALLY_HELD) {
        slab_fini(&c->slab);
        slab_init(&c->slab, sizeof(struct held_card));
        c->most_held = 0;
    }
}

int cards_hold(struct cards *c, uint32_t number, struct slice entry)
{
    card_slot *slot = cards_try_slot(c, number);
    struct held_card *h;

    if (!slot)
        return ERR_NOMEM;
    if (!(h = held_in(*slot))) {
        if (!(h = slab_try_alloc(&c->slab)))
            return ERR_NOMEM;
        h->number = number;
        h->old_seq = *slot;
        h->seq = 0;
        *slot = slot_of(h);
        list_append(&c->held, &h->link);
        if (c->held.length > c->most_held)
            c->most_held = c->held.length;
    }
    h->size = (uint8_t)entry.size;
    if (entry.size > 0)
        memcpy(h->entry, entry.data, entry.size);
    return OK;
}

void cards_written(struct cards *c, struct held_card *h)
{
    c->slots[h->number] = h->size ? h->seq : 0;
    release(c, h);
}

bool cards_reached(struct cards *c, uint64_t seq)
{
    for (size_t n = c->held.length; n > 0; n--) {
        struct held_card *h =
            CONTAINER_OF(list_first(&c->held), struct held_card, link);

        list_remove(&c->held, &h->link);
        list_append(&c->held, &h->link);
        if (h->seq == seq) {
            h->old_seq = seq;
            return true;
        }
    }
    return false;
}
