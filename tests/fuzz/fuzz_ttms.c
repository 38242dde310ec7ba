/* fuzz_ttms.c - the relay's frames: cut the same however the bytes arrive.
 *
 *   input: reading | limit | seed of the splits | the stream ...
 *
 * Each piece is handed over in a heap block of its exact size, so that a read outside
 * is caught. Whatever the splits, a reading must give the same frames and the same end.
 */
#include "codec/ttms.h"

#include <assert.h>
#include <stdlib.h>

#define MAX_FRAMES 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    uint8_t length; /* as decided */
    ssize_t end;    /* error, or 0 */
    size_t count;
    size_t sizes[MAX_FRAMES];
};

static uint8_t naive_xor(const uint8_t *p, size_t size)
{
    uint8_t x = 0;

    for (size_t i = 0; i < size; i++)
        x ^= p[i];
    return x;
}

static void check_frame(const struct ttms_frame *f, const uint8_t *begin, size_t used)
{
    uint8_t *out = malloc(f->bytes.size);

    assert(out && f->bytes.data == begin && f->bytes.size == used && used >= TTMS_HEAD);
    assert(f->computed == naive_xor(begin, used - 1));
    assert(f->content.size == (used > TTMS_HEAD ? used - TTMS_HEAD - 1 : 0));
    ttms_forward(f, 0x01020304, out);
    assert(memcmp(out, "$TTMX", 5) == 0 && memcmp(out + 7, "\1\2\3\4", 4) == 0);
    assert(out[used - 1] == naive_xor(out, used - 1));
    free(out);
}

/* The bytes arrive in pieces of 1 to `most` bytes (0: all at once); `more_waits` as a
 * reader with so small a buffer would say it. */
static void cut_all(const struct ttms_conf *conf, struct slice stream, size_t most,
                    unsigned seed, bool says_more, struct outcome *out)
{
    struct ttms_dialect dialect = {0};
    size_t begin = 0, arrived = 0;

    *out = (struct outcome){0};
    while (arrived < stream.size && out->end == 0) {
        size_t step = most ? 1 + (size_t)rand_r(&seed) % most : stream.size;
        uint8_t *block;

        arrived += step < stream.size - arrived ? step : stream.size - arrived;
        block = malloc(arrived - begin);
        assert(block);
        memcpy(block, stream.data + begin, arrived - begin);
        for (size_t at = 0, size = arrived - begin; at < size;) {
            bool more_waits = says_more && arrived < stream.size;
            struct ttms_frame frame;
            ssize_t n = ttms_cut(conf, &dialect, slice_of(block + at, size - at),
                                 more_waits, &frame);

            if (n <= 0) {
                out->end = n;
                break;
            }
            check_frame(&frame, block + at, (size_t)n);
            if (out->count < MAX_FRAMES)
                out->sizes[out->count++] = (size_t)n;
            at += (size_t)n;
            begin += (size_t)n;
        }
        free(block);
    }
    out->length = dialect.length;
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert(a->length == b->length && a->end == b->end && a->count == b->count);
    assert(memcmp(a->sizes, b->sizes, sizeof(a->sizes[0]) * a->count) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t limits[] = {1 << 20, 64, 18, 13};
    static struct outcome whole, split, trickled;
    struct ttms_conf conf;
    struct slice stream;

    if (size < 3)
        return 0;
    conf.length = data[0] % (TTMS_LENGTH_IGNORE + 1);
    conf.max_frame = limits[data[1] % ARRAY_LEN(limits)];
    stream = slice_of(data + 3, size - 3);

    cut_all(&conf, stream, 0, 0, false, &whole);
    cut_all(&conf, stream, 1 + data[2] % 32, data[2], true, &split);
    cut_all(&conf, stream, 1 + data[2] % 32, data[2], false, &trickled);
    if (conf.length != TTMS_LENGTH_AUTO || whole.length == split.length)
        assert_same(&whole, &split);
    if (conf.length != TTMS_LENGTH_IGNORE && conf.length != TTMS_LENGTH_AUTO)
        assert_same(&whole, &trickled);
    return 0;
}
