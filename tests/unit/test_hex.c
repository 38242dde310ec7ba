#include "base/hex.h"

#include "unit.h"

static void digits_become_bytes_and_bytes_digits(void **state)
{
    struct buf b = {0};
    char text[8];

    (void)state;
    assert_int_equal(hex_read(slice_of("00fFa9C3", 8), &b), OK);
    assert_int_equal(buf_used(&b), 4);
    assert_memory_equal(buf_peek(&b).data, "\x00\xff\xa9\xc3", 4);
    hex_write(buf_peek(&b), text);
    assert_memory_equal(text, "00ffa9c3", 8);
    assert_int_equal(hex_read(slice_of("", 0), &b), OK);
    assert_int_equal(buf_used(&b), 4);
    buf_fini(&b);
}

static void what_are_no_digits_leaves_nothing(void **state)
{
    static const char *const bad[] = {"0", "000", "0g", "g0", "0x12", "12 3", " 12"};
    struct buf b = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(hex_read(slice_of(bad[i], strlen(bad[i])), &b), ERR_INVALID);
    for (int c = 0; c < 256; c++)
        assert_int_equal(hex_digit((char)c) >= 0,
                         c && strchr("0123456789abcdefABCDEF", c) != NULL);
    assert_int_equal(buf_used(&b), 0);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_become_bytes_and_bytes_digits),
        cmocka_unit_test(what_are_no_digits_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
