/* The relay's frames, written down as `command@address:content`, a wrong check byte as
 * `?` behind it, an error as `!word`, the reading that was taken as `=word`. */
#include "base/reader.h"
#include "codec/ttms.h"

#include "unit.h"

#include <stdio.h>

#define HEARTBEAT   "\x24\x54\x54\x4d\x53\x00\x11\x00\x00\x00\x01\x01\x00\x00\x03\xe8\xc0"
#define DATA        "\x24\x54\x54\x4d\x53\x00\x0f\x00\x00\x00\x02\xaa\x68\x69\x9c"
#define RECEIVED    "\x24\x54\x54\x4d\x58\x00\x0f\x00\x00\x00\x01\xaa\x68\x69\x94"

#define BYTES(text) slice_of(text, sizeof(text) - 1)

#define TEXT_MAX    65536

static struct ttms_conf conf_of(uint8_t length)
{
    return (struct ttms_conf){.length = length, .max_frame = 1 << 20};
}

struct record {
    char text[TEXT_MAX];
    size_t length;
};

static void record_text(struct record *r, const char *text)
{
    r->length += (size_t)snprintf(r->text + r->length, TEXT_MAX - r->length, "%s%s",
                                  r->length ? " " : "", text);
    assert_true(r->length < TEXT_MAX);
}

static void record_frame(struct record *r, uint8_t command, uint32_t address,
                         struct slice content, bool check_fits)
{
    char text[4096];
    int n = sprintf(text, "%02x@%08x:", command, address);

    assert_true(content.size < 1900);
    for (size_t i = 0; i < content.size; i++)
        n += sprintf(text + n, "%02x", content.data[i]);
    strcpy(text + n, check_fits ? "" : "?");
    record_text(r, text);
}

/* In pieces of `first` bytes, then of `next` each (0: random ones). Says that more
 * waits until all has come, if `says_more`. Returns the reading taken. */
static uint8_t deliver(const struct ttms_conf *conf, struct slice stream, size_t first,
                       size_t next, bool says_more, struct record *r)
{
    struct ttms_dialect dialect = {0};
    size_t begin = 0, arrived = 0;
    ssize_t used = 1;

    r->length = 0;
    r->text[0] = 0;
    while (arrived < stream.size && used >= 0) {
        size_t size = arrived == 0 ? first : next ? next : 1 + (size_t)rand() % 30;
        uint8_t *block;

        arrived += size < stream.size - arrived ? size : stream.size - arrived;
        size = arrived - begin;
        block = malloc(size ? size : 1); /* exact: a read behind it is caught */
        memcpy(block, stream.data + begin, size);
        for (size_t at = 0; at < size; at += (size_t)used, begin += (size_t)used) {
            struct ttms_frame f;

            used = ttms_cut(conf, &dialect, slice_of(block + at, size - at),
                            says_more && arrived < stream.size, &f);
            if (used <= 0)
                break;
            assert_int_equal(f.bytes.size, used);
            record_frame(r, f.command, f.address, f.content, ttms_check_fits(&f));
        }
        free(block);
    }
    if (used < 0) {
        char text[32];

        snprintf(text, sizeof(text), "!%s", err_word((int)used));
        record_text(r, text);
    }
    return dialect.length;
}

/* Whole, byte by byte, at every split into two, and in random pieces. */
static void assert_delivers(uint8_t length, struct slice stream, const char *expected,
                            uint8_t taken)
{
    static struct record r;
    struct ttms_conf conf = conf_of(length);
    bool says_more = length == TTMS_LENGTH_IGNORE;

    for (size_t first = 1; first <= stream.size; first++) {
        assert_int_equal(deliver(&conf, stream, first, SIZE_MAX, says_more, &r), taken);
        assert_string_equal(r.text, expected);
    }
    assert_int_equal(deliver(&conf, stream, 1, 1, says_more, &r), taken);
    assert_string_equal(r.text, expected);
    for (int i = 0; i < 20; i++) {
        deliver(&conf, stream, 1 + (size_t)rand() % 30, 0, says_more, &r);
        assert_string_equal(r.text, expected);
    }
}

/* ---- a second, slow reading of the protocol page ---- */

static uint8_t slow_xor(struct slice s)
{
    uint8_t x = 0;

    while (s.size > 0)
        x ^= s.data[--s.size];
    return x;
}

/* A $TTMS frame whose length field holds `field`, with `checks` check bytes. */
static void slow_form(struct buf *to, uint8_t command, uint32_t address,
                      struct slice content, unsigned field, unsigned checks)
{
    uint8_t head[12] = {'$', 'T', 'T', 'M', 'S', (uint8_t)(field >> 8), (uint8_t)field};
    size_t begin = buf_used(to);
    uint8_t x = 0;

    head[7] = (uint8_t)(address >> 24);
    head[8] = (uint8_t)(address >> 16);
    head[9] = (uint8_t)(address >> 8);
    head[10] = (uint8_t)address;
    head[11] = command;
    assert_int_equal(buf_try_append(to, slice_of(head, 12)), OK);
    assert_int_equal(buf_try_append(to, content), OK);
    if (checks == 2)
        assert_int_equal(buf_try_append(to, slice_of(&x, 1)), OK);
    x = slow_xor(slice_from(buf_peek(to), begin));
    assert_int_equal(buf_try_append(to, slice_of(&x, 1)), OK);
}

/* How terminals count: the dialects that auto must tell apart. */
static const struct {
    uint8_t reading;
    uint8_t uncounted; /* of the content's 12 bytes in front and the check behind */
    uint8_t checks;
} dialects[] = {
    {TTMS_LENGTH_TOTAL, 0, 1},     {TTMS_LENGTH_TOTAL, 0, 2},
    {TTMS_LENGTH_REST, 7, 1},      {TTMS_LENGTH_REST, 7, 2},
    {TTMS_LENGTH_CONTENT1, 13, 1}, {TTMS_LENGTH_CONTENT2, 14, 2},
};

static void slow_frame(struct buf *to, size_t d, uint8_t command, uint32_t address,
                       struct slice content)
{
    size_t size = 12 + content.size + dialects[d].checks;

    slow_form(to, command, address, content, (unsigned)(size - dialects[d].uncounted),
              dialects[d].checks);
}

/* ---- the tests ---- */

static void the_published_frames_are_cut_at_every_split(void **state)
{
    (void)state;
    for (uint8_t length = TTMS_LENGTH_AUTO; length <= TTMS_LENGTH_TOTAL; length++) {
        assert_delivers(length, BYTES(HEARTBEAT), "01@00000001:000003e8",
                        TTMS_LENGTH_TOTAL);
        assert_delivers(length, BYTES(HEARTBEAT DATA HEARTBEAT),
                        "01@00000001:000003e8 aa@00000002:6869 01@00000001:000003e8",
                        TTMS_LENGTH_TOTAL);
    }
    assert_delivers(TTMS_LENGTH_IGNORE, BYTES(HEARTBEAT DATA HEARTBEAT),
                    "01@00000001:000003e8 aa@00000002:6869 01@00000001:000003e8",
                    TTMS_LENGTH_IGNORE);
}

static void the_target_receives_the_published_bytes(void **state)
{
    struct ttms_conf conf = conf_of(TTMS_LENGTH_TOTAL);
    struct ttms_dialect dialect = {0};
    struct ttms_frame frame;
    uint8_t out[32];

    (void)state;
    assert_int_equal(ttms_cut(&conf, &dialect, BYTES(DATA), false, &frame), 15);
    assert_true(slice_equal(frame.content, BYTES("hi")));
    ttms_forward(&frame, 1, out);
    assert_memory_equal(out, RECEIVED, 15);
}

static void forwarding_changes_mark_address_and_last_byte_only(void **state)
{
    struct ttms_conf conf = conf_of(TTMS_LENGTH_IGNORE);
    uint8_t in[200], out[200];

    (void)state;
    for (int i = 0; i < 5000; i++) {
        size_t size = 12 + (size_t)rand() % (sizeof(in) - 12);
        uint32_t sender = (uint32_t)rand() * 2654435761u;
        struct ttms_dialect dialect = {0};
        struct ttms_frame frame;

        for (size_t k = 5; k < size; k++)
            in[k] = (uint8_t)('a' + rand() % 26); /* with a wrong check byte, too */
        memcpy(in, "$TTMS", 5);
        assert_int_equal(ttms_cut(&conf, &dialect, slice_of(in, size), false, &frame),
                         size);
        assert_int_equal(frame.computed, slow_xor(slice_of(in, size - 1)));
        ttms_forward(&frame, sender, out);
        memcpy(in, "$TTMX", 5);
        for (int k = 0; k < 4; k++)
            in[7 + k] = (uint8_t)(sender >> (24 - 8 * k));
        in[size - 1] = slow_xor(slice_of(in, size - 1));
        assert_memory_equal(out, in, size);
    }
}

static void an_echo_keeps_the_address_and_mends_the_check_byte(void **state)
{
    struct ttms_conf conf = conf_of(TTMS_LENGTH_TOTAL);
    struct ttms_dialect dialect = {0};
    uint8_t in[17], out[17];
    struct ttms_frame frame;

    (void)state;
    memcpy(in, HEARTBEAT, 17);
    in[16] = 0x55;
    assert_int_equal(ttms_cut(&conf, &dialect, slice_of(in, 17), false, &frame), 17);
    assert_false(ttms_check_fits(&frame));
    ttms_echo(&frame, out);
    assert_memory_equal(out, "$TTMX\x00\x11\x00\x00\x00\x01\x01\x00\x00\x03\xe8\xcb",
                        17);
}

static void receipts_are_formed_in_the_terminals_dialect(void **state)
{
    static const struct {
        uint8_t length;
        const char *bytes;
        size_t size;
    } formed[] = {
        {TTMS_LENGTH_AUTO, "$TTMX\0\x11\0\0\0\0\x02\0\1\2\3\x17", 17},
        {TTMS_LENGTH_TOTAL, "$TTMX\0\x11\0\0\0\0\x02\0\1\2\3\x17", 17},
        {TTMS_LENGTH_IGNORE, "$TTMX\0\x11\0\0\0\0\x02\0\1\2\3\x17", 17},
        {TTMS_LENGTH_REST, "$TTMX\0\x0a\0\0\0\0\x02\0\1\2\3\x0c", 17},
        {TTMS_LENGTH_CONTENT1, "$TTMX\0\x04\0\0\0\0\x02\0\1\2\3\x02", 17},
        {TTMS_LENGTH_CONTENT2, "$TTMX\0\x04\0\0\0\0\x02\0\1\2\3\0\x02", 18},
    };
    uint8_t out[TTMS_MAX_FORMED];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(formed); i++) {
        assert_int_equal(ttms_form_receipt(TTMS_RECEIPT, 0x10203, formed[i].length,
                                           out),
                         formed[i].size);
        assert_memory_equal(out, formed[i].bytes, formed[i].size - 1);
        assert_int_equal(out[formed[i].size - 1],
                         slow_xor(slice_of(out, formed[i].size - 1)));
    }
    assert_int_equal(ttms_form_receipt(TTMS_REFUSAL, 7, TTMS_LENGTH_TOTAL, out), 17);
    assert_memory_equal(out, "$TTMX\0\x11\0\0\0\0\x03\0\0\0\x07", 16);
}

static void what_a_terminal_forms_is_what_the_slow_reading_forms(void **state)
{
    static const uint8_t two_checks[] = {1, 0, 1, 0, 1, 1};
    uint8_t made[64];

    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(dialects); d++) {
        struct buf slow = {0};

        if (!two_checks[d]) /* not a dialect that ttms_form speaks */
            continue;
        slow_frame(&slow, d, TTMS_DATA, 0xdeadbeef, BYTES("payload"));
        assert_int_equal(ttms_formed_size(7, dialects[d].reading), buf_used(&slow));
        ttms_form(TTMS_DATA, 0xdeadbeef, BYTES("payload"), dialects[d].reading, made);
        assert_memory_equal(made, buf_peek(&slow).data, buf_used(&slow));
        buf_fini(&slow);
    }
}

/* A heartbeat, then data of all kinds: empty, with a start mark inside, with a wrong
 * check byte. */
static void random_conversation(size_t d, struct buf *stream, struct record *expected)
{
    static const char payloads[][12] = {"", "$TTMS", "a$TTMSb", "$$TTMS$TTM", "xyz"};
    uint8_t extra = 0;
    struct slice content;
    uint8_t stamp[5] = {0};

    expected->length = 0;
    buf_clear(stream);
    for (int i = 0; i < 6; i++) {
        uint32_t address = (uint32_t)rand();
        uint8_t command = i == 0 || rand() % 4 == 0 ? TTMS_HEARTBEAT : TTMS_DATA;
        const char *text = payloads[rand() % 5];
        bool damaged = i > 0 && rand() % 4 == 0;
        uint8_t with_check[16];
        size_t begin = buf_used(stream), end;

        for (int k = 0; k < 4; k++)
            stamp[k] = (uint8_t)rand();
        content = command == TTMS_HEARTBEAT ? slice_of(stamp, 4)
                                            : slice_of(text, strlen(text));
        do { /* a check of 0 leaves open whether it has one byte or two */
            stream->tail = stream->head + begin;
            slow_frame(stream, d, command, address++, content);
            end = stream->tail;
        } while (stream->mem[end - 1] == 0);
        if (damaged)
            stream->mem[end - 1] ^= 0x5a;
        memcpy(with_check, content.data, content.size);
        with_check[content.size] = extra;
        content = slice_of(with_check, content.size + dialects[d].checks - 1u);
        record_frame(expected, command, address - 1, content, !damaged);
    }
}

static void every_dialect_is_recognised_and_cut_however_it_arrives(void **state)
{
    static struct record expected;
    struct buf stream = {0};

    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(dialects); d++)
        for (int i = 0; i < 60; i++) {
            random_conversation(d, &stream, &expected);
            assert_delivers(TTMS_LENGTH_AUTO, buf_peek(&stream), expected.text,
                            dialects[d].reading);
            assert_delivers(dialects[d].reading, buf_peek(&stream), expected.text,
                            dialects[d].reading);
        }
    buf_fini(&stream);
}

/* What `ignore` sees: everything from one start mark to the next. */
static void slow_ignore(struct slice stream, struct record *r)
{
    r->length = 0;
    for (size_t begin = 0, end; begin < stream.size; begin = end) {
        struct slice f;

        end = begin + 5;
        while (end < stream.size &&
               (stream.size - end < 5 || memcmp(stream.data + end, "$TTMS", 5) != 0))
            end++;
        f = slice_of(stream.data + begin, end - begin);
        record_frame(r, f.data[11],
                     (uint32_t)f.data[7] << 24 | (uint32_t)f.data[8] << 16 |
                         (uint32_t)f.data[9] << 8 | f.data[10],
                     slice_of(f.data + 12, f.size == 12 ? 0 : f.size - 13),
                     slow_xor(f) == 0);
    }
}

static void ignore_ends_a_frame_where_the_next_begins(void **state)
{
    static struct record expected;
    struct buf stream = {0};

    (void)state;
    for (int i = 0; i < 200; i++) {
        uint8_t payload[20];

        buf_clear(&stream);
        for (int k = 0; k < 5; k++) {
            size_t size = (size_t)rand() % sizeof(payload);

            for (size_t n = 0; n < size; n++)
                payload[n] = (uint8_t) "$TMSxyz"[rand() % 7];
            slow_form(&stream, TTMS_DATA, (uint32_t)rand(), slice_of(payload, size),
                      (unsigned)rand() & 0xffff, 1);
        }
        slow_ignore(buf_peek(&stream), &expected);
        if (strstr(expected.text, "!"))
            continue;
        assert_delivers(TTMS_LENGTH_IGNORE, buf_peek(&stream), expected.text,
                        TTMS_LENGTH_IGNORE);
    }
    buf_fini(&stream);
}

static void ignore_waits_for_more_only_if_more_waits(void **state)
{
    struct ttms_conf conf = conf_of(TTMS_LENGTH_IGNORE);
    struct ttms_dialect dialect = {0};
    struct ttms_frame f;

    (void)state;
    assert_int_equal(ttms_cut(&conf, &dialect, BYTES(DATA), true, &f), 0);
    assert_int_equal(ttms_cut(&conf, &dialect, BYTES(DATA), false, &f), 15);
    /* twelve bytes are a frame, fewer may become one */
    assert_int_equal(ttms_cut(&conf, &dialect, slice_of(DATA, 11), false, &f), 0);
    assert_int_equal(ttms_cut(&conf, &dialect, slice_of(DATA, 12), false, &f), 12);
    assert_int_equal(f.content.size, 0);
    assert_int_equal(f.command, 0xaa);
    /* a valid check byte that is a $ */
    assert_int_equal(ttms_cut(&conf, &dialect, BYTES("$TTMS\0\0\0\0\0\2\xaahi\xb7$"),
                              false, &f),
                     16);
    assert_true(ttms_check_fits(&f));
    /* the data ends amid the next mark: the check byte tells, else a $ is content */
    assert_int_equal(ttms_cut(&conf, &dialect, BYTES(DATA "$"), false, &f), 15);
    assert_int_equal(ttms_cut(&conf, &dialect, BYTES(DATA "$TTM"), false, &f), 15);
    assert_int_equal(ttms_cut(&conf, &dialect, BYTES("$TTMS\0\0\0\0\0\2\xaahi?$"),
                              false, &f),
                     16);
    assert_int_equal(ttms_cut(&conf, &dialect, BYTES("$TTMS\0\0\0\0\0\2\xaahi?$T"),
                              false, &f),
                     15);
}

static void ignore_does_not_search_twice_what_it_searched(void **state)
{
    struct ttms_conf conf = conf_of(TTMS_LENGTH_IGNORE);
    struct ttms_dialect dialect = {0};
    static uint8_t stream[1 << 16];
    struct ttms_frame f;

    (void)state;
    memset(stream, '.', sizeof(stream));
    memcpy(stream, "$TTMS", 5);
    for (size_t n = 5; n < sizeof(stream); n++) {
        assert_int_equal(ttms_cut(&conf, &dialect, slice_of(stream, n), true, &f), 0);
        assert_int_equal(dialect.scanned, n);
    }
    assert_int_equal(ttms_cut(&conf, &dialect, slice_of(stream, 99), false, &f), 99);
    assert_int_equal(dialect.scanned, 0);
}

/* How many bytes of a first frame `auto` needs until it has decided for `reading`. */
static void assert_decides(struct slice in, size_t after, uint8_t reading)
{
    struct ttms_conf conf = conf_of(TTMS_LENGTH_AUTO);
    struct ttms_dialect dialect = {0};
    struct ttms_frame f;

    for (size_t n = 1; n < after; n++) {
        assert_int_equal(ttms_cut(&conf, &dialect, slice_of(in.data, n), false, &f), 0);
        assert_int_equal(dialect.length, TTMS_LENGTH_AUTO);
    }
    assert_int_equal(ttms_cut(&conf, &dialect, slice_of(in.data, after), false, &f),
                     after);
    assert_int_equal(dialect.length, reading);
}

static void a_heartbeat_with_a_senseless_length_does_not_wait(void **state)
{
    static const unsigned fields[] = {0,  1,  2,  5,      6,      7,     12,
                                      16, 19, 25, 0x1100, 0x1234, 0xffff};
    struct buf b = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        buf_clear(&b);
        slow_form(&b, TTMS_HEARTBEAT, 1, BYTES("\0\0\3\xe8"), fields[i], 1);
        assert_decides(buf_peek(&b), 17, TTMS_LENGTH_IGNORE);
        buf_clear(&b);
        slow_form(&b, TTMS_HEARTBEAT, 1, BYTES("\0\0\3\xe8"), fields[i], 2);
        if (fields[i] >= 12) /* else the first 17 bytes have no reading to wait for */
            assert_decides(buf_peek(&b), 18, TTMS_LENGTH_IGNORE);
    }
    buf_fini(&b);
}

static void a_heartbeat_with_a_wrong_check_byte_does_not_wait(void **state)
{
    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(dialects); d++) {
        struct buf b = {0};

        slow_frame(&b, d, TTMS_HEARTBEAT, 1, BYTES("\0\0\3\xe8"));
        b.mem[b.tail - 1] ^= 0x0f;
        assert_decides(buf_peek(&b), buf_used(&b), TTMS_LENGTH_IGNORE);
        buf_fini(&b);
    }
}

static void data_as_a_first_frame_is_recognised_at_every_size(void **state)
{
    (void)state;
    for (size_t d = 0; d < ARRAY_LEN(dialects); d++)
        for (size_t size = 0; size < 30; size++) {
            struct buf b = {0};
            uint32_t address = 1;

            do { /* a check of 0 leaves open whether it has one byte or two */
                buf_clear(&b);
                slow_frame(&b, d, TTMS_DATA, address++,
                           slice_of("abcdefghijklmnopqrstuvwxyzabcd", size));
            } while (b.mem[b.tail - 1] == 0);
            assert_decides(buf_peek(&b), buf_used(&b), dialects[d].reading);
            buf_fini(&b);
        }
}

static void what_no_reading_can_ever_fit_is_not_awaited(void **state)
{
    struct ttms_conf conf = {.length = TTMS_LENGTH_AUTO, .max_frame = 12};
    struct ttms_dialect dialect = {0};
    struct ttms_frame f;

    (void)state;
    assert_int_equal(ttms_cut(&conf, &dialect, slice_of(DATA, 11), false, &f), 0);
    assert_int_equal(ttms_cut(&conf, &dialect, slice_of(DATA, 12), false, &f), 12);
    assert_int_equal(dialect.length, TTMS_LENGTH_IGNORE);
    conf.max_frame = 15; /* just enough */
    dialect = (struct ttms_dialect){0};
    assert_int_equal(ttms_cut(&conf, &dialect, BYTES(DATA), false, &f), 15);
    assert_int_equal(dialect.length, TTMS_LENGTH_TOTAL);
}

static void a_first_frame_that_fits_no_reading_is_cut_at_the_next_mark(void **state)
{
    static struct record r;
    struct ttms_conf conf = conf_of(TTMS_LENGTH_AUTO);
    struct slice stream = BYTES("$TTMS\x00\x11\0\0\0\1\1\0\0\3\xe8\0" DATA);

    (void)state;
    assert_int_equal(deliver(&conf, stream, SIZE_MAX, SIZE_MAX, false, &r),
                     TTMS_LENGTH_IGNORE);
    assert_string_equal(r.text, "01@00000001:000003e8? aa@00000002:6869");
}

static void the_choice_is_made_once(void **state)
{
    struct ttms_conf conf = conf_of(TTMS_LENGTH_AUTO);
    static struct record r;

    (void)state;
    /* the second frame would fit `rest`; under the reading taken it is too long */
    assert_int_equal(deliver(&conf, BYTES(HEARTBEAT "$TTMS\0\x08\0\0\0\2\xaahi\x9b"),
                             99, 99, false, &r),
                     TTMS_LENGTH_TOTAL);
    assert_string_equal(r.text, "01@00000001:000003e8 !too_short");
}

static void of_two_readings_that_fit_the_first_is_taken(void **state)
{
    static struct record r;
    struct ttms_conf conf = conf_of(TTMS_LENGTH_AUTO);
    struct buf b = {0};

    (void)state;
    /* 17 for all; or 24 with a start mark inside, where the whole is valid as well */
    assert_int_equal(buf_try_append(&b, BYTES(HEARTBEAT "$TTMSa")), OK);
    assert_int_equal(buf_try_append(&b, slice_of("", 1)), OK);
    b.mem[b.tail - 1] = slow_xor(buf_peek(&b));
    deliver(&conf, buf_peek(&b), 99, 99, false, &r);
    assert_string_equal(r.text, "01@00000001:000003e8");
    buf_fini(&b);
}

static void a_reading_beyond_the_limit_is_not_taken(void **state)
{
    struct ttms_conf conf = {.length = TTMS_LENGTH_AUTO, .max_frame = 17};
    struct ttms_dialect dialect = {0};
    struct ttms_frame f;
    struct buf b = {0};

    (void)state;
    slow_frame(&b, 5, TTMS_HEARTBEAT, 1, BYTES("\0\0\3\xe8"));
    assert_int_equal(ttms_cut(&conf, &dialect, buf_peek(&b), false, &f), ERR_TOO_LARGE);
    buf_fini(&b);
}

static void wrong_first_bytes_are_reported_as_soon_as_seen(void **state)
{
    (void)state;
    for (uint8_t length = TTMS_LENGTH_AUTO; length <= TTMS_LENGTH_IGNORE; length++)
        for (size_t wrong = 0; wrong < 5; wrong++) {
            struct ttms_conf conf = conf_of(length);
            struct ttms_dialect dialect = {0};
            struct ttms_frame f;
            uint8_t in[5];

            memcpy(in, "$TTMS", 5);
            in[wrong] ^= 1;
            assert_int_equal(ttms_cut(&conf, &dialect, slice_of(in, wrong), false, &f),
                             0);
            assert_int_equal(ttms_cut(&conf, &dialect, slice_of(in, wrong + 1), false,
                                      &f),
                             ERR_BAD_START);
        }
    assert_delivers(TTMS_LENGTH_AUTO, BYTES("GET / HTTP/1.1"), "!bad_start",
                    TTMS_LENGTH_AUTO);
    assert_delivers(TTMS_LENGTH_TOTAL, BYTES(DATA "\0" DATA),
                    "aa@00000002:6869 !bad_start", TTMS_LENGTH_TOTAL);
    assert_delivers(TTMS_LENGTH_TOTAL, BYTES(DATA RECEIVED),
                    "aa@00000002:6869 !bad_start", TTMS_LENGTH_TOTAL);
}

static void limits_are_checked_before_bytes_are_awaited(void **state)
{
    static const struct {
        uint8_t reading;
        unsigned least, most; /* that the field may hold, with max_frame = 100 */
    } limits[] = {
        {TTMS_LENGTH_TOTAL, 13, 100},
        {TTMS_LENGTH_REST, 6, 93},
        {TTMS_LENGTH_CONTENT1, 0, 87},
        {TTMS_LENGTH_CONTENT2, 0, 86},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        for (unsigned field = 0; field < 65536; field++) {
            struct ttms_conf conf = {.length = limits[i].reading, .max_frame = 100};
            struct ttms_dialect dialect = {0};
            struct ttms_frame f;
            uint8_t in[7] = "$TTMS";

            put_u16(in + 5, (uint16_t)field);
            assert_int_equal(ttms_cut(&conf, &dialect, slice_of(in, 7), false, &f),
                             field < limits[i].least  ? ERR_TOO_SHORT
                             : field > limits[i].most ? ERR_TOO_LARGE
                                                      : 0);
        }
}

static void ignore_has_limits_too(void **state)
{
    struct ttms_conf conf = {.length = TTMS_LENGTH_IGNORE, .max_frame = 20};
    struct ttms_dialect dialect = {0};
    struct ttms_frame f;
    struct slice full = BYTES("$TTMS\0\0\0\0\0\1\xaa.......?$TTM");

    (void)state;
    assert_delivers(TTMS_LENGTH_IGNORE, BYTES("$TTMS\0\0\0\0\0\1$TTMS"), "!too_short",
                    TTMS_LENGTH_IGNORE);
    assert_int_equal(ttms_cut(&conf, &dialect, full, true, &f), 0);
    assert_int_equal(ttms_cut(&conf, &dialect, full, false, &f), 20);
    dialect.scanned = 0;
    full = BYTES("$TTMS\0\0\0\0\0\1\xaa........?$TTM");
    assert_int_equal(ttms_cut(&conf, &dialect, full, true, &f), ERR_TOO_LARGE);
    dialect.scanned = 0;
    assert_int_equal(ttms_cut(&conf, &dialect, full, false, &f), ERR_TOO_LARGE);
}

static void words_and_ids_are_written(void **state)
{
    char text[9] = {0};

    (void)state;
    assert_string_equal(ttms_length_word(TTMS_LENGTH_CONTENT2), "content2");
    assert_string_equal(ttms_length_word(TTMS_LENGTH_IGNORE + 1), "unknown");
    ttms_id_text(0x0a1b2c3d, text);
    assert_string_equal(text, "0a1b2c3d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_frames_are_cut_at_every_split),
        cmocka_unit_test(the_target_receives_the_published_bytes),
        cmocka_unit_test(forwarding_changes_mark_address_and_last_byte_only),
        cmocka_unit_test(an_echo_keeps_the_address_and_mends_the_check_byte),
        cmocka_unit_test(receipts_are_formed_in_the_terminals_dialect),
        cmocka_unit_test(what_a_terminal_forms_is_what_the_slow_reading_forms),
        cmocka_unit_test(every_dialect_is_recognised_and_cut_however_it_arrives),
        cmocka_unit_test(ignore_ends_a_frame_where_the_next_begins),
        cmocka_unit_test(ignore_waits_for_more_only_if_more_waits),
        cmocka_unit_test(ignore_does_not_search_twice_what_it_searched),
        cmocka_unit_test(a_heartbeat_with_a_senseless_length_does_not_wait),
        cmocka_unit_test(a_heartbeat_with_a_wrong_check_byte_does_not_wait),
        cmocka_unit_test(data_as_a_first_frame_is_recognised_at_every_size),
        cmocka_unit_test(what_no_reading_can_ever_fit_is_not_awaited),
        cmocka_unit_test(a_first_frame_that_fits_no_reading_is_cut_at_the_next_mark),
        cmocka_unit_test(the_choice_is_made_once),
        cmocka_unit_test(of_two_readings_that_fit_the_first_is_taken),
        cmocka_unit_test(a_reading_beyond_the_limit_is_not_taken),
        cmocka_unit_test(wrong_first_bytes_are_reported_as_soon_as_seen),
        cmocka_unit_test(limits_are_checked_before_bytes_are_awaited),
        cmocka_unit_test(ignore_has_limits_too),
        cmocka_unit_test(words_and_ids_are_written),
    };

    srand(3);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
