/* ledgerrig.h - a ledger without its thread, on a disk in memory. */
#pragma once

#include "ledger/ledger_inside.h"
#include "store/store_mem.h"

#include "unit.h"

#include <stdio.h>

#define RIG_BOOKS 2

static struct {
    struct ledger_conf conf;
    struct ledger *ledger;
    struct inbox inbox;
    struct book *books[RIG_BOOKS];
    int64_t now_ms;
    char told[4096];  /* what the books were told since: "tag" or "tag:nospace" */
    char found[4096]; /* what the start showed: "number=text", oldest first */
} lig;

static void lig_add(char *to, size_t room, const char *word)
{
    size_t used = strlen(to);

    snprintf(to + used, room - used, "%s%s", used ? " " : "", word);
}

static void lig_written(void *user, uint64_t tag, int rc)
{
    char word[32];

    (void)user;
    snprintf(word, sizeof(word), rc == OK ? "%u" : "%u:%s", (unsigned)tag,
             err_word(rc));
    lig_add(lig.told, sizeof(lig.told), word);
}

static int lig_found(void *user, uint32_t number, uint8_t form, struct slice record)
{
    char word[64];

    (void)user;
    assert_true(form == LEDGER_TICKET || form == LEDGER_CREDENTIAL);
    snprintf(word, sizeof(word), "%s%u=%.*s", form == LEDGER_TICKET ? "" : "c", number,
             (int)record.size, (const char *)record.data);
    lig_add(lig.found, sizeof(lig.found), word);
    return OK;
}

static int lig_try_open(ledger_found *found)
{
    const struct book_conf conf = {.inbox = &lig.inbox, .written = lig_written};

    lig.found[0] = '\0';
    assert_int_equal(ledger_new(&lig.conf, &lig.ledger), OK);
    for (int i = 0; i < RIG_BOOKS; i++)
        assert_int_equal(book_new(lig.ledger, &conf, &lig.books[i]), OK);
    return ledger_open(lig.ledger, found, NULL);
}

static inline void lig_open(void)
{
    assert_int_equal(lig_try_open(lig_found), OK);
}

static void lig_open_parcels(void)
{
    for (struct parcel *p = inbox_take(&lig.inbox), *next; p; p = next) {
        next = p->next;
        p->open(p, NULL);
    }
}

static inline void lig_close(void)
{
    ledger_close(&lig.ledger);
    atomic_store(&lig.inbox.top, NULL); /* the books' batches are gone with them */
}

/* As after kill -9: what was handed over and not committed is gone. */
static inline void lig_kill(void)
{
    lig.conf.engine->close(&lig.ledger->keeper.store);
    lig.ledger->is_open = false;
    lig_close();
}

static inline void lig_restart(void)
{
    lig_close();
    lig_open();
}

static int lig_start(void **state)
{
    (void)state;
    store_mem_wipe();
    memset(&lig, 0, sizeof(lig));
    lig.inbox.event_fd = -1;
    lig.conf = (struct ledger_conf){
        .engine = &store_mem,
        .dir = "mem",
        .total_bytes = 1 << 20,
        .backlog_bytes = 1 << 16,
    };
    lig_open();
    return 0;
}

static int lig_stop(void **state)
{
    (void)state;
    lig_close();
    store_mem_wipe();
    return 0;
}

static inline void lig_flush(void)
{
    for (int i = 0; i < RIG_BOOKS; i++)
        book_flush(lig.books[i]);
}

static inline void lig_turn(void)
{
    lig_flush();
    ledger_turn(lig.ledger, lig.now_ms);
    lig_open_parcels();
}

static inline void lig_pass(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        lig.now_ms += 1000;
        lig_turn();
    }
}

static inline int lig_write(int book, uint32_t number, const char *text, bool is_new,
                            uint64_t tag)
{
    return book_write(lig.books[book], number, LEDGER_TICKET,
                      slice_of(text, strlen(text)), is_new, tag);
}

/* A new record; its number. */
static inline uint32_t lig_make(int book, const char *text, uint64_t tag)
{
    uint32_t number = book_new_number(lig.books[book]);

    assert_int_not_equal(number, 0);
    assert_int_equal(lig_write(book, number, text, true, tag), OK);
    return number;
}

static inline void lig_change(int book, uint32_t number, const char *text, uint64_t tag)
{
    assert_int_equal(lig_write(book, number, text, false, tag), OK);
}

#define EXPECT_TOLD(text)                                                              \
    do {                                                                               \
        assert_string_equal(lig.told, text);                                           \
        lig.told[0] = '\0';                                                            \
    } while (0)

#define EXPECT_AFTER_RESTART(text)                                                     \
    do {                                                                               \
        lig_restart();                                                                 \
        assert_string_equal(lig.found, text);                                          \
    } while (0)
