/* What a user may declare beyond the built-in protocols, and what is refused. */
#include "cutting.h"

#define TEXT(s) slice_of(s, sizeof(s) - 1)

/* A line protocol: no start, an end of two bytes, no binary. */
static const struct framing lines = {
    .end = {2, "\r\n"},
    .min_frame = 2,
    .max_frame = 12,
    .resyncs = true,
};

/* 55 aa | command | length u16 LE, of the data | data | CRC-16/MODBUS LE | 0d */
static const struct framing meter = {
    .start = {2, {0x55, 0xaa}},
    .end = {1, {0x0d}},
    .length = {.form = FRAMING_U16_LE, .offset = 3, .adjust = 8},
    .checksum = {.kind = CHECKSUM_CRC16_MODBUS, .little_endian = true, .from = 2},
    .min_frame = 8,
    .max_frame = 64,
    .resyncs = true,
};

/* 02 | length u8, of all | CRC-32 of what follows it | data */
static const struct framing check_in_front = {
    .start = {1, {0x02}},
    .length = {.form = FRAMING_U8, .offset = 1},
    .checksum = {.kind = CHECKSUM_CRC32, .offset = 2, .from = 6},
    .min_frame = 6,
    .max_frame = 255,
};

static const struct framing fixed = {
    .length = {.form = FRAMING_FIXED, .adjust = 3},
    .min_frame = 3,
    .max_frame = 3,
};

/* ( ... ) with escapes, as some trackers send it. */
static const struct framing brackets = {
    .start = {1, "("},
    .end = {1, ")"},
    .escape = {'=', 3, {{0x15, '('}, {0x14, ')'}, {0x00, '='}}},
    .min_frame = 3,
    .max_frame = 40,
    .resyncs = true,
};

static const struct framing next_start = {
    .start = {3, "AAB"},
    .min_frame = 4,
    .max_frame = 40,
    .resyncs = true,
};

static const struct framing shared_pair = {
    .start = {2, "##"},
    .end = {2, "##"},
    .min_frame = 6,
    .max_frame = 30,
    .resyncs = true,
};

/* Length little-endian, a checksum in front of the body that covers the head only. */
static const struct framing checked_head = {
    .length = {.form = FRAMING_U32_LE, .adjust = 5},
    .checksum = {.kind = CHECKSUM_SUM8, .offset = 4, .to = 4},
    .min_frame = 5,
    .max_frame = 60,
};

static const struct framing *const declared[] = {
    &lines,    &meter,      &check_in_front, &fixed,
    &brackets, &next_start, &shared_pair,    &checked_head,
};

static void lines_end_at_their_two_bytes(void **state)
{
    (void)state;
    assert_cuts(&lines, TEXT("ab\r\n\r\nc\rd\r\n"), "6162 - 630d64");
    assert_cuts(&lines, TEXT("0123456789\r\n"), "30313233343536373839");
}

static void a_line_that_is_too_long_is_dropped_whole(void **state)
{
    (void)state;
    assert_cuts(&lines, TEXT("a\r\n0123456789a\r\nb\r\n"), "61 (13) 62");
    assert_cuts(&lines, TEXT("0123456789012345678901234567890\rx\r\nb\r\n"), "(35) 62");
}

static void a_start_a_length_a_checksum_and_an_end_all_count(void **state)
{
    struct buf made = {0};
    uint8_t body[5] = {0x07, 0, 0, 'h', 'i'}; /* the length is written into it */

    (void)state;
    assert_int_equal(framing_wrap(&meter, slice_of(body, 5), &made), OK);
    assert_int_equal(buf_used(&made), 10);
    assert_memory_equal(buf_peek(&made).data, "\x55\xaa\x07\x02\x00hi", 7);
    assert_int_equal(buf_peek(&made).data[9], 0x0d);
    assert_cuts(&meter, buf_peek(&made), "0702006869");
    made.mem[5] ^= 1; /* data; then the end byte, then the length */
    assert_cuts(&meter, buf_peek(&made), "(10)");
    made.mem[5] ^= 1;
    made.mem[9] = 0;
    assert_cuts(&meter, buf_peek(&made), "(10)");
    made.mem[9] = 0x0d;
    made.mem[4] = 1;
    assert_cuts(&meter, buf_peek(&made), "(10)");
    buf_fini(&made);
}

static void a_damaged_frame_costs_itself_only(void **state)
{
    struct buf stream = {0};
    const uint8_t body[4] = {0x07, 0, 0, 'x'};
    const char *good = "07010078";
    char expected[64];

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(framing_wrap(&meter, slice_of(body, 4), &stream), OK);
        assert_int_equal(buf_try_append(&stream, TEXT("\x55junk\x55")), OK);
    }
    stream.mem[15 + 5] ^= 0x40;
    snprintf(expected, sizeof(expected), "%s (21) %s (5)", good, good);
    assert_cuts(&meter, buf_peek(&stream), expected);
    buf_fini(&stream);
}

static void a_checksum_may_stand_in_front(void **state)
{
    (void)state;
    /* CRC-32 of "123456789" */
    assert_cuts_hex(&check_in_front, "02 0f cbf43926 313233343536373839",
                    "cbf43926313233343536373839");
    assert_cuts_hex(&check_in_front, "02 0f cbf43927 313233343536373839",
                    "!bad_checksum");
}

static void frames_of_a_fixed_size_need_no_field(void **state)
{
    (void)state;
    assert_cuts(&fixed, TEXT("abcdefgh"), "616263 646566");
}

static void start_and_end_may_differ_and_be_escaped(void **state)
{
    (void)state;
    assert_cuts_hex(&brackets, "28 61 29 28 3d15 3d14 3d00 29", "61 28293d");
    assert_cuts_hex(&brackets, "0d0a 28 61 29 2a 28 62 29", "(2) 61 (1) 62");
    assert_cuts_hex(&brackets, "28 3d16 29 28 3d 29 28 62 29", "(7) 62");
}

static void a_frame_may_last_until_the_next_start(void **state)
{
    static struct cutting c;
    struct framing small = next_start;
    size_t one = 1, whole = SIZE_MAX;

    (void)state;
    assert_cuts(&next_start, TEXT("xAAABcdAABAAAAABe"), "(2) 6364 414141 65");
    /* without more in sight it ends with the data, but not amid a start */
    cut_pieces(&next_start, TEXT("AABcAA"), fixed_size, &one, &c);
    assert_string_equal(c.text, "63");
    /* nor does it end where it would be too short */
    cut_pieces(&next_start, TEXT("AABAA"), fixed_size, &whole, &c);
    assert_string_equal(c.text, "4141");
    /* what is too large goes, but not the beginning of a start at its end */
    small.max_frame = 5;
    cut_pieces(&small, TEXT("AABcdeA"), fixed_size, &whole, &c);
    assert_string_equal(c.text, "(6)");
}

static void a_shared_pair_of_delimiters_is_cut_too(void **state)
{
    (void)state;
    /* a lone # is no delimiter; one byte between two delimiters is too short */
    assert_cuts(&shared_pair, TEXT("##ab##c#d##"), "6162 632364");
    assert_cuts(&shared_pair, TEXT("*##ab####c##de##"), "(1) 6162 (3) 6465");
}

static void u8_and_little_endian_lengths_are_read(void **state)
{
    struct framing f = {.length = {.form = FRAMING_U8, .adjust = 1},
                        .min_frame = 1,
                        .max_frame = 300};

    (void)state;
    assert_cuts_hex(&f, "02 6162 00 01 63", "6162 - 63");
    f.length = (struct framing_length){.form = FRAMING_U16_LE, .adjust = 2};
    f.min_frame = 2;
    assert_cuts_hex(&f, "0200 6162 0000", "6162 -");
    assert_cuts_hex(&f, "0002", "!too_large");
    f.length = (struct framing_length){.form = FRAMING_U32_LE, .adjust = 4};
    f.min_frame = 4;
    assert_cuts_hex(&f, "02000000 6162 00000080", "6162 !too_large");
    f.length = (struct framing_length){.form = FRAMING_U16_BE};
    f.min_frame = 4; /* counts all, and frames have at least 4 bytes */
    assert_cuts_hex(&f, "0004 6162 0003", "6162 !too_short");
}

static void what_was_searched_is_not_searched_again(void **state)
{
    struct framing f = {.end = {2, "\r\n"}, .min_frame = 2, .max_frame = 1 << 20};
    struct framing_state s = {0};
    static uint8_t stream[1 << 16];
    struct frame frame;

    (void)state;
    memset(stream, 'x', sizeof(stream));
    for (size_t n = 1; n < sizeof(stream); n++) {
        assert_int_equal(framing_cut(&f, &s, slice_of(stream, n), true, NULL, &frame),
                         0);
        assert_int_equal(s.scanned, n);
    }
    f = (struct framing){.start = {3, "xxx"}, .min_frame = 4, .max_frame = 1 << 20};
    s = (struct framing_state){0};
    memset(stream + 3, '.', sizeof(stream) - 3);
    for (size_t n = 4; n < sizeof(stream); n++) {
        assert_int_equal(framing_cut(&f, &s, slice_of(stream, n), true, NULL, &frame),
                         0);
        assert_int_equal(s.scanned, n);
    }
}

/* Bodies without the bytes that a declaration cannot carry; the length and checksum
 * that stand in the body are as framing_wrap writes them. */
static size_t random_body(const struct framing *f, uint8_t *body)
{
    size_t least = f->min_frame - framing_head(f) - framing_trailer(f);
    size_t size = least + (f->length.form == FRAMING_FIXED ? 0 : (size_t)rand() % 8);

    for (size_t i = 0; i < size; i++)
        body[i] = (uint8_t)(f->escape.count ? rand() % 256 : 'a' + rand() % 26);
    return size;
}

static void what_is_wrapped_is_cut_again(void **state)
{
    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(declared); d++)
        for (int i = 0; i < 300; i++) {
            const struct framing *f = declared[d];
            size_t head = framing_head(f), body_size, left;
            struct cutting expected = {0};
            struct buf stream = {0};
            uint8_t body[64];

            for (int k = 0; k < 4; k++) {
                struct slice made;

                left = buf_used(&stream);
                body_size = random_body(f, body);
                assert_int_equal(framing_wrap(f, slice_of(body, body_size), &stream),
                                 OK);
                made = slice_from(buf_peek(&stream), left + head);
                note_frame(&expected, f->escape.count ? slice_of(body, body_size)
                                                      : slice_of(made.data, body_size));
            }
            assert_cuts(f, buf_peek(&stream), expected.text);
            buf_fini(&stream);
        }
}

static void garbage_gives_the_same_at_every_split(void **state)
{
    static const uint8_t letters[] = {0x55, 0xaa, 0x0d, 0x0a, 0x02, 0x00, 0x05, '(',
                                      ')',  '=',  0x15, 'A',  'B',  'x',  '#',  0x0b};
    static struct cutting whole;
    size_t everything = SIZE_MAX;
    uint8_t stream[120];

    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(declared); d++)
        for (int i = 0; i < 300; i++) {
            size_t size = 1 + (size_t)rand() % sizeof(stream);

            for (size_t k = 0; k < size; k++)
                stream[k] = letters[(size_t)rand() % sizeof(letters)];
            cut_pieces(declared[d], slice_of(stream, size), fixed_size, &everything,
                       &whole);
            assert_cuts(declared[d], slice_of(stream, size), whole.text);
        }
}

static void wrap_refuses_what_cut_would_refuse(void **state)
{
    static uint8_t body[300];
    struct framing digits = {
        .length =
            {.form = FRAMING_DIGITS, .digits = 2, .adjust = 2, .min = 1, .max = 90},
        .min_frame = 2,
        .max_frame = 200,
    };
    struct buf out = {0};

    (void)state;
    assert_int_equal(framing_wrap(&digits, slice_of(body, 0), &out), ERR_TOO_SHORT);
    assert_int_equal(framing_wrap(&digits, slice_of(body, 91), &out), ERR_TOO_LARGE);
    digits.length.max = 0;
    assert_int_equal(framing_wrap(&digits, slice_of(body, 100), &out), ERR_TOO_LARGE);
    assert_int_equal(framing_wrap(&digits, slice_of(body, 300), &out), ERR_TOO_LARGE);
    assert_int_equal(framing_wrap(&fixed, slice_of(body, 2), &out), ERR_TOO_SHORT);
    assert_int_equal(framing_wrap(&fixed, slice_of(body, 4), &out), ERR_TOO_LARGE);
    assert_int_equal(framing_wrap(&meter, slice_of(body, 2), &out), ERR_TOO_SHORT);
    assert_int_equal(framing_wrap(&meter, slice_of(body, SIZE_MAX - 2), &out),
                     ERR_TOO_LARGE);
    assert_int_equal(buf_used(&out), 0);
    assert_int_equal(framing_wrap(&digits, slice_of(body, 99), &out), OK);
    assert_memory_equal(buf_peek(&out).data, "99", 2);
    digits.length.max = 99;
    assert_int_equal(framing_wrap(&digits, slice_of(body, 99), &out), OK);
    buf_fini(&out);
}

static void ids_are_read_where_they_are_declared(void **state)
{
    struct framing f = {.length = {.form = FRAMING_U8, .adjust = 1},
                        .id = {.form = FRAMING_ID_ASCII, .offset = 1, .size = 4},
                        .min_frame = 5,
                        .max_frame = 9};
    struct framing_state s = {0};
    struct frame frame;
    char text[8];

    (void)state;
    assert_null(framing_check(&f));
    assert_int_equal(framing_cut(&f, &s, TEXT("\4T\x90_a"), false, NULL, &frame), 5);
    assert_int_equal(framing_read_id(&f, &frame, text), 4);
    assert_memory_equal(text, "T\x90_a", 4);
    f.id.form = FRAMING_ID_HEX;
    assert_int_equal(framing_read_id(&f, &frame, text), 8);
    assert_memory_equal(text, "54905f61", 8);
    f.id.form = FRAMING_NO_ID;
    assert_int_equal(framing_read_id(&f, &frame, text), 0);
}

/* Each line breaks a sound declaration in one way. */
#define REFUSED(base, change, words)                                                   \
    do {                                                                               \
        struct framing f = base;                                                       \
        const char *problem;                                                           \
        change;                                                                        \
        problem = framing_check(&f);                                                   \
        assert_non_null(problem);                                                      \
        assert_non_null(strstr(problem, words));                                       \
    } while (0)

static void unsound_declarations_are_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(declared); d++)
        assert_null(framing_check(declared[d]));
    REFUSED(meter, f = (struct framing){.min_frame = 1};
            f.max_frame = 2, "nothing tells");
    REFUSED(meter, f.start.size = 8, "at most 7");
    REFUSED(fixed, f.resyncs = true, "nothing to find");
    REFUSED(meter, f.start.size = 0, "nothing to find");
    REFUSED(fixed, f.length.max = 1, "no length to limit");
    REFUSED(fixed, f.length.adjust = 0, "no length to limit");
    REFUSED(meter, f.max_frame = 2u << 30, "beyond 1 GiB");
    REFUSED(meter, f.min_frame = 65, "larger than the largest");
    REFUSED(meter, f.min_frame = 4, "does not hold");
    REFUSED(lines, f.min_frame = 0, "does not hold");
    REFUSED(meter, f.length.form = 9, "length field is unknown");
    REFUSED(meter, f.length.form = FRAMING_DIGITS, "1 to 10 digits");
    REFUSED(meter, f.length.form = FRAMING_DIGITS;
            f.length.digits = 11, "1 to 10 digits");
    REFUSED(meter, f.length.offset = 1, "inside the start");
    REFUSED(meter, f.length.offset = 4, "outside the smallest");
    REFUSED(meter, f.length.min = 3; f.length.max = 2, "smallest length");
    REFUSED(fixed, f.length.min = 1, "no length to limit");
    REFUSED(brackets, f.escape.count = 5, "at most 4");
    REFUSED(brackets, f.length.form = FRAMING_FIXED; f.length.adjust = 9, "exclude");
    REFUSED(brackets, f.end.size = 2, "one byte");
    REFUSED(brackets, f.escape.mark = ')', "is a start or end byte");
    REFUSED(brackets, f.escape.pairs[0].plain = 'x', "all need an escape");
    REFUSED(brackets, f.escape.count = 2, "all need an escape");
    REFUSED(brackets, f.escape.pairs[0].code = '(', "code is a start or end");
    REFUSED(brackets, f.escape.pairs[0].code = 0x14, "same code");
    REFUSED(meter, f.checksum.kind = CHECKSUM_COUNT_, "unknown");
    REFUSED(meter, f.checksum.from = 9, "covers bytes outside");
    REFUSED(meter, f.checksum.to = 1, "covers bytes outside");
    REFUSED(check_in_front, f.checksum.offset = 3, "outside the smallest");
    REFUSED(check_in_front, f.checksum.offset = 1, "overlap");
    REFUSED(check_in_front, f.checksum.from = 5, "covers itself");
    REFUSED(meter, f.id.form = 3, "form of the id");
    REFUSED(meter, f.id.form = FRAMING_ID_HEX, "1 to 20");
    REFUSED(meter, f.id = ((struct framing_id){FRAMING_ID_HEX, 4, 5}), "outside");
}

#define ALLOWED(base, change)                                                          \
    do {                                                                               \
        struct framing f = base;                                                       \
        change;                                                                        \
        assert_null(framing_check(&f));                                                \
    } while (0)

static void the_limits_themselves_are_allowed(void **state)
{
    (void)state;
    ALLOWED(meter, f.start.size = 7; f.length.offset = 8; f.length.adjust = 14;
            f.min_frame = 14);
    ALLOWED(lines, f.end.size = 7; f.min_frame = 7);
    ALLOWED(lines, f.max_frame = 1u << 30);
    ALLOWED(lines, f.min_frame = 12);
    ALLOWED(meter, f.length.form = FRAMING_DIGITS; f.length.digits = 1);
    ALLOWED(meter, f.length.form = FRAMING_DIGITS; f.length.digits = 10;
            f.min_frame = 16);
    ALLOWED(fixed, f.length.adjust = 1; f.min_frame = 1);
    ALLOWED(meter, f.length.min = 5; f.length.max = 5);
    ALLOWED(brackets, f.escape.count = 4; f.escape.pairs[3].code = 'x';
            f.escape.pairs[3].plain = 'y');
    ALLOWED(meter, f.checksum.from = 5; f.checksum.to = 5);
    ALLOWED(check_in_front, f.checksum.from = 6; f.checksum.to = 6);
    ALLOWED(check_in_front, f.length.offset = 5; f.checksum.offset = 1;
            f.checksum.from = 5);
    ALLOWED(check_in_front, f.checksum.from = 0; f.checksum.to = 2);
    ALLOWED(brackets, f.min_frame = 22; f.id = ((struct framing_id){1, 20, 2}));
}

static void checksums_have_their_published_check_values(void **state)
{
    static const uint32_t values[CHECKSUM_COUNT_] = {
        [CHECKSUM_XOR] = 0x31,
        [CHECKSUM_SUM8] = 0xdd,
        [CHECKSUM_SUM16] = 0x1dd,
        [CHECKSUM_CRC16_CCITT_FALSE] = 0x29b1,
        [CHECKSUM_CRC16_XMODEM] = 0x31c3,
        [CHECKSUM_CRC16_MODBUS] = 0x4b37,
        [CHECKSUM_CRC16_ARC] = 0xbb3d,
        [CHECKSUM_CRC32] = 0xcbf43926,
    };

    (void)state;
    for (uint8_t kind = 0; kind < CHECKSUM_COUNT_; kind++)
        assert_int_equal(checksum_of(kind, TEXT("123456789")), values[kind]);
    assert_string_equal(checksum_word(CHECKSUM_CRC16_ARC), "crc16-arc");
    assert_string_equal(checksum_word(200), "unknown");
    assert_int_equal(checksum_size(200), 0);
}

static void the_fast_xor_equals_the_slow_one_at_every_size_and_alignment(void **state)
{
    uint8_t bytes[300];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rand();
    for (size_t from = 0; from < 9; from++) {
        uint8_t slow = 0;

        for (size_t size = 0; from + size < sizeof(bytes); size++) {
            assert_int_equal(checksum_xor(slice_of(bytes + from, size)), slow);
            slow ^= bytes[from + size];
        }
    }
}

static void an_incomplete_frame_tells_its_size_once_its_length_is_here(void **state)
{
    (void)state;
    assert_int_equal(framing_size(&meter, TEXT("\x55\xaa\1\5")), 0);
    assert_int_equal(framing_size(&meter, TEXT("\x55\xaa\1\5\0")), 13);
    assert_int_equal(framing_size(&check_in_front, TEXT("\2\11")), 9);
    assert_int_equal(framing_size(&fixed, TEXT("a")), 3);
    assert_int_equal(framing_size(&lines, TEXT("abc")), 0);
    assert_int_equal(framing_size(&next_start, TEXT("AABcd")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_at_their_two_bytes),
        cmocka_unit_test(a_line_that_is_too_long_is_dropped_whole),
        cmocka_unit_test(a_start_a_length_a_checksum_and_an_end_all_count),
        cmocka_unit_test(a_damaged_frame_costs_itself_only),
        cmocka_unit_test(a_checksum_may_stand_in_front),
        cmocka_unit_test(frames_of_a_fixed_size_need_no_field),
        cmocka_unit_test(start_and_end_may_differ_and_be_escaped),
        cmocka_unit_test(a_frame_may_last_until_the_next_start),
        cmocka_unit_test(a_shared_pair_of_delimiters_is_cut_too),
        cmocka_unit_test(u8_and_little_endian_lengths_are_read),
        cmocka_unit_test(what_was_searched_is_not_searched_again),
        cmocka_unit_test(what_is_wrapped_is_cut_again),
        cmocka_unit_test(garbage_gives_the_same_at_every_split),
        cmocka_unit_test(wrap_refuses_what_cut_would_refuse),
        cmocka_unit_test(ids_are_read_where_they_are_declared),
        cmocka_unit_test(unsound_declarations_are_refused_with_a_reason),
        cmocka_unit_test(the_limits_themselves_are_allowed),
        cmocka_unit_test(checksums_have_their_published_check_values),
        cmocka_unit_test(the_fast_xor_equals_the_slow_one_at_every_size_and_alignment),
        cmocka_unit_test(an_incomplete_frame_tells_its_size_once_its_length_is_here),
    };

    srand(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
