#include "http/ask.h"
#include "relay/relay.h"

#include <stdlib.h>

static struct question *question_at(struct link *k)
{
    return k ? CONTAINER_OF(k, struct question, link) : NULL;
}

static void send_next(struct asking *a, unsigned shard);

static void on_answer(struct parcel *parcel, void *receiver)
{
    struct question *q = CONTAINER_OF(parcel, struct question, parcel);

    (void)receiver;
    list_remove(&q->asking->desks[q->shard].under_way, &q->link);
    send_next(q->asking, q->shard);
    q->answered(q);
}

static void on_shard(struct parcel *parcel, void *receiver)
{
    struct question *q = CONTAINER_OF(parcel, struct question, parcel);
    struct shard *s = receiver;

    if (!q->step(q, s->app)) {
        shard_post(s, parcel);
        return;
    }
    parcel->open = on_answer;
    inbox_push(q->asking->inbox, parcel);
}

static void send_next(struct asking *a, unsigned shard)
{
    struct desk *d = &a->desks[shard];
    struct question *q;

    while (d->under_way.length < QUESTIONS_PER_SHARD &&
           (q = question_at(list_pop(&d->waiting)))) {
        list_append(&d->under_way, &q->link);
        q->parcel.open = on_shard;
        shard_post(a->group->relays[shard].shard, &q->parcel);
    }
}

void ask(struct asking *a, struct question *q, unsigned shard)
{
    q->asking = a;
    q->shard = shard;
    list_append(&a->desks[shard].waiting, &q->link);
    send_next(a, shard);
}

int asking_init(struct asking *a, struct relay_group *group)
{
    *a = (struct asking){.group = group,
                         .desks = calloc(group->count, sizeof(*a->desks))};
    if (!a->desks)
        return ERR_NOMEM;
    for (unsigned i = 0; i < group->count; i++) {
        list_init(&a->desks[i].waiting);
        list_init(&a->desks[i].under_way);
    }
    return OK;
}

static void drop_all(struct list *l)
{
    struct question *q;

    while ((q = question_at(list_pop(l))))
        q->drop(q);
}

void asking_fini(struct asking *a)
{
    for (unsigned i = 0; a->desks && i < a->group->count; i++) {
        drop_all(&a->desks[i].waiting);
        drop_all(&a->desks[i].under_way);
    }
    free(a->desks);
    a->desks = NULL;
}
