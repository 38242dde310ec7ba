/* server_guard.h - counts wrong tokens by address, in a table of fixed size.
 *
 * An address has one place, chosen by a keyed hash; a newcomer takes it over. Whoever
 * has many addresses gets more tries than one per window, but nobody is locked out for
 * somebody else. */
#pragma once

#include "base/hash.h"

#include <netinet/in.h>

#define GUARD_PLACES    1024
#define GUARD_TRIES     10
#define GUARD_WINDOW_MS 60000

struct guard {
    struct hash_key key;
    struct guard_place {
        struct in6_addr ip;
        uint32_t wrong;
        int64_t since_ms;
    } places[GUARD_PLACES];
};

static inline void guard_init(struct guard *g)
{
    *g = (struct guard){.key = hash_key_random()};
}

/* How long this address has to wait; 0: it may try. */
int64_t guard_wait_ms(const struct guard *g, const struct in6_addr *ip, int64_t now_ms);
void guard_note_wrong(struct guard *g, const struct in6_addr *ip, int64_t now_ms);
