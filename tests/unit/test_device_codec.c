/* What stands between 7E and 7E: the header in its three forms, ids as text, and the
 * messages of the vending machines. */
#include "cutting.h"
#include "codec/device.h"
#include "codec/profile.h"

struct read {
    int rc; /* of device_decode; 1: the engine cut nothing */
    struct device_frame frame;
    uint8_t scratch[DEVICE_FRAME_MAX];
};

static struct read *read_wire(enum device_id_form form, const char *digits)
{
    static struct read got;
    const struct framing framing = device_framing(form);
    struct framing_state state = {0};
    uint8_t bytes[2 * DEVICE_FRAME_MAX];
    struct slice in = hex(digits, bytes);
    struct frame frame = {0};

    got = (struct read){.rc = 1};
    while (in.size && !frame.bytes.size) {
        ssize_t used = framing_cut(&framing, &state, in, false, got.scratch, &frame);

        if (used <= 0)
            return &got;
        in = slice_from(in, (size_t)used);
    }
    if (frame.bytes.size)
        got.rc = device_decode(form, frame.body, &got.frame);
    return &got;
}

static const char *text_of(const struct device_head *head, uint8_t protocol)
{
    static char text[ID_TEXT_MAX + 1];
    struct id id;
    int rc = device_id_text(head, protocol, &id);

    if (rc < 0)
        return err_word(rc);
    assert_int_equal(id.protocol, protocol);
    snprintf(text, sizeof(text), "%.*s", ID_ARGS(&id));
    return text;
}

static const char *ascii_id(const char *digits)
{
    struct device_head head = {.form = DEVICE_ID_ASCII8};
    uint8_t bytes[16];

    memcpy(head.id, hex(digits, bytes).data, 8);
    return text_of(&head, PROTOCOL_DEVICE);
}

static const char *bcd_id(uint8_t form, const char *digits)
{
    struct device_head head = {.form = form};
    uint8_t bytes[16];
    struct slice id = hex(digits, bytes);

    memcpy(head.id, id.data, id.size);
    return text_of(&head, PROTOCOL_JT808);
}

static void assert_made(const struct device_frame *f, const char *digits)
{
    uint8_t bytes[2 * DEVICE_FRAME_MAX];
    struct slice expected = hex(digits, bytes);
    struct buf made = {0};

    assert_int_equal(device_encode(&f->head, f->message, f->serial, f->total, f->number,
                                   f->body, &made),
                     OK);
    assert_int_equal(buf_used(&made), expected.size);
    assert_memory_equal(buf_peek(&made).data, expected.data, expected.size);
    buf_fini(&made);
}

/* Read, and made again from what was read. */
static struct device_frame *assert_reads(enum device_id_form form, const char *digits)
{
    struct read *got = read_wire(form, digits);

    assert_int_equal(got->rc, OK);
    assert_made(&got->frame, digits);
    return &got->frame;
}

/* ---- the messages of the vending machines ---- */

static void a_login_is_read_and_answered(void **state)
{
    struct device_frame *f =
        assert_reads(DEVICE_ID_ASCII8, "7e 1001 0000 5439303030303130 0001 7c 7e");

    (void)state;
    assert_int_equal(f->message, profile_vending.login);
    assert_int_equal(f->serial, 1);
    assert_int_equal(f->body.size, 0);
    assert_string_equal(text_of(&f->head, PROTOCOL_DEVICE), "T9000010");
    f->body = slice_of("\0", 1);
    assert_made(f, "7e 1001 0001 5439303030303130 0001 00 7d01 7e");
}

static void a_query_and_its_answer_are_read(void **state)
{
    struct device_frame *f;

    (void)state;
    f = assert_reads(DEVICE_ID_ASCII8, "7e 1005 0000 5439303030303130 0002 7b 7e");
    assert_int_equal(f->message, profile_find(&profile_vending, "status")->message);
    f = assert_reads(DEVICE_ID_ASCII8,
                     "7e 1005 0004 5439303030303130 0002 00000005 7a 7e");
    assert_int_equal(f->body.size, 4);
    assert_string_equal(profile_state_name(&profile_vending,
                                           f->body.data[profile_vending.state_at]),
                        "ready");
}

static void turning_on_has_its_serial_and_body(void **state)
{
    const struct profile_command *on = profile_find(&profile_vending, "turn_on");
    struct device_frame *f;

    (void)state;
    f = assert_reads(DEVICE_ID_ASCII8,
                     "7e 1004 0008 5439303030303130 0010 0003010000000000 62 7e");
    assert_true(on->has_serial);
    assert_int_equal(on->serial, f->serial);
    assert_int_equal(on->size, f->body.size);
    assert_memory_equal(on->body, f->body.data, on->size);
}

static void escapes_are_undone_and_made(void **state)
{
    struct device_frame *f =
        assert_reads(DEVICE_ID_ASCII8,
                     "7e 1003 0004 5439303030303130 007d02 7d017d020001 07 7e");

    (void)state;
    assert_int_equal(f->message, profile_vending.reports[0]);
    assert_int_equal(f->serial, 0x7e);
    assert_memory_equal(f->body.data, "\x7d\x7e\x00\x01", 4);
}

static void a_profile_knows_its_names(void **state)
{
    (void)state;
    assert_null(profile_find(&profile_vending, "dance"));
    assert_null(profile_find(&profile_vending, ""));
    assert_non_null(profile_find(&profile_vending, profile_vending.query));
    assert_int_equal(profile_find(&profile_vending, "restart")->message, 0x1006);
    assert_string_equal(profile_state_name(&profile_vending, 1), "on");
    assert_string_equal(profile_state_name(&profile_vending, 4), "standby");
    assert_null(profile_state_name(&profile_vending, 0));
    assert_null(profile_state_name(&profile_vending, 6));
}

/* ---- headers ---- */

static void the_header_of_2013_has_six_bytes_of_decimals(void **state)
{
    static const char wire[] = "7e 0002 0000 043048325465 00b7 ca 7e";
    struct device_frame *f = assert_reads(DEVICE_ID_JT808, wire);

    (void)state;
    assert_int_equal(f->head.form, DEVICE_ID_BCD6);
    assert_int_equal(f->head.version, 0);
    assert_int_equal(f->serial, 0xb7);
    assert_string_equal(text_of(&f->head, PROTOCOL_JT808), "43048325465");
    assert_int_equal(assert_reads(DEVICE_ID_BCD6, wire)->head.form, DEVICE_ID_BCD6);
}

static void the_header_of_2019_has_a_version_and_ten(void **state)
{
    static const char wire[] = "7e 0002 4000 01 12345678901234567890 ffff 43 7e";
    struct device_frame *f = assert_reads(DEVICE_ID_JT808, wire);

    (void)state;
    assert_int_equal(f->head.form, DEVICE_ID_BCD10);
    assert_int_equal(f->head.version, 1);
    assert_int_equal(f->serial, 65535);
    assert_string_equal(text_of(&f->head, PROTOCOL_JT808), "12345678901234567890");
    assert_int_equal(assert_reads(DEVICE_ID_BCD10, wire)->head.form, DEVICE_ID_BCD10);
}

static void an_answer_has_the_head_of_what_it_answers(void **state)
{
    struct device_frame *f =
        assert_reads(DEVICE_ID_JT808, "7e000240000112345678901234567890ffff437e");

    (void)state;
    f->message = 0x8001;
    f->serial = 0;
    f->body = slice_of("\xff\xff\x00\x02\x00", 5);
    assert_made(f, "7e8001400501123456789012345678900000ffff000200c77e");
}

static void packages_have_their_numbers(void **state)
{
    struct device_frame *f = assert_reads(
        DEVICE_ID_JT808,
        "7e010060240100000000013912344329000000030001000b0002696439383736353433323174"
        "7970653030313233343536373831323334353637277e");

    (void)state;
    assert_int_equal(f->total, 3);
    assert_int_equal(f->number, 1);
    assert_int_equal(f->body.size, 36);
    assert_string_equal(text_of(&f->head, PROTOCOL_JT808), "13912344329");
}

/* ---- what is refused ---- */

static void a_body_of_another_length_is_refused(void **state)
{
    (void)state;
    /* one announced, none there; none announced, one there; more than a frame has */
    assert_int_equal(
        read_wire(DEVICE_ID_ASCII8, "7e 1001 0001 5439303030303130 0001 7d01 7e")->rc,
        ERR_BAD_LENGTH);
    assert_int_equal(
        read_wire(DEVICE_ID_ASCII8, "7e 1001 0000 5439303030303130 0001 00 7c 7e")->rc,
        ERR_BAD_LENGTH);
    assert_int_equal(
        read_wire(DEVICE_ID_ASCII8, "7e 1001 03ff 5439303030303130 0001 80 7e")->rc,
        ERR_BAD_LENGTH);
}

static void a_header_that_is_not_all_there_is_too_short(void **state)
{
    (void)state;
    /* enough for 2013, but bit 14 is set; packages, but no numbers */
    assert_int_equal(read_wire(DEVICE_ID_JT808, "7e 0002 4000 043048325465 00b7 8a 7e")
                         ->rc,
                     ERR_TOO_SHORT);
    assert_int_equal(read_wire(DEVICE_ID_JT808, "7e 0002 2000 043048325465 00b7 ea 7e")
                         ->rc,
                     ERR_TOO_SHORT);
    assert_int_equal(read_wire(DEVICE_ID_JT808, "7e 30 7d02 08 7d01 55 7e")->rc, 1);
}

static void an_encrypted_body_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_wire(DEVICE_ID_JT808, "7e 0002 0400 043048325465 00b7 ce 7e")
                         ->rc,
                     ERR_MALFORMED);
    assert_int_equal(read_wire(DEVICE_ID_JT808, "7e 0002 1000 043048325465 00b7 da 7e")
                         ->rc,
                     ERR_MALFORMED);
    /* bit 15 is reserved: whatever it says */
    assert_int_equal(
        read_wire(DEVICE_ID_JT808, "7e 0002 8000 043048325465 00b7 4a 7e")->rc, OK);
}

static void a_body_has_its_limit(void **state)
{
    static const uint8_t body[DEVICE_BODY_MAX + 1];
    const struct device_head head = {.form = DEVICE_ID_BCD10, .version = 1};
    struct buf made = {0};

    (void)state;
    assert_int_equal(device_encode(&head, 1, 2, 3, 1, slice_of(body, sizeof(body)),
                                   &made),
                     ERR_TOO_LARGE);
    assert_int_equal(device_encode(&head, 1, 2, 3, 1, slice_of(body, DEVICE_BODY_MAX),
                                   &made),
                     OK);
    assert_int_equal(buf_used(&made), DEVICE_FRAME_MAX);
    buf_fini(&made);
}

/* ---- ids ---- */

static void letters_are_one_name_in_either_case(void **state)
{
    (void)state;
    assert_string_equal(ascii_id("5439303030303130"), "T9000010");
    assert_string_equal(ascii_id("7439303030303130"), "T9000010");
    assert_string_equal(ascii_id("5439302020202020"), "T90");
    assert_string_equal(ascii_id("2054392039202020"), " T9 9");
    assert_string_equal(ascii_id("2e2e2f2e2e2f7e7d"), "../../~}");
}

static void letters_that_cannot_be_shown_are_no_name(void **state)
{
    (void)state;
    assert_string_equal(ascii_id("2020202020202020"), "malformed");
    assert_string_equal(ascii_id("5439303030303100"), "malformed");
    assert_string_equal(ascii_id("0d0a303030303130"), "malformed");
    assert_string_equal(ascii_id("1b5b316d30303030"), "malformed");
    assert_string_equal(ascii_id("ff39303030303130"), "malformed");
    assert_string_equal(ascii_id("7f39303030303130"), "malformed");
    assert_int_equal(
        read_wire(DEVICE_ID_ASCII8, "7e 1001 0000 5439303030300a30 0001 47 7e")->rc,
        ERR_MALFORMED);
}

static void decimals_are_the_same_name_in_six_and_ten_bytes(void **state)
{
    (void)state;
    assert_string_equal(bcd_id(DEVICE_ID_BCD6, "013912344329"), "13912344329");
    assert_string_equal(bcd_id(DEVICE_ID_BCD10, "00000000013912344329"), "13912344329");
    assert_string_equal(bcd_id(DEVICE_ID_BCD6, "000000000000"), "0");
    assert_string_equal(bcd_id(DEVICE_ID_BCD10, "00000000000000000000"), "0");
    assert_string_equal(bcd_id(DEVICE_ID_BCD6, "000000000007"), "7");
}

static void what_is_not_decimal_keeps_all_its_digits(void **state)
{
    (void)state;
    assert_string_equal(bcd_id(DEVICE_ID_BCD6, "0079430801AF"), "0079430801af");
    assert_string_equal(bcd_id(DEVICE_ID_BCD6, "00000000000a"), "00000000000a");
    assert_string_equal(bcd_id(DEVICE_ID_BCD10, "ffffffffffffffffffff"),
                        "ffffffffffffffffffff");
}

static void all_framings_are_sound(void **state)
{
    static const uint32_t least[] = {17, 15, 20, 15};

    (void)state;
    for (unsigned form = 0; form < ARRAY_LEN(least); form++) {
        struct framing f = device_framing((enum device_id_form)form);

        assert_null(framing_check(&f));
        assert_int_equal(f.min_frame, least[form]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_is_read_and_answered),
        cmocka_unit_test(a_query_and_its_answer_are_read),
        cmocka_unit_test(turning_on_has_its_serial_and_body),
        cmocka_unit_test(escapes_are_undone_and_made),
        cmocka_unit_test(a_profile_knows_its_names),
        cmocka_unit_test(the_header_of_2013_has_six_bytes_of_decimals),
        cmocka_unit_test(the_header_of_2019_has_a_version_and_ten),
        cmocka_unit_test(an_answer_has_the_head_of_what_it_answers),
        cmocka_unit_test(packages_have_their_numbers),
        cmocka_unit_test(a_body_of_another_length_is_refused),
        cmocka_unit_test(a_header_that_is_not_all_there_is_too_short),
        cmocka_unit_test(an_encrypted_body_is_refused),
        cmocka_unit_test(a_body_has_its_limit),
        cmocka_unit_test(letters_are_one_name_in_either_case),
        cmocka_unit_test(letters_that_cannot_be_shown_are_no_name),
        cmocka_unit_test(decimals_are_the_same_name_in_six_and_ten_bytes),
        cmocka_unit_test(what_is_not_decimal_keeps_all_its_digits),
        cmocka_unit_test(all_framings_are_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
