#include "cli/sse.h"

#include "unit.h"

static struct buf seen; /* "id|type|data;" for each event */

static int note(void *user, const struct sse_event *event)
{
    const int *rc = user;

    if (buf_try_append(&seen, event->id) < 0 ||
        buf_try_append(&seen, slice_of("|", 1)) < 0 ||
        buf_try_append(&seen, event->type) < 0 ||
        buf_try_append(&seen, slice_of("|", 1)) < 0 ||
        buf_try_append(&seen, event->data) < 0 ||
        buf_try_append(&seen, slice_of(";", 1)) < 0)
        return ERR_NOMEM;
    return rc ? *rc : OK;
}

static int feed(struct sse *s, const char *text)
{
    return sse_feed(s, slice_of(text, strlen(text)), note, NULL);
}

static void assert_seen(const char *text)
{
    assert_int_equal(buf_used(&seen), strlen(text));
    assert_memory_equal(buf_peek(&seen).data, text, strlen(text));
    buf_clear(&seen);
}

static void an_event_is_complete_with_its_empty_line(void **state)
{
    struct sse s = {0};

    (void)state;
    assert_int_equal(feed(&s, "id: 7\nevent: presence\ndata: {}\n"), OK);
    assert_seen("");
    assert_int_equal(feed(&s, "\n: a comment\n\ndata:x\ndata: y\n\n"), OK);
    assert_seen("7|presence|{};7|message|x\ny;");
    sse_fini(&s);
}

static void lines_end_in_any_of_three_ways(void **state)
{
    struct sse s = {0};

    (void)state;
    assert_int_equal(feed(&s, "data: a\r\n\r\ndata: b\r\rdata: c\n\n"), OK);
    assert_seen("|message|a;|message|b;|message|c;");
    sse_fini(&s);
}

static void what_is_not_known_is_skipped(void **state)
{
    struct sse s = {0};

    (void)state;
    assert_int_equal(feed(&s, "retry: 5\nfoo: bar\nid: 1\n\nbare\ndata\n\n"), OK);
    assert_seen("1|message|;");
    sse_fini(&s);
}

static void the_id_outlives_the_stream_and_half_an_event_does_not(void **state)
{
    struct sse s = {0};

    (void)state;
    assert_int_equal(feed(&s, "id: 9\ndata: a\n\nevent: half\ndata: b"), OK);
    sse_restart(&s);
    assert_int_equal(feed(&s, "data: c\n\n"), OK);
    assert_seen("9|message|a;9|message|c;");
    sse_fini(&s);
}

static void a_cut_anywhere_changes_nothing(void **state)
{
    static const char text[] = "id: 12\r\nevent: a\r\ndata: one\r\ndata: two\r\n\r\n"
                               ": comment\n\nid:13\ndata: three\n\ndata\r\rdata: x\n\n";
    struct slice whole = slice_of(text, sizeof(text) - 1);

    (void)state;
    for (size_t step = 1; step <= whole.size; step++) {
        struct sse s = {0};

        for (struct slice rest = whole; rest.size;) {
            size_t n = rest.size < step ? rest.size : step;

            assert_int_equal(sse_feed(&s, slice_of(rest.data, n), note, NULL), OK);
            rest = slice_from(rest, n);
        }
        assert_seen("12|a|one\ntwo;13|message|three;13|message|;13|message|x;");
        sse_fini(&s);
    }
}

static void what_has_no_end_is_refused(void **state)
{
    struct sse line = {0}, data = {0};
    int rc = OK;

    (void)state;
    for (unsigned i = 0; rc == OK && i <= SSE_MAX; i++)
        rc = feed(&line, "x");
    assert_int_equal(rc, ERR_TOO_LARGE);
    rc = OK;
    for (unsigned i = 0; rc == OK && i <= SSE_MAX; i++)
        rc = feed(&data, "data: x\n");
    assert_int_equal(rc, ERR_TOO_LARGE);
    sse_fini(&line);
    sse_fini(&data);
}

static void what_the_handler_says_ends_the_reading(void **state)
{
    struct sse s = {0};
    int no = ERR_CLOSED;

    (void)state;
    assert_int_equal(sse_feed(&s, slice_of("data: a\n\ndata: b\n\n", 18), note, &no),
                     ERR_CLOSED);
    assert_seen("|message|a;");
    sse_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_complete_with_its_empty_line),
        cmocka_unit_test(lines_end_in_any_of_three_ways),
        cmocka_unit_test(what_is_not_known_is_skipped),
        cmocka_unit_test(the_id_outlives_the_stream_and_half_an_event_does_not),
        cmocka_unit_test(a_cut_anywhere_changes_nothing),
        cmocka_unit_test(what_has_no_end_is_refused),
        cmocka_unit_test(what_the_handler_says_ends_the_reading),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    buf_fini(&seen);
    return failed;
}
