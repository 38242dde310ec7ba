/* fuzz_journal.c - whatever the disk says: a start over hostile entries.
 *
 *   input: { kind | size | bytes } ...
 *   kind   even: the bytes as they are; odd: with a version and a sum that fit, so that
 *          what is inside is looked at
 *
 * What is read must be written the same way again. No device may be shown twice; the
 * journal must go on with what there was, and give it back at the next start. */
#include "journal/journal_inside.h"

#include "base/crc32c.h"
#include "base/reader.h"
#include "store/store_mem.h"

#include <fcntl.h>
#include <stdlib.h>

#define MOST 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct journal *journal;
    struct feed *feed;
    struct id devices[MOST];
    uint32_t numbers[MOST];
    uint32_t epochs[MOST];
    size_t cards;
    uint64_t cursors[MOST];
    size_t events;
    uint32_t sum;
} run;

static void must(int rc)
{
    if (rc < 0)
        abort();
}

/* ---- entries ---- */

/* The form has no two ways to write the same thing. */
static void check_entry(struct slice bytes, uint64_t seq)
{
    uint8_t again[ENTRY_MAX];
    struct entry entry;
    size_t size;

    if (entry_decode(bytes, seq, &entry) < 0)
        return;
    if (entry.form == ENTRY_EVENT)
        size = entry_of_event(&entry.event, again);
    else if (entry.form == ENTRY_CARD)
        size = entry_of_card(&entry.card, again);
    else
        size = entry_of_claim(again);
    entry_seal(again, size, seq);
    assert(slice_equal(bytes, slice_of(again, size)));
}

static void put(struct store *store, uint64_t seq, struct slice bytes, bool is_sealed)
{
    uint8_t *room;

    must(store_mem.put(store, seq, bytes.size, &room));
    if (bytes.size > 0)
        memcpy(room, bytes.data, bytes.size);
    if (is_sealed && bytes.size >= ENTRY_HEAD) {
        room[0] = room[0] == 2 ? 2 : 1;
        entry_seal(room, bytes.size, seq);
    }
    check_entry(slice_of(room, bytes.size), seq);
}

static void fill_disk(struct slice input)
{
    struct reader r = reader_of(input);
    struct store *store;

    store_mem_wipe();
    must(store_mem.open(&(struct store_conf){.kind = &journal_store}, &store));
    must(store_mem.begin(store));
    for (uint64_t seq = 1; seq < MOST && r.rest.size > 2; seq++) {
        uint8_t kind = read_u8(&r);
        size_t size = read_u8(&r);

        size = size < r.rest.size ? size : r.rest.size;
        put(store, seq, read_bytes(&r, size), kind % 2);
    }
    must(store_mem.commit(store));
    store_mem.close(&store);
}

/* ---- the journal ---- */

static int on_card(void *user, uint32_t number, const struct card *card)
{
    (void)user;
    assert(number > 0 && id_is_set(&card->device) && run.cards < MOST);
    for (size_t i = 0; i < run.cards; i++)
        assert(!id_equal(&run.devices[i], &card->device) && run.numbers[i] != number);
    run.devices[run.cards] = card->device;
    run.epochs[run.cards] = card->epoch;
    run.numbers[run.cards++] = number;
    run.sum = crc32c(run.sum, card->listener); /* reads it, for the sanitizer */
    return OK;
}

static bool on_event(void *user, const struct event *e)
{
    (void)user;
    assert(run.events < MOST);
    run.cursors[run.events++] = e->cursor;
    run.sum = crc32c(crc32c(run.sum, e->listener), e->reason);
    return true;
}

static void open_journal(void)
{
    struct journal_conf conf = {.engine = &store_mem,
                                .dir = "mem",
                                .keep = MOST / 2,
                                .max_bytes = 1 << 20,
                                .max_cards = MOST,
                                .backlog_bytes = 1 << 20};

    run.cards = run.events = 0;
    must(journal_new(&conf, &run.journal));
    must(feed_new(run.journal, &run.feed));
    must(journal_open(run.journal, on_card, NULL));
    must(journal_read(run.journal, 0, on_event, NULL));
    assert(store_mem_records(&journal_store) == run.cards + run.events + 1);
}

static void turn(void)
{
    feed_flush(run.feed);
    journal_turn(run.journal, 0);
    assert(feed_is_settled(run.feed));
}

/* Every other card is dropped, the others are rewritten; one event is told. */
static void go_on(void)
{
    struct event e = {.kind = EVENT_GAP};

    feed_tell(run.feed, &e);
    for (size_t i = 0; i < run.cards; i++) {
        struct card card = {.device = run.devices[i], .epoch = run.epochs[i] + 1};

        if (i % 2)
            feed_drop(run.feed, run.numbers[i]);
        else
            feed_keep(run.feed, run.numbers[i], &card);
    }
    turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_quiet;
    size_t cards, events;
    uint64_t newest;

    if (!is_quiet)
        log_redirect(open("/dev/null", O_WRONLY | O_CLOEXEC));
    is_quiet = true;
    fill_disk(slice_of(data, size));
    open_journal();
    cards = run.cards;
    events = run.events;
    go_on();
    newest = journal_newest(run.journal);
    journal_close(&run.journal);
    open_journal();
    assert(run.cards == (cards + 1) / 2);
    assert(run.events == (events < MOST / 2 ? events + 1 : events));
    assert(run.cursors[run.events - 1] == newest);
    journal_close(&run.journal);
    store_mem_wipe();
    return 0;
}
