#include "mailbox/queue.h"

#include "mailbox/mailbox.h"

#include <assert.h>

static void advance(struct mailqueue_body *q)
{
    while (q->next < queue_count(q) && queue_at(q, q->next)->state == ENTRY_LOADED)
        q->next++;
}

struct mail_entry *queue_next(const struct mailqueue_body *q)
{
    return q->next < queue_count(q) ? queue_at(q, q->next) : NULL;
}

int64_t queue_try_insert(struct mailqueue_body *q, uint64_t position, uint32_t size)
{
    uint32_t i = entries_find_after(&q->entries, position);
    struct mail_entry *e = entries_try_insert(&q->entries, i);

    if (!e)
        return -1;
    *e = (struct mail_entry){
        .position = position,
        .size = size,
        .state = ENTRY_PENDING,
    };
    q->bytes += size;
    if (i < q->next)
        q->next = i;
    return i;
}

void queue_drop(struct mailqueue_body *q, uint32_t i)
{
    struct mail_entry *e = queue_at(q, i);

    if (e->state == ENTRY_DOOMED)
        q->doomed--;
    else
        q->bytes -= e->size;
    if (e->state == ENTRY_LOADED)
        q->loaded--;
    entries_remove(&q->entries, i);
    if (i < q->next)
        q->next--;
    advance(q);
}

void queue_set_state(struct mailqueue_body *q, uint32_t i, enum entry_state state)
{
    struct mail_entry *e = queue_at(q, i);

    assert(e->state != ENTRY_DOOMED); /* it can only go */
    if (e->state == ENTRY_LOADED)
        q->loaded--;
    e->state = (uint8_t)state;
    if (state == ENTRY_LOADED)
        q->loaded++;
    else if (i < q->next)
        q->next = i;
    if (state == ENTRY_DOOMED) {
        q->doomed++;
        q->bytes -= e->size;
    }
    advance(q);
}

int64_t queue_find(const struct mailqueue_body *q, uint64_t position,
                   enum entry_state state)
{
    uint32_t count = queue_count(q);

    for (uint32_t i = entries_find(&q->entries, position); i < count; i++) {
        const struct mail_entry *e = queue_at(q, i);

        if (e->position != position)
            break;
        if (e->state == state)
            return i;
    }
    return -1;
}

void queue_check(const struct mailqueue_body *q)
{
    uint32_t count = queue_count(q), loaded = 0, doomed = 0;
    uint64_t bytes = 0;

    entries_check(&q->entries);
    assert(q->next <= count);
    for (uint32_t i = 0; i < count; i++) {
        const struct mail_entry *e = queue_at(q, i);

        bytes += e->state == ENTRY_DOOMED ? 0 : e->size;
        doomed += e->state == ENTRY_DOOMED;
        loaded += e->state == ENTRY_LOADED;
        assert(i >= q->next || e->state == ENTRY_LOADED);
    }
    assert(q->next == count || queue_at(q, q->next)->state != ENTRY_LOADED);
    assert(bytes == q->bytes && loaded == q->loaded && doomed == q->doomed);
    assert(q->owner ? q->owner->body == q : count == 0 && q->unanswered > 0);
    assert(q->notes <= q->unanswered);
}

bool mailqueue_is_idle(const struct mailqueue *q)
{
    return q->body == NULL;
}

uint64_t mailqueue_messages(const struct mailqueue *q)
{
    return q->body ? queue_count(q->body) - q->body->doomed : 0;
}

uint64_t mailqueue_bytes(const struct mailqueue *q)
{
    return q->body ? q->body->bytes : 0;
}

uint64_t mailqueue_waiting(const struct mailqueue *q)
{
    return q->body ? queue_count(q->body) - q->body->loaded : 0;
}

bool mailqueue_has_loadable(const struct mailqueue *q)
{
    const struct mail_entry *e = q->body ? queue_next(q->body) : NULL;

    return e && (e->state == ENTRY_STORED || e->state == ENTRY_HELD);
}

bool mailqueue_is_loading(const struct mailqueue *q)
{
    return q->body && q->body->loading;
}
