#include "sim/terminals/message.h"

#include "unit.h"

#define SIZE 200

static const struct message sample = {.run = 0x01020304,
                                      .kind = MESSAGE_PLAIN,
                                      .flow = 5,
                                      .sender = 1,
                                      .target = 2,
                                      .number = 1ull << 40,
                                      .time_ns = 123456789};

static int set_up(void **state)
{
    (void)state;
    message_setup();
    return 0;
}

static void a_message_comes_out_as_it_went_in(void **state)
{
    uint8_t content[SIZE], again[SIZE];
    struct message m;

    (void)state;
    for (size_t size = MESSAGE_HEAD; size <= SIZE; size++) {
        message_write(&sample, content, size);
        assert_true(message_read(slice_of(content, size), &m));
        assert_int_equal(m.number, sample.number);
        message_write(&m, again, size);
        assert_memory_equal(again, content, size);
    }
}

static void a_change_of_any_bit_is_seen(void **state)
{
    uint8_t content[SIZE];
    struct message m;

    (void)state;
    message_write(&sample, content, SIZE);
    for (size_t bit = 0; bit < SIZE * 8; bit++) {
        content[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(message_read(slice_of(content, SIZE), &m));
        content[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(message_read(slice_of(content, SIZE), &m));
}

static void a_message_that_is_cut_short_is_damaged(void **state)
{
    uint8_t content[MESSAGE_HEAD];
    struct message m;

    (void)state;
    message_write(&sample, content, sizeof(content));
    assert_false(message_read(slice_of(content, sizeof(content) - 1), &m));
    assert_false(message_read(slice_of(content, 0), &m));
}

static void traps_contain_the_start_of_a_frame(void **state)
{
    struct message trap = sample;
    uint8_t content[SIZE];
    struct message m;

    (void)state;
    trap.kind = MESSAGE_TRAP;
    message_write(&trap, content, SIZE);
    assert_non_null(memmem(content, SIZE, "$TTMS", 5));
    assert_true(message_read(slice_of(content, SIZE), &m));
    message_write(&sample, content, SIZE);
    assert_null(memmem(content, SIZE, "$TTMS", 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_out_as_it_went_in),
        cmocka_unit_test(a_change_of_any_bit_is_seen),
        cmocka_unit_test(a_message_that_is_cut_short_is_damaged),
        cmocka_unit_test(traps_contain_the_start_of_a_frame),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
