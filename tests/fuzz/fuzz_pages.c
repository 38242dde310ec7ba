/* fuzz_pages.c - a hostile data file: what LMDB is allowed to open must not break it.
 *
 *   input: the bytes of data.mdb
 *
 * The file is opened as at a start, so what is damaged is salvaged; then it is read and
 * changed in every way that the writer knows. */
#include "base/log.h"
#include "mailbox/record.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];

struct seen {
    uint64_t seqs[MOST];
    size_t count;
    uint64_t last;
};

static int on_seen(void *user, uint64_t seq, struct slice bytes)
{
    struct seen *seen = user;
    struct record record;

    (void)!record_decode(bytes, seq, &record);
    if (seen->count < MOST)
        seen->seqs[seen->count++] = seq;
    seen->last = seq;
    return OK;
}

static const char *in_dir(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void clean(void);

static void leave(void)
{
    clean();
    (void)rmdir(in_dir("mailbox"));
    (void)rmdir(dir);
}

static void prepare(void)
{
    if (dir[0])
        return;
    snprintf(dir, sizeof(dir), "/dev/shm/fuzz_pages.XXXXXX");
    if (!mkdtemp(dir) || mkdir(in_dir("mailbox"), 0700) < 0)
        abort();
    (void)atexit(leave);
    log_redirect(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static void clean(void)
{
    static const char *const names[] = {"mailbox/data.mdb", "mailbox/lock.mdb",
                                        "mailbox/data.mdb.damaged-1"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlink(in_dir(names[i]));
}

static void write_file(const uint8_t *data, size_t size)
{
    int fd = open(in_dir("mailbox/data.mdb"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
}

static void change(struct store *store, const struct seen *seen)
{
    uint8_t *room;

    for (int round = 0; round < 3; round++) {
        if (store_lmdb.begin(store) < 0)
            return;
        for (size_t i = (size_t)round; i < seen->count; i += 2)
            (void)!store_lmdb.remove(store, seen->seqs[i]);
        for (uint64_t i = 1; i < 30; i++) {
            size_t size = i * 97;

            if (seen->last > UINT64_MAX / 2)
                break;
            if (store_lmdb.put(store, seen->last + (uint64_t)round * 100 + i, size,
                               &room))
                break;
            memset(room, 'x', size);
        }
        if (store_lmdb.commit(store) < 0)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store *store = NULL;
    struct seen seen = {0};
    struct slice record;

    prepare();
    clean();
    write_file(data, size);
    if (store_lmdb.open(&(struct store_conf){.kind = &mailbox_store,
                                             .dir = dir,
                                             .check = true},
                        &store) == OK) {
        if (store_lmdb.scan(store, 0, on_seen, &seen) == OK)
            change(store, &seen);
        if (store_lmdb.begin_reads(store) == OK) {
            for (size_t i = 0; i < seen.count; i++)
                (void)!store_lmdb.read(store, seen.seqs[i], &record);
            store_lmdb.end_reads(store);
        }
    }
    store_lmdb.close(&store);
    clean();
    return 0;
}
