#include "base/crc32c.h"
#include "mailbox/record.h"

#include "unit.h"

#include <stdlib.h>

static struct id id_of(const char *text)
{
    struct id id;

    assert_int_equal(id_make(PROTOCOL_TTMS, slice_of(text, strlen(text)), &id), OK);
    return id;
}

static size_t make(uint8_t *to, uint64_t position, const char *body, int64_t stored_ms,
                   uint64_t seq)
{
    struct id id = id_of("00000002");

    record_encode(position, &id, slice_of(body, strlen(body)), to);
    record_seal(to, stored_ms, seq);
    return record_size(&id, strlen(body));
}

static void the_sum_is_castagnolis(void **state)
{
    uint8_t bytes[300];

    (void)state;
    assert_int_equal(crc32c(0, slice_of("123456789", 9)), 0xe3069283);
    assert_int_equal(crc32c_by_table(0, slice_of("123456789", 9)), 0xe3069283);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t n = 0; n < sizeof(bytes); n++) {
        uint32_t whole = crc32c(0, slice_of(bytes, n));

        assert_int_equal(whole, crc32c_by_table(0, slice_of(bytes, n)));
        assert_int_equal(whole, crc32c(crc32c(0, slice_of(bytes, n / 3)),
                                       slice_of(bytes + n / 3, n - n / 3)));
    }
}

static void a_record_reads_back_as_it_was_written(void **state)
{
    uint8_t bytes[100];
    size_t size = make(bytes, 77, "hello", 1700000000123, 5);
    struct record r;
    struct id id = id_of("00000002");

    (void)state;
    assert_int_equal(record_decode(slice_of(bytes, size), 5, &r), OK);
    assert_int_equal(r.position, 77);
    assert_int_equal(r.stored_ms, 1700000000123);
    assert_true(id_equal(&r.id, &id));
    assert_true(slice_equal(r.body, slice_of("hello", 5)));
    assert_true(slice_equal(record_body(slice_of(bytes, size)), slice_of("hello", 5)));
    size = make(bytes, 78, "", 0, 6);
    assert_int_equal(record_decode(slice_of(bytes, size), 6, &r), OK);
    assert_int_equal(r.body.size, 0);
}

/* What version 1 wrote. Never change these bytes: they are on people's disks. */
static void version_1_stays_readable(void **state)
{
    static const uint8_t golden[] = {
        0x01, 0x01, 0x08, 0x00, 0x20, 0xdb, 0x40, 0x84, /* version..zero, crc */
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x4d, /* position 77 */
        0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x7b, /* 1700000000123 */
        '0',  '0',  '0',  '0',  '0',  '0',  '0',  '2',  'h', 'e', 'l', 'l', 'o',
    };
    uint8_t bytes[sizeof(golden)];

    (void)state;
    assert_int_equal(make(bytes, 77, "hello", 1700000000123, 5), sizeof(golden));
    assert_memory_equal(bytes, golden, sizeof(golden));
}

static void every_flipped_bit_is_noticed(void **state)
{
    uint8_t bytes[100];
    size_t size = make(bytes, 77, "hello", 1700000000123, 5);
    struct record r;

    (void)state;
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(record_decode(slice_of(bytes, size), 5, &r) < 0);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(record_decode(slice_of(bytes, size), 5, &r), OK);
}

static void a_record_cut_short_or_lengthened_is_damaged(void **state)
{
    uint8_t bytes[100] = {0};
    size_t size = make(bytes, 77, "hello", 1700000000123, 5);
    struct record r;

    (void)state;
    for (size_t n = 0; n < sizeof(bytes); n++)
        assert_int_equal(record_decode(slice_of(bytes, n), 5, &r),
                         n == size ? OK : ERR_DAMAGED);
}

static void a_record_under_another_number_is_damaged(void **state)
{
    uint8_t bytes[100];
    size_t size = make(bytes, 77, "hello", 1700000000123, 5);
    struct record r;

    (void)state;
    assert_int_equal(record_decode(slice_of(bytes, size), 6, &r), ERR_DAMAGED);
}

static void the_longest_id_fits_and_is_charged(void **state)
{
    uint8_t bytes[RECORD_HEAD + ID_TEXT_MAX];
    char longest[ID_TEXT_MAX + 1] = {0};
    struct record r;
    struct id id;

    (void)state;
    memset(longest, 'x', ID_TEXT_MAX);
    id = id_of(longest);
    record_encode(1, &id, (struct slice){0}, bytes);
    record_seal(bytes, 1700000000123, 5);
    assert_int_equal(record_decode(slice_of(bytes, sizeof(bytes)), 5, &r), OK);
    assert_true(id_equal(&r.id, &id));
    assert_true(record_charge(0) >= sizeof(bytes) + 16); /* LMDB: node and key */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_is_castagnolis),
        cmocka_unit_test(a_record_reads_back_as_it_was_written),
        cmocka_unit_test(the_longest_id_fits_and_is_charged),
        cmocka_unit_test(version_1_stays_readable),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(a_record_cut_short_or_lengthened_is_damaged),
        cmocka_unit_test(a_record_under_another_number_is_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
