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
static struct {
    struct item *items;
    size_t count, room, committed;
    struct fault faults[MEM_CALL_COUNT];
    bool is_full, keeps_failed_commit, has_reserve, is_open, in_transaction;
    unsigned commits;
    struct store store;
} disk;

static int strike(enum mem_call call)
{
    struct fault *f = &disk.faults[call];

    if (f->times == 0 || --f->after > 0)
        return OK;
    f->times--;
    f->after = 1;
    return f->rc;
}

static void free_from(size_t first)
{
    for (size_t i = first; i < disk.count; i++)
        free((void *)disk.items[i].bytes.data);
    disk.count = first;
}

static struct item *find(uint64_t seq)
{
    size_t low = 0, high = disk.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (disk.items[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < disk.count && disk.items[low].seq == seq ? &disk.items[low] : NULL;
}

static void mem_abort(struct store *store)
{
    (void)store;
    assert(disk.in_transaction);
    free_from(disk.committed);
    for (size_t i = 0; i < disk.count; i++)
        disk.items[i].is_removed = false;
    disk.in_transaction = false;
}

static void apply(void)
{
    size_t kept = 0;

    for (size_t i = 0; i < disk.count; i++) {
        if (disk.items[i].is_removed)
            free((void *)disk.items[i].bytes.data);
        else
            disk.items[kept++] = disk.items[i];
    }
    disk.count = disk.committed = kept;
    disk.in_transaction = false;
}

static int mem_open(const struct store_conf *conf, struct store **out)
{
    int rc = strike(MEM_OPEN);

    (void)conf;
    if (rc < 0)
        return rc;
    assert(!disk.is_open);
    disk.is_open = true;
    disk.store.engine = &store_mem;
    *out = &disk.store;
    return OK;
}

static void mem_close(struct store **store)
{
    if (*store && disk.in_transaction)
        mem_abort(*store);
    if (*store)
        disk.is_open = false;
    *store = NULL;
}

static int mem_scan(struct store *store, uint64_t from, store_seen *seen, void *user)
{
    int rc = strike(MEM_SCAN);

    (void)store;
    for (size_t i = 0; i < disk.count && rc == OK; i++)
        if (disk.items[i].seq >= from)
            rc = seen(user, disk.items[i].seq, disk.items[i].bytes);
    return rc;
}

static int mem_begin(struct store *store)
{
    int rc = strike(MEM_BEGIN);

    (void)store;
    assert(!disk.in_transaction);
    disk.in_transaction = rc == OK;
    return rc;
}

static int mem_put(struct store *store, uint64_t seq, size_t size, uint8_t **room)
{
    int rc = strike(MEM_PUT);

    (void)store;
    assert(disk.in_transaction);
    assert(disk.count == 0 || disk.items[disk.count - 1].seq < seq);
    if (rc < 0)
        return rc;
    if (disk.count == disk.room) {
        size_t more = disk.room ? disk.room * 2 : 64;
        struct item *items = realloc(disk.items, more * sizeof(*items));

        if (!items)
            return ERR_NOMEM;
        disk.items = items;
        disk.room = more;
    }
    if (!(*room = malloc(size)))
        return ERR_NOMEM;
    disk.items[disk.count++] =
        (struct item){.seq = seq, .bytes = slice_of(*room, size)};
    return OK;
}

static int mem_remove(struct store *store, uint64_t seq)
{
    struct item *item = find(seq);
    int rc = strike(MEM_REMOVE);

    (void)store;
    assert(disk.in_transaction);
    if (rc < 0)
        return rc;
    if (!item || item->is_removed)
        return ERR_NOTFOUND;
    item->is_removed = true;
    return OK;
}

static int mem_commit(struct store *store)
{
    int rc = strike(MEM_COMMIT);

    assert(disk.in_transaction);
    if (rc == OK && disk.is_full && (disk.count > disk.committed || disk.has_reserve))
        rc = ERR_NOSPACE;
    if (rc == OK) {
        disk.commits++;
        apply();
    } else if (disk.keeps_failed_commit) {
        disk.keeps_failed_commit = false;
        apply();
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
    struct item *item = find(seq);
    int rc = strike(MEM_READ);

    (void)store;
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
    int rc = strike(MEM_RESERVE);

    (void)store;
    if (rc == OK && disk.is_full && !disk.has_reserve)
        rc = ERR_NOSPACE;
    if (rc == OK)
        disk.has_reserve = true;
    return rc;
}

static void mem_give_reserve(struct store *store)
{
    (void)store;
    disk.has_reserve = false;
}

static uint64_t mem_disk_bytes(struct store *store)
{
    uint64_t bytes = 0;

    (void)store;
    for (size_t i = 0; i < disk.count; i++)
        bytes += disk.items[i].bytes.size;
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
    free_from(0);
    free(disk.items);
    memset(&disk, 0, sizeof(disk));
}

void store_mem_fail(enum mem_call call, unsigned nth, unsigned times, int rc)
{
    disk.faults[call] = (struct fault){.after = nth, .times = times, .rc = rc};
}

void store_mem_keep_failed_commit(void)
{
    disk.keeps_failed_commit = true;
}

void store_mem_set_full(bool is_full)
{
    disk.is_full = is_full;
}

bool store_mem_flip(uint64_t seq, size_t byte)
{
    struct item *item = find(seq);

    if (!item || byte >= item->bytes.size)
        return false;
    ((uint8_t *)(uintptr_t)item->bytes.data)[byte] ^= 1;
    return true;
}

size_t store_mem_records(void)
{
    return disk.count;
}

unsigned store_mem_commits(void)
{
    return disk.commits;
}
