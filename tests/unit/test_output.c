#include "net/output.h"

#include "unit.h"

#include <stdlib.h>

/* What came out, in order. */
struct seen {
    uint64_t positions[64];
    struct buf bytes;
    int count;
};

static void see(void *user, const struct frame_note *note, struct slice bytes)
{
    struct seen *s = user;

    s->positions[s->count++] = note->position;
    assert_int_equal(buf_try_append(&s->bytes, bytes), OK);
}

static void add(struct output *o, uint64_t position, const char *text)
{
    struct frame_note note = {.position = position};
    uint8_t *to = output_try_reserve(o, strlen(text));

    assert_non_null(to);
    memcpy(to, text, strlen(text));
    output_commit(o, strlen(text), &note);
}

static void expect_text(const struct seen *s, const char *text)
{
    assert_true(slice_equal(buf_peek(&s->bytes), slice_of(text, strlen(text))));
}

static void only_wholly_acknowledged_frames_are_delivered(void **state)
{
    struct output o = {0};
    struct seen s = {0};

    (void)state;
    add(&o, 1, "aaaa");
    add(&o, 2, "bbbb");
    add(&o, 3, "cccc");
    o.written = 10; /* of 12 */
    output_acknowledge(&o, 10, see, &s);
    assert_int_equal(s.count, 0);
    output_acknowledge(&o, 3, see, &s); /* 7 of 10: not the second frame */
    assert_int_equal(s.count, 1);
    output_acknowledge(&o, 0, see, &s);
    assert_int_equal(s.count, 2);
    expect_text(&s, "aaaabbbb");
    assert_int_equal(o.written, 2);
    assert_int_equal(output_unwritten(&o), 2);
    buf_fini(&s.bytes);
    output_fini(&o);
}

static void more_unacknowledged_than_written_delivers_nothing(void **state)
{
    struct output o = {0};
    struct seen s = {0};

    (void)state;
    add(&o, 1, "aaaa");
    o.written = 4;
    output_acknowledge(&o, 100, see, &s);
    assert_int_equal(s.count, 0);
    output_fini(&o);
}

static void what_is_left_comes_back_whole_and_in_order(void **state)
{
    struct output o = {0};
    struct seen s = {0};

    (void)state;
    add(&o, 1, "aaaa");
    add(&o, 2, "bbbb");
    o.written = 6;
    output_acknowledge(&o, 1, see, &s); /* 5 acknowledged: the first frame */
    s.count = 0;
    buf_clear(&s.bytes);
    add(&o, 3, "cc");
    output_give_back(&o, see, &s);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.positions[0], 2);
    expect_text(&s, "bbbbcc");
    assert_true(output_is_empty(&o));
    buf_fini(&s.bytes);
    output_fini(&o);
}

static void a_disowned_output_keeps_the_rest_of_the_frame_on_the_wire(void **state)
{
    struct output o = {0};
    struct seen s = {0}, rest = {0};

    (void)state;
    add(&o, 1, "aaaa");
    add(&o, 2, "bcde");
    add(&o, 3, "ffff");
    o.written = 5;
    output_disown(&o, see, &s);
    expect_text(&s, "aaaabcdeffff");
    assert_int_equal(output_unwritten(&o), 3);
    output_give_back(&o, see, &rest);
    expect_text(&rest, "cde");
    assert_int_equal(rest.positions[0], 0);
    buf_fini(&s.bytes);
    buf_fini(&rest.bytes);
    output_fini(&o);
}

static void a_disowned_output_that_ends_on_a_frame_keeps_nothing(void **state)
{
    struct output o = {0};
    struct seen s = {0};

    (void)state;
    add(&o, 1, "aaaa");
    add(&o, 2, "bbbb");
    o.written = 4;
    output_disown(&o, see, &s);
    expect_text(&s, "aaaabbbb");
    assert_true(output_is_empty(&o));
    buf_fini(&s.bytes);
    output_fini(&o);
}

static void a_disowned_output_keeps_the_gateways_own_words(void **state)
{
    struct output o = {0};
    struct seen s = {0}, rest = {0};

    (void)state;
    add(&o, 1, "aaaa");
    add(&o, 0, "word");
    add(&o, 2, "bbbb");
    output_disown(&o, see, &s);
    expect_text(&s, "aaaabbbb");
    output_give_back(&o, see, &rest);
    expect_text(&rest, "word");
    buf_fini(&s.bytes);
    buf_fini(&rest.bytes);
    output_fini(&o);
}

static void what_is_sent_again_is_recalled_and_a_last_answer_is_not(void **state)
{
    struct frame_note receipt = {.session = 1};
    struct output o = {0};
    struct seen s = {0};

    (void)state;
    assert_false(output_must_be_recalled(&o));
    add(&o, 0, "word");
    assert_true(output_must_be_recalled(&o)); /* it would be cut off */
    o.written = 4;
    assert_false(output_must_be_recalled(&o));
    add(&o, 1, "aaaa");
    o.written = 8;
    assert_true(output_must_be_recalled(&o));
    output_give_back(&o, see, &s);
    assert_true(output_must_be_recalled(&o));
    output_fini(&o);

    add(&o, 0, "word");
    add(&o, 1, "aaaa");
    o.written = 4;
    output_give_back(&o, see, &s); /* the kernel has the answer alone */
    assert_false(output_must_be_recalled(&o));

    assert_non_null(output_try_reserve(&o, 4));
    memset(o.bytes.mem + o.bytes.tail, 'x', 4);
    output_commit(&o, 4, &receipt);
    o.written = 4;
    assert_true(output_must_be_recalled(&o));
    buf_fini(&s.bytes);
    output_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_wholly_acknowledged_frames_are_delivered),
        cmocka_unit_test(more_unacknowledged_than_written_delivers_nothing),
        cmocka_unit_test(what_is_left_comes_back_whole_and_in_order),
        cmocka_unit_test(a_disowned_output_keeps_the_rest_of_the_frame_on_the_wire),
        cmocka_unit_test(a_disowned_output_keeps_the_gateways_own_words),
        cmocka_unit_test(a_disowned_output_that_ends_on_a_frame_keeps_nothing),
        cmocka_unit_test(what_is_sent_again_is_recalled_and_a_last_answer_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
