#include "ledger/line.h"

#include "unit.h"

#define SEQ 5

static const struct line a_line = {
    .number = 77,
    .form = LEDGER_TICKET,
    .record = {.data = (const uint8_t *)"status", .size = 6},
};

static size_t encode(const struct line *line, uint8_t *to)
{
    line_encode(line, SEQ, to);
    return LINE_HEAD + line->record.size;
}

static void a_line_reads_as_it_was_written(void **state)
{
    uint8_t bytes[64];
    size_t size = encode(&a_line, bytes);
    struct line line;

    (void)state;
    assert_int_equal(line_decode(slice_of(bytes, size), SEQ, &line), OK);
    assert_int_equal(line.number, 77);
    assert_int_equal(line.form, LEDGER_TICKET);
    assert_true(slice_equal(line.record, a_line.record));
}

/* Version 1, as it stands on disks out there. */
static void the_golden_line_stays_as_it_is(void **state)
{
    static const uint8_t golden[] = {0x01, 0x01, 0x00, 0x00, 0x37, 0x93,
                                     0x83, 0x99, 0x00, 0x00, 0x00, 0x4d,
                                     0x73, 0x74, 0x61, 0x74, 0x75, 0x73};
    uint8_t bytes[64];
    size_t size = encode(&a_line, bytes);

    (void)state;
    assert_int_equal(size, sizeof(golden));
    assert_memory_equal(bytes, golden, size);
}

static void every_flipped_bit_is_damage(void **state)
{
    uint8_t bytes[64];
    size_t size = encode(&a_line, bytes);
    struct line line;

    (void)state;
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(line_decode(slice_of(bytes, size), SEQ, &line), ERR_DAMAGED);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(line_decode(slice_of(bytes, cut), SEQ, &line), ERR_DAMAGED);
    assert_int_equal(line_decode(slice_of(bytes, size), SEQ + 1, &line), ERR_DAMAGED);
}

static void what_no_ledger_writes_is_damage_though_its_sum_fits(void **state)
{
    const struct line wrong[] = {
        {.number = 0, .form = LEDGER_TICKET},
        {.number = LINE_NUMBER_LIMIT, .form = LEDGER_TICKET},
        {.number = UINT32_MAX, .form = LEDGER_TICKET},
        {.number = 1, .form = 0},
        {.number = 1, .form = LEDGER_FORM_LIMIT},
    };
    uint8_t bytes[LINE_HEAD];
    struct line line;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        encode(&wrong[i], bytes);
        assert_int_equal(line_decode(slice_of(bytes, LINE_HEAD), SEQ, &line),
                         ERR_DAMAGED);
        assert_false(ledger_store.is_sound(SEQ, slice_of(bytes, LINE_HEAD)));
    }
}

static void a_record_may_be_empty_or_as_long_as_is_allowed(void **state)
{
    static uint8_t record[LEDGER_RECORD_MAX + 1], bytes[LINE_HEAD + sizeof(record)];
    struct line line = {.number = 1, .form = LEDGER_CREDENTIAL}, out;

    (void)state;
    for (size_t size = 0; size <= sizeof(record); size += LEDGER_RECORD_MAX) {
        line.record = slice_of(record, size);
        encode(&line, bytes);
        assert_int_equal(line_decode(slice_of(bytes, LINE_HEAD + size), SEQ, &out), OK);
        assert_int_equal(out.record.size, size);
    }
    line.record = slice_of(record, sizeof(record));
    encode(&line, bytes);
    assert_int_equal(line_decode(slice_of(bytes, sizeof(bytes)), SEQ, &out),
                     ERR_DAMAGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_reads_as_it_was_written),
        cmocka_unit_test(the_golden_line_stays_as_it_is),
        cmocka_unit_test(every_flipped_bit_is_damage),
        cmocka_unit_test(what_no_ledger_writes_is_damage_though_its_sum_fits),
        cmocka_unit_test(a_record_may_be_empty_or_as_long_as_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
