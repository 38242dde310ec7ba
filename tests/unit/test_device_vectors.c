/* Frames of JT/T 808 that another project publishes, tests/vectors/jt808-frames.txt:
 * whole, at every cut, byte by byte, and all in one stream. What each of them says
 * stands in its columns; what is dropped, and why, is said here. */
#include "cutting.h"
#include "codec/device.h"

#define LINES_MAX  200
#define WIRE_MAX   2100
#define STREAM_MAX 65536
#define COLUMNS    13

enum column {
    HEX,
    MESSAGE,
    TERMINAL,
    SERIAL,
    CHECK,
    VERSION,
    SPLIT,
    ENC,
    DECLARED,
    ACTUAL,
    FORM,
    WIRE
};

struct vector {
    uint8_t wire[WIRE_MAX];
    size_t size;
    char expected[128]; /* what reading it notes down: one frame, or nothing */
};

static struct vector vectors[LINES_MAX];
static size_t count, readable;

/* "0200 13511221122 7 v0 0/0 40;" */
static void note_read(char *to, size_t size, const struct device_frame *f)
{
    struct id id;

    assert_int_equal(device_id_text(&f->head, PROTOCOL_JT808, &id), OK);
    snprintf(to, size, "%04x %.*s %u v%u %u/%u %zu;", f->message, ID_ARGS(&id),
             f->serial, f->head.version, f->total, f->number, f->body.size);
}

/* ---- the file ---- */

static void without_zeros(const char *digits, char *to)
{
    size_t size = strlen(digits);

    if (digits[size - 1] == '!') { /* not decimal: all digits stay */
        memcpy(to, digits, size - 1);
        to[size - 1] = '\0';
        return;
    }
    while (digits[0] == '0' && digits[1])
        digits++;
    strcpy(to, digits);
}

/* Dropped: a wrong checksum; frames that cannot be read; a body of another length than
 * announced, among them all of a lock's with a serial of one byte. */
static bool is_dropped(char *const *column)
{
    return strcmp(column[CHECK], "ok") != 0 || strchr(column[SERIAL], 'b') ||
           strcmp(column[DECLARED], column[ACTUAL]) != 0;
}

static void expect(char *const *column, struct vector *v)
{
    char id[64], split[16] = "0/0";

    if (is_dropped(column))
        return;
    without_zeros(column[TERMINAL], id);
    if (strcmp(column[SPLIT], "-") != 0)
        snprintf(split, sizeof(split), "%s", column[SPLIT]);
    snprintf(v->expected, sizeof(v->expected), "%s %s %s v%s %s %s;",
             column[MESSAGE] + 2, id, column[SERIAL],
             strchr(column[VERSION], '/') ? strchr(column[VERSION], '/') + 1 : "0",
             split, column[ACTUAL]);
    readable++;
}

static void read_line(char *line)
{
    struct vector *v = &vectors[count++];
    char *column[COLUMNS];
    size_t n = 0;

    line[strcspn(line, "\n")] = '\0';
    for (char *at = line; n < COLUMNS && at; n++)
        column[n] = strsep(&at, "\t");
    assert_int_equal(n, COLUMNS);
    assert_true(count <= LINES_MAX && strlen(column[HEX]) / 2 <= WIRE_MAX);
    v->size =
        hex(strcmp(column[WIRE], "=") == 0 ? column[HEX] : column[WIRE], v->wire).size;
    expect(column, v);
}

static int read_file(void **state)
{
    FILE *file = fopen(SOURCE_ROOT "/tests/vectors/jt808-frames.txt", "r");
    char line[8192];

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (line[0] != '#')
            read_line(line);
    fclose(file);
    assert_int_equal(count, 117);
    return 0;
}

/* ---- reading ---- */

struct reading {
    struct framing framing;
    struct framing_state state;
    uint8_t *waiting; /* a heap block of exactly the bytes that wait */
    size_t size;
    char text[STREAM_MAX];
    size_t length;
};

static void begin(struct reading *r)
{
    free(r->waiting);
    r->framing = device_framing(DEVICE_ID_JT808);
    r->state = (struct framing_state){0};
    r->waiting = NULL;
    r->size = r->length = 0;
    r->text[0] = '\0';
}

static void arrive(struct reading *r, const uint8_t *bytes, size_t size)
{
    uint8_t scratch[DEVICE_FRAME_MAX];
    uint8_t *all = malloc(r->size + size);
    struct slice in = slice_of(all, r->size + size);
    ssize_t used;

    memcpy(all, r->waiting ? r->waiting : bytes, r->size);
    memcpy(all + r->size, bytes, size);
    while (in.size) {
        struct device_frame f;
        struct frame cut;

        used = framing_cut(&r->framing, &r->state, in, false, scratch, &cut);
        assert_true(used >= 0);
        if (used == 0)
            break;
        in = slice_from(in, (size_t)used);
        if (cut.bytes.size && device_decode(DEVICE_ID_JT808, cut.body, &f) == OK) {
            note_read(r->text + r->length, sizeof(r->text) - r->length, &f);
            r->length += strlen(r->text + r->length);
        }
    }
    free(r->waiting);
    r->size = in.size;
    r->waiting = in.size ? malloc(in.size) : NULL;
    if (in.size)
        memcpy(r->waiting, in.data, in.size);
    free(all);
}

static struct reading reading;

static void the_published_frames_are_read_as_their_columns_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < count; i++) {
        begin(&reading);
        arrive(&reading, vectors[i].wire, vectors[i].size);
        assert_string_equal(reading.text, vectors[i].expected);
    }
    assert_int_equal(readable, 101);
}

static void every_cut_of_each_reads_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t cut = 1; cut < vectors[i].size; cut++) {
            begin(&reading);
            arrive(&reading, vectors[i].wire, cut);
            arrive(&reading, vectors[i].wire + cut, vectors[i].size - cut);
            assert_string_equal(reading.text, vectors[i].expected);
        }
}

static void byte_by_byte_each_reads_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < count; i++) {
        begin(&reading);
        for (size_t at = 0; at < vectors[i].size; at++)
            arrive(&reading, vectors[i].wire + at, 1);
        assert_string_equal(reading.text, vectors[i].expected);
    }
}

/* Junk, runs of delimiters, half a frame before it: the frame is read all the same. */
static void what_stands_before_a_frame_does_not_harm_it(void **state)
{
    static const char *const before[] =
        {"2424", "7e7e", "7e",    "474554202f0d0a", "7e0002000004304832",
         "7d",   "7e7d", "7e7d7e"};
    uint8_t junk[16];

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t b = 0; b < ARRAY_LEN(before); b++) {
            struct slice first = hex(before[b], junk);

            if (vectors[i].wire[0] != 0x7e)
                continue; /* no delimiter ends the junk */
            begin(&reading);
            arrive(&reading, first.data, first.size);
            arrive(&reading, vectors[i].wire, vectors[i].size);
            assert_string_equal(reading.text, vectors[i].expected);
        }
}

/* The next frame is read whatever stood before it, with a delimiter of its own or with
 * the one that closed the other. */
static void all_in_one_stream_are_read(void **state)
{
    static char expected[STREAM_MAX];
    size_t steps[] = {STREAM_MAX, 1, 7, 1000};

    (void)state;
    for (size_t i = 0; i < count; i++)
        strcat(expected, vectors[i].expected);
    for (size_t s = 0; s < ARRAY_LEN(steps); s++)
        for (int is_shared = 0; is_shared <= 1; is_shared++) {
            static uint8_t stream[STREAM_MAX];
            size_t size = 0;

            for (size_t i = 0; i < count; i++) {
                bool skips = is_shared && size && stream[size - 1] == 0x7e &&
                             vectors[i].wire[0] == 0x7e;

                memcpy(stream + size, vectors[i].wire + skips, vectors[i].size - skips);
                size += vectors[i].size - skips;
            }
            begin(&reading);
            for (size_t at = 0; at < size; at += steps[s])
                arrive(&reading, stream + at,
                       size - at < steps[s] ? size - at : steps[s]);
            assert_string_equal(reading.text, expected);
        }
}

static int forget(void **state)
{
    (void)state;
    begin(&reading);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_frames_are_read_as_their_columns_say),
        cmocka_unit_test(every_cut_of_each_reads_the_same),
        cmocka_unit_test(byte_by_byte_each_reads_the_same),
        cmocka_unit_test(what_stands_before_a_frame_does_not_harm_it),
        cmocka_unit_test(all_in_one_stream_are_read),
    };

    return cmocka_run_group_tests(tests, read_file, forget);
}
