/* test_mailbox_random.c - random steps against a model.
 *
 * The model is a plain table: device by position, what state the message must be in.
 * After each step the mailbox's own sums are checked, too; at the end everything is
 * loaded. */
#include "mailrig.h"

#include <stdlib.h>

#define DEVICES   4
#define POSITIONS 600

enum known {
    NEVER,   /* no such message */
    PENDING, /* appended, fate open */
    DOOMED,  /* purged with its fate open */
    SAFE,    /* stored; or returned, and held */
    LOADED,
    GONE, /* removed, refused, lost */
};

static struct {
    enum known known[DEVICES][POSITIONS];
    bool returned[DEVICES][POSITIONS];
    bool undecided[DEVICES][POSITIONS]; /* no on_fate yet */
    uint64_t last[DEVICES];
    bool damages;
    unsigned fates, mails;
} model;

static enum known *known(const struct mailqueue *queue, uint64_t position)
{
    assert_true(device_of(queue) < DEVICES && position < POSITIONS);
    return &model.known[device_of(queue)][position];
}

/* The one that must come next. */
static uint64_t next_due(unsigned device)
{
    for (uint64_t p = 0; p < POSITIONS; p++) {
        enum known k = model.known[device][p];

        if (k == PENDING || k == DOOMED || k == SAFE)
            return p;
    }
    return UINT64_MAX;
}

static void on_fate(void *user, struct mailqueue *queue, uint64_t position,
                    struct slice body, struct mail_receipt receipt, int rc)
{
    unsigned device = device_of(queue);
    enum known *k = known(queue, position);

    (void)user;
    expect_body(queue, position, body);
    assert_int_equal(receipt.number, (uint32_t)position);
    assert_true(model.undecided[device][position]);
    model.undecided[device][position] = false;
    model.fates++;
    if (rc == OK) {
        if (*k == PENDING)
            *k = SAFE;
        else if (*k == DOOMED)
            *k = GONE;
        else
            assert_true(model.returned[device][position]); /* it was held */
    } else {
        assert_true(*k == DOOMED ||
                    (*k == PENDING && !model.returned[device][position]));
        *k = GONE;
    }
    if (rc == OK && rand() % 2) {
        bool due = next_due(device) == position;

        if (mailbox_take(rig.box, queue, position)) {
            assert_true(due && *k == SAFE);
            *k = LOADED;
        }
    }
}

static void on_mail(void *user, struct mailqueue *queue, uint64_t position,
                    struct slice body)
{
    enum known *k = known(queue, position);

    (void)user;
    expect_body(queue, position, body);
    assert_int_equal(next_due(device_of(queue)), position);
    assert_true(*k == SAFE ||
                (*k == PENDING && model.returned[device_of(queue)][position]));
    *k = LOADED;
    model.mails++;
}

static void on_loaded(void *user, struct mailqueue *queue)
{
    (void)user;
    (void)queue;
}

static void on_lost(void *user, struct mailqueue *queue, uint64_t position, int why)
{
    (void)user;
    assert_true(why == ERR_DAMAGED && model.damages);
    assert_int_equal(*known(queue, position), SAFE);
    *known(queue, position) = GONE;
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

/* ---- steps ---- */

static void append(unsigned d)
{
    uint64_t p = model.last[d] + 1 + (uint64_t)rand() % 3;

    if (p >= POSITIONS || rig_append(d, p, MAIL_NEW) < 0)
        return;
    model.last[d] = p;
    model.known[d][p] = PENDING;
    model.undecided[d][p] = true;
}

/* A run of messages that were delivered directly and come back. */
static void give_back(unsigned d)
{
    uint64_t p = model.last[d] ? (uint64_t)rand() % model.last[d] + 1 : 0;

    for (int n = rand() % 6; n > 0 && p < model.last[d]; n--, p++) {
        if (model.known[d][p] != NEVER)
            continue;
        assert_int_equal(rig_append(d, p, MAIL_RETURNED), OK);
        model.known[d][p] = PENDING;
        model.returned[d][p] = true;
        model.undecided[d][p] = true;
    }
}

static void remove_some(unsigned d)
{
    for (uint64_t p = 0; p < POSITIONS; p++) {
        if (model.known[d][p] != LOADED || rand() % 4 == 0)
            continue;
        mailbox_remove(rig.box, &rig.queues[d], p);
        model.known[d][p] = GONE;
    }
}

static void unload(unsigned d)
{
    mailbox_unload(rig.box, &rig.queues[d]);
    for (uint64_t p = 0; p < POSITIONS; p++)
        if (model.known[d][p] == LOADED)
            model.known[d][p] = SAFE;
}

static void purge(unsigned d)
{
    (void)mailbox_purge(rig.box, &rig.queues[d]);
    for (uint64_t p = 0; p < POSITIONS; p++) {
        enum known *k = &model.known[d][p];

        if (*k == PENDING) /* or held already: then it is gone, and on_fate says so */
            *k = DOOMED;
        else if (*k == SAFE || *k == LOADED)
            *k = GONE;
    }
}

static void break_something(void)
{
    static const int errors[] = {ERR_IO, ERR_NOSPACE, ERR_NOMEM};

    store_mem_fail(&mailbox_store, (enum mem_call)(rand() % MEM_CALL_COUNT),
                   1 + (unsigned)rand() % 5, 1 + (unsigned)rand() % 3,
                   errors[rand() % 3]);
    if (rand() % 3 == 0)
        store_mem_keep_failed_commit(&mailbox_store);
    if (rand() % 3 == 0)
        store_mem_set_full(&mailbox_store, rand() % 2);
}

static void mend_everything(void)
{
    for (int call = 0; call < MEM_CALL_COUNT; call++)
        store_mem_fail(&mailbox_store, (enum mem_call)call, 0, 0, OK);
    store_mem_set_full(&mailbox_store, false);
}

/* kill -9: what is safe must be there. Also there may be what was never called safe,
 * and what was removed a moment ago: that is delivered twice. */
static void restart(void)
{
    bool found[DEVICES][POSITIONS] = {0};

    mend_everything();
    rig_drop();
    assert_int_equal(rig_try_open(&events), OK);
    for (size_t i = 0; i < rig.adopted; i++)
        for (unsigned d = 0; d < DEVICES; d++)
            if (id_equal(&rig.ids[d], &rig_found_ids[i])) {
                assert_false(found[d][rig_found[i].position]);
                found[d][rig_found[i].position] = true;
            }
    for (unsigned d = 0; d < DEVICES; d++) {
        for (uint64_t p = 0; p < POSITIONS; p++) {
            enum known *k = &model.known[d][p];

            if ((*k == SAFE || *k == LOADED) && !model.undecided[d][p])
                assert_true(found[d][p]);
            assert_false(found[d][p] && *k == NEVER);
            *k = found[d][p] ? SAFE : *k == NEVER ? NEVER : GONE;
            model.undecided[d][p] = false;
        }
    }
}

static void step(void)
{
    unsigned d = (unsigned)rand() % DEVICES;

    switch (rand() % 24) {
    case 0 ... 6:
        append(d);
        break;
    case 7:
        give_back(d);
        break;
    case 8 ... 10:
        mailbox_load(rig.box, &rig.queues[d], (size_t)rand() % 2000);
        break;
    case 11 ... 12:
        remove_some(d);
        break;
    case 13:
        unload(d);
        break;
    case 14:
        if (rand() % 20 == 0)
            purge(d);
        break;
    case 15:
        mailbox_flush(rig.box);
        break;
    case 16:
        mail_writer_turn(rig.writer, rig.now_ms);
        break;
    case 17:
        rig_answers();
        break;
    case 18:
        rig_pass(rand() % 3);
        break;
    case 19:
        if (rand() % 10 == 0)
            break_something();
        break;
    case 20:
        if (rand() % 100 == 0)
            restart();
        break;
    default:
        rig_turn();
    }
    rig_check();
}

static void finish(void)
{
    mend_everything();
    for (unsigned d = 0; d < DEVICES; d++)
        unload(d);
    rig_pass(60);
    for (unsigned d = 0; d < DEVICES; d++) {
        while (mailqueue_has_loadable(&rig.queues[d])) {
            mailbox_load(rig.box, &rig.queues[d], 1 << 20);
            rig_turn();
            assert_false(mailqueue_is_loading(&rig.queues[d]));
        }
        assert_int_equal(next_due(d), UINT64_MAX);
        for (uint64_t p = 0; p < POSITIONS; p++) {
            assert_false(model.undecided[d][p]);
            if (model.known[d][p] == LOADED)
                mailbox_remove(rig.box, &rig.queues[d], p);
        }
        assert_true(mailqueue_is_idle(&rig.queues[d]));
    }
    rig_turn();
    assert_int_equal(store_mem_records(&mailbox_store), 0);
    assert_int_equal(atomic_load(&mail_writer_gauges(rig.writer)->used), 0);
    assert_int_equal(atomic_load(&mail_writer_gauges(rig.writer)->backlog), 0);
    assert_int_equal(mailbox_stats(rig.box).messages, 0);
    assert_int_equal(mailbox_stats(rig.box).bytes, 0);
}

static void random_steps_agree_with_a_model(void **state)
{
    unsigned fates = 0, mails = 0;

    for (unsigned seed = 1; seed <= 150; seed++) {
        srand(seed);
        memset(&model, 0, sizeof(model));
        (void)rig_start(state);
        rig_drop();
        assert_int_equal(rig_try_open(&events), OK);
        for (int i = 0; i < 3000; i++)
            step();
        finish();
        (void)rig_stop(state);
        fates += model.fates;
        mails += model.mails;
    }
    print_message("%u fates, %u messages delivered\n", fates, mails);
    assert_true(fates > 10000 && mails > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps_agree_with_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
