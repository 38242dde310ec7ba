#include "net/limits.h"
#include "base/err.h"
#include "base/hash.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SMALLEST 64

struct address {
    struct in6_addr ip;
    uint32_t connections; /* 0: a free place */
};

/* Open addressing with linear probing; a place is freed by moving its followers up. */
struct limits {
    pthread_mutex_t lock;
    struct hash_key key;
    struct address *table;
    size_t size; /* a power of two */
    size_t used;
    uint32_t max_connections;
    uint32_t max_per_address;
    _Atomic uint32_t connections;
};

int limits_new(uint32_t max_connections, uint32_t max_per_address, struct limits **out)
{
    struct limits *l = calloc(1, sizeof(*l));

    if (!l || !(l->table = calloc(SMALLEST, sizeof(*l->table)))) {
        free(l);
        return ERR_NOMEM;
    }
    l->size = SMALLEST;
    l->key = hash_key_random();
    l->max_connections = max_connections;
    l->max_per_address = max_per_address;
    pthread_mutex_init(&l->lock, NULL);
    *out = l;
    return OK;
}

void limits_free(struct limits **l)
{
    if (!*l)
        return;
    pthread_mutex_destroy(&(*l)->lock);
    free((*l)->table);
    free(*l);
    *l = NULL;
}

static size_t home_of(const struct limits *l, const struct in6_addr *ip)
{
    return hash_bytes(&l->key, slice_of(ip, sizeof(*ip))) & (l->size - 1);
}

/* The address's place, or the free one where it belongs. */
static struct address *place_of(const struct limits *l, const struct in6_addr *ip)
{
    size_t i = home_of(l, ip);

    while (l->table[i].connections && memcmp(&l->table[i].ip, ip, sizeof(*ip)) != 0)
        i = (i + 1) & (l->size - 1);
    return &l->table[i];
}

static int grow(struct limits *l)
{
    struct limits bigger = *l;

    bigger.size = l->size * 2;
    if (!(bigger.table = calloc(bigger.size, sizeof(*bigger.table))))
        return ERR_NOMEM;
    for (size_t i = 0; i < l->size; i++)
        if (l->table[i].connections)
            *place_of(&bigger, &l->table[i].ip) = l->table[i];
    free(l->table);
    l->table = bigger.table;
    l->size = bigger.size;
    return OK;
}

static void remove_place(struct limits *l, size_t hole)
{
    size_t i = hole;

    l->table[hole].connections = 0;
    for (;;) {
        size_t home;

        i = (i + 1) & (l->size - 1);
        if (!l->table[i].connections)
            return;
        home = home_of(l, &l->table[i].ip);
        if (((i - home) & (l->size - 1)) < ((i - hole) & (l->size - 1)))
            continue; /* it would stand before its home */
        l->table[hole] = l->table[i];
        l->table[i].connections = 0;
        hole = i;
    }
}

static enum limits_verdict enter_locked(struct limits *l, const struct in6_addr *ip)
{
    struct address *a;

    if (l->max_connections && l->connections >= l->max_connections)
        return LIMITS_TOTAL;
    if (l->used >= l->size / 4 * 3 && grow(l) < 0)
        return LIMITS_TOTAL;
    a = place_of(l, ip);
    if (l->max_per_address && a->connections >= l->max_per_address)
        return LIMITS_ADDRESS;
    if (a->connections++ == 0) {
        a->ip = *ip;
        l->used++;
    }
    l->connections++;
    return LIMITS_PASS;
}

enum limits_verdict limits_enter(struct limits *l, const struct in6_addr *ip)
{
    enum limits_verdict verdict;

    pthread_mutex_lock(&l->lock);
    verdict = enter_locked(l, ip);
    pthread_mutex_unlock(&l->lock);
    return verdict;
}

void limits_leave(struct limits *l, const struct in6_addr *ip)
{
    struct address *a;

    pthread_mutex_lock(&l->lock);
    a = place_of(l, ip);
    assert(a->connections > 0);
    l->connections--;
    if (--a->connections == 0) {
        l->used--;
        remove_place(l, (size_t)(a - l->table));
    }
    pthread_mutex_unlock(&l->lock);
}

uint32_t limits_connections(const struct limits *l)
{
    return l->connections;
}
