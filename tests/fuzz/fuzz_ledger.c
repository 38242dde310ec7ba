/* fuzz_ledger.c - whatever the disk says: a start over hostile tickets and credentials.
 *
 *   input: { kind | size | bytes } ...
 *   kind   bit 0: as they are; or a sound line made of them (number, record), of form
 *          ticket or credential by bit 1
 *
 * What is read must be written the same way again. No number may be shown twice; what
 * was shown can be changed and dropped, and the next start finds just that. */
#include "command/ticket_record.h"
#include "ledger/ledger_inside.h"
#include "session/credentials.h"
#include "store/store_mem.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>

#define MOST 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct ledger *ledger;
    struct book *book;
    struct inbox inbox;
    uint32_t numbers[MOST];
    size_t found;
} run;

static void must(int rc)
{
    if (rc < 0)
        abort();
}

/* ---- records ---- */

static void check_ticket(struct slice record)
{
    struct ticket_record ticket;
    struct buf again = {0};

    if (ticket_record_read(record, &ticket) < 0)
        return;
    must(ticket_record_write(&ticket, &again));
    assert(slice_equal(buf_peek(&again), record));
    buf_fini(&again);
}

/* Reserved bits of its flags are not kept. */
static void check_credential(struct slice record)
{
    uint8_t again[CREDENTIAL_RECORD_MAX];
    struct credential_record credential, reread;

    if (credential_read(record, &credential) < 0)
        return;
    must(credential_read(slice_of(again, credential_write(&credential, again)),
                         &reread));
    assert(id_equal(&credential.id, &reread.id));
    assert(credential.has_fresh == reread.has_fresh &&
           credential.has_proved == reread.has_proved);
}

/* ---- lines ---- */

static void put_raw(struct store *store, uint64_t seq, struct slice bytes)
{
    uint8_t *room;

    must(store_mem.put(store, seq, bytes.size, &room));
    if (bytes.size)
        memcpy(room, bytes.data, bytes.size);
}

static void put_sound(struct store *store, uint64_t seq, struct slice bytes,
                      bool is_ticket)
{
    struct reader r = reader_of(bytes);
    struct line line = {.form = is_ticket ? LEDGER_TICKET : LEDGER_CREDENTIAL};
    uint8_t *room;

    line.number = read_u16(&r);
    line.record = r.rest;
    if (r.bad || line.number == 0)
        return;
    must(store_mem.put(store, seq, LINE_HEAD + line.record.size, &room));
    line_encode(&line, seq, room);
}

static void fill_disk(struct slice input)
{
    struct reader r = reader_of(input);
    struct store *store;

    store_mem_wipe();
    must(store_mem.open(&(struct store_conf){.kind = &ledger_store}, &store));
    must(store_mem.begin(store));
    for (uint64_t seq = 1; seq < MOST && r.rest.size > 2; seq++) {
        uint8_t kind = read_u8(&r);
        size_t size = read_u8(&r);
        struct slice bytes = read_bytes(&r, size < r.rest.size ? size : r.rest.size);

        if (kind & 1)
            put_raw(store, seq, bytes);
        else
            put_sound(store, seq, bytes, kind & 2);
    }
    must(store_mem.commit(store));
    store_mem.close(&store);
}

/* ---- the ledger ---- */

static int on_found(void *user, uint32_t number, uint8_t form, struct slice record)
{
    (void)user;
    assert(number > 0 && run.found < MOST);
    for (size_t i = 0; i < run.found; i++)
        assert(run.numbers[i] != number);
    run.numbers[run.found++] = number;
    if (form == LEDGER_TICKET)
        check_ticket(record);
    else
        check_credential(record);
    return OK;
}

static void on_written(void *user, uint64_t tag, int rc)
{
    (void)user, (void)tag;
    assert(rc == OK);
}

static void open_ledger(void)
{
    const struct book_conf book = {.inbox = &run.inbox, .written = on_written};
    const struct ledger_conf conf = {.engine = &store_mem,
                                     .dir = "mem",
                                     .total_bytes = 1 << 20,
                                     .backlog_bytes = 1 << 20};

    run.found = 0;
    must(ledger_new(&conf, &run.ledger));
    must(book_new(run.ledger, &book, &run.book));
    must(ledger_open(run.ledger, on_found, NULL));
    assert(store_mem_records(&ledger_store) >= run.found);
}

static void turn(void)
{
    book_flush(run.book);
    ledger_turn(run.ledger, 0);
    for (struct parcel *p = inbox_take(&run.inbox), *next; p; p = next) {
        next = p->next;
        p->open(p, NULL);
    }
    assert(book_is_settled(run.book));
}

/* Every other one is dropped, the others are rewritten; one is new. */
static void go_on(void)
{
    const struct slice word = slice_of("word", 4);
    uint32_t fresh = book_new_number(run.book);

    assert(fresh > 0);
    for (size_t i = 0; i < run.found; i++) {
        assert(run.numbers[i] != fresh);
        if (i % 2)
            book_drop(run.book, run.numbers[i]);
        else
            must(book_write(run.book, run.numbers[i], LEDGER_TICKET, word, false, 1));
    }
    must(book_write(run.book, fresh, LEDGER_TICKET, word, true, 2));
    turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_quiet;
    size_t before;

    if (!is_quiet)
        log_redirect(open("/dev/null", O_WRONLY | O_CLOEXEC));
    is_quiet = true;
    fill_disk(slice_of(data, size));
    must(inbox_init(&run.inbox));
    open_ledger();
    before = run.found;
    go_on();
    ledger_close(&run.ledger);
    open_ledger();
    assert(run.found == (before + 1) / 2 + 1);
    ledger_close(&run.ledger);
    inbox_fini(&run.inbox);
    store_mem_wipe();
    return 0;
}
