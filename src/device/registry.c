#include "device/registry.h"
#include "base/allocator.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_SIZE 64
/* A reference is a block's number and, in its lowest bits, a place in it. Blocks have a
 * size that allocators have without waste; their last places may not exist. */
#define PLACE_BITS  8
#define PLACE_MASK  ((1u << PLACE_BITS) - 1)
#define BLOCK_BYTES (16 * 1024)

/* Places that move to the grown table with each device that is added. Two are enough
 * for the old table to be empty when the new one is full. */
#define MOVES_PER_ADD 8
/* In the old table: its device was removed before the place moved. */
#define REF_GONE UINT32_MAX

static_assert(sizeof(struct device) == 32, "half of a line of the processor's cache");

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

/* ---- ids ---- */

static char *far_text(const struct device *d)
{
    char *text;

    memcpy(&text, d->near, sizeof(text));
    return text;
}

static const char *text_of(const struct device *d)
{
    return d->id_length <= DEVICE_ID_NEAR ? d->near : far_text(d);
}

static int set_id(struct device *d, const struct id *id)
{
    char *text = d->near;

    if (id->length > DEVICE_ID_NEAR) {
        if (!(text = malloc(id->length)))
            return ERR_NOMEM;
        memcpy(d->near, &text, sizeof(text));
    }
    memcpy(text, id->text, id->length);
    d->protocol = id->protocol;
    d->id_length = id->length;
    return OK;
}

static void clear_id(struct device *d)
{
    if (d->id_length > DEVICE_ID_NEAR)
        free(far_text(d));
    d->protocol = d->id_length = 0;
}

bool device_is_called(const struct device *d, const struct id *id)
{
    return d->protocol == id->protocol && d->id_length == id->length &&
           memcmp(text_of(d), id->text, id->length) == 0;
}

struct id device_id(const struct device *d)
{
    struct id id = {.protocol = d->protocol, .length = d->id_length};

    memcpy(id.text, text_of(d), d->id_length);
    return id;
}

/* ---- blocks ---- */

static struct device *device_at(const struct registry *r, uint32_t ref)
{
    return (void *)(r->blocks[ref >> PLACE_BITS] + (ref & PLACE_MASK) * r->object_size);
}

static uint32_t ref_after(const struct registry *r, uint32_t ref)
{
    return (ref & PLACE_MASK) + 1 < r->per_block ? ref + 1 : (ref | PLACE_MASK) + 1;
}

static int add_block(struct registry *r)
{
    size_t n = r->block_count + 1;
    char **blocks = realloc(r->blocks, n * sizeof(*blocks));
    uint16_t *lodgers;

    if (!blocks)
        return ERR_NOMEM;
    r->blocks = blocks;
    if (!(lodgers = realloc(r->lodgers, n * sizeof(*lodgers))))
        return ERR_NOMEM;
    r->lodgers = lodgers;
    if (!(blocks[n - 1] = allocator_try_pages(BLOCK_BYTES)))
        return ERR_NOMEM;
    lodgers[n - 1] = 0;
    r->block_count = n;
    return OK;
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

static void give_ref_back(struct registry *r, uint32_t ref)
{
    device_at(r, ref)->hash = r->free_refs;
    r->free_refs = ref;
}

/* ---- the table ---- */

static struct device *find_in(const struct registry *r,
                              const struct registry_table *table, const struct id *id,
                              uint32_t hash)
{
    size_t mask = table->size - 1;

    for (size_t i = hash & mask; table->places[i].ref; i = (i + 1) & mask) {
        const struct registry_place *p = &table->places[i];

        if (p->hash == hash && p->ref != REF_GONE) {
            struct device *d = device_at(r, p->ref);

            if (device_is_called(d, id))
                return d;
        }
    }
    return NULL;
}

/* The old table keeps what moved, so that its runs stay whole: such a place names a
 * device that the new table has too, or one that was removed and has another id now. */
struct device *registry_find(const struct registry *r, const struct id *id,
                             uint64_t hash)
{
    struct device *d = NULL;

    if (r->table.size)
        d = find_in(r, &r->table, id, (uint32_t)hash);
    if (UNLIKELY(!d && r->old.size))
        d = find_in(r, &r->old, id, (uint32_t)hash);
    return d;
}

static void put(struct registry_table *table, struct registry_place p)
{
    size_t i = p.hash & (table->size - 1);

    while (table->places[i].ref)
        i = (i + 1) & (table->size - 1);
    table->places[i] = p;
}

static void move_some(struct registry *r)
{
    for (int n = 0; n < MOVES_PER_ADD && r->moved < r->old.size; n++) {
        struct registry_place p = r->old.places[r->moved++];

        if (p.ref && p.ref != REF_GONE)
            put(&r->table, p);
    }
    if (r->moved < r->old.size)
        return;
    free(r->old.places);
    r->old = (struct registry_table){0};
}

static int grow(struct registry *r)
{
    struct registry_table bigger = {.size =
                                        r->table.size ? r->table.size * 2 : FIRST_SIZE};

    assert(!r->old.size); /* emptied long before */
    if (!(bigger.places = calloc(bigger.size, sizeof(*bigger.places))))
        return ERR_NOMEM;
    r->old = r->table;
    r->moved = 0;
    r->table = bigger;
    return OK;
}

struct device *registry_try_add(struct registry *r, const struct id *id, uint64_t hash)
{
    struct device *d;
    uint32_t ref;

    if (r->used >= r->table.size / 4 * 3 && grow(r) < 0)
        return NULL;
    if (r->old.size)
        move_some(r);
    if (!(ref = take_ref(r)))
        return NULL;
    d = device_at(r, ref);
    memset(d, 0, r->object_size);
    if (set_id(d, id) < 0) {
        give_ref_back(r, ref);
        return NULL;
    }
    d->hash = (uint32_t)hash;
    d->ref = ref;
    put(&r->table, (struct registry_place){.hash = d->hash, .ref = ref});
    r->used++;
    r->lodgers[ref >> PLACE_BITS]++;
    return d;
}

/* Closes the gap: later places of the same run move up, unless that would put them
 * before their home. */
static void close_gap(struct registry_table *table, size_t hole)
{
    struct registry_place *places = table->places;
    size_t mask = table->size - 1;

    for (size_t i = (hole + 1) & mask; places[i].ref; i = (i + 1) & mask) {
        size_t home = places[i].hash & mask;

        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        places[hole] = places[i];
        hole = i;
    }
    places[hole].ref = 0;
}

/* The index of the device's place, or that of the free one behind its run. */
static size_t place_of(const struct registry_table *table, const struct device *d)
{
    size_t i = d->hash & (table->size - 1);

    while (table->places[i].ref && table->places[i].ref != d->ref)
        i = (i + 1) & (table->size - 1);
    return i;
}

static void take_out(struct registry *r, const struct device *d)
{
    size_t i = place_of(&r->table, d);

    if (r->table.places[i].ref) {
        close_gap(&r->table, i);
        return;
    }
    assert(r->old.size);
    i = place_of(&r->old, d);
    assert(r->old.places[i].ref && i >= r->moved);
    r->old.places[i].ref = REF_GONE;
}

void registry_remove(struct registry *r, struct device *d)
{
    uint32_t ref = d->ref;

    take_out(r, d);
    clear_id(d);
    give_ref_back(r, ref);
    r->used--;
    r->lodgers[ref >> PLACE_BITS]--;
    r->epoch++;
}

/* ---- all of them ---- */

/* Numbers that no device has are passed over, those of empty blocks at once. */
struct device *registry_from(const struct registry *r, uint32_t ref)
{
    if (ref == 0)
        ref = 1;
    if ((ref & PLACE_MASK) >= r->per_block)
        ref = (ref | PLACE_MASK) + 1;
    while (ref && ref < r->next_ref) {
        if (r->lodgers[ref >> PLACE_BITS]) {
            struct device *d = device_at(r, ref);

            if (d->protocol)
                return d;
            ref = ref_after(r, ref);
        } else {
            ref = (ref | PLACE_MASK) + 1;
        }
    }
    return NULL;
}

struct device *registry_next(const struct registry *r, const struct device *d)
{
    return registry_from(r, d ? ref_after(r, d->ref) : 1);
}

void registry_fini(struct registry *r)
{
    for (struct device *d = registry_next(r, NULL); d; d = registry_next(r, d))
        clear_id(d);
    for (size_t i = 0; i < r->block_count; i++)
        free(r->blocks[i]);
    free(r->blocks);
    free(r->lodgers);
    free(r->table.places);
    free(r->old.places);
    registry_init(r, r->object_size);
}

static size_t places_taken(const struct registry_table *table, size_t from)
{
    size_t n = 0;

    for (size_t i = from; i < table->size; i++)
        n += table->places[i].ref != 0 && table->places[i].ref != REF_GONE;
    return n;
}

void registry_check(const struct registry *r)
{
    size_t seen = 0, lodgers = 0;

    for (struct device *d = registry_next(r, NULL); d; d = registry_next(r, d)) {
        struct id id = device_id(d);

        assert(registry_find(r, &id, d->hash) == d);
        seen++;
    }
    for (size_t i = 0; i < r->block_count; i++)
        lodgers += r->lodgers[i];
    assert(seen == r->used && lodgers == r->used);
    assert(r->used == 0 || r->used < r->table.size);
    assert(places_taken(&r->table, 0) + places_taken(&r->old, r->moved) == r->used);
}
