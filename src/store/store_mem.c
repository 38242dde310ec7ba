#include "store/store_mem.h"

#include <assert.h>
#include <stdlib.h>

struct item {
    uint64_t seq;
    struct slice bytes;
    bool is_removed; /* by the open transaction */
};

struct fault {
    unsigned after; /* calls until it strikes; 0: none */
    unsigned times;
    int rc;
};

/* Sorted by seq. Items from `committed` on belong to the open transaction. */
struct disk {
    struct store store;
    const struct store_kind *kind;
    struct item *items;
    size_t count, room, committed;
    struct fault faults[MEM_CALL_COUNT];
    bool is_full, keeps_failed_commit, has_reserve, is_open, in_transaction;
    unsigned commits;
};

static struct disk disks[3]; /* as many as there are kinds */

static struct disk *disk_of(struct store *store)
{
    return CONTAINER_OF(store, struct disk, store);
}

/* A kind's first use gives it its disk: before there are threads. */
static struct disk *disk_of_kind(const struct store_kind *kind)
{
    struct disk *d = disks;

    while (d->kind && d->kind != kind)
        assert(++d < disks + ARRAY_LEN(disks));
    d->kind = kind;
    return d;
}

static int strike(struct disk *d, enum mem_call call)
{
    struct fault *f = &d->faults[call];

    if (f->times == 0 || --f->after > 0)
        return OK;
    f->times--;
    f->after = 1;
    return f->rc;
}

static void free_from(struct disk *d, size_t first)
{
    for (size_t i = first; i < d->count; i++)
        free((void *)d->items[i].bytes.data);
    d->count = first;
}

static struct item *find(const struct disk *d, uint64_t seq)
{
    size_t low = 0, high = d->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (d->items[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < d->count && d->items[low].seq == seq ? &d->items[low] : NULL;
}

static void mem_abort(struct store *store)
{
    struct disk *d = disk_of(store);

    assert(d->in_transaction);
    free_from(d, d->committed);
    for (size_t i = 0; i < d->count; i++)
        d->items[i].is_removed = false;
    d->in_transaction = false;
}

static void apply(struct disk *d)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->count; i++) {
        if (d->items[i].is_removed)
            free((void *)d->items[i].bytes.data);
        else
            d->items[kept++] = d->items[i];
    }
    d->count = d->committed = kept;
    d->in_transaction = false;
}

static int mem_open(const struct store_conf *conf, struct store **out)
{
    struct disk *d = disk_of_kind(conf->kind);
    int rc = strike(d, MEM_OPEN);

    if (rc < 0)
        return rc;
    assert(!d->is_open);
    d->is_open = true;
    d->store.engine = &store_mem;
    *out = &d->store;
    return OK;
}

static void mem_close(struct store **store)
{
    struct disk *d = *store ? disk_of(*store) : NULL;

    *store = NULL;
    if (!d)
        return;
    if (d->in_transaction)
        mem_abort(&d->store);
    d->is_open = false;
}

static int mem_scan(struct store *store, uint64_t from, store_seen *seen, void *user)
{
    struct disk *d = disk_of(store);
    int rc = strike(d, MEM_SCAN);

    for (size_t i = 0; i < d->count && rc == OK; i++)
        if (d->items[i].seq >= from)
            rc = seen(user, d->items[i].seq, d->items[i].bytes);
    return rc;
}

static int mem_begin(struct store *store)
{
    struct disk *d = disk_of(store);
    int rc = strike(d, MEM_BEGIN);

    assert(!d->in_transaction);
    d->in_transaction = rc == OK;
    return rc;
}

static int mem_put(struct store *store, uint64_t seq, size_t size, uint8_t **room)
{
    struct disk *d = disk_of(store);
    int rc = strike(d, MEM_PUT);

    assert(d->in_transaction);
    assert(d->count == 0 || d->items[d->count - 1].seq < seq);
    if (rc < 0)
        return rc;
    if (d->count == d->room) {
        size_t more = d->room ? d->room * 2 : 64;
        struct item *items = realloc(d->items, more * sizeof(*items));

        if (!items)
            return ERR_NOMEM;
        d->items = items;
        d->room = more;
    }
    if (!(*room = malloc(size)))
        return ERR_NOMEM;
    d->items[d->count++] = (struct item){.seq = seq, .bytes = slice_of(*room, size)};
    return OK;
}

static int mem_remove(struct store *store, uint64_t seq)
{
    struct disk *d = disk_of(store);
    struct item *item = find(d, seq);
    int rc = strike(d, MEM_REMOVE);

    assert(d->in_transaction);
    if (rc < 0)
        return rc;
    if (!item || item->is_removed)
        return ERR_NOTFOUND;
    item->is_removed = true;
    return OK;
}

static int mem_commit(struct store *store)
{
    struct disk *d = disk_of(store);
    int rc = strike(d, MEM_COMMIT);

    assert(d->in_transaction);
    if (rc == OK && d->is_full && (d->count > d->committed || d->has_reserve))
        rc = ERR_NOSPACE;
    if (rc == OK) {
        d->commits++;
        apply(d);
    } else if (d->keeps_failed_commit) {
        d->keeps_failed_commit = false;
        apply(d);
    } else {
        mem_abort(store);
    }
    return rc;
}

static int mem_begin_reads(struct store *store)
{
    (void)store;
    return OK;
}

static int mem_read(struct store *store, uint64_t seq, struct slice *record)
{
    struct disk *d = disk_of(store);
    struct item *item = find(d, seq);
    int rc = strike(d, MEM_READ);

    if (rc == OK && !item)
        rc = ERR_NOTFOUND;
    if (rc == OK)
        *record = item->bytes;
    return rc;
}

static void mem_end_reads(struct store *store)
{
    (void)store;
}

static int mem_take_reserve(struct store *store)
{
    struct disk *d = disk_of(store);
    int rc = strike(d, MEM_RESERVE);

    if (rc == OK && d->is_full && !d->has_reserve)
        rc = ERR_NOSPACE;
    if (rc == OK)
        d->has_reserve = true;
    return rc;
}

static void mem_give_reserve(struct store *store)
{
    struct disk *d = disk_of(store);

    d->has_reserve = false;
}

static uint64_t mem_disk_bytes(struct store *store)
{
    struct disk *d = disk_of(store);
    uint64_t bytes = 0;

    for (size_t i = 0; i < d->count; i++)
        bytes += d->items[i].bytes.size;
    return bytes;
}

const struct store_engine store_mem = {
    .name = "mem",
    .open = mem_open,
    .close = mem_close,
    .scan = mem_scan,
    .begin = mem_begin,
    .put = mem_put,
    .remove = mem_remove,
    .abort = mem_abort,
    .commit = mem_commit,
    .begin_reads = mem_begin_reads,
    .read = mem_read,
    .end_reads = mem_end_reads,
    .take_reserve = mem_take_reserve,
    .give_reserve = mem_give_reserve,
    .disk_bytes = mem_disk_bytes,
};

void store_mem_wipe(void)
{
    for (struct disk *d = disks; d < disks + ARRAY_LEN(disks); d++) {
        free_from(d, 0);
        free(d->items);
        *d = (struct disk){0};
    }
}

void store_mem_fail(const struct store_kind *kind, enum mem_call call, unsigned nth,
                    unsigned times, int rc)
{
    disk_of_kind(kind)->faults[call] =
        (struct fault){.after = nth, .times = times, .rc = rc};
}

void store_mem_keep_failed_commit(const struct store_kind *kind)
{
    disk_of_kind(kind)->keeps_failed_commit = true;
}

void store_mem_set_full(const struct store_kind *kind, bool is_full)
{
    disk_of_kind(kind)->is_full = is_full;
}

bool store_mem_flip(const struct store_kind *kind, uint64_t seq, size_t byte)
{
    struct item *item = find(disk_of_kind(kind), seq);

    if (!item || byte >= item->bytes.size)
        return false;
    ((uint8_t *)(uintptr_t)item->bytes.data)[byte] ^= 1;
    return true;
}

size_t store_mem_records(const struct store_kind *kind)
{
    return disk_of_kind(kind)->count;
}

unsigned store_mem_commits(const struct store_kind *kind)
{
    return disk_of_kind(kind)->commits;
}
