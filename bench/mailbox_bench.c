/* mailbox_bench.c - the mailbox without sockets: what `durability: all` costs by
 * itself.
 *
 * One thread is the shard: it appends messages for many devices, and removes each when
 * it is durable, as if it had been delivered at once. The writer is the gateway's own,
 * on its own thread. `--batch` messages are under way at any time; how many of them one
 * commit takes is the writer's choice and is counted, for the floors to be given the
 * same. */
#include "base/clock.h"
#include "base/log.h"
#include "mailbox/mailbox.h"
#include "mailbox/writer.h"
#include "store_run.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEVICES  200
#define PER_TURN 64 /* messages that one turn of a shard's loop brings */

struct shard {
    struct inbox inbox;
    struct mailbox *box;
    struct mail_writer *writer;
    struct mailqueue queues[DEVICES];
    struct id ids[DEVICES];
    uint64_t next, under_way;
    uint8_t *body;
    struct store_run run;
};

static struct shard shard;

/* The writer's thread counts, ours reads. */
static atomic_ullong commits;
static struct store_engine counting;

static int count_commit(struct store *store)
{
    atomic_fetch_add(&commits, 1);
    return store_lmdb.commit(store);
}

static void die(const char *what, int rc)
{
    fprintf(stderr, "mailbox_bench: %s: %s\n", what, err_text(rc));
    exit(1);
}

static void on_fate(void *user, struct mailqueue *queue, uint64_t position,
                    struct slice body, struct mail_receipt receipt, int rc)
{
    struct shard *s = user;

    (void)body, (void)receipt;
    if (rc < 0)
        die("refused", rc);
    if (!mailbox_take(s->box, queue, position))
        die("not the next one", ERR_INVALID);
    mailbox_remove(s->box, queue, position);
    s->under_way--;
    s->run.messages++;
}

static void on_mail(void *user, struct mailqueue *queue, uint64_t position,
                    struct slice body)
{
    (void)user, (void)queue, (void)position, (void)body;
}

static void on_loaded(void *user, struct mailqueue *queue)
{
    (void)user, (void)queue;
}

static void on_lost(void *user, struct mailqueue *queue, uint64_t position, int why)
{
    (void)user, (void)queue, (void)position;
    die("lost", why);
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

static int on_found(void *user, const struct id *id, const struct mail_record *record)
{
    (void)user, (void)id, (void)record;
    return ERR_EXISTS; /* the directory should have been empty */
}

static void append_turn(struct shard *s)
{
    for (unsigned i = 0; i < PER_TURN && s->under_way < s->run.batch; i++) {
        unsigned device = (unsigned)(s->next % DEVICES);
        int rc = mailbox_append(s->box, &s->queues[device], &s->ids[device], ++s->next,
                                slice_of(s->body, s->run.size), MAIL_NEW,
                                (struct mail_receipt){0});

        if (rc < 0)
            die("append", rc);
        s->under_way++;
    }
    mailbox_flush(s->box);
}

static void take_answers(struct shard *s)
{
    struct parcel *p = inbox_take(&s->inbox);

    while (p) {
        struct parcel *next = p->next;

        p->open(p, NULL);
        p = next;
    }
}

static void sleep_until_answered(struct shard *s)
{
    struct pollfd wait = {.fd = s->inbox.event_fd, .events = POLLIN};

    if (!inbox_may_sleep(&s->inbox))
        return;
    if (poll(&wait, 1, 10000) > 0)
        inbox_clear(&s->inbox);
    inbox_wake(&s->inbox);
}

static void shard_open(struct shard *s)
{
    struct mail_writer_conf writer = {.engine = &counting,
                                      .dir = s->run.dir,
                                      .total_bytes = 4ull << 30};
    struct mailbox_conf conf = {
        .limits = {.max_messages = 1000000,
                   .max_bytes = 1ull << 30,
                   .total_bytes = 4ull << 30,
                   .backlog_bytes = 1ull << 30},
        .inbox = &s->inbox,
        .events = &events,
        .user = s,
    };
    int rc;

    counting = store_lmdb;
    counting.commit = count_commit;
    for (unsigned i = 0; i < DEVICES; i++) {
        char text[9];

        snprintf(text, sizeof(text), "%08x", i);
        if ((rc = id_make(PROTOCOL_TTMS, slice_of(text, 8), &s->ids[i])) < 0)
            die("id", rc);
    }
    if ((rc = inbox_init(&s->inbox)) < 0)
        die("inbox", rc);
    if ((rc = mail_writer_new(&writer, &s->writer)) < 0)
        die("writer", rc);
    conf.writer = s->writer;
    if ((rc = mailbox_new(&conf, &s->box)) < 0)
        die("mailbox", rc);
    if ((rc = mail_writer_open(s->writer, on_found, NULL)) < 0)
        die("store", rc);
    mailbox_adopted(s->box);
    if ((rc = mail_writer_start(s->writer)) < 0)
        die("writer", rc);
    if (!(s->body = calloc(1, s->run.size)))
        die("body", ERR_NOMEM);
}

static void shard_close(struct shard *s)
{
    mail_writer_stop(s->writer);
    take_answers(s);
    mailbox_free(&s->box);
    mail_writer_close(&s->writer);
    inbox_fini(&s->inbox);
    free(s->body);
}

int main(int argc, char **argv)
{
    struct shard *s = &shard;

    store_run_parse(argc, argv, &s->run);
    shard_open(s);
    store_run_begin(&s->run);
    while (store_run_goes_on(&s->run)) {
        append_turn(s);
        take_answers(s);
        if (s->under_way == s->run.batch)
            sleep_until_answered(s);
    }
    s->run.batches = atomic_load(&commits);
    store_run_print(&s->run);
    while (s->under_way > 0) {
        mailbox_flush(s->box);
        sleep_until_answered(s);
        take_answers(s);
    }
    mailbox_flush(s->box);
    shard_close(s);
    return 0;
}
