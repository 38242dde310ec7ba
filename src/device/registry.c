#include "device/registry.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_SIZE 64
/* A reference is a block's number and, in its lowest bits, a place in it. Blocks have a
 * size that allocators have without waste; their last places may not exist. */
#define PLACE_BITS  8
#define PLACE_MASK  ((1u << PLACE_BITS) - 1)
#define BLOCK_BYTES (16 * 1024)

void registry_init(struct registry *r, size_t object_size)
{
    size_t align = sizeof(void *); /* no device has a stricter member */

    assert(object_size >= sizeof(struct device));
    object_size = (object_size + align - 1) / align * align;
    *r = (struct registry){
        .object_size = object_size,
        .per_block = (uint32_t)(BLOCK_BYTES / object_size),
        .next_ref = 1,
    };
    assert(r->per_block > 1);
    if (r->per_block > PLACE_MASK)
        r->per_block = PLACE_MASK;
}

void registry_fini(struct registry *r)
{
    for (size_t i = 0; i < r->block_count; i++)
        free(r->blocks[i]);
    free(r->blocks);
    free(r->places);
    registry_init(r, r->object_size);
}

static struct device *device_at(const struct registry *r, uint32_t ref)
{
    return (void *)(r->blocks[ref >> PLACE_BITS] + (ref & PLACE_MASK) * r->object_size);
}

struct device *registry_find(const struct registry *r, const struct id *id,
                             uint64_t hash)
{
    uint32_t h = (uint32_t)hash;
    size_t mask = r->size - 1;

    if (!r->size)
        return NULL;
    for (size_t i = h & mask; r->places[i].ref; i = (i + 1) & mask) {
        if (r->places[i].hash == h) {
            struct device *d = device_at(r, r->places[i].ref);

            if (id_equal(&d->id, id))
                return d;
        }
    }
    return NULL;
}

static void put(struct registry_place *places, size_t size, struct registry_place p)
{
    size_t i = p.hash & (size - 1);

    while (places[i].ref)
        i = (i + 1) & (size - 1);
    places[i] = p;
}

static int grow(struct registry *r)
{
    size_t size = r->size ? r->size * 2 : FIRST_SIZE;
    struct registry_place *places = calloc(size, sizeof(*places));

    if (!places)
        return ERR_NOMEM;
    for (size_t i = 0; i < r->size; i++)
        if (r->places[i].ref)
            put(places, size, r->places[i]);
    free(r->places);
    r->places = places;
    r->size = size;
    return OK;
}

static int add_block(struct registry *r)
{
    char **blocks = realloc(r->blocks, (r->block_count + 1) * sizeof(*blocks));

    if (!blocks)
        return ERR_NOMEM;
    r->blocks = blocks;
    if (!(blocks[r->block_count] = malloc(BLOCK_BYTES)))
        return ERR_NOMEM;
    r->block_count++;
    return OK;
}

static uint32_t ref_after(const struct registry *r, uint32_t ref)
{
    return (ref & PLACE_MASK) + 1 < r->per_block ? ref + 1 : (ref | PLACE_MASK) + 1;
}

/* A freed device keeps the next free reference in its hash. */
static uint32_t take_ref(struct registry *r)
{
    uint32_t ref = r->free_refs;

    if (ref) {
        r->free_refs = device_at(r, ref)->hash;
        return ref;
    }
    if (r->next_ref >> PLACE_BITS >= r->block_count && add_block(r) < 0)
        return 0;
    ref = r->next_ref;
    r->next_ref = ref_after(r, ref);
    return ref;
}

struct device *registry_try_add(struct registry *r, const struct id *id, uint64_t hash)
{
    struct device *d;
    uint32_t ref;

    if (r->used >= r->size / 4 * 3 && grow(r) < 0)
        return NULL;
    if (!(ref = take_ref(r)))
        return NULL;
    d = device_at(r, ref);
    memset(d, 0, r->object_size);
    d->id = *id;
    d->hash = (uint32_t)hash;
    d->ref = ref;
    put(r->places, r->size, (struct registry_place){.hash = d->hash, .ref = ref});
    r->used++;
    return d;
}

/* Closes the gap: later places of the same run move up, unless that would put them
 * before their home. */
static void close_gap(struct registry *r, size_t hole)
{
    size_t mask = r->size - 1;

    for (size_t i = (hole + 1) & mask; r->places[i].ref; i = (i + 1) & mask) {
        size_t home = r->places[i].hash & mask;

        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        r->places[hole] = r->places[i];
        hole = i;
    }
    r->places[hole].ref = 0;
}

void registry_remove(struct registry *r, struct device *d)
{
    size_t i = d->hash & (r->size - 1);

    while (r->places[i].ref != d->ref) {
        assert(r->places[i].ref);
        i = (i + 1) & (r->size - 1);
    }
    close_gap(r, i);
    r->used--;
    r->epoch++;
    d->id = (struct id){0};
    d->hash = r->free_refs;
    r->free_refs = d->ref;
}

/* A number that no device has or had is passed over: the caller may make one up. */
struct device *registry_from(const struct registry *r, uint32_t ref)
{
    if (ref == 0)
        ref = 1;
    if ((ref & PLACE_MASK) >= r->per_block)
        ref = (ref | PLACE_MASK) + 1;
    for (; ref && ref < r->next_ref; ref = ref_after(r, ref)) {
        struct device *d = device_at(r, ref);

        if (id_is_set(&d->id))
            return d;
    }
    return NULL;
}

struct device *registry_next(const struct registry *r, const struct device *d)
{
    return registry_from(r, d ? ref_after(r, d->ref) : 1);
}

void registry_check(const struct registry *r)
{
    size_t seen = 0;

    for (struct device *d = registry_next(r, NULL); d; d = registry_next(r, d)) {
        assert(registry_find(r, &d->id, d->hash) == d);
        seen++;
    }
    assert(seen == r->used && (r->used == 0 || r->used < r->size));
}
