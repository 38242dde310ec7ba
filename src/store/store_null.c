/* store_null.c - the store that stores nothing: every append is refused with ERR_FULL,
 * so the gateway relays between terminals that are online and says the rest. */
#include "store/store.h"

static struct store the_store = {.engine = &store_null};

static int null_open(const struct store_conf *conf, struct store **out)
{
    (void)conf;
    *out = &the_store;
    return OK;
}

static void null_close(struct store **store)
{
    *store = NULL;
}

static int null_scan(struct store *store, uint64_t from, store_seen *seen, void *user)
{
    (void)store;
    (void)from;
    (void)seen;
    (void)user;
    return OK;
}

static int null_ok(struct store *store)
{
    (void)store;
    return OK;
}

static void null_nothing(struct store *store)
{
    (void)store;
}

static int null_put(struct store *store, uint64_t seq, size_t size, uint8_t **room)
{
    (void)store;
    (void)seq;
    (void)size;
    (void)room;
    return ERR_FULL;
}

static int null_remove(struct store *store, uint64_t seq)
{
    (void)store;
    (void)seq;
    return ERR_NOTFOUND;
}

static int null_read(struct store *store, uint64_t seq, struct slice *record)
{
    (void)store;
    (void)seq;
    (void)record;
    return ERR_NOTFOUND;
}

static uint64_t null_disk_bytes(struct store *store)
{
    (void)store;
    return 0;
}

const struct store_engine store_null = {
    .name = "null",
    .open = null_open,
    .close = null_close,
    .scan = null_scan,
    .begin = null_ok,
    .put = null_put,
    .remove = null_remove,
    .abort = null_nothing,
    .commit = null_ok,
    .begin_reads = null_ok,
    .read = null_read,
    .end_reads = null_nothing,
    .take_reserve = null_ok,
    .give_reserve = null_nothing,
    .disk_bytes = null_disk_bytes,
};
