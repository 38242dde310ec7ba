#include "relay/part.h"

void part_join(struct relay *r, struct part *p, const struct part_ops *ops)
{
    struct part **last = &r->parts;

    while (*last)
        last = &(*last)->next;
    *last = p;
    p->ops = ops;
    p->next = NULL;
}

void parts_attached(struct relay *r, struct terminal *t)
{
    for (struct part *p = r->parts; p; p = p->next)
        if (p->ops->attached)
            p->ops->attached(p, t);
}

void parts_detached(struct relay *r, struct terminal *t)
{
    for (struct part *p = r->parts; p; p = p->next)
        if (p->ops->detached)
            p->ops->detached(p, t);
}

bool parts_need(const struct relay *r, const struct terminal *t)
{
    for (const struct part *p = r->parts; p; p = p->next)
        if (p->ops->needs && p->ops->needs(p, t))
            return true;
    return false;
}

void parts_forget(struct relay *r, struct terminal *t)
{
    for (struct part *p = r->parts; p; p = p->next)
        if (p->ops->forget)
            p->ops->forget(p, t);
}

void parts_before_writes(struct relay *r)
{
    for (struct part *p = r->parts; p; p = p->next)
        if (p->ops->before_writes)
            p->ops->before_writes(p);
}

void parts_flush(struct relay *r)
{
    for (struct part *p = r->parts; p; p = p->next)
        p->ops->flush(p);
}

bool parts_are_settled(const struct relay *r)
{
    for (const struct part *p = r->parts; p; p = p->next)
        if (!p->ops->is_settled(p))
            return false;
    return true;
}

void parts_free(struct relay *r)
{
    struct part *p;

    while ((p = r->parts)) {
        r->parts = p->next;
        p->ops->free(p);
    }
}
