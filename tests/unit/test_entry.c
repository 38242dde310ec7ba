#include "base/reader.h"
#include "journal/entry.h"

#include "unit.h"

static struct id id_of(const char *text)
{
    struct id id;

    assert_int_equal(id_make(PROTOCOL_TTMS, slice_of(text, strlen(text)), &id), OK);
    return id;
}

static struct event an_event(void)
{
    return (struct event){.cursor = 5,
                          .time_ms = 1700000000123,
                          .device = id_of("00000002"),
                          .epoch = 7,
                          .sequence = 9,
                          .kind = EVENT_PRESENCE,
                          .from = 1,
                          .to = 2,
                          .listener = slice_of("gate", 4),
                          .reason = slice_of("timeout", 7)};
}

static struct event a_report(void)
{
    return (struct event){.cursor = 9,
                          .time_ms = 1700000000125,
                          .device = id_of("00000002"),
                          .epoch = 7,
                          .sequence = 9,
                          .kind = EVENT_REPORT,
                          .version = 1,
                          .message = 0x0200,
                          .serial = 0xfffe,
                          .size = 70000,
                          .content = slice_of("\x01\x02\x03", 3),
                          .listener = slice_of("gate", 4)};
}

static struct event a_command(void)
{
    return (struct event){.cursor = 10,
                          .time_ms = 1700000000126,
                          .device = id_of("00000002"),
                          .epoch = 7,
                          .sequence = 9,
                          .kind = EVENT_COMMAND,
                          .from = 2,
                          .to = 5,
                          .message = 0x1005,
                          .ticket = 0x9f1c02a45be08d13,
                          .content = slice_of("status", 6),
                          .listener = slice_of("gate", 4),
                          .reason = slice_of("no_answer", 9)};
}

static struct card a_card(void)
{
    struct card card = {.device = id_of("00000002"),
                        .listener = slice_of("gate", 4),
                        .since_ms = 1700000000123,
                        .last_seen_ms = 1700000000124,
                        .port = 7222,
                        .state = 1,
                        .epoch = 7,
                        .sequence = 9,
                        .messages_in = 10,
                        .messages_out = 11};

    memcpy(&card.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", sizeof(card.ip));
    return card;
}

static size_t make(struct event e, uint8_t *to)
{
    size_t size = entry_of_event(&e, to);

    assert_int_equal(size, entry_event_size(&e));
    entry_seal(to, size, e.cursor);
    return size;
}

static size_t make_event(uint8_t *to)
{
    return make(an_event(), to);
}

static size_t make_report(uint8_t *to)
{
    return make(a_report(), to);
}

static size_t make_command(uint8_t *to)
{
    return make(a_command(), to);
}

static size_t make_card(uint8_t *to)
{
    struct card card = a_card();
    size_t size = entry_of_card(&card, to);

    entry_seal(to, size, 6);
    return size;
}

static size_t make_claim(uint8_t *to)
{
    size_t size = entry_of_claim(to);

    entry_seal(to, size, 8);
    return size;
}

/* Of each form one, with the number that it was sealed for. */
static const struct {
    size_t (*make)(uint8_t *to);
    uint64_t seq;
} forms[] = {{make_event, 5},
             {make_card, 6},
             {make_claim, 8},
             {make_report, 9},
             {make_command, 10}};

static void assert_same_event(const struct event *a, const struct event *b)
{
    assert_int_equal(a->cursor, b->cursor);
    assert_int_equal(a->time_ms, b->time_ms);
    assert_true(id_equal(&a->device, &b->device));
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->lost, b->lost);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->from, b->from);
    assert_int_equal(a->to, b->to);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->message, b->message);
    assert_int_equal(a->serial, b->serial);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->ticket, b->ticket);
    assert_true(slice_equal(a->content, b->content));
    assert_true(slice_equal(a->listener, b->listener));
    assert_true(slice_equal(a->reason, b->reason));
}

static void an_event_reads_back_as_it_was_written(void **state)
{
    const struct event events[] = {an_event(), a_report(), a_command()};
    uint8_t bytes[ENTRY_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        const struct event *want = &events[i];
        struct slice all = slice_of(bytes, make(*want, bytes));
        struct event direct;
        struct entry entry;

        assert_int_equal(entry_decode(all, want->cursor, &entry), OK);
        assert_int_equal(entry.form, ENTRY_EVENT);
        assert_same_event(&entry.event, want);
        entry_read_event(all, want->cursor, &direct);
        assert_same_event(&direct, want);
    }
}

static void the_longest_event_fits(void **state)
{
    static uint8_t bytes[ENTRY_MAX], content[EVENT_CONTENT_MAX];
    static const char x[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    struct event e = a_report();
    struct entry entry;

    (void)state;
    e.device = id_of(x);
    e.listener = slice_of(x, LISTENER_NAME_MAX);
    e.reason = slice_of(x, EVENT_REASON_MAX);
    e.content = slice_of(content, sizeof(content));
    assert_int_equal(make(e, bytes), ENTRY_MAX);
    assert_int_equal(entry_decode(slice_of(bytes, ENTRY_MAX), 9, &entry), OK);
    assert_same_event(&entry.event, &e);
}

static void an_events_version_follows_from_its_kind(void **state)
{
    uint8_t bytes[ENTRY_MAX];
    size_t size = make_report(bytes);
    struct entry entry;

    (void)state;
    bytes[8] = EVENT_PRESENCE; /* the form that only has what version 1 has */
    entry_seal(bytes, size, 5);
    assert_int_equal(entry_decode(slice_of(bytes, size), 5, &entry), ERR_DAMAGED);
    size = make_report(bytes);
    bytes[0] = 1;
    entry_seal(bytes, size, 5);
    assert_int_equal(entry_decode(slice_of(bytes, size), 5, &entry), ERR_DAMAGED);
    size = make_event(bytes);
    bytes[0] = 2;
    entry_seal(bytes, size, 5);
    assert_int_equal(entry_decode(slice_of(bytes, size), 5, &entry), ERR_DAMAGED);
    size = make_event(bytes);
    bytes[14] = 1; /* a message */
    entry_seal(bytes, size, 5);
    assert_int_equal(entry_decode(slice_of(bytes, size), 5, &entry), ERR_DAMAGED);
}

static void a_gap_has_no_device(void **state)
{
    struct event gap = {.cursor = 5, .kind = EVENT_GAP, .lost = 77, .time_ms = 3};
    struct event nobody = {.kind = EVENT_PRESENCE};
    uint8_t bytes[ENTRY_MAX];
    size_t size = entry_of_event(&gap, bytes);
    struct entry entry;

    (void)state;
    entry_seal(bytes, size, 5);
    assert_int_equal(entry_decode(slice_of(bytes, size), 5, &entry), OK);
    assert_same_event(&entry.event, &gap);
    size = entry_of_event(&nobody, bytes);
    entry_seal(bytes, size, 5);
    assert_int_equal(entry_decode(slice_of(bytes, size), 5, &entry), ERR_DAMAGED);
}

static void a_card_reads_back_as_it_was_written(void **state)
{
    uint8_t bytes[ENTRY_MAX];
    size_t size = make_card(bytes);
    struct card want = a_card();
    struct entry entry;
    const struct card *got = &entry.card;

    (void)state;
    assert_int_equal(entry_decode(slice_of(bytes, size), 6, &entry), OK);
    assert_int_equal(entry.form, ENTRY_CARD);
    assert_true(id_equal(&got->device, &want.device));
    assert_true(slice_equal(got->listener, want.listener));
    assert_int_equal(got->since_ms, want.since_ms);
    assert_int_equal(got->last_seen_ms, want.last_seen_ms);
    assert_memory_equal(&got->ip, &want.ip, sizeof(want.ip));
    assert_int_equal(got->port, want.port);
    assert_int_equal(got->state, want.state);
    assert_int_equal(got->epoch, want.epoch);
    assert_int_equal(got->sequence, want.sequence);
    assert_int_equal(got->messages_in, want.messages_in);
    assert_int_equal(got->messages_out, want.messages_out);
}

/* What version 1 wrote. Never change these bytes: they are on people's disks. */
static const uint8_t golden_event[] = {
    0x01, 0x01, 0x01, 0x08, 0x83, 0x89, 0x6b, 0xae, 0x01, 0x01, 0x02, 0x04, 0x07, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x7b, 0x00, 0x00, 0x00, 0x07,
    0x00, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00, 0x00, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30,
    0x30, 0x32, 0x67, 0x61, 0x74, 0x65, 0x74, 0x69, 0x6d, 0x65, 0x6f, 0x75, 0x74,
};
static const uint8_t golden_card[] = {
    0x01, 0x02, 0x01, 0x08, 0xca, 0xc6, 0x5d, 0xb7, 0x01, 0x04, 0x1c, 0x36, 0x00, 0x00,
    0x00, 0x07, 0x00, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0xff, 0xff, 0x7f, 0x00, 0x00, 0x01, 0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5,
    0x68, 0x7b, 0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x7c, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0b, 0x30, 0x30,
    0x30, 0x30, 0x30, 0x30, 0x30, 0x32, 0x67, 0x61, 0x74, 0x65,
};
static const uint8_t golden_claim[] = {
    0x01, 0x03, 0x00, 0x00, 0x2c, 0xb6, 0x57, 0x10,
};

/* And version 2, of the kinds that it brought. */
static const uint8_t golden_report[] = {
    0x02, 0x01, 0x01, 0x08, 0xc4, 0x2c, 0x56, 0x47, 0x04, 0x00, 0x00, 0x04, 0x00,
    0x01, 0x02, 0x00, 0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x7d, 0x00, 0x00,
    0x00, 0x07, 0x00, 0x00, 0x00, 0x09, 0x00, 0x01, 0x11, 0x70, 0xff, 0xfe, 0x00,
    0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x30, 0x30, 0x30,
    0x30, 0x30, 0x30, 0x32, 0x67, 0x61, 0x74, 0x65, 0x01, 0x02, 0x03,
};
static const uint8_t golden_command[] = {
    0x02, 0x01, 0x01, 0x08, 0xf0, 0xaa, 0x41, 0xf9, 0x03, 0x02, 0x05, 0x04, 0x09,
    0x00, 0x10, 0x05, 0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x7e, 0x00, 0x00,
    0x00, 0x07, 0x00, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x06, 0x9f, 0x1c, 0x02, 0xa4, 0x5b, 0xe0, 0x8d, 0x13, 0x30, 0x30, 0x30, 0x30,
    0x30, 0x30, 0x30, 0x32, 0x67, 0x61, 0x74, 0x65, 0x6e, 0x6f, 0x5f, 0x61, 0x6e,
    0x73, 0x77, 0x65, 0x72, 0x73, 0x74, 0x61, 0x74, 0x75, 0x73,
};

static void version_1_stays_readable(void **state)
{
    uint8_t bytes[ENTRY_MAX];

    (void)state;
    assert_int_equal(make_event(bytes), sizeof(golden_event));
    assert_memory_equal(bytes, golden_event, sizeof(golden_event));
    assert_int_equal(make_card(bytes), sizeof(golden_card));
    assert_memory_equal(bytes, golden_card, sizeof(golden_card));
    assert_int_equal(make_claim(bytes), sizeof(golden_claim));
    assert_memory_equal(bytes, golden_claim, sizeof(golden_claim));
}

static void version_2_stays_readable(void **state)
{
    uint8_t bytes[ENTRY_MAX];

    (void)state;
    assert_int_equal(make_report(bytes), sizeof(golden_report));
    assert_memory_equal(bytes, golden_report, sizeof(golden_report));
    assert_int_equal(make_command(bytes), sizeof(golden_command));
    assert_memory_equal(bytes, golden_command, sizeof(golden_command));
}

static void every_flipped_bit_is_noticed(void **state)
{
    uint8_t bytes[ENTRY_MAX];
    struct entry entry;

    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
        size_t size = forms[f].make(bytes);
        struct slice all = slice_of(bytes, size);

        for (size_t bit = 0; bit < size * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_true(entry_decode(all, forms[f].seq, &entry) < 0);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(entry_decode(all, forms[f].seq, &entry), OK);
        assert_int_equal(entry_decode(all, forms[f].seq + 1, &entry), ERR_DAMAGED);
    }
}

/* Also where the sum fits: then it is the lengths inside that do not. */
static void an_entry_cut_short_or_lengthened_is_damaged(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
        static uint8_t bytes[ENTRY_MAX];
        size_t size = forms[f].make(bytes);
        struct entry entry;

        memset(bytes + size, 0, sizeof(bytes) - size);
        for (size_t n = 0; n < 2 * size; n++) {
            if (n >= ENTRY_HEAD)
                entry_seal(bytes, n, 3);
            assert_int_equal(entry_decode(slice_of(bytes, n), 3, &entry),
                             n == size ? OK : ERR_DAMAGED);
        }
    }
}

static void a_newer_version_is_told_from_damage(void **state)
{
    uint8_t bytes[ENTRY_MAX];
    size_t size = make_event(bytes);
    struct entry entry;

    (void)state;
    bytes[0] = ENTRY_VERSION + 1;
    assert_int_equal(entry_decode(slice_of(bytes, size), 5, &entry), ERR_DAMAGED);
    entry_seal(bytes, size, 5);
    assert_int_equal(entry_decode(slice_of(bytes, size), 5, &entry), ERR_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_reads_back_as_it_was_written),
        cmocka_unit_test(a_gap_has_no_device),
        cmocka_unit_test(a_card_reads_back_as_it_was_written),
        cmocka_unit_test(the_longest_event_fits),
        cmocka_unit_test(an_events_version_follows_from_its_kind),
        cmocka_unit_test(version_1_stays_readable),
        cmocka_unit_test(version_2_stays_readable),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(an_entry_cut_short_or_lengthened_is_damaged),
        cmocka_unit_test(a_newer_version_is_told_from_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
