#include "mailbox/box.h"

#include <stdio.h>

#define SPARE_MOST    256
#define SPARE_ENTRIES 1024u

struct mailqueue_body *body_try_get(struct mailbox *box, struct mailqueue *queue,
                                    const struct id *id)
{
    struct link *k;
    struct mailqueue_body *q = queue->body;

    if (q)
        return q;
    k = list_pop(&box->spare_bodies);
    q = k ? body_of_link(k) : slab_try_alloc(&box->slab);
    if (q) {
        q->id = *id;
        q->owner = queue;
        queue->body = q;
        list_append(&box->bodies, &q->link);
    }
    return q;
}

static void keep_or_free(struct mailbox *box, struct mailqueue_body *q)
{
    struct entries entries = q->entries;

    if (box->spare_bodies.length >= SPARE_MOST || entries.size > SPARE_ENTRIES) {
        entries_fini(&entries);
        slab_free(&box->slab, q);
        return;
    }
    *q = (struct mailqueue_body){.entries = entries};
    list_append(&box->spare_bodies, &q->link);
}

bool body_let_go_if_empty(struct mailbox *box, struct mailqueue_body *q)
{
    if (queue_count(q) > 0 || q->loading || q->notes > 0)
        return false;
    if (q->owner) {
        q->owner->body = NULL;
        q->owner = NULL;
        list_remove(&box->bodies, &q->link);
        list_append(&box->leaving, &q->link);
    }
    if (q->unanswered == 0) {
        list_remove(&box->leaving, &q->link);
        keep_or_free(box, q);
    }
    return true;
}

static void free_arrays(struct list *bodies)
{
    LIST_FOREACH (bodies, k)
        entries_fini(&body_of_link(k)->entries);
}

void bodies_fini(struct mailbox *box)
{
    LIST_FOREACH (&box->bodies, k)
        body_of_link(k)->owner->body = NULL;
    free_arrays(&box->bodies);
    free_arrays(&box->leaving);
    free_arrays(&box->spare_bodies);
    slab_fini(&box->slab);
}

const char *body_name(const struct mailqueue_body *q)
{
    static _Thread_local char name[ID_SHOWN_FULL_MAX];

    return id_show_full(&q->id, name, sizeof(name));
}
