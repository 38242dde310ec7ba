/* fuzz_store.c - whatever the disk says: a start-up scan over hostile records.
 *
 *   input: { kind | size | bytes } ...
 *   kind   even: the bytes as they are; odd: a sound record made of them (position, id,
 *          body), so that the index sees every order of positions
 *
 * What cannot be read must be left out; what can must come back in order of position,
 * byte for byte, and all of it must go when it is removed. */
#include "base/crc32c.h"
#include "base/reader.h"
#include "mailbox/box.h"
#include "mailbox/record.h"
#include "store/store_mem.h"
#include "mailbox/writer.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>

#define DEVICES 4
#define MOST    512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct inbox inbox;
    struct mail_writer *writer;
    struct mailbox *box;
    struct mailqueue queues[DEVICES];
    uint64_t last[DEVICES];
    size_t found, shown;
    uint32_t sum;
} run;

static void must(int rc)
{
    if (rc < 0)
        abort();
}

static size_t device_of_id(const struct id *id)
{
    return id->length ? (uint8_t)id->text[0] % DEVICES : 0;
}

static int on_found(void *user, const struct id *id, const struct mail_record *record)
{
    (void)user;
    assert(id_is_set(id) && id->length <= ID_TEXT_MAX);
    run.found++;
    return mailbox_adopt(run.box, &run.queues[device_of_id(id)], id, record);
}

static void on_fate(void *user, struct mailqueue *queue, uint64_t position,
                    struct slice body, struct mail_receipt receipt, int rc)
{
    (void)user, (void)queue, (void)position, (void)body, (void)receipt, (void)rc;
    abort(); /* nothing is appended here */
}

static void on_mail(void *user, struct mailqueue *queue, uint64_t position,
                    struct slice body)
{
    size_t device = (size_t)(queue - run.queues);

    (void)user;
    assert(position >= run.last[device]);
    run.last[device] = position;
    run.sum = crc32c(run.sum, body); /* reads every byte, for the sanitizer */
    run.shown++;
}

static void on_loaded(void *user, struct mailqueue *queue)
{
    (void)user, (void)queue;
}

static void on_lost(void *user, struct mailqueue *queue, uint64_t position, int why)
{
    (void)user, (void)queue, (void)position, (void)why;
    abort(); /* what the scan accepted can be read */
}

static void on_room(void *user)
{
    (void)user;
}

static const struct mailbox_events events = {
    .on_fate = on_fate,
    .on_mail = on_mail,
    .on_loaded = on_loaded,
    .on_lost = on_lost,
    .on_room = on_room,
};

static void put_raw(struct store *store, uint64_t seq, struct slice bytes)
{
    uint8_t *room;

    must(store_mem.put(store, seq, bytes.size, &room));
    memcpy(room, bytes.data, bytes.size);
}

static void put_sound(struct store *store, uint64_t seq, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint64_t position = read_u16(&r);
    struct slice text = read_bytes(&r, read_u8(&r) % (ID_TEXT_MAX + 1));
    uint8_t *room;
    struct id id;

    if (r.bad || id_make(PROTOCOL_TTMS, text, &id) < 0)
        return;
    must(store_mem.put(store, seq, record_size(&id, r.rest.size), &room));
    record_encode(position, &id, r.rest, room);
    record_seal(room, 1, seq);
}

static void fill_disk(struct slice input)
{
    struct reader r = reader_of(input);
    struct store *store;

    store_mem_wipe();
    must(store_mem.open(&(struct store_conf){.kind = &mailbox_store, .dir = "mem"},
                        &store));
    must(store_mem.begin(store));
    for (uint64_t seq = 1; seq < MOST && r.rest.size > 2; seq++) {
        uint8_t kind = read_u8(&r);
        size_t size = read_u8(&r);
        struct slice bytes = read_bytes(&r, size < r.rest.size ? size : r.rest.size);

        if (kind % 2)
            put_sound(store, seq, bytes);
        else
            put_raw(store, seq, bytes);
    }
    must(store_mem.commit(store));
    store_mem.close(&store);
}

static void turn(void)
{
    mailbox_flush(run.box);
    mail_writer_turn(run.writer, 0);
    for (struct parcel *p = inbox_take(&run.inbox), *next; p; p = next) {
        next = p->next;
        p->open(p, NULL);
    }
    LIST_FOREACH (&run.box->bodies, k)
        queue_check(body_of_link(k));
}

static void open_all(void)
{
    struct mail_writer_conf writer = {.engine = &store_mem, .dir = "mem"};
    struct mailbox_conf conf = {.inbox = &run.inbox, .events = &events};

    memset(&run, 0, sizeof(run));
    must(inbox_init(&run.inbox));
    must(mail_writer_new(&writer, &run.writer));
    conf.writer = run.writer;
    must(mailbox_new(&conf, &run.box));
    must(mail_writer_open(run.writer, on_found, NULL));
    mailbox_adopted(run.box);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_quiet;
    size_t records;

    if (!is_quiet)
        log_redirect(open("/dev/null", O_WRONLY | O_CLOEXEC));
    is_quiet = true;
    fill_disk(slice_of(data, size));
    records = store_mem_records(&mailbox_store);
    open_all();
    for (int d = 0; d < DEVICES; d++) {
        mailbox_load(run.box, &run.queues[d], 500);
        turn();
        mailbox_unload(run.box, &run.queues[d]);
        run.last[d] = 0;
    }
    run.shown = 0; /* all of it comes again */
    for (int d = 0; d < DEVICES; d++) {
        mailbox_load(run.box, &run.queues[d], SIZE_MAX);
        turn();
    }
    assert(run.shown == run.found && run.found <= records);
    for (int d = 0; d < DEVICES; d++)
        (void)mailbox_purge(run.box, &run.queues[d]);
    turn();
    assert(store_mem_records(&mailbox_store) == records - run.found);
    for (int d = 0; d < DEVICES; d++)
        assert(mailqueue_is_idle(&run.queues[d]));
    mail_writer_stop(run.writer);
    mailbox_free(&run.box);
    mail_writer_close(&run.writer);
    inbox_fini(&run.inbox);
    store_mem_wipe();
    return 0;
}
