#include "session/recent.h"

#include <stdlib.h>
#include <xxhash.h>

struct recent {
    uint64_t prints[RECENT_MAX]; /* 0: free */
    uint32_t safe;               /* a bit each */
    uint8_t next;                /* the oldest: to be overwritten */
};

static_assert(RECENT_MAX == 32, "a bit of `safe` each");

uint64_t recent_print(uint16_t message, uint16_t serial, struct slice body)
{
    uint64_t seed = (uint64_t)message << 16 | serial;
    uint64_t print = XXH3_64bits_withSeed(body.data, body.size, seed);

    return print ? print : 1;
}

static int find(const struct recent *r, uint64_t print)
{
    for (int i = 0; r && i < RECENT_MAX; i++)
        if (r->prints[i] == print)
            return i;
    return -1;
}

enum recent_found recent_note(struct recent **r, uint64_t print)
{
    int at = find(*r, print);

    if (at >= 0)
        return (*r)->safe & BIT(at) ? RECENT_SAFE : RECENT_PENDING;
    if (!*r && !(*r = calloc(1, sizeof(**r))))
        return RECENT_NEW;
    (*r)->prints[(*r)->next] = print;
    (*r)->safe &= ~BIT((*r)->next);
    (*r)->next = (uint8_t)(((*r)->next + 1) % RECENT_MAX);
    return RECENT_NEW;
}

bool recent_settle(struct recent *r, uint64_t print, bool is_safe)
{
    int at = find(r, print);

    if (at < 0)
        return false;
    if (is_safe)
        r->safe |= BIT(at);
    else
        r->prints[at] = 0;
    return true;
}

bool recent_is_safe(const struct recent *r, uint64_t print)
{
    int at = find(r, print);

    return at >= 0 && r->safe & BIT(at);
}

void recent_free(struct recent **r)
{
    free(*r);
    *r = NULL;
}
