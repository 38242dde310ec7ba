/* mailrig.h - a mailbox, its writer and a disk in memory, turned by hand.
 *
 * Every event is written down in `rig.heard`, one letter and a position each, so that a
 * test reads: do something, rig_turn(), expect "F1 F2 M1 L". */
#pragma once

#include "base/clock.h"
#include "mailbox/box.h"
#include "mailbox/mailbox.h"
#include "mailbox/record.h"
#include "store/store_mem.h"
#include "mailbox/writer_inside.h"

#include "unit.h"

#include <stdio.h>

struct rig {
    struct inbox inbox;
    struct mail_writer *writer;
    struct mailbox *box;
    struct mailbox_limits limits;
    const struct store_engine *engine;
    const char *dir;
    struct mailqueue queues[8];
    struct id ids[8];
    int64_t now_ms; /* both clocks */
    char heard[4096];
    bool takes; /* mailbox_take() in on_fate */
    uint64_t last_lost, adopted;
};

static struct rig rig;

static inline void hear(const char *what, uint64_t position)
{
    size_t n = strlen(rig.heard);

    snprintf(rig.heard + n, sizeof(rig.heard) - n, "%s%s%llu", n ? " " : "", what,
             (unsigned long long)position);
}

/* The body of a message tells its device and position; its length varies. */
static inline size_t rig_body(unsigned device, uint64_t position, char body[256])
{
    int n = snprintf(body, 256, "%u:%llu:", device, (unsigned long long)position);
    size_t more = (position * 7 + device) % 100;

    memset(body + n, 'x', more);
    return (size_t)n + more;
}

static inline unsigned device_of(const struct mailqueue *queue)
{
    return (unsigned)(queue - rig.queues);
}

static inline void expect_body(const struct mailqueue *queue, uint64_t position,
                               struct slice body)
{
    char want[256];
    size_t size = rig_body(device_of(queue), position, want);

    assert_int_equal(body.size, size);
    assert_memory_equal(body.data, want, size);
}

static inline void rig_on_fate(void *user, struct mailqueue *queue, uint64_t position,
                               struct slice body, struct mail_receipt receipt, int rc)
{
    (void)user;
    expect_body(queue, position, body);
    assert_int_equal(receipt.number, (uint32_t)position);
    hear(rc == OK ? "F" : err_word(rc), position);
    if (rc == OK && rig.takes && mailbox_take(rig.box, queue, position))
        hear("T", position);
}

static inline void rig_on_mail(void *user, struct mailqueue *queue, uint64_t position,
                               struct slice body)
{
    (void)user;
    expect_body(queue, position, body);
    hear("M", position);
}

static inline void rig_on_loaded(void *user, struct mailqueue *queue)
{
    (void)user;
    hear("L", device_of(queue));
}

static inline void rig_on_lost(void *user, struct mailqueue *queue, uint64_t position,
                               int why)
{
    (void)user;
    (void)queue;
    hear(why == ERR_DAMAGED ? "damaged" : "expired", position);
}

static inline void rig_on_room(void *user)
{
    (void)user;
    hear("room", 0);
}

static const struct mailbox_events rig_events = {
    .on_fate = rig_on_fate,
    .on_mail = rig_on_mail,
    .on_loaded = rig_on_loaded,
    .on_lost = rig_on_lost,
    .on_room = rig_on_room,
};

static struct mail_record rig_found[4096];
static struct id rig_found_ids[4096];

static inline int rig_on_found(void *user, const struct id *id,
                               const struct mail_record *record)
{
    (void)user;
    assert_true(rig.adopted < ARRAY_LEN(rig_found));
    rig_found_ids[rig.adopted] = *id;
    rig_found[rig.adopted++] = *record;
    return OK;
}

static inline int rig_try_open(const struct mailbox_events *events)
{
    struct mail_writer_conf conf = {.engine = rig.engine,
                                    .dir = rig.dir,
                                    .total_bytes = rig.limits.total_bytes};
    int rc;

    rig.adopted = 0;
    if ((rc = mail_writer_new(&conf, &rig.writer)) < 0)
        return rc;
    if ((rc = mail_writer_open(rig.writer, rig_on_found, NULL)) < 0) {
        mail_writer_close(&rig.writer);
        return rc;
    }
    assert_int_equal(mailbox_new(&(struct mailbox_conf){.limits = rig.limits,
                                                        .writer = rig.writer,
                                                        .inbox = &rig.inbox,
                                                        .events = events},
                                 &rig.box),
                     OK);
    for (size_t i = 0; i < rig.adopted; i++)
        for (size_t d = 0; d < ARRAY_LEN(rig.ids); d++)
            if (id_equal(&rig.ids[d], &rig_found_ids[i]))
                assert_int_equal(mailbox_adopt(rig.box, &rig.queues[d], &rig.ids[d],
                                               &rig_found[i]),
                                 OK);
    mailbox_adopted(rig.box);
    return OK;
}

static inline void rig_open(void)
{
    assert_int_equal(rig_try_open(&rig_events), OK);
}

/* As kill -9 would: what the shard had in hand is gone, the disk stays. */
static inline void rig_drop(void)
{
    mail_writer_close(&rig.writer);
    (void)inbox_take(&rig.inbox); /* before they are freed */
    mailbox_free(&rig.box);
}

static inline int rig_start(void **state)
{
    (void)state;
    store_mem_wipe();
    memset(&rig, 0, sizeof(rig));
    rig.engine = &store_mem;
    rig.dir = "mem";
    rig.limits = (struct mailbox_limits){.max_messages = 1000,
                                         .max_bytes = 1 << 20,
                                         .total_bytes = 10 << 20,
                                         .backlog_bytes = 1 << 20};
    rig.now_ms = clock_wall_ms();
    assert_int_equal(inbox_init(&rig.inbox), OK);
    for (unsigned i = 0; i < ARRAY_LEN(rig.ids); i++) {
        char text[16];
        int n = snprintf(text, sizeof(text), "%08x", i);

        assert_int_equal(id_make(PROTOCOL_TTMS, slice_of(text, (size_t)n), &rig.ids[i]),
                         OK);
    }
    rig_open();
    return 0;
}

static inline int rig_stop(void **state)
{
    (void)state;
    rig_drop();
    inbox_fini(&rig.inbox);
    store_mem_wipe();
    return 0;
}

static inline int rig_append(unsigned device, uint64_t position, enum mail_flags flags)
{
    char body[256];
    size_t size = rig_body(device, position, body);
    struct mail_receipt receipt = {.session = 1, .number = (uint32_t)position};

    return mailbox_append(rig.box, &rig.queues[device], &rig.ids[device], position,
                          slice_of(body, size), flags, receipt);
}

static inline void rig_check(void)
{
    LIST_FOREACH (&rig.box->bodies, k)
        queue_check(body_of_link(k));
    LIST_FOREACH (&rig.box->leaving, k)
        queue_check(body_of_link(k));
}

static inline void rig_answers(void)
{
    struct parcel *p = inbox_take(&rig.inbox);

    while (p) {
        struct parcel *next = p->next;

        p->open(p, NULL);
        p = next;
    }
}

/* One turn of the shard's loop and one of the writer's. */
static inline void rig_turn(void)
{
    mailbox_flush(rig.box);
    mail_writer_turn(rig.writer, rig.now_ms);
    assert_int_equal(atomic_load(&mail_writer_gauges(rig.writer)->used),
                     rig.writer->content.charge);
    rig_answers();
    rig_check();
}

/* Time passes for everybody, a second at a time. */
static inline void rig_pass(int64_t seconds)
{
    while (seconds-- > 0) {
        rig.now_ms += 1000;
        mailbox_tick(rig.box, rig.now_ms);
        rig_turn();
    }
}

#define EXPECT_HEARD(text)                                                             \
    do {                                                                               \
        assert_string_equal(rig.heard, text);                                          \
        rig.heard[0] = '\0';                                                           \
    } while (0)
