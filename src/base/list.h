/* list.h - intrusive doubly linked lists that know their length.
 *
 * An element embeds a `struct link`; it is on one list at a time, and which one is
 * often its state. A zeroed link is on no list. */
#pragma once

#include "base/compiler.h"

#include <assert.h>
#include <stdbool.h>

struct link {
    struct link *next;
    struct link *prev;
};

struct list {
    struct link head;
    size_t length;
};

static inline void list_init(struct list *l)
{
    l->head.next = l->head.prev = &l->head;
    l->length = 0;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->length == 0;
}

static inline bool link_is_on_list(const struct link *k)
{
    return k->next != NULL;
}

static inline void list_append(struct list *l, struct link *k)
{
    assert(!link_is_on_list(k));
    k->prev = l->head.prev;
    k->next = &l->head;
    k->prev->next = k;
    l->head.prev = k;
    l->length++;
}

static inline void list_prepend(struct list *l, struct link *k)
{
    assert(!link_is_on_list(k));
    k->next = l->head.next;
    k->prev = &l->head;
    k->next->prev = k;
    l->head.next = k;
    l->length++;
}

/* Behind `before`, which is on the list. */
static inline void list_insert(struct list *l, struct link *before, struct link *k)
{
    assert(!link_is_on_list(k));
    k->prev = before;
    k->next = before->next;
    k->next->prev = k;
    before->next = k;
    l->length++;
}

static inline void list_remove(struct list *l, struct link *k)
{
    assert(link_is_on_list(k) && l->length > 0);
    k->prev->next = k->next;
    k->next->prev = k->prev;
    k->next = k->prev = NULL;
    l->length--;
}

/* The first element's link, or NULL. */
static inline struct link *list_first(const struct list *l)
{
    return l->length ? l->head.next : NULL;
}

/* Takes the first element off; NULL when there is none. */
static inline struct link *list_pop(struct list *l)
{
    struct link *k = list_first(l);

    if (k)
        list_remove(l, k);
    return k;
}

/* The body may not remove `k` (plain) or may remove nothing but `k` (safe). */
#define LIST_FOREACH(l, k)                                                             \
    for (struct link *k = (l)->head.next; k != &(l)->head; k = k->next)

#define LIST_FOREACH_SAFE(l, k)                                                        \
    for (struct link *k = (l)->head.next, *k##_next = k->next; k != &(l)->head;        \
         k = k##_next, k##_next = k->next)
