/* registry.h - who is known on this shard: id -> device.
 *
 * A hash table of 8-byte places (hash and reference) over devices that live in blocks
 * and never move. The caller extends a device by embedding it first in a struct of its
 * own and telling its size. The hash is keyed (hash.h), because peers choose their ids.
 *
 * The table grows without a pause: the places of the old one move over in small steps,
 * with the devices that are added.
 *
 * One thread. */
#pragma once

#include "base/hash.h"
#include "base/id.h"

/* Longer ids live outside of the device. An IPv4 address with its port is shorter. */
#define DEVICE_ID_NEAR 22

struct device {
    uint32_t hash;    /* the half that the table uses */
    uint32_t ref;     /* its number: its place in the blocks */
    uint8_t protocol; /* 0: nobody lives here */
    uint8_t id_length;
    char near[DEVICE_ID_NEAR]; /* the id's text, or first a pointer to it */
};

struct registry_place {
    uint32_t hash;
    uint32_t ref; /* 0: free */
};

struct registry_table {
    struct registry_place *places;
    size_t size; /* a power of two, or 0 */
};

struct registry {
    struct registry_table table;
    struct registry_table old; /* while the table grows: what was not moved is here */
    size_t moved;              /* places of `old` before this one were */
    size_t used;
    size_t object_size;
    char **blocks;
    uint16_t *lodgers; /* devices in each block */
    size_t block_count;
    uint32_t per_block; /* devices in a full block */
    uint32_t free_refs; /* head of the list of freed devices; 0: none */
    uint32_t next_ref;
    uint32_t
        epoch; /* counts removals: a remembered pointer is valid within one epoch */
};

void registry_init(struct registry *r, size_t object_size);
void registry_fini(struct registry *r);

struct id device_id(const struct device *d);
bool device_is_called(const struct device *d, const struct id *id);

/* `hash` is hash_bytes() over the id; the same for all calls with that id. */
struct device *registry_find(const struct registry *r, const struct id *id,
                             uint64_t hash);

/* A new device, zeroed but for its head; it must not be there yet. NULL: memory is out.
 */
MUST_CHECK struct device *registry_try_add(struct registry *r, const struct id *id,
                                           uint64_t hash);
void registry_remove(struct registry *r, struct device *d);

/* All devices, in no order; starts with NULL, ends with NULL. The current one may be
 * removed meanwhile. */
struct device *registry_next(const struct registry *r, const struct device *d);

/* The first device whose number is `ref` or more; NULL: there is none. Numbers stay, so
 * that a reader can go on behind where it stopped: who exists all the while is met
 * once. */
struct device *registry_from(const struct registry *r, uint32_t ref);

/* For tests: asserts that every device is found and the counts add up. */
void registry_check(const struct registry *r);
