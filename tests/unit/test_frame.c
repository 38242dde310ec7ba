/* The framings of the four built-in protocols, declared, with the published vectors. */
#include "cutting.h"

#define TEXT(s) slice_of(s, sizeof(s) - 1)

static const struct framing u32_prefix = {
    .length = {.form = FRAMING_U32_BE, .adjust = 4, .max = 4096},
    .min_frame = 4,
    .max_frame = 4100,
};

static const struct framing ten_digits = {
    .length = {.form = FRAMING_DIGITS, .digits = 10, .adjust = 10, .min = 1},
    .min_frame = 10,
    .max_frame = 10 + (16 << 20),
};

#define DEVICE(smallest)                                                               \
    {                                                                                  \
        .start = {1, {0x7e}}, .end = {1, {0x7e}},                                      \
        .escape = {0x7d, 2, {{0x01, 0x7d}, {0x02, 0x7e}}},                             \
        .checksum = {.kind = CHECKSUM_XOR, .from = 1}, .resyncs = true,                \
        .min_frame = smallest, .max_frame = 1 + 1045 + 1,                              \
    }

static const struct framing device = DEVICE(1 + 14 + 1 + 1);
static const struct framing jt808 = DEVICE(1 + 12 + 1 + 1);

#define TTMS_START                                                                     \
    {                                                                                  \
        5, "$TTMS"                                                                     \
    }
#define TTMS_XOR                                                                       \
    {                                                                                  \
        .kind = CHECKSUM_XOR                                                           \
    }

static struct framing ttms(int32_t uncounted)
{
    return (struct framing){
        .start = TTMS_START,
        .length = {.form = FRAMING_U16_BE, .offset = 5, .adjust = uncounted},
        .checksum = TTMS_XOR,
        .min_frame = 13,
        .max_frame = 1 << 20,
    };
}

static const struct framing ttms_ignoring_length = {
    .start = TTMS_START,
    .checksum = TTMS_XOR,
    .min_frame = 12,
    .max_frame = 1 << 20,
};

static void a_u32_prefix_is_cut_at_every_split(void **state)
{
    struct cutting c = {0};
    struct slice once = TEXT("\0\0\0\x38"
                             "{\"ip\": \"192.168.1.105\", \"status\": \"alive\", "
                             "\"pid\": 26464}");
    struct slice twice = TEXT("\0\0\0\x44"
                              "\"{\\\"ip\\\": \\\"192.168.1.105\\\", \\\"status\\\": "
                              "\\\"alive\\\", \\\"pid\\\": 26464}\"");
    struct buf both = {0};

    (void)state;
    assert_int_equal(once.size, 4 + 0x38);
    assert_int_equal(twice.size, 4 + 0x44);
    assert_int_equal(buf_try_append(&both, once), OK);
    assert_int_equal(buf_try_append(&both, twice), OK);
    note_frame(&c, slice_from(once, 4));
    note_frame(&c, slice_from(twice, 4));
    assert_cuts(&u32_prefix, buf_peek(&both), c.text);
    buf_fini(&both);
    assert_cuts_hex(&u32_prefix, "00000000 00000001 41 00000000", "- 41 -");
}

static void a_prefix_over_the_limit_is_refused_before_its_body(void **state)
{
    (void)state;
    assert_cuts_hex(&u32_prefix, "00000001 41 00001001", "41 !too_large");
    assert_cuts_hex(&u32_prefix, "ffffffff", "!too_large");
    assert_cuts_hex(&u32_prefix, "80000000", "!too_large");
    assert_cuts_hex(&u32_prefix, "00001000", ""); /* awaited */
}

static void ten_digits_are_cut_at_every_split(void **state)
{
    (void)state;
    assert_cuts(&ten_digits, TEXT("0000000002hi"), "6869");
    assert_cuts(&ten_digits, TEXT("0000000002hi0000000012hello, world0000000001x"),
                "6869 68656c6c6f2c20776f726c64 78");
}

static void what_is_not_ten_digits_is_refused_at_the_byte_that_shows_it(void **state)
{
    struct framing_state s = {0};
    struct frame frame;

    (void)state;
    for (size_t i = 0; i < 10; i++)
        for (int c = 0; c < 256; c++) {
            uint8_t header[11] = "0000000002";

            header[i] = (uint8_t)c;
            if (c >= '0' && c <= '9')
                continue;
            assert_int_equal(framing_cut(&ten_digits, &s, slice_of(header, i), false,
                                         NULL, &frame),
                             0);
            assert_int_equal(framing_cut(&ten_digits, &s, slice_of(header, i + 1),
                                         false, NULL, &frame),
                             ERR_BAD_LENGTH);
        }
    assert_cuts(&ten_digits, TEXT("+000000002hi"), "!bad_length");
    assert_cuts(&ten_digits, TEXT("-000000002hi"), "!bad_length");
    assert_cuts(&ten_digits, TEXT("         2hi"), "!bad_length");
    assert_cuts(&ten_digits, TEXT("0x00000002hi"), "!bad_length");
}

static void decimal_lengths_of_nothing_or_too_much_are_refused(void **state)
{
    (void)state;
    assert_cuts(&ten_digits, TEXT("0000000001x0000000000"), "78 !bad_length");
    assert_cuts(&ten_digits, TEXT("0016777217"), "!too_large");
    assert_cuts(&ten_digits, TEXT("4294967298"),
                "!too_large"); /* 2 more than 32 bits */
    assert_cuts(&ten_digits, TEXT("9999999999"), "!too_large");
    assert_cuts(&ten_digits, TEXT("0016777216"), "");
}

static void the_published_device_frames_are_cut_at_every_split(void **state)
{
    (void)state;
    assert_cuts_hex(&device, "7e 10 01 00 00 54 39 30 30 30 30 31 30 00 01 7c 7e",
                    "1001000054393030303031300001");
    assert_cuts_hex(&device,
                    "7e1005000054393030303031300002 7b 7e"
                    "7e100500045439303030303130000200000005 7a 7e"
                    "7e1004000854393030303031300010 0003010000000000 62 7e",
                    "1005000054393030303031300002"
                    " 100500045439303030303130000200000005"
                    " 10040008543930303030313000100003010000000000");
    assert_cuts_hex(
        &device,
        "7e 10 03 00 04 54 39 30 30 30 30 31 30 00 7d 02 7d 01 7d 02 00 01 07"
        "7e",
        "100300045439303030303130007e7d7e0001");
}

#define LOGIN      "1001000054393030303031300001"
#define LOGIN_WIRE LOGIN "7c"
#define QUERY      "1005000054393030303031300002"
#define QUERY_WIRE QUERY "7b"

static void delimiters_may_be_shared_or_repeated(void **state)
{
    const char *both = LOGIN " " QUERY;

    (void)state;
    assert_cuts_hex(&device, "7e" LOGIN_WIRE "7e" QUERY_WIRE "7e", both);
    assert_cuts_hex(&device, "7e" LOGIN_WIRE "7e7e" QUERY_WIRE "7e", both);
    assert_cuts_hex(&device, "7e7e7e" LOGIN_WIRE "7e7e7e7e" QUERY_WIRE "7e7e", both);
    assert_cuts_hex(&device, "7e7e", "");
}

static void a_closing_delimiter_leaves_nothing_behind(void **state)
{
    uint8_t bytes[64], scratch[2048];
    struct slice in = hex("7e" LOGIN_WIRE "7e", bytes);
    struct framing_state s = {0};
    struct frame frame;

    (void)state;
    assert_true(framing_scratch_size(&device) <= sizeof(scratch));
    assert_int_equal(framing_cut(&device, &s, in, false, scratch, &frame), 1);
    assert_int_equal(frame.bytes.size, 0);
    assert_int_equal(frame.fault, OK);
    assert_int_equal(framing_cut(&device, &s, slice_from(in, 1), false, scratch,
                                 &frame),
                     in.size - 1);
    assert_true(slice_equal(frame.bytes, in)); /* with both delimiters */
}

static void a_device_stream_recovers_at_the_next_delimiter(void **state)
{
    const char *expected = LOGIN " (16) " QUERY;

    (void)state;
    /* a wrong checksum, an escape cut off by the delimiter, one that means nothing */
    assert_cuts_hex(&device, "7e" LOGIN_WIRE "7e7e" LOGIN "007e7e" QUERY_WIRE "7e",
                    expected);
    assert_cuts_hex(&device, "7e" LOGIN_WIRE "7e7e" LOGIN "7d7e" QUERY_WIRE "7e",
                    expected);
    assert_cuts_hex(&device, "7e" LOGIN_WIRE "7e" LOGIN "7d037c7e" QUERY_WIRE "7e",
                    LOGIN " (18) " QUERY);
}

static void junk_between_device_frames_is_skipped_and_counted(void **state)
{
    (void)state;
    /* before the first delimiter; between two frames, like a frame that is too short */
    assert_cuts_hex(&device, "474554202f 7e" LOGIN_WIRE "7e 0d0a 7e" QUERY_WIRE "7e",
                    "(5) " LOGIN " (3) " QUERY);
    /* a frame that was never closed ends where the next begins */
    assert_cuts_hex(&device, "7e 1001000054 7e" LOGIN_WIRE "7e", "(6) " LOGIN);
    assert_cuts_hex(&device, "ff", "(1)");
}

static void a_device_frame_that_never_ends_is_dropped_to_its_end(void **state)
{
    static uint8_t stream[4096 + 64];
    struct buf b = {0};
    uint8_t bytes[64];
    char expected[256];

    (void)state;
    memset(stream, 'x', sizeof(stream));
    assert_int_equal(buf_try_append(&b, hex("7e" LOGIN_WIRE "7e7e", bytes)), OK);
    assert_int_equal(buf_try_append(&b, slice_of(stream, 4096)), OK);
    assert_int_equal(buf_try_append(&b, hex("7e" QUERY_WIRE "7e", bytes)), OK);
    snprintf(expected, sizeof(expected), "%s (4097) %s", LOGIN, QUERY);
    assert_cuts(&device, buf_peek(&b), expected);
    buf_fini(&b);
}

static void the_largest_device_frame_is_cut_the_next_size_is_dropped(void **state)
{
    static uint8_t body[1045];
    struct buf wire = {0};
    struct cutting c = {0};
    char expected[32];

    (void)state;
    memset(body, 0x7e, sizeof(body));
    assert_int_equal(framing_wrap(&device, slice_of(body, 1045), &wire), ERR_TOO_LARGE);
    assert_int_equal(framing_wrap(&device, slice_of(body, 1044), &wire), OK);
    assert_int_equal(buf_used(&wire), 2 + 2 * 1044 + 1); /* the checksum is 0 */
    note_frame(&c, slice_of(body, 1044));
    assert_cuts(&device, buf_peek(&wire), c.text);
    wire.tail--;
    assert_int_equal(buf_try_append(&wire, TEXT("\x7d\x02\x7e")), OK);
    snprintf(expected, sizeof(expected), "(%zu)", buf_used(&wire) - 1);
    assert_cuts(&device, buf_peek(&wire), expected);
    buf_fini(&wire);
}

/* Frames that other projects publish: each is cut, and made again from its body. */
static const char *const jt808_frames[] = {
    "7e0002000004304832546500b7ca7e",
    "7e80010005043048325465000000b70002004e7e",
    "7e000240000112345678901234567890ffff437e",
    "7e8001400501123456789012345678900000ffff000200c77e",
    "7e8001000501234567890100007fff0002008e7e",
    "7e0100002d000123456789000a002800323132333400736d616c6c6368693132330000000000000000"
    "004348493132330001d4c14131323334358a7e",
    "7e010040540100000000000123456789000a002800323132333400000000000000736d616c6c636869"
    "3132330000000000000000000000000000000000000043484931323300000000000000000000000000"
    "000000000000000000000001d4c1413132333435b27e",
    "7e8100000e01234567890100000000003132333435363738393031377e",
    "7e81000003012345678900000a006404617e",
    "7e0102000b01234567890100003137323939383431373338b57e",
    "7e0102402f010000000001729984173800000b31373239393834313733383132333435363738393031"
    "32"
    "333435332e372e31350000000000000000000000000000227e",
    "7e810400000144199999990003437e",
    "7e8104400001000000000144199999990003027e",
    "7e0104000c000123456789000a00140100000001040000000a907e",
    "7e8103000a000123456789000a0100000001040000000a057e",
    "7e81050001012345678900000105087e",
    "7e810540010100000000013912344329000004b47e",
    "7e8107400001000000000139123443290000b37e",
    "7e8300000d012345678900000105736d616c6c63686920353138027e",
    "7e8300400e010000000001234567890000010501736d616c6c63686920353138417e",
    "7e000100050123456789017fff007b01c803bd7e",
    "7e800300090139123443230000006f030002000300049d7e",
    "7e8004400601000000001234567890120001191202101010517e",
    "7e0200002c00160128561400020000000000040001005de1f7065c6cef000000000000170117100442"
    "01"
    "040000a9002a02000030011b3101030c7e",
    "7e010060240100000000013912344329000000030001000b0002696439383736353433323174797065"
    "3030313233343536373831323334353637277e",
};

static void the_published_jt808_frames_are_cut_and_made(void **state)
{
    static uint8_t bytes[512], scratch[2048];
    struct buf all = {0};
    struct cutting one, together = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(jt808_frames); i++) {
        struct slice wire = hex(jt808_frames[i], bytes);
        struct framing_state s = {.is_open = true};
        struct buf made = {0};
        struct frame frame;

        assert_int_equal(framing_cut(&jt808, &s, slice_from(wire, 1), false, scratch,
                                     &frame),
                         wire.size - 1);
        assert_int_equal(frame.fault, OK);
        one = (struct cutting){0};
        note_frame(&one, frame.body);
        note_frame(&together, frame.body);
        assert_cuts(&jt808, wire, one.text);
        assert_int_equal(framing_wrap(&jt808, frame.body, &made), OK);
        assert_true(slice_equal(buf_peek(&made), wire));
        buf_fini(&made);
        assert_int_equal(buf_try_append(&all, wire), OK);
    }
    assert_cuts(&jt808, buf_peek(&all), together.text);
    buf_fini(&all);
}

static void escapes_are_undone_and_made(void **state)
{
    struct framing bare = device;
    struct buf made = {0};
    uint8_t bytes[32];

    (void)state;
    bare.checksum = (struct framing_checksum){0};
    bare.min_frame = 3;
    assert_cuts_hex(&bare, "7e307d02087d01557e", "307e087d55");
    assert_int_equal(framing_wrap(&bare, hex("307e087d55", bytes), &made), OK);
    assert_true(slice_equal(buf_peek(&made), hex("7e307d02087d01557e", bytes)));
    buf_fini(&made);
}

/* A second, slow reading of the same rules: split at every 7e, keep what is whole. */
static void naive_device_frames(struct slice stream, struct cutting *c)
{
    const uint8_t *p = memchr(stream.data, 0x7e, stream.size);
    const uint8_t *end = stream.data + stream.size, *next;

    for (; p && (next = memchr(p + 1, 0x7e, (size_t)(end - p - 1))); p = next) {
        uint8_t plain[256], check = 0;
        size_t n = 0;
        bool good = true;

        for (const uint8_t *q = p + 1; q < next; q++) {
            uint8_t byte = *q;

            if (byte == 0x7d) {
                q++;
                good &= q < next && (*q == 1 || *q == 2);
                byte = *q == 1 ? 0x7d : 0x7e;
            }
            plain[n++] = byte;
            check ^= byte; /* of all and the checksum itself: 0 */
        }
        if (good && n >= 2 && check == 0)
            note_frame(c, slice_of(plain, n - 1));
    }
}

static void device_frames_equal_those_of_a_slow_reader(void **state)
{
    static const uint8_t letters[] = {0x7e, 0x7d, 0x7d, 0x01, 0x02, 0x03, 0x02, 0x01};
    static struct cutting expected, c = {.frames_only = true};
    struct framing small = device;
    size_t whole = SIZE_MAX, compared = 0;
    uint8_t stream[200];

    (void)state;
    small.min_frame = 4;
    for (int i = 0; i < 2000; i++) {
        for (size_t k = 0; k < sizeof(stream); k++)
            stream[k] = letters[(size_t)rand() % sizeof(letters)];
        expected = (struct cutting){0};
        naive_device_frames(slice_of(stream, sizeof(stream)), &expected);
        cut_pieces(&small, slice_of(stream, sizeof(stream)), fixed_size, &whole, &c);
        assert_string_equal(c.text, expected.text);
        compared += expected.length;
    }
    assert_true(compared > 10000); /* there was something to compare */
}

#define HEARTBEAT "24 54 54 4d 53 00 11 00 00 00 01 01 00 00 03 e8 c0"
#define DATA      "24 54 54 4d 53 00 0f 00 00 00 02 aa 68 69 9c"

static void ttms_is_a_declaration_for_each_reading(void **state)
{
    struct framing total = ttms(0), rest = ttms(7), content1 = ttms(13),
                   content2 = ttms(14);

    (void)state;
    assert_cuts_hex(&total, HEARTBEAT DATA HEARTBEAT,
                    "0000000101000003e8 00000002aa6869 0000000101000003e8");
    assert_cuts_hex(&rest, "24 54 54 4d 53 00 08 00 00 00 02 aa 68 69 9b" DATA,
                    "00000002aa6869");
    assert_cuts_hex(&content1, "24 54 54 4d 53 00 02 00 00 00 02 aa 68 69 91",
                    "00000002aa6869");
    assert_cuts_hex(&content2, "24 54 54 4d 53 00 02 00 00 00 02 aa 68 69 00 91",
                    "00000002aa686900");
    assert_cuts_hex(&ttms_ignoring_length, HEARTBEAT DATA HEARTBEAT,
                    "00110000000101000003e8 000f00000002aa6869 00110000000101000003e8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_u32_prefix_is_cut_at_every_split),
        cmocka_unit_test(a_prefix_over_the_limit_is_refused_before_its_body),
        cmocka_unit_test(ten_digits_are_cut_at_every_split),
        cmocka_unit_test(what_is_not_ten_digits_is_refused_at_the_byte_that_shows_it),
        cmocka_unit_test(decimal_lengths_of_nothing_or_too_much_are_refused),
        cmocka_unit_test(the_published_device_frames_are_cut_at_every_split),
        cmocka_unit_test(delimiters_may_be_shared_or_repeated),
        cmocka_unit_test(a_closing_delimiter_leaves_nothing_behind),
        cmocka_unit_test(a_device_stream_recovers_at_the_next_delimiter),
        cmocka_unit_test(junk_between_device_frames_is_skipped_and_counted),
        cmocka_unit_test(a_device_frame_that_never_ends_is_dropped_to_its_end),
        cmocka_unit_test(the_largest_device_frame_is_cut_the_next_size_is_dropped),
        cmocka_unit_test(the_published_jt808_frames_are_cut_and_made),
        cmocka_unit_test(escapes_are_undone_and_made),
        cmocka_unit_test(device_frames_equal_those_of_a_slow_reader),
        cmocka_unit_test(ttms_is_a_declaration_for_each_reading),
    };

    srand(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
