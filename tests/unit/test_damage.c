/* test_damage.c - the three stores on a disk that lies: files cut short, pages blanked,
 * bits flipped.
 *
 * Whatever became of the file, a start finds it out. Either the store reads as it was
 * left, but for records that are seen to be damaged; or it says that it was damaged,
 * and goes on with records that are byte for byte what was once written under their
 * numbers. Afterwards it takes new ones, and the next start finds nothing wrong.
 *
 * HOLDFAST_LONG in the environment: every cut, and 100,000 flips. */
#include "journal/entry.h"
#include "ledger/line.h"
#include "mailbox/record.h"
#include "store/store.h"

#include "unit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORDS     420
#define PAGE        4096u
#define RECORD_ROOM 8192

static struct {
    const struct store_kind *kind;
    size_t (*make)(uint64_t seq, uint8_t *to);
    char dir[64];
    uint8_t *whole; /* the sound file */
    size_t size;
    bool is_live[RECORDS + 1]; /* neither removed nor yet to be written */
    unsigned flipped;          /* so many records may be damaged at the most */
    unsigned live, saved, least, salvaged, refused, rounds;
} rig;

static size_t length_for(uint64_t seq)
{
    return seq % 40 == 0 ? 5000 : seq * 37 % 200;
}

static struct slice body_for(uint64_t seq, size_t most)
{
    static uint8_t body[RECORD_ROOM];
    size_t size = length_for(seq);

    for (size_t i = 0; i < size; i++)
        body[i] = (uint8_t)(seq + i);
    return slice_of(body, size < most ? size : most);
}

static struct id id_for(uint64_t seq)
{
    char text[16];
    struct id id;
    int n = snprintf(text, sizeof(text), "%08u", (unsigned)seq % 7);

    assert_int_equal(id_make(PROTOCOL_TTMS, slice_of(text, (size_t)n), &id), OK);
    return id;
}

static size_t make_message(uint64_t seq, uint8_t *to)
{
    struct slice body = body_for(seq, SIZE_MAX);
    struct id id = id_for(seq);

    record_encode(seq, &id, body, to);
    record_seal(to, 1, seq);
    return record_size(&id, body.size);
}

static size_t make_entry(uint64_t seq, uint8_t *to)
{
    struct event e = {.kind = EVENT_REPORT, .device = id_for(seq), .time_ms = 1};
    struct card c = {.device = id_for(seq), .epoch = (uint32_t)seq};
    size_t size;

    e.content = body_for(seq, EVENT_CONTENT_MAX);
    e.size = (uint32_t)e.content.size;
    size = seq % 5 ? entry_of_event(&e, to) : entry_of_card(&c, to);
    entry_seal(to, size, seq);
    return size;
}

static size_t make_line(uint64_t seq, uint8_t *to)
{
    struct line line = {.number = (uint32_t)seq,
                        .form = seq % 2 ? LEDGER_TICKET : LEDGER_CREDENTIAL,
                        .record = body_for(seq, SIZE_MAX)};

    line_encode(&line, seq, to);
    return LINE_HEAD + line.record.size;
}

/* ---- files ---- */

static const char *in_dir(const char *name)
{
    static char path[160];

    snprintf(path, sizeof(path), "%s/%s/%s", rig.dir, rig.kind->name, name);
    return path;
}

static void write_file(const uint8_t *bytes, size_t size)
{
    int fd = open(in_dir("data.mdb"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void read_file(void)
{
    int fd = open(in_dir("data.mdb"), O_RDONLY | O_CLOEXEC);
    struct stat st;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    rig.size = (size_t)st.st_size;
    assert_non_null(rig.whole = malloc(rig.size));
    assert_int_equal(read(fd, rig.whole, rig.size), rig.size);
    close(fd);
}

static bool was_salvaged(void)
{
    return access(in_dir("data.mdb.damaged-1"), F_OK) == 0;
}

static void clean(void)
{
    (void)unlink(in_dir("data.mdb"));
    (void)unlink(in_dir("lock.mdb"));
    (void)unlink(in_dir("data.mdb.damaged-1"));
}

/* ---- the store ---- */

static int try_open(struct store **store)
{
    struct store_conf conf = {.kind = rig.kind,
                              .dir = rig.dir,
                              .total_bytes = 1 << 20,
                              .check = true};

    return store_lmdb.open(&conf, store);
}

static void put(struct store *store, uint64_t seq)
{
    uint8_t record[RECORD_ROOM], *room;
    size_t size = rig.make(seq, record);

    assert_true(size <= sizeof(record));
    assert_int_equal(store_lmdb.put(store, seq, size, &room), OK);
    memcpy(room, record, size);
}

/* Ten records in a transaction; each removes some of what came long before. */
static void make_history(void)
{
    struct store *store;

    assert_int_equal(try_open(&store), OK);
    for (uint64_t seq = 1; seq <= RECORDS; seq++) {
        if (seq % 10 == 1)
            assert_int_equal(store_lmdb.begin(store), OK);
        put(store, seq);
        rig.is_live[seq] = true;
        if (seq > 50 && seq % 3) {
            assert_int_equal(store_lmdb.remove(store, seq - 50), OK);
            rig.is_live[seq - 50] = false;
        }
        if (seq % 10 == 0)
            assert_int_equal(store_lmdb.commit(store), OK);
    }
    store_lmdb.close(&store);
    for (uint64_t seq = 1; seq <= RECORDS; seq++)
        rig.live += rig.is_live[seq];
}

struct seen {
    unsigned sound, unsound, live;
    uint64_t last;
};

/* A record that passes for sound is what was written under its number. */
static int on_seen(void *user, uint64_t seq, struct slice record)
{
    uint8_t written[RECORD_ROOM];
    struct seen *seen = user;

    seen->last = seq;
    if (!rig.kind->is_sound(seq, record)) {
        seen->unsound++;
        return OK;
    }
    assert_true(seq >= 1 && seq <= RECORDS + 10);
    assert_true(slice_equal(record, slice_of(written, rig.make(seq, written))));
    seen->sound++;
    seen->live += seq <= RECORDS && rig.is_live[seq];
    return OK;
}

static void expect_new_ones_are_taken(struct store *store, uint64_t last)
{
    assert_int_equal(store_lmdb.begin(store), OK);
    for (uint64_t seq = last + 1; seq <= RECORDS + 10; seq++)
        put(store, seq);
    for (uint64_t seq = 1; seq <= last && seq <= RECORDS; seq += 7) {
        int rc = store_lmdb.remove(store, seq);

        assert_true(rc == OK || rc == ERR_NOTFOUND);
    }
    assert_int_equal(store_lmdb.commit(store), OK);
    store_lmdb.close(&store);
    (void)unlink(in_dir("data.mdb.damaged-1"));
    assert_int_equal(try_open(&store), OK);
    assert_false(was_salvaged());
    store_lmdb.close(&store);
}

/* The file is as somebody left it: a start. */
static void expect_found_out(void)
{
    struct seen seen = {0};
    struct store *store = NULL;
    int rc = try_open(&store);

    rig.rounds++;
    if (rc < 0) { /* its mark: nobody can say whose file it is */
        assert_true(rc == ERR_DAMAGED || rc == ERR_VERSION);
        rig.refused++;
        clean();
        return;
    }
    assert_int_equal(store_lmdb.scan(store, 0, on_seen, &seen), OK);
    if (was_salvaged()) {
        rig.salvaged++;
        assert_int_equal(seen.unsound, 0);
    } else {
        assert_int_equal(seen.sound, seen.live);
        assert_true(seen.unsound <= rig.flipped);
        assert_int_equal(seen.live + seen.unsound, rig.live);
    }
    rig.saved = seen.live;
    if (seen.live < rig.least)
        rig.least = seen.live;
    expect_new_ones_are_taken(store, seen.last);
    clean();
}

static void tell(const char *what)
{
    print_message("%s: %u %s; %u salvaged, %u refused, at least %u of %u saved\n",
                  rig.kind->name, rig.rounds, what, rig.salvaged, rig.refused,
                  rig.least, rig.live);
}

/* ---- tests ---- */

static bool is_long(void)
{
    const char *word = getenv("HOLDFAST_LONG");

    return word && *word;
}

static int start(const struct store_kind *kind, size_t (*make)(uint64_t, uint8_t *))
{
    memset(&rig, 0, sizeof(rig));
    rig.kind = kind;
    rig.make = make;
    rig.least = UINT_MAX;
    rig.flipped = 1;
    strcpy(rig.dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/holdfast-test-XXXXXX"
                                                  : "/tmp/holdfast-test-XXXXXX");
    assert_non_null(mkdtemp(rig.dir));
    log_redirect(open("/dev/null", O_WRONLY | O_CLOEXEC));
    make_history();
    read_file();
    clean();
    return 0;
}

static int start_mailbox(void **state)
{
    (void)state;
    return start(&mailbox_store, make_message);
}

static int start_journal(void **state)
{
    (void)state;
    return start(&journal_store, make_entry);
}

static int start_ledger(void **state)
{
    (void)state;
    return start(&ledger_store, make_line);
}

static int stop(void **state)
{
    (void)state;
    clean();
    free(rig.whole);
    (void)rmdir(in_dir(""));
    assert_int_equal(rmdir(rig.dir), 0);
    log_redirect(STDERR_FILENO);
    return 0;
}

static void what_is_whole_reads_as_it_was_left(void **state)
{
    (void)state;
    write_file(rig.whole, rig.size);
    expect_found_out();
    assert_int_equal(rig.saved, rig.live);
    assert_int_equal(rig.salvaged, 0);
}

/* Values of up to six pages, removals in any order, transactions given up, a reader
 * that keeps old pages: LMDB's own bookkeeping must never look like damage. */
static void churn(struct store *store, uint64_t *next)
{
    uint8_t *room;

    assert_int_equal(store_lmdb.begin(store), OK);
    for (int n = rand() % 60; n > 0; n--) {
        size_t size = (size_t)rand() % (rand() % 4 ? 300 : 6 * PAGE);

        assert_int_equal(store_lmdb.put(store, (*next)++, size, &room), OK);
        memset(room, 'x', size);
    }
    for (int n = rand() % 70; n > 0; n--) {
        uint64_t back = (uint64_t)(rand() % 400 + 1);
        int rc = store_lmdb.remove(store, back < *next ? *next - back : *next);

        assert_true(rc == OK || rc == ERR_NOTFOUND);
    }
    if (rand() % 10)
        assert_int_equal(store_lmdb.commit(store), OK);
    else
        store_lmdb.abort(store);
}

static void a_sound_file_is_never_called_damaged(void **state)
{
    struct store_conf reading = {.kind = rig.kind, .dir = rig.dir, .read_only = true};
    struct store *store, *reader = NULL;
    uint64_t next = 1;

    (void)state;
    srand(4);
    for (int round = 0; round < (is_long() ? 5000 : 60); round++) {
        if (round % 60 == 0)
            clean(); /* else it would grow for ever */
        assert_int_equal(try_open(&store), OK);
        assert_false(was_salvaged());
        for (int n = rand() % 12; n >= 0; n--) {
            churn(store, &next);
            if (rand() % 8 == 0 && !reader) {
                assert_int_equal(store_lmdb.open(&reading, &reader), OK);
                assert_int_equal(store_lmdb.begin_reads(reader), OK);
            } else if (rand() % 4 == 0) {
                store_lmdb.close(&reader);
            }
        }
        store_lmdb.close(&reader);
        store_lmdb.close(&store);
    }
}

/* At the borders of pages, beside them, and in between; or everywhere. */
static void a_cut_anywhere_is_found_out(void **state)
{
    size_t step = is_long() ? 1 : 509;

    (void)state;
    for (size_t size = 1; size < rig.size; size += step) {
        write_file(rig.whole, size);
        expect_found_out();
    }
    for (size_t size = PAGE; size < rig.size; size += PAGE / 2) {
        write_file(rig.whole, size - 1);
        expect_found_out();
        write_file(rig.whole, size);
        expect_found_out();
    }
    tell("cuts");
    assert_int_equal(rig.refused, 0);
}

static void blank(uint8_t *at, bool is_garbage)
{
    for (size_t i = 0; i < PAGE; i++)
        at[i] = is_garbage ? (uint8_t)rand() : 0;
}

static void a_blank_page_is_found_out(void **state)
{
    uint8_t kept[PAGE];

    (void)state;
    srand(1);
    for (size_t at = 0; at + PAGE <= rig.size; at += PAGE)
        for (int garbage = 0; garbage < 2; garbage++) {
            memcpy(kept, rig.whole + at, PAGE);
            blank(rig.whole + at, garbage);
            write_file(rig.whole, rig.size);
            expect_found_out();
            memcpy(rig.whole + at, kept, PAGE);
        }
    tell("blank pages");
    assert_true(rig.least > rig.live / 2);
}

/* Bit 1 of a meta's transaction: it turns the newest meta into the one before the
 * other. Nothing in the file contradicts that, and the last commit is hidden
 * (docs/storage.md). */
static bool hides_a_commit(size_t bit)
{
    return bit == 144 * 8 + 1 || bit == (PAGE + 144) * 8 + 1;
}

/* A third of them anywhere, one in the heads of pages, one in the metas: there they do
 * most harm. */
static size_t a_bit(unsigned i)
{
    size_t pages = rig.size / PAGE, page = (size_t)rand() % pages, bit;

    if (i % 3 == 0)
        bit = (size_t)rand() % (rig.size * 8);
    else if (i % 3 == 1)
        bit = (page * PAGE + (size_t)rand() % 48) * 8 + (size_t)rand() % 8;
    else
        bit = (page % 2 * PAGE + (size_t)rand() % 152) * 8 + (size_t)rand() % 8;
    return hides_a_commit(bit) ? bit + 1 : bit;
}

static void a_flipped_bit_anywhere_is_found_out(void **state)
{
    unsigned flips = is_long() ? 100000 : 1500;

    (void)state;
    srand(2);
    for (unsigned i = 0; i < flips; i++) {
        size_t bit = a_bit(i);

        rig.whole[bit / 8] ^= (uint8_t)(1 << bit % 8);
        write_file(rig.whole, rig.size);
        expect_found_out();
        rig.whole[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    tell("flipped bits");
    assert_true(rig.least > rig.live / 2);
    assert_true(rig.refused < flips / 100);
}

/* Not one bit: many, as a bad controller would. */
static void many_flipped_bits_are_found_out(void **state)
{
    uint8_t *kept = malloc(rig.size);

    (void)state;
    assert_non_null(kept);
    memcpy(kept, rig.whole, rig.size);
    srand(3);
    rig.flipped = 30;
    for (unsigned i = 0; i < (is_long() ? 10000 : 200); i++) {
        for (int n = rand() % 30; n >= 0; n--) {
            size_t bit = a_bit((unsigned)rand());

            rig.whole[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        write_file(rig.whole, rig.size);
        expect_found_out();
        memcpy(rig.whole, kept, rig.size);
    }
    free(kept);
    tell("times many bits");
}

int main(void)
{
#define OF(store, test) cmocka_unit_test_setup_teardown(test, start_##store, stop)
#define DAMAGED(test)   OF(mailbox, test), OF(journal, test), OF(ledger, test)
    const struct CMUnitTest tests[] = {
        DAMAGED(what_is_whole_reads_as_it_was_left),
        DAMAGED(a_sound_file_is_never_called_damaged),
        DAMAGED(a_cut_anywhere_is_found_out),
        DAMAGED(a_blank_page_is_found_out),
        DAMAGED(a_flipped_bit_anywhere_is_found_out),
        DAMAGED(many_flipped_bits_are_found_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
