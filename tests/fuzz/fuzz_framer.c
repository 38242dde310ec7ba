/* fuzz_framer.c - any sound declaration cuts the same however the bytes arrive.
 *
 *   input: 1 byte: one of the declarations below, or the first byte of a whole one |
 *          seed of the splits | the stream ...
 *
 * Each piece is handed over in a heap block of its exact size, so that a read outside
 * is caught. What is cut must, wrapped again, be cut to the same body. */
#include "codec/frame.h"
#include "declaring.h"

#include <assert.h>
#include <stdlib.h>

#define MAX_FRAMES 512
#define LARGEST    2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct framing known[] = {
    {.length = {.form = FRAMING_U32_BE, .adjust = 4},
     .min_frame = 4,
     .max_frame = LARGEST},
    {.length = {.form = FRAMING_DIGITS, .digits = 10, .adjust = 10, .min = 1},
     .min_frame = 10,
     .max_frame = LARGEST},
    {.start = {1, {0x7e}},
     .end = {1, {0x7e}},
     .escape = {0x7d, 2, {{0x01, 0x7d}, {0x02, 0x7e}}},
     .checksum = {.kind = CHECKSUM_XOR, .from = 1},
     .resyncs = true,
     .min_frame = 4,
     .max_frame = LARGEST},
    {.start = {5, "$TTMS"},
     .length = {.form = FRAMING_U16_BE, .offset = 5},
     .checksum = {.kind = CHECKSUM_XOR, .is_reported = true},
     .min_frame = 13,
     .max_frame = LARGEST},
    {.start = {5, "$TTMS"},
     .checksum = {.kind = CHECKSUM_XOR, .is_reported = true},
     .min_frame = 12,
     .max_frame = LARGEST},
    {.end = {2, "\r\n"}, .min_frame = 2, .max_frame = 30, .resyncs = true},
    {.start = {2, "##"},
     .end = {2, "##"},
     .min_frame = 5,
     .max_frame = 30,
     .resyncs = true},
    {.start = {2, {0x55, 0xaa}},
     .end = {1, {0x0d}},
     .length = {.form = FRAMING_U16_LE, .offset = 3, .adjust = 8},
     .checksum = {.kind = CHECKSUM_CRC16_MODBUS, .little_endian = true, .from = 2},
     .min_frame = 8,
     .max_frame = 64,
     .resyncs = true},
};

struct outcome {
    ssize_t error;
    size_t skipped;
    size_t count;
    size_t left;                 /* bytes that wait at the end */
    uint32_t frames[MAX_FRAMES]; /* a hash of each */
};

/* A declaration from the input's first bytes; those that are used up are cut off. */
static bool declare(struct slice *in, struct framing *f)
{
    uint8_t b[DECLARED_BY];

    if (in->size < 1)
        return false;
    if (in->data[0] < 0x80) {
        *f = known[in->data[0] % ARRAY_LEN(known)];
        *in = slice_from(*in, 1);
        return true;
    }
    if (in->size < sizeof(b))
        return false;
    memcpy(b, in->data, sizeof(b));
    *in = slice_from(*in, sizeof(b));
    *f = declared(b, b[0]);
    return framing_check(f) == NULL;
}

/* A frame that ends with the data would, alone, end elsewhere. */
static void check_wrapping(const struct framing *f, const struct frame *frame)
{
    size_t scratch_size = framing_scratch_size(f);
    uint8_t *scratch = malloc(scratch_size ? scratch_size : 1);
    struct framing_state state = {0};
    struct buf again = {0};
    struct frame second = {0};
    struct slice in;

    if ((!f->length.form && !f->end.size) || f->checksum.is_reported)
        goto out;
    assert(framing_wrap(f, frame->body, &again) == OK);
    for (in = buf_peek(&again); second.bytes.size == 0;) {
        ssize_t used = framing_cut(f, &state, in, false, scratch, &second);

        assert(used > 0 && second.fault == OK);
        in = slice_from(in, (size_t)used);
    }
    assert(in.size == 0 && slice_equal(second.body, frame->body));
out:
    buf_fini(&again);
    free(scratch);
}

static uint32_t hash_of(struct slice bytes)
{
    return checksum_of(CHECKSUM_CRC32, bytes) + (uint32_t)bytes.size;
}

/* The bytes arrive in pieces of 1 to `most` bytes; 0: all at once. */
static void cut_all(const struct framing *f, struct slice stream, size_t most,
                    unsigned seed, struct outcome *out)
{
    struct framing_state state = {0};
    size_t begin = 0, arrived = 0;
    size_t scratch_size = framing_scratch_size(f);
    uint8_t *scratch = malloc(scratch_size ? scratch_size : 1);

    *out = (struct outcome){0};
    while (arrived < stream.size && out->error == 0) {
        size_t step = most ? 1 + (size_t)rand_r(&seed) % most : stream.size;
        uint8_t *block;

        arrived += step < stream.size - arrived ? step : stream.size - arrived;
        block = malloc(arrived - begin);
        memcpy(block, stream.data + begin, arrived - begin);
        for (size_t at = 0, size = arrived - begin; at < size;) {
            struct frame frame;
            ssize_t used = framing_cut(f, &state, slice_of(block + at, size - at),
                                       arrived < stream.size, scratch, &frame);

            if (used <= 0) {
                out->error = used;
                break;
            }
            assert((size_t)used <= size - at);
            if (frame.bytes.size) {
                assert(frame.fault == OK && frame.bytes.size >= f->min_frame &&
                       frame.bytes.size <= f->max_frame);
                if (most == 0)
                    check_wrapping(f, &frame);
                if (out->count < MAX_FRAMES)
                    out->frames[out->count++] = hash_of(frame.bytes);
            } else if (frame.fault) {
                assert(f->resyncs);
                out->skipped += (size_t)used;
            }
            at += (size_t)used;
            begin += (size_t)used;
        }
        free(block);
    }
    out->left = out->error ? 0 : stream.size - begin;
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, split, trickled;
    struct slice in = slice_of(data, size);
    struct framing f;
    unsigned seed;

    if (!declare(&in, &f) || in.size < 2)
        return 0;
    seed = in.data[0];
    in = slice_from(in, 1);

    cut_all(&f, in, 0, 0, &whole);
    cut_all(&f, in, 1 + seed % 40, seed, &split);
    cut_all(&f, in, 1, 0, &trickled);
    assert(memcmp(&whole, &split, sizeof(whole)) == 0);
    assert(memcmp(&whole, &trickled, sizeof(whole)) == 0);
    return 0;
}
