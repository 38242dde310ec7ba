/* journalrig.h - a journal without its thread, on a disk in memory. */
#pragma once

#include "journal/journal_inside.h"
#include "store/store_mem.h"

#include "unit.h"

#include <stdio.h>

#define RIG_FEEDS 2
#define RIG_CARDS 64

static struct {
    struct journal_conf conf;
    struct journal *journal;
    struct feed *feeds[RIG_FEEDS];
    int64_t now_ms;
    unsigned published;
    uint32_t sequence; /* of the next event */
    char read
        [4096]; /* what the last rig_read saw: sequences, "gap(lost)", "1:size" of reports */
    uint64_t cursor;  /* of the last event that it saw */
    char cards[4096]; /* what the start showed: "id:epoch" */
    uint32_t numbers[RIG_CARDS];
    unsigned card_count;
} jig;

static void jig_published(void *user)
{
    (void)user;
    jig.published++;
}

static void jig_add(char *to, size_t room, const char *word)
{
    size_t used = strlen(to);

    snprintf(to + used, room - used, "%s%s", used ? " " : "", word);
}

static int jig_card(void *user, uint32_t number, const struct card *card)
{
    char word[ID_TEXT_MAX + 16];

    (void)user;
    assert_true(jig.card_count < RIG_CARDS);
    jig.numbers[jig.card_count++] = number;
    snprintf(word, sizeof(word), "%.*s:%u", ID_ARGS(&card->device), card->epoch);
    jig_add(jig.cards, sizeof(jig.cards), word);
    return OK;
}

static int jig_try_open(void)
{
    jig.cards[0] = '\0';
    jig.card_count = 0;
    assert_int_equal(journal_new(&jig.conf, &jig.journal), OK);
    for (int i = 0; i < RIG_FEEDS; i++)
        assert_int_equal(feed_new(jig.journal, &jig.feeds[i]), OK);
    return journal_open(jig.journal, jig_card, NULL);
}

static void jig_open(void)
{
    assert_int_equal(jig_try_open(), OK);
}

/* As after kill -9: what was handed over and not committed is gone. */
static inline void jig_kill(void)
{
    jig.conf.engine->close(&jig.journal->keeper.store);
    jig.journal->is_open = false;
    journal_close(&jig.journal);
}

static inline void jig_restart(void)
{
    journal_close(&jig.journal);
    jig_open();
}

static int jig_start(void **state)
{
    (void)state;
    store_mem_wipe();
    memset(&jig, 0, sizeof(jig));
    jig.conf = (struct journal_conf){
        .engine = &store_mem,
        .dir = "mem",
        .keep = 1000,
        .max_bytes = 64 << 20,
        .max_cards = 1000,
        .backlog_bytes = 1 << 20,
        .published = jig_published,
    };
    jig_open();
    return 0;
}

static int jig_stop(void **state)
{
    (void)state;
    journal_close(&jig.journal);
    store_mem_wipe();
    return 0;
}

static inline struct id jig_id(const char *text)
{
    struct id id;

    assert_int_equal(id_make(PROTOCOL_TTMS, slice_of(text, strlen(text)), &id), OK);
    return id;
}

static inline struct event jig_event(uint32_t sequence)
{
    return (struct event){.time_ms = 1700000000000 + sequence,
                          .device = jig_id("00000002"),
                          .epoch = 7,
                          .sequence = sequence,
                          .kind = EVENT_PRESENCE,
                          .from = 1,
                          .to = 2,
                          .listener = slice_of("terminals", 9),
                          .reason = slice_of("timeout", 7)};
}

static inline void jig_turn(void)
{
    for (int i = 0; i < RIG_FEEDS; i++)
        feed_flush(jig.feeds[i]);
    journal_turn(jig.journal, jig.now_ms);
}

/* Tells the next `count` events on a feed, without a turn. */
static inline void jig_tell(int feed, unsigned count)
{
    while (count-- > 0) {
        struct event e = jig_event(++jig.sequence);

        feed_tell(jig.feeds[feed], &e);
    }
}

/* Tells the next event, a report of that many bytes. */
static inline void jig_report(int feed, size_t size)
{
    static uint8_t body[EVENT_CONTENT_MAX];
    struct event e = jig_event(++jig.sequence);

    memset(body, (int)jig.sequence, size);
    e.kind = EVENT_REPORT;
    e.size = (uint32_t)size;
    e.content = slice_of(body, size);
    feed_tell(jig.feeds[feed], &e);
}

static inline void jig_keep(int feed, uint32_t number, const char *id, uint32_t epoch)
{
    struct card card = {.device = jig_id(id),
                        .listener = slice_of("terminals", 9),
                        .epoch = epoch};

    feed_keep(jig.feeds[feed], number, &card);
}

static inline void jig_pass(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        jig.now_ms += 1000;
        jig_turn();
    }
}

static bool jig_visit(void *user, const struct event *e)
{
    char word[32];

    (void)user;
    assert_true(e->cursor > jig.cursor);
    jig.cursor = e->cursor;
    if (e->kind == EVENT_GAP)
        snprintf(word, sizeof(word), "gap(%u)", e->lost);
    else if (e->kind == EVENT_REPORT)
        snprintf(word, sizeof(word), "%u:%zu", e->sequence, e->content.size);
    else
        snprintf(word, sizeof(word), "%u", e->sequence);
    jig_add(jig.read, sizeof(jig.read), word);
    return true;
}

static inline int jig_read(uint64_t after)
{
    jig.read[0] = '\0';
    jig.cursor = after;
    return journal_read(jig.journal, after, jig_visit, NULL);
}

#define EXPECT_READ(after, text)                                                       \
    do {                                                                               \
        assert_int_equal(jig_read(after), OK);                                         \
        assert_string_equal(jig.read, text);                                           \
    } while (0)
