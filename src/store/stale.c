#include "store/stale.h"

#include <stdlib.h>

void stale_fini(struct stale *s)
{
    free(s->seqs);
    *s = (struct stale){0};
}

bool stale_try_add(struct stale *s, uint64_t seq)
{
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 256;
        uint64_t *seqs = realloc(s->seqs, room * sizeof(*seqs));

        if (!seqs)
            return false;
        s->seqs = seqs;
        s->room = room;
    }
    s->seqs[s->count++] = seq;
    return true;
}

int stale_remove(const struct stale *s, struct store *store, size_t most,
                 size_t *removed)
{
    size_t n = 0;

    for (; n < s->count && n < most; n++) {
        int rc = store->engine->remove(store, s->seqs[s->count - 1 - n]);

        if (rc < 0 && rc != ERR_NOTFOUND)
            return rc;
    }
    *removed = n;
    return OK;
}

void stale_settle(struct stale *s, size_t removed)
{
    assert(removed <= s->count);
    s->count -= removed;
}
