/* hash.h - SipHash-1-3, keyed: for tables whose keys a peer chooses.
 *
 * Without the key, nobody can prepare ids that collide (Aumasson and Bernstein,
 * "SipHash: a fast short-input PRF", 2012). The key is drawn once per start. */
#pragma once

#include "base/buf.h"

struct hash_key {
    uint64_t k0;
    uint64_t k1;
};

/* From the kernel's random source; aborts if that fails (only at start). */
struct hash_key hash_key_random(void);

uint64_t hash_bytes(const struct hash_key *key, struct slice bytes);
