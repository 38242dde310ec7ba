#include "mailrig.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void empty_dir(void)
{
    static const char *const names[] = {"mailbox/data.mdb", "mailbox/lock.mdb",
                                        "mailbox/reserve"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlink(in_dir(names[i]));
    for (int n = 1; n < 10; n++) {
        char name[64];

        snprintf(name, sizeof(name), "mailbox/data.mdb.damaged-%d", n);
        (void)unlink(in_dir(name));
    }
    (void)rmdir(in_dir("mailbox"));
}

static int start(void **state)
{
    strcpy(dir, "/tmp/holdfast-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)rig_start(state);
    rig_drop();
    rig.engine = &store_lmdb;
    rig.dir = dir;
    rig_open();
    return 0;
}

static int stop(void **state)
{
    empty_dir();
    assert_int_equal(rmdir(dir), 0);
    return rig_stop(state);
}

static void append_all(uint64_t first, uint64_t last)
{
    for (uint64_t p = first; p <= last; p++)
        assert_int_equal(rig_append(1, p, MAIL_NEW), OK);
}

static void mail_survives_a_restart_in_order(void **state)
{
    (void)state;
    append_all(10, 12);
    rig_turn();
    assert_int_equal(rig_append(1, 4, MAIL_RETURNED), OK);
    rig_turn();
    append_all(13, 13); /* not flushed */
    rig_drop();
    rig_open();
    rig.heard[0] = '\0';
    mailbox_load(rig.box, &rig.queues[1], 1 << 20);
    rig_turn();
    EXPECT_HEARD("M4 M10 M11 M12 L1");
    mailbox_remove(rig.box, &rig.queues[1], 4);
    mailbox_remove(rig.box, &rig.queues[1], 10);
    rig_turn();
    rig_drop();
    rig_open();
    mailbox_load(rig.box, &rig.queues[1], 1 << 20);
    rig_turn();
    EXPECT_HEARD("M11 M12 L1");
}

static void thousands_come_back_over_several_loads(void **state)
{
    (void)state;
    for (uint64_t p = 1; p <= 900; p++)
        for (unsigned d = 0; d < 4; d++)
            assert_int_equal(rig_append(d, p, MAIL_NEW), OK);
    rig_turn();
    rig_drop();
    rig_open();
    assert_int_equal(rig.adopted, 3600);
    for (uint64_t p = 1; p <= 900; p++) {
        char want[32];

        rig.heard[0] = '\0';
        mailbox_load(rig.box, &rig.queues[2], 1);
        rig_turn();
        snprintf(want, sizeof(want), "M%d L2", (int)p);
        EXPECT_HEARD(want);
        mailbox_remove(rig.box, &rig.queues[2], p);
    }
    assert_true(mailqueue_is_idle(&rig.queues[2]));
}

static void files_are_private(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(stat(in_dir("mailbox"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(in_dir("mailbox/data.mdb"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(in_dir("mailbox/reserve"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_blocks * 512 >= 4 << 20);
}

static void a_directory_that_others_may_enter_is_refused(void **state)
{
    (void)state;
    rig_drop();
    assert_int_equal(chmod(in_dir("mailbox"), 0755), 0);
    assert_int_equal(rig_try_open(&rig_events), ERR_INVALID);
    assert_int_equal(chmod(in_dir("mailbox"), 0700), 0);
    rig_open();
}

static void a_link_in_the_directorys_place_is_refused(void **state)
{
    char target[128];

    (void)state;
    rig_drop();
    empty_dir();
    snprintf(target, sizeof(target), "%s", in_dir("elsewhere"));
    assert_int_equal(mkdir(target, 0700), 0);
    assert_int_equal(symlink(target, in_dir("mailbox")), 0);
    assert_int_equal(rig_try_open(&rig_events), ERR_INVALID);
    assert_int_equal(unlink(in_dir("mailbox")), 0);
    assert_int_equal(rmdir(target), 0);
    rig_open();
}

/* Replaces the value of key 0, behind the store's back. */
static void write_mark(const char *bytes, size_t size)
{
    uint64_t zero = 0;
    MDB_val key = {.mv_size = sizeof(zero), .mv_data = &zero};
    MDB_val value = {.mv_size = size, .mv_data = (void *)(uintptr_t)bytes};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, in_dir("mailbox"), 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void a_newer_format_is_refused_and_a_foreign_one_too(void **state)
{
    (void)state;
    rig_drop();
    write_mark("holdfast mailbox\0\0\0\2", 20);
    assert_int_equal(rig_try_open(&rig_events), ERR_VERSION);
    write_mark("something else..\0\0\0\1", 20);
    assert_int_equal(rig_try_open(&rig_events), ERR_DAMAGED);
    write_mark("hold", 4);
    assert_int_equal(rig_try_open(&rig_events), ERR_DAMAGED);
    write_mark("holdfast mailbox\0\0\0\1", 20);
    rig_open();
}

static void expect_mark(const char *bytes, size_t size)
{
    uint64_t zero = 0;
    MDB_val key = {.mv_size = sizeof(zero), .mv_data = &zero}, value;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, in_dir("mailbox"), MDB_RDONLY, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi), 0);
    assert_int_equal(mdb_get(txn, dbi, &key, &value), 0);
    assert_int_equal(value.mv_size, size);
    assert_memory_equal(value.mv_data, bytes, size);
    mdb_txn_abort(txn);
    mdb_env_close(env);
}

static void an_older_format_is_renewed_so_that_older_programs_refuse_it(void **state)
{
    static const char older[] = "holdfast mailbox\0\0\0\0";
    static const char ours[] = "holdfast mailbox\0\0\0\1";

    (void)state;
    rig_drop();
    write_mark(older, 20);
    rig_open();
    rig_drop();
    expect_mark(ours, 20);
    rig_open();
}

/* Finds `text` in the data file and flips a bit in its first byte. */
static void flip_in_file(const char *text)
{
    int fd = open(in_dir("mailbox/data.mdb"), O_RDWR | O_CLOEXEC);
    struct stat st;
    char *bytes;
    char *at;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    bytes = malloc((size_t)st.st_size);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    at = memmem(bytes, (size_t)st.st_size, text, strlen(text));
    assert_non_null(at);
    *at ^= 1;
    assert_int_equal(pwrite(fd, at, 1, at - bytes), 1);
    free(bytes);
    close(fd);
}

static void a_flipped_bit_on_the_disk_loses_that_message_only(void **state)
{
    (void)state;
    append_all(1, 3);
    rig_turn();
    rig_drop();
    flip_in_file("1:2:");
    rig_open();
    assert_int_equal(rig.adopted, 2);
    rig.heard[0] = '\0';
    mailbox_load(rig.box, &rig.queues[1], 1 << 20);
    rig_turn();
    EXPECT_HEARD("M1 M3 L1");
}

static struct slice read_file(const char *name)
{
    int fd = open(in_dir(name), O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint8_t *bytes;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_non_null(bytes = malloc((size_t)st.st_size));
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    return slice_of(bytes, (size_t)st.st_size);
}

static void write_file(const char *name, struct slice bytes)
{
    int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.data, bytes.size), bytes.size);
    close(fd);
}

/* A store with a history: free pages, long bodies, two levels. */
static struct slice make_history(uint64_t messages)
{
    append_all(1, messages);
    rig_turn();
    mailbox_load(rig.box, &rig.queues[1], 40000);
    rig_turn();
    for (uint64_t p = 1; p <= messages / 3; p++) {
        mailbox_remove(rig.box, &rig.queues[1], p);
        if (p % 10 == 0)
            rig_turn();
    }
    rig_turn();
    rig_drop();
    return read_file("mailbox/data.mdb");
}

/* Opens whatever is there, and reads it all: rig_on_mail compares every body. Returns
 * how many messages were found. */
static uint64_t open_and_read(void)
{
    uint64_t found;

    assert_int_equal(rig_try_open(&rig_events), OK);
    found = rig.adopted;
    mailbox_load(rig.box, &rig.queues[1], SIZE_MAX);
    rig_turn();
    assert_int_equal(rig_append(2, 1, MAIL_NEW), OK); /* and it goes on */
    rig_turn();
    rig_drop();
    rig.heard[0] = '\0';
    return found;
}

static void a_file_cut_short_anywhere_starts_with_what_is_left(void **state)
{
    struct slice whole = make_history(300);
    uint64_t all, found = 0;

    (void)state;
    all = open_and_read();
    assert_int_equal(all, 200);
    for (size_t size = 0; size < whole.size; size += 1500) {
        empty_dir();
        assert_int_equal(mkdir(in_dir("mailbox"), 0700), 0);
        write_file("mailbox/data.mdb", slice_of(whole.data, size));
        found = open_and_read();
        assert_true(found <= all + 100); /* removed ones may come back */
    }
    assert_true(found > all / 2);
    free((void *)(uintptr_t)whole.data);
    rig_open();
}

static void any_flipped_bit_is_survived(void **state)
{
    struct slice whole = make_history(300);
    uint8_t *bytes = (uint8_t *)(uintptr_t)whole.data;
    uint64_t least = UINT64_MAX;

    (void)state;
    srand(1);
    for (int i = 0; i < 600; i++) {
        /* Half of them in the heads of pages, where they do most harm. */
        size_t page = (size_t)rand() % (whole.size / 4096), bit = (size_t)rand() % 8;
        size_t at = page * 4096 + (size_t)rand() % (i % 2 ? 48 : 4096);
        uint64_t found;

        bytes[at] ^= (uint8_t)(1 << bit);
        empty_dir();
        assert_int_equal(mkdir(in_dir("mailbox"), 0700), 0);
        write_file("mailbox/data.mdb", whole);
        found = open_and_read();
        if (found < least)
            least = found;
        bytes[at] ^= (uint8_t)(1 << bit);
    }
    print_message("at least %d of 200 messages were saved\n", (int)least);
    assert_true(least > 100);
    free(bytes);
    rig_open();
}

static void a_damaged_file_is_kept_beside_the_salvaged_one(void **state)
{
    struct slice whole = make_history(100), kept;

    (void)state;
    for (size_t at = 2 * 4096; at < whole.size; at += 3 * 4096)
        memset((void *)(uintptr_t)(whole.data + at), 0, 64);
    write_file("mailbox/data.mdb", whole);
    assert_true(open_and_read() > 0);
    kept = read_file("mailbox/data.mdb.damaged-1");
    assert_true(slice_equal(kept, whole));
    free((void *)(uintptr_t)kept.data);
    free((void *)(uintptr_t)whole.data);
    rig_open();
}

static uint64_t u64_at(struct slice file, size_t at)
{
    uint64_t value;

    memcpy(&value, file.data + at, sizeof(value));
    return value;
}

/* LMDB would overwrite what is stored, and notice nothing. */
static void a_page_that_is_used_and_free_is_damage(void **state)
{
    struct slice file = make_history(300);
    size_t meta = u64_at(file, 144) < u64_at(file, 4096 + 144) ? 4096 : 0;
    uint64_t used = u64_at(file, meta + 128);     /* the records' root */
    size_t leaf = u64_at(file, meta + 80) * 4096; /* of the free pages' tree */
    uint16_t node;
    uint64_t count, i = 0;
    size_t list;

    (void)state;
    memcpy(&node, file.data + leaf + 16, sizeof(node));
    list = leaf + node + 16; /* behind head and key: count, pages in descending order */
    count = u64_at(file, list);
    while (i + 1 < count && u64_at(file, list + (i + 2) * 8) >= used)
        i++;
    memcpy((void *)(uintptr_t)(file.data + list + (i + 1) * 8), &used, sizeof(used));
    write_file("mailbox/data.mdb", file);
    assert_int_equal(open_and_read(), 200);
    assert_int_equal(access(in_dir("mailbox/data.mdb.damaged-1"), F_OK), 0);
    free((void *)(uintptr_t)file.data);
    rig_open();
}

static void a_reader_sees_what_is_committed_while_the_gateway_writes(void **state)
{
    struct store_conf conf = {.kind = &mailbox_store, .dir = dir, .read_only = true};
    struct store *reader = NULL;
    struct slice record;

    (void)state;
    append_all(1, 2);
    rig_turn();
    assert_int_equal(store_lmdb.open(&conf, &reader), OK);
    assert_int_equal(store_lmdb.begin_reads(reader), OK);
    assert_int_equal(store_lmdb.read(reader, 2, &record), OK);
    append_all(3, 3);
    rig_turn();
    assert_int_equal(store_lmdb.read(reader, 3, &record), ERR_NOTFOUND);
    store_lmdb.end_reads(reader);
    assert_int_equal(store_lmdb.begin_reads(reader), OK);
    assert_int_equal(store_lmdb.read(reader, 3, &record), OK);
    store_lmdb.end_reads(reader);
    store_lmdb.close(&reader);
    assert_null(reader);
}

static void a_reader_leaves_no_files_and_needs_no_store(void **state)
{
    struct store_conf conf = {.kind = &mailbox_store, .dir = dir, .read_only = true};
    struct store *reader = NULL;

    (void)state;
    rig_drop();
    assert_int_equal(unlink(in_dir("mailbox/lock.mdb")), 0);
    assert_int_equal(store_lmdb.open(&conf, &reader), OK);
    store_lmdb.close(&reader);
    assert_int_equal(access(in_dir("mailbox/lock.mdb"), F_OK), -1);
    empty_dir();
    assert_int_equal(store_lmdb.open(&conf, &reader), ERR_NOTFOUND);
    assert_int_equal(access(in_dir("mailbox"), F_OK), -1);
    rig_open();
}

int main(void)
{
#define STORED(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        STORED(mail_survives_a_restart_in_order),
        STORED(thousands_come_back_over_several_loads),
        STORED(files_are_private),
        STORED(a_directory_that_others_may_enter_is_refused),
        STORED(a_link_in_the_directorys_place_is_refused),
        STORED(a_newer_format_is_refused_and_a_foreign_one_too),
        STORED(an_older_format_is_renewed_so_that_older_programs_refuse_it),
        STORED(a_flipped_bit_on_the_disk_loses_that_message_only),
        STORED(a_file_cut_short_anywhere_starts_with_what_is_left),
        STORED(any_flipped_bit_is_survived),
        STORED(a_damaged_file_is_kept_beside_the_salvaged_one),
        STORED(a_page_that_is_used_and_free_is_damage),
        STORED(a_reader_sees_what_is_committed_while_the_gateway_writes),
        STORED(a_reader_leaves_no_files_and_needs_no_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
