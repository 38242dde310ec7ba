#include "http/told.h"
#include "http/api_events.h"

#include <inttypes.h>
#include <stdio.h>

#define CHUNK 256 /* events read under the journal's lock at once */

int told_write(struct buf *to, const struct event *e)
{
    struct json j = json_to(to);
    char head[64];
    int n =
        snprintf(head, sizeof(head), "id: %" PRIu64 "\nevent: %s\ndata: ", e->cursor,
                 event_word(e->kind));

    if (buf_try_append(to, slice_of(head, (size_t)n)) < 0)
        return ERR_NOMEM;
    event_write(&j, e);
    if (j.failed)
        return ERR_NOMEM;
    return buf_try_append(to, slice_of("\n\n", 2));
}

struct telling {
    struct told *told;
    int chunk;
};

/* Without memory for its text the event is not here: `base` says so, and readers go to
 * the journal. */
static bool tell(void *user, const struct event *e)
{
    struct telling *telling = user;
    struct told *t = telling->told;
    struct told_event *to = &t->ring[t->count % TOLD_EVENTS];

    if (t->count - t->first == TOLD_EVENTS) {
        t->base = to->cursor;
        t->first++;
    }
    buf_clear(&to->text);
    t->newest = e->cursor;
    if (told_write(&to->text, e) == OK) {
        to->cursor = e->cursor;
        to->device = e->device;
        to->kind = e->kind;
        t->count++;
    } else {
        t->base = e->cursor;
        t->first = t->count;
    }
    return --telling->chunk > 0;
}

void told_update(struct told *t, struct journal *j)
{
    struct telling telling = {.told = t};

    do {
        telling.chunk = CHUNK;
        if (journal_read(j, t->newest, tell, &telling) < 0) {
            told_begin(t, j); /* it ran away from us */
            return;
        }
    } while (telling.chunk <= 0);
}

const struct told_event *told_after(const struct told *t, uint64_t cursor)
{
    uint64_t low = t->first, high = t->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (t->ring[middle % TOLD_EVENTS].cursor <= cursor)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->count ? &t->ring[low % TOLD_EVENTS] : NULL;
}

void told_begin(struct told *t, struct journal *j)
{
    t->base = t->newest = journal_newest(j);
    t->first = t->count;
}

void told_fini(struct told *t)
{
    for (unsigned i = 0; i < TOLD_EVENTS; i++)
        buf_fini(&t->ring[i].text);
}
