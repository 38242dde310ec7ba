#include "command/ticket_record.h"

#include "device/ticket.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct slice text_of(const char *text)
{
    return slice_of(text, strlen(text));
}

static struct ticket_record full(void)
{
    struct ticket_record t = {
        .state = TICKET_ANSWERED,
        .reason = TICKET_BY_NONE,
        .supersedes = true,
        .has_answer = true,
        .plain_answer = true,
        .number = 0x9f1c02a45be08d13,
        .position = 7,
        .sameness = 0x0102030405060708,
        .sendings = 2,
        .message = 0x1005,
        .expects = 0x1006,
        .serial = 0xfffe,
        .serials = 3,
        .found_state = -1,
        .answer_message = 0x1005,
        .answer_serial = 2,
        .answer_version = 1,
        .created_ms = 1700000000000,
        .not_before_ms = 1700000000001,
        .not_after_ms = 1700000000002,
        .expires_ms = 1700000000003,
        .sent_ms = 1700000000004,
        .acknowledged_ms = 1700000000005,
        .ended_ms = 1700000000006,
        .listener = text_of("devices"),
        .name = text_of("status"),
        .only_if = text_of("ready"),
        .key = text_of("k"),
        .args = text_of("{}"),
        .answer = slice_of("\0\0\0\5", 4),
    };

    assert_int_equal(id_make(PROTOCOL_DEVICE, text_of("T9000010"), &t.device), OK);
    return t;
}

static const char *hex_of(struct slice s)
{
    static char text[2048];

    for (size_t i = 0; i < s.size; i++)
        sprintf(text + 2 * i, "%02x", s.data[i]);
    return text;
}

/* As the first version wrote it: it is read for ever. */
static const char golden[] =
    "01040013030854393030303031309f1c02a45be08d1300000000000000070102030405060708"
    "0000000210051006fffe0003ffff10050002010000018bcfe568000000018bcfe56801000001"
    "8bcfe568020000018bcfe568030000018bcfe568040000018bcfe568050000018bcfe5680607"
    "6465766963657306737461747573057265616479016b000000027b7d0000000400000005";

static void it_is_written_as_ever(void **state)
{
    struct ticket_record t = full();
    struct buf out = {0};

    (void)state;
    assert_int_equal(ticket_record_write(&t, &out), OK);
    assert_string_equal(hex_of(buf_peek(&out)), golden);
    buf_fini(&out);
}

static void what_is_written_is_read(void **state)
{
    struct ticket_record t = full(), read;
    struct buf out = {0};

    (void)state;
    assert_int_equal(ticket_record_write(&t, &out), OK);
    assert_int_equal(ticket_record_read(buf_peek(&out), &read), OK);
    assert_true(id_equal(&t.device, &read.device));
    assert_int_equal(read.state, t.state);
#define X(how, what) assert_int_equal(read.what, t.what);
    TICKET_FACTS(X)
#undef X
#define X(what, bit) assert_int_equal(read.what, t.what);
    TICKET_FLAGS(X)
#undef X
    assert_true(slice_equal(read.listener, t.listener));
    assert_true(slice_equal(read.name, t.name));
    assert_true(slice_equal(read.only_if, t.only_if));
    assert_true(slice_equal(read.key, t.key));
    assert_true(slice_equal(read.args, t.args));
    assert_true(slice_equal(read.answer, t.answer));
    buf_fini(&out);
}

/* Cut anywhere, or longer: it is not taken for a ticket. */
static void every_other_length_is_damaged(void **state)
{
    struct ticket_record t = full(), read;
    struct buf out = {0};

    (void)state;
    assert_int_equal(ticket_record_write(&t, &out), OK);
    for (size_t size = 0; size < buf_used(&out); size++) {
        uint8_t *exact = malloc(size + 1); /* so that a sanitizer sees what is beyond */

        assert_non_null(exact);
        memcpy(exact + 1, buf_peek(&out).data, size);
        assert_int_equal(ticket_record_read(slice_of(exact + 1, size), &read),
                         ERR_DAMAGED);
        free(exact);
    }
    assert_int_equal(buf_try_append(&out, slice_of("", 1)), OK);
    assert_int_equal(ticket_record_read(buf_peek(&out), &read), ERR_DAMAGED);
    buf_fini(&out);
}

static void what_cannot_be_is_damaged_and_what_is_newer_is_told(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        int rc;
    } cases[] = {
        {0, TICKET_RECORD_VERSION + 1, ERR_VERSION},
        {1, 0, ERR_DAMAGED},
        {1, TICKET_STATE_LIMIT, ERR_DAMAGED},
        {3, 0x80, ERR_DAMAGED}, /* a flag that we do not know */
        {4, 0, ERR_DAMAGED},    /* no protocol */
        {5, 0, ERR_DAMAGED},    /* no id */
        {5, 255, ERR_DAMAGED},
    };
    struct ticket_record t = full(), read;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = {0};

        assert_int_equal(ticket_record_write(&t, &out), OK);
        out.mem[out.head + cases[i].at] = cases[i].value;
        assert_int_equal(ticket_record_read(buf_peek(&out), &read), cases[i].rc);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_written_as_ever),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_other_length_is_damaged),
        cmocka_unit_test(what_cannot_be_is_damaged_and_what_is_newer_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
