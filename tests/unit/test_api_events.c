#include "apirig.h"

#include "device/ticket.h"
#include "http/api_inside.h"
#include "http/told.h"
#include "relay/session.h"

#define KEEP 200

static const char *const as_stream[] = {"Accept", "text/event-stream", NULL, NULL,
                                        NULL};

static int open_rig(void **state)
{
    (void)state;
    return api_rig_begin(KEEP);
}

static int open_large_rig(void **state)
{
    (void)state;
    return api_rig_begin(10000);
}

static int close_rig(void **state)
{
    (void)state;
    return api_rig_end();
}

static void happen(unsigned count)
{
    while (count-- > 0)
        api_rig_happen("00000001");
    api_rig_publish();
}

/* The numbers behind `key`, as "1 2 3". */
static const char *numbers_of(const char *text, const char *key)
{
    static char found[8192];
    char start[32];
    size_t used = 0;

    snprintf(start, sizeof(start), "\"%s\":", key);
    found[0] = '\0';
    for (const char *at = strstr(text, start); at; at = strstr(at + 1, start))
        used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%ld",
                                 used ? " " : "", strtol(at + strlen(start), NULL, 10));
    return found;
}

static unsigned long long number_of(const char *text, const char *key)
{
    char start[32];
    const char *at;

    snprintf(start, sizeof(start), "],\"%s\":", key); /* behind the list */
    if (!(at = strstr(text, start))) {
        snprintf(start, sizeof(start), "\"%s\":", key);
        at = strstr(text, start);
    }
    assert_non_null(at);
    return strtoull(at + strlen(start), NULL, 10);
}

static const char *sequences(const char *text)
{
    return numbers_of(text, "sequence");
}

static unsigned get(const char *format, unsigned long long cursor)
{
    char target[160];

    snprintf(target, sizeof(target), format, cursor);
    return api_rig_get(target);
}

/* The types of the events that are answered, as "presence gap". */
static const char *types_of(const char *target)
{
    const char *text = http_rig_body(api_rig_get(target));
    static char found[256];
    size_t used = 0;

    found[0] = '\0';
    for (const char *at = strstr(text, "\"type\":\""); at;
         at = strstr(at + 1, "\"type\":\""))
        used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%.*s",
                                 used ? " " : "", (int)strcspn(at + 8, "\""), at + 8);
    return found;
}

/* ---- reading ---- */

static void an_event_is_shown_whole(void **state)
{
    char expected[512];
    unsigned n;

    (void)state;
    happen(1);
    n = get("/api/v1/events", 0);
    snprintf(expected, sizeof(expected),
             "{\"events\":[{\"cursor\":%llu,\"type\":\"presence\","
             "\"time\":\"2023-11-14T22:13:20.123Z\",\"device\":\"00000001\","
             "\"protocol\":\"ttms\",\"listener\":\"terminals\",\"epoch\":1,"
             "\"sequence\":1,\"from\":\"alive\",\"to\":\"leave\","
             "\"reason\":\"reset\"}],\"cursor\":%llu,\"oldest\":%llu,\"newest\":%llu}",
             (unsigned long long)journal_newest(relay_rig.journal),
             (unsigned long long)journal_newest(relay_rig.journal),
             (unsigned long long)journal_oldest(relay_rig.journal),
             (unsigned long long)journal_newest(relay_rig.journal));
    assert_string_equal(http_rig_body(n), expected);
}

static void tell(struct event e)
{
    static const char id[] = "00000001";

    e.time_ms = 1700000000123;
    e.epoch = 1;
    e.sequence = 2;
    if (!e.listener.size)
        e.listener = slice_of("terminals", 9);
    assert_int_equal(id_make(PROTOCOL_TTMS, slice_of(id, 8), &e.device), OK);
    feed_tell(relay_rig.relays[0].tracker->feed, &e);
    api_rig_publish();
}

#define KNOWN                                                                          \
    "\"time\":\"2023-11-14T22:13:20.123Z\",\"device\":\"00000001\","                   \
    "\"protocol\":\"ttms\",\"listener\":\"terminals\",\"epoch\":1,\"sequence\":2,"

/* The only event there is, from its time on. */
#define EXPECT_EVENT(text)                                                             \
    do {                                                                               \
        const char *at_ =                                                              \
            strstr(http_rig_body(get("/api/v1/events?after=%llu", seen)), "\"time\""); \
                                                                                       \
        assert_non_null(at_);                                                          \
        assert_memory_equal(at_, KNOWN text "}]", strlen(KNOWN text "}]"));            \
        seen = journal_newest(relay_rig.journal);                                      \
    } while (0)

static void a_tickets_state_is_shown_by_its_words(void **state)
{
    unsigned long long seen = 0;

    (void)state;
    tell((struct event){.kind = EVENT_COMMAND,
                        .to = TICKET_QUEUED,
                        .ticket = 0x0f1c02a45be08d13,
                        .message = 0x1005,
                        .content = slice_of("status", 6)});
    EXPECT_EVENT("\"ticket\":\"0f1c02a45be08d13\",\"command\":\"status\","
                 "\"message\":\"1005\",\"from\":null,\"to\":\"queued\","
                 "\"reason\":null");
    tell((struct event){.kind = EVENT_COMMAND,
                        .from = TICKET_SENT,
                        .to = TICKET_EXPIRED,
                        .ticket = UINT64_MAX,
                        .message = 0x0005,
                        .reason = slice_of("no_answer", 9)});
    EXPECT_EVENT("\"ticket\":\"ffffffffffffffff\",\"command\":null,"
                 "\"message\":\"0005\",\"from\":\"sent\",\"to\":\"expired\","
                 "\"reason\":\"no_answer\"");
}

/* ---- a dialect, to say what reports mean ---- */

static void show(const void *conf, uint16_t message, uint8_t version, struct slice body,
                 struct json *j)
{
    assert_ptr_equal(conf, &relay_rig.settings);
    assert_int_equal(message, 0x0200);
    json_open(j, '{');
    json_key(j, "bytes");
    json_uint(j, body.size);
    json_key(j, "version");
    json_uint(j, version);
    json_close(j, '}');
}

static const char *message_word(const void *conf, uint16_t message)
{
    assert_ptr_equal(conf, &relay_rig.settings);
    return message == 0x0200 ? "location" : NULL;
}

static void a_report_is_shown_as_its_listener_understands_it(void **state)
{
    static struct dialect dialect = {.protocol = PROTOCOL_TTMS,
                                     .show = show,
                                     .message_word = message_word};
    const struct conn_ops *before = relay_rig.listener.ops;
    struct session_ops speaks = {.dialect = &dialect};
    struct event report = {.kind = EVENT_REPORT,
                           .version = 1,
                           .message = 0x0200,
                           .serial = 7,
                           .size = 2,
                           .content = slice_of("\x0a\xff", 2)};
    unsigned long long seen = 0;
    const char *text;

    (void)state;
    tell(report); /* nobody understands it */
    EXPECT_EVENT("\"message\":\"0200\",\"name\":null,\"serial\":7,\"size\":2,"
                 "\"body\":\"0aff\",\"decoded\":null");
    relay_rig.listener.ops = &speaks.conn;
    tell(report);
    EXPECT_EVENT("\"message\":\"0200\",\"name\":\"location\",\"serial\":7,\"size\":2,"
                 "\"body\":\"0aff\",\"decoded\":{\"bytes\":2,\"version\":1}");
    dialect.protocol = PROTOCOL_JT808; /* it serves others now */
    tell(report);
    EXPECT_EVENT("\"message\":\"0200\",\"name\":null,\"serial\":7,\"size\":2,"
                 "\"body\":\"0aff\",\"decoded\":null");
    dialect.protocol = PROTOCOL_TTMS;
    report.size = 5000; /* cut: what is left of it means nothing */
    tell(report);
    EXPECT_EVENT(
        "\"message\":\"0200\",\"name\":\"location\",\"serial\":7,\"size\":5000,"
        "\"body\":\"0aff\",\"decoded\":null");
    report.listener = slice_of("gone", 4);
    tell(report);
    text = http_rig_body(get("/api/v1/events?after=%llu", seen));
    assert_non_null(strstr(text, "\"name\":null"));
    assert_non_null(strstr(text, "\"decoded\":null"));
    relay_rig.listener.ops = before;
}

static void a_type_is_chosen_and_a_gap_concerns_everybody(void **state)
{
    (void)state;
    tell((struct event){.kind = EVENT_PRESENCE});
    tell((struct event){.kind = EVENT_COMMAND, .to = TICKET_QUEUED});
    tell((struct event){.kind = EVENT_REPORT, .message = 0x0200});
    tell((struct event){.kind = EVENT_GAP, .lost = 3});
    assert_string_equal(types_of("/api/v1/events"), "presence command report gap");
    assert_string_equal(types_of("/api/v1/events?type=report"), "report gap");
    assert_string_equal(types_of("/api/v1/events?type=presence,command"),
                        "presence command gap");
    assert_string_equal(types_of("/api/v1/devices/00000001/events?type=command"),
                        "command gap");
    assert_int_equal(http_rig_of(get("/api/v1/events?type=unknown", 0))->status, 400);
    assert_int_equal(http_rig_of(get("/api/v1/events?type=", 0))->status, 400);
}

/* 8 KiB of text. */
static struct event a_long_report(void)
{
    static const uint8_t body[EVENT_CONTENT_MAX];

    return (struct event){.kind = EVENT_REPORT,
                          .size = sizeof(body),
                          .content = slice_of(body, sizeof(body))};
}

static void an_answer_ends_before_it_grows_without_bounds(void **state)
{
    unsigned long long cursor = 0;
    size_t found = 0, answers = 0;

    (void)state;
    for (int i = 0; i < 3000; i++)
        tell(a_long_report());
    while (found < 3000) {
        unsigned n = get("/api/v1/events?limit=10000&after=%llu", cursor);

        assert_int_equal(http_rig_of(n)->status, 200);
        assert_true(strlen(http_rig_body(n)) < 9u << 20);
        found += times_in(http_rig_body(n), "\"type\":\"report\"");
        cursor = number_of(http_rig_body(n), "cursor");
        answers++;
    }
    assert_int_equal(found, 3000);
    assert_int_equal(answers, 3);
}

static void who_asks_behind_each_answer_misses_nothing(void **state)
{
    unsigned long long cursor = 0;
    char seen[64] = "";

    (void)state;
    happen(7);
    for (int i = 0; i < 4; i++) {
        unsigned n = get("/api/v1/events?limit=3&after=%llu", cursor);
        const char *found = sequences(http_rig_body(n));

        snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "[%s]", found);
        cursor = number_of(http_rig_body(n), "cursor");
    }
    assert_string_equal(seen, "[1 2 3][4 5 6][7][]");
    assert_int_equal(cursor, journal_newest(relay_rig.journal));
}

static void events_of_one_device_are_chosen(void **state)
{
    unsigned n;

    (void)state;
    api_rig_happen("00000001");
    api_rig_happen("00000002");
    api_rig_happen("00000001");
    api_rig_publish();
    n = get("/api/v1/events?device=00000001", 0);
    assert_string_equal(sequences(http_rig_body(n)), "1 3");
    n = get("/api/v1/devices/00000002/events", 0);
    assert_string_equal(sequences(http_rig_body(n)), "2");
    /* Nothing of it, but the cursor moves on. */
    n = get("/api/v1/events?device=00000003", 0);
    assert_string_equal(sequences(http_rig_body(n)), "");
    assert_int_equal(number_of(http_rig_body(n), "cursor"),
                     journal_newest(relay_rig.journal));
}

static void a_cursor_of_what_is_not_kept_is_gone(void **state)
{
    unsigned long long first;
    unsigned n;

    (void)state;
    happen(1);
    first = journal_newest(relay_rig.journal);
    happen(1000);
    n = get("/api/v1/events?after=%llu", first);
    assert_int_equal(http_rig_status(n), 410);
    assert_int_equal(number_of(http_rig_body(n), "oldest"),
                     journal_oldest(relay_rig.journal));
    n = get("/api/v1/events?after=%llu", journal_newest(relay_rig.journal) + 1);
    assert_int_equal(http_rig_status(n), 410);
    n = get("/api/v1/events?limit=1", 0);
    assert_int_equal(http_rig_status(n), 200);
}

/* ---- long polls ---- */

static void a_long_poll_is_answered_by_the_first_event(void **state)
{
    unsigned n = get("/api/v1/events?wait=30s", 0);

    (void)state;
    assert_int_equal(http_rig_status(n), 0);
    happen(1);
    assert_int_equal(http_rig_status(n), 200);
    assert_string_equal(sequences(http_rig_body(n)), "1");
}

static void a_long_poll_waits_for_its_device(void **state)
{
    unsigned n = get("/api/v1/events?wait=30s&device=00000002", 0);

    (void)state;
    happen(3);
    assert_int_equal(http_rig_status(n), 0);
    api_rig_happen("00000002");
    api_rig_publish();
    assert_string_equal(sequences(http_rig_body(n)), "4");
}

static void a_long_poll_that_saw_nothing_says_so_in_time(void **state)
{
    unsigned n = get("/api/v1/events?wait=2s", 0);
    int64_t now_ms = http_rig.loop.now_ms;

    (void)state;
    api_tick(api_rig.api, now_ms + 1900);
    assert_int_equal(http_rig_status(n), 0);
    api_tick(api_rig.api, now_ms + 2000);
    assert_int_equal(http_rig_status(n), 200);
    assert_string_equal(sequences(http_rig_body(n)), "");
}

static void who_left_while_waiting_is_forgotten(void **state)
{
    unsigned n = get("/api/v1/events?wait=60s", 0);

    (void)state;
    http_rig_leave(n);
    api_tick(api_rig.api, http_rig.loop.now_ms);
    happen(1);
    assert_int_equal(http_rig_status(n), 0);
}

/* ---- streams ---- */

static unsigned listen_to(const char *target)
{
    unsigned n = http_rig_ask(HTTP_GET, target, as_stream);

    http_rig_take(n, SIZE_MAX, 4096);
    return n;
}

static const char *taken(unsigned n)
{
    http_rig_take(n, SIZE_MAX, 4096);
    return http_rig_body(n);
}

static void a_stream_begins_with_what_happens_from_now_on(void **state)
{
    unsigned n;

    (void)state;
    happen(3);
    n = listen_to("/api/v1/events");
    assert_int_equal(http_rig_status(n), 200);
    assert_string_equal(http_rig_of(n)->type, "text/event-stream");
    assert_string_equal(taken(n), "retry: 2000\n\n");
    happen(2);
    assert_string_equal(sequences(taken(n)), "4 5");
}

static void a_record_has_its_cursor_its_name_and_its_event(void **state)
{
    char start[64];
    unsigned n = listen_to("/api/v1/events");

    (void)state;
    happen(1);
    snprintf(start, sizeof(start), "retry: 2000\n\nid: %llu\nevent: presence\ndata: {",
             (unsigned long long)journal_newest(relay_rig.journal));
    assert_memory_equal(taken(n), start, strlen(start));
    assert_string_equal(taken(n) + strlen(taken(n)) - 3, "}\n\n");
}

static void a_stream_goes_on_behind_the_last_event_that_was_seen(void **state)
{
    const char *headers[] = {"Accept", "text/event-stream", "Last-Event-ID", NULL,
                             NULL};
    char last[24], target[64];
    unsigned n;

    (void)state;
    happen(1);
    snprintf(last, sizeof(last), "%llu",
             (unsigned long long)journal_newest(relay_rig.journal));
    happen(3);
    snprintf(target, sizeof(target), "/api/v1/events?after=%s", last);
    assert_string_equal(sequences(taken(listen_to(target))), "2 3 4");
    headers[3] = last;
    n = http_rig_ask(HTTP_GET, "/api/v1/events?after=0", headers);
    assert_string_equal(sequences(taken(n)), "2 3 4");
    headers[3] = "17x";
    n = http_rig_ask(HTTP_GET, "/api/v1/events", headers);
    assert_int_equal(http_rig_status(n), 400);
}

static void records_are_whole_however_small_the_pieces(void **state)
{
    unsigned whole = listen_to("/api/v1/events"), pieces;

    (void)state;
    for (size_t room = 1; room < 600; room += 37) {
        pieces = listen_to("/api/v1/events");
        whole = listen_to("/api/v1/events");
        happen(5);
        http_rig_take(pieces, SIZE_MAX, room);
        assert_string_equal(http_rig_body(pieces), taken(whole));
    }
}

static void who_is_too_slow_is_told_what_was_missed(void **state)
{
    unsigned n = listen_to("/api/v1/events");
    char expected[96];
    const char *text;

    (void)state;
    happen(2);
    taken(n);
    for (int i = 0; i < 20; i++)
        happen(100); /* more than are kept, and more than are told */
    text = taken(n);
    snprintf(expected, sizeof(expected),
             "event: missed\ndata: {\"oldest\":%llu,\"newest\":%llu}\n\n",
             (unsigned long long)journal_oldest(relay_rig.journal),
             (unsigned long long)journal_newest(relay_rig.journal));
    assert_non_null(strstr(text, expected));
    assert_int_equal(times_in(text, "event: missed"), 1);
    assert_int_equal(times_in(strstr(text, expected), "event: presence"), KEEP);
    happen(1);
    assert_int_equal(times_in(taken(n), "\"sequence\":2003,"), 1);
}

/* Far more than the text of the newest ones that is kept. */
static void a_stream_of_long_reports_misses_none_and_keeps_little(void **state)
{
    unsigned slow = listen_to("/api/v1/events"), quick = listen_to("/api/v1/events");
    size_t kept = 0, quickly = 0;
    const struct told *told = api_rig.api->told;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        tell(a_long_report());
        if (i % 500 == 499)
            quickly = times_in(taken(quick), "event: report");
    }
    for (int i = 0; i < TOLD_EVENTS; i++)
        kept += told->ring[i].text.size;
    assert_true(kept < TOLD_BYTES + (2u << 20) && told->bytes <= kept);
    assert_int_equal(quickly, 3000);
    assert_int_equal(times_in(taken(slow), "event: report"), 3000);
    assert_int_equal(times_in(taken(slow), "event: missed"), 0);
}

static void who_came_too_late_is_told_so_too(void **state)
{
    char target[64];
    unsigned n;

    (void)state;
    happen(1);
    snprintf(target, sizeof(target), "/api/v1/events?after=%llu",
             (unsigned long long)journal_newest(relay_rig.journal));
    happen(1000);
    n = listen_to(target);
    assert_int_equal(times_in(taken(n), "event: missed"), 1);
    assert_int_equal(times_in(taken(n), "event: presence"), KEEP);
}

static void a_silent_stream_gets_a_comment_now_and_then(void **state)
{
    unsigned n = listen_to("/api/v1/events");
    int64_t now_ms = http_rig.loop.now_ms;

    (void)state;
    api_tick(api_rig.api, now_ms + 14000);
    assert_string_equal(taken(n), "retry: 2000\n\n");
    api_tick(api_rig.api, now_ms + 15100);
    assert_string_equal(taken(n), "retry: 2000\n\n:\n\n");
}

static void a_stream_tells_of_its_device_alone(void **state)
{
    unsigned n = listen_to("/api/v1/events?device=00000002&protocol=ttms");
    unsigned m = listen_to("/api/v1/events?device=00000002&protocol=heartbeat");

    (void)state;
    happen(2);
    api_rig_happen("00000002");
    api_rig_publish();
    assert_string_equal(sequences(taken(n)), "3");
    assert_string_equal(sequences(taken(m)), "");
}

/* ---- many ---- */

static void who_never_reads_makes_nobody_late(void **state)
{
    unsigned first = http_rig.count + 1;

    (void)state;
    for (int i = 0; i < 1000; i++)
        listen_to("/api/v1/events");
    for (int i = 0; i < 3000; i++) {
        happen(1);
        for (unsigned n = first + 10; n < first + 1000; n += i % 100 ? 330 : 1)
            http_rig_take(n, SIZE_MAX, 65536);
    }
    happen(1);
    for (unsigned n = first + 10; n < first + 1000; n++) {
        http_rig_take(n, SIZE_MAX, 65536);
        assert_int_equal(times_in(http_rig_body(n), "\"sequence\":3001,"), 1);
        assert_int_equal(times_in(http_rig_body(n), "event: missed"), 0);
    }
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
#define LARGE(name) cmocka_unit_test_setup_teardown(name, open_large_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_shown_whole),
        TEST(a_tickets_state_is_shown_by_its_words),
        TEST(a_report_is_shown_as_its_listener_understands_it),
        TEST(a_type_is_chosen_and_a_gap_concerns_everybody),
        LARGE(an_answer_ends_before_it_grows_without_bounds),
        TEST(who_asks_behind_each_answer_misses_nothing),
        TEST(events_of_one_device_are_chosen),
        TEST(a_cursor_of_what_is_not_kept_is_gone),
        TEST(a_long_poll_is_answered_by_the_first_event),
        TEST(a_long_poll_waits_for_its_device),
        TEST(a_long_poll_that_saw_nothing_says_so_in_time),
        TEST(who_left_while_waiting_is_forgotten),
        TEST(a_stream_begins_with_what_happens_from_now_on),
        TEST(a_record_has_its_cursor_its_name_and_its_event),
        TEST(a_stream_goes_on_behind_the_last_event_that_was_seen),
        TEST(records_are_whole_however_small_the_pieces),
        TEST(who_is_too_slow_is_told_what_was_missed),
        LARGE(a_stream_of_long_reports_misses_none_and_keeps_little),
        TEST(who_came_too_late_is_told_so_too),
        TEST(a_silent_stream_gets_a_comment_now_and_then),
        TEST(a_stream_tells_of_its_device_alone),
        TEST(who_never_reads_makes_nobody_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
