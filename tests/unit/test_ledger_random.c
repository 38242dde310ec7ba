/* A ledger whose disk fails at random, beside a model of what its books were told. Also
 * killed and started again: what was told to be durable is there, in that form or a
 * newer one; what was refused or dropped is not, once the disk works. */
#include "ledgerrig.h"

#define NUMBERS 64u
#define STEPS   500

/* What its owner knows of a number. Its forms count up, from one record to the next. */
static struct {
    unsigned written; /* the newest form that was handed over */
    unsigned durable; /* the newest one of this record that was told to be; 0: none */
    bool is_live;     /* if not: dropped, or refused, yet perhaps on the disk until that
                       * works */
    uint8_t book;     /* that had it last */
} model[NUMBERS];

static unsigned live, running_seed;

static uint32_t draw(uint32_t below)
{
    return (uint32_t)rand() % below;
}

static void on_written(void *user, uint64_t tag, int rc)
{
    uint32_t number = (uint32_t)(tag % NUMBERS);
    unsigned form = (unsigned)(tag / NUMBERS);

    (void)user;
    if (!model[number].is_live)
        return;
    if (rc == OK) {
        assert_true(form > model[number].durable);
        model[number].durable = form;
    } else if (model[number].durable == 0) {
        model[number].is_live = false; /* it was new */
        live--;
    }
}

static int on_found(void *user, uint32_t number, uint8_t form, struct slice record)
{
    char text[32] = "";
    unsigned found;

    (void)user;
    (void)form;
    assert_true(number < NUMBERS && record.size < sizeof(text));
    memcpy(text, record.data, record.size);
    found = (unsigned)strtoul(text, NULL, 10);
    assert_true(found > 0 && found <= model[number].written);
    assert_true(found >= model[number].durable || !model[number].is_live);
    model[number].durable = model[number].written = found;
    model[number].is_live = true;
    live++;
    return OK;
}

/* Another one may have it when nothing of it is under way. */
static int book_for(uint32_t number)
{
    if (model[number].durable == model[number].written)
        model[number].book = (uint8_t)draw(RIG_BOOKS);
    return model[number].book;
}

static void write_form(uint32_t number, bool is_new)
{
    int book = book_for(number);
    unsigned form = ++model[number].written;
    char text[32];

    /* Of different sizes, on all sides of what comes from where. */
    snprintf(text, sizeof(text), "%u%*s", form, (int)draw(16), "");
    if (lig_write(book, number, text, is_new, (uint64_t)form * NUMBERS + number) < 0) {
        assert_true(is_new);
        return;
    }
    live += is_new;
    model[number].is_live = true;
}

static void make_one(void)
{
    struct book *b = lig.books[draw(RIG_BOOKS)];
    uint32_t number = book_new_number(b);

    if (number >= NUMBERS) { /* the model is full */
        book_free_number(b, number);
        return;
    }
    assert_false(model[number].is_live);
    model[number].durable = 0;
    write_form(number, true);
}

static void change_one(void)
{
    uint32_t number = draw(NUMBERS);

    if (!model[number].is_live)
        return;
    if (draw(4) > 0) {
        write_form(number, false);
        return;
    }
    book_drop(lig.books[book_for(number)], number);
    model[number].is_live = false;
    live--;
}

static void break_something(void)
{
    static const int errors[] = {ERR_IO, ERR_NOSPACE, ERR_NOMEM, ERR_FULL, ERR_DAMAGED};

    if (draw(4) == 0)
        store_mem_keep_failed_commit(&ledger_store);
    if (draw(8) == 0)
        store_mem_set_full(&ledger_store, draw(2));
    store_mem_fail(&ledger_store, MEM_BEGIN + draw(4), 1 + draw(6), 1 + draw(3),
                   errors[draw(ARRAY_LEN(errors))]);
}

static void mend_everything(void)
{
    store_mem_set_full(&ledger_store, false);
    for (enum mem_call call = 0; call < MEM_CALL_COUNT; call++)
        store_mem_fail(&ledger_store, call, 0, 0, OK);
}

/* The disk works: it has the records, and nothing else. */
static void check_settled(void)
{
    mend_everything();
    for (int i = 0; i < 100 && ledger_health(lig.ledger) < 0; i++)
        lig_pass(1);
    lig_turn();
    assert_int_equal(ledger_health(lig.ledger), OK);
    for (uint32_t n = 0; n < NUMBERS; n++)
        model[n].durable = model[n].is_live ? model[n].written : 0;
    assert_int_equal(store_mem_records(&ledger_store), live);
    assert_int_equal(ledger_stats(lig.ledger).records, live);
    assert_int_equal(ledger_stats(lig.ledger).backlog, 0);
}

static void restart(bool is_killed)
{
    const struct book_conf conf = {.inbox = &lig.inbox, .written = on_written};

    mend_everything();
    if (is_killed)
        lig_kill();
    else
        lig_close();
    live = 0;
    assert_int_equal(ledger_new(&lig.conf, &lig.ledger), OK);
    for (int i = 0; i < RIG_BOOKS; i++)
        assert_int_equal(book_new(lig.ledger, &conf, &lig.books[i]), OK);
    assert_int_equal(ledger_open(lig.ledger, on_found, NULL), OK);
    for (uint32_t n = 1; n < NUMBERS; n++) {
        if (places_has(&lig.ledger->places, n))
            continue;
        assert_true(model[n].durable == 0 || !model[n].is_live);
        model[n].is_live = false;
    }
}

static void take_a_step(void)
{
    switch (draw(32)) {
    case 0:
        break_something();
        break;
    case 1:
        lig_pass(1);
        break;
    case 2:
        check_settled();
        break;
    case 3:
        restart(draw(2));
        break;
    case 4:
        lig_flush();
        ledger_turn(lig.ledger, lig.now_ms); /* the books hear of it later */
        break;
    case 5 ... 12:
        lig_turn();
        break;
    case 13 ... 18:
        make_one();
        break;
    default:
        change_one();
    }
}

static int tell_seed(void **state)
{
    if (running_seed)
        print_error("the seed was %u\n", running_seed);
    return lig_stop(state);
}

static void a_ledger_keeps_its_word_whatever_fails(void **state)
{
    for (running_seed = 1; running_seed <= 150; running_seed++) {
        srand(running_seed);
        lig_stop(state);
        lig_start(state);
        memset(model, 0, sizeof(model));
        restart(false);
        for (int step = 0; step < STEPS; step++)
            take_a_step();
        check_settled();
        restart(false);
        check_settled();
    }
    running_seed = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ledger_keeps_its_word_whatever_fails,
                                        lig_start, tell_seed),
    };

    log_setup(LOG_ERROR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
