#include "http/told.h"
#include "http/api_events.h"
#include "http/api_inside.h"

#include <inttypes.h>
#include <stdio.h>

/* Read under the journal's lock at once: that many events, or bytes of their text. */
#define CHUNK       256
#define CHUNK_BYTES (64 << 10)

#define KEPT_BYTES  1024 /* by a text that is over, for its successor */

int told_write(const struct api *a, struct buf *to, const struct event *e)
{
    struct json j = json_to(to);
    char head[64];
    int n =
        snprintf(head, sizeof(head), "id: %" PRIu64 "\nevent: %s\ndata: ", e->cursor,
                 event_word(e->kind));

    if (buf_try_append(to, slice_of(head, (size_t)n)) < 0)
        return ERR_NOMEM;
    event_write(a, &j, e);
    if (j.failed)
        return ERR_NOMEM;
    return buf_try_append(to, slice_of("\n\n", 2));
}

static void drop_oldest(struct told *t)
{
    struct told_event *e = &t->ring[t->first++ % TOLD_EVENTS];

    t->base = e->cursor;
    t->bytes -= e->text.size;
    if (e->text.size > KEPT_BYTES)
        buf_fini(&e->text);
}

static void drop_all(struct told *t, uint64_t base)
{
    while (t->first < t->count)
        drop_oldest(t);
    t->base = base;
}

struct telling {
    struct told *told;
    const struct api *api;
    int chunk, bytes; /* that may still be written under the lock */
};

/* Without memory for its text the event is not here: `base` says so, and readers go to
 * the journal. */
static bool tell(void *user, const struct event *e)
{
    struct telling *telling = user;
    struct told *t = telling->told;
    struct told_event *to = &t->ring[t->count % TOLD_EVENTS];

    while (t->count - t->first == TOLD_EVENTS ||
           (t->first < t->count && t->bytes > TOLD_BYTES))
        drop_oldest(t);
    buf_clear(&to->text);
    t->newest = e->cursor;
    if (told_write(telling->api, &to->text, e) == OK) {
        to->cursor = e->cursor;
        to->device = e->device;
        to->kind = e->kind;
        t->bytes += to->text.size;
        t->count++;
    } else {
        drop_all(t, e->cursor);
    }
    telling->bytes -= (int)buf_used(&to->text);
    return --telling->chunk > 0 && telling->bytes > 0;
}

void told_update(struct told *t, const struct api *a)
{
    struct telling telling = {.told = t, .api = a};

    do {
        telling.chunk = CHUNK;
        telling.bytes = CHUNK_BYTES;
        if (journal_read(a->journal, t->newest, tell, &telling) < 0) {
            told_begin(t, a); /* it ran away from us */
            return;
        }
    } while (telling.chunk <= 0 || telling.bytes <= 0);
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

void told_begin(struct told *t, const struct api *a)
{
    t->newest = journal_newest(a->journal);
    drop_all(t, t->newest);
}

void told_fini(struct told *t)
{
    for (unsigned i = 0; i < TOLD_EVENTS; i++)
        buf_fini(&t->ring[i].text);
}
