/* fuzz_heartbeat.c - what clients report: read the same however the bytes arrive.
 *
 *   input: seed of the splits | the stream ...
 *
 * Each piece is handed over in a heap block of its exact size, so that a read outside
 * is caught. What is accepted must be fit for an id and a log. */
#include "codec/heartbeat.h"

#include <assert.h>
#include <stdlib.h>

#define MAX_TEXT   300
#define MAX_FRAMES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    ssize_t end; /* error, or 0 */
    size_t count;
    struct {
        size_t size;
        int rc;
        struct heartbeat beat;
    } frames[MAX_FRAMES];
};

static void check(const struct heartbeat *b, int rc, const char *why)
{
    if (rc < 0) {
        assert(rc == ERR_MALFORMED && why && *why);
        return;
    }
    assert(b->ip_size >= 1 && b->ip_size <= HEARTBEAT_IP_MAX);
    for (size_t i = 0; i < b->ip_size; i++)
        assert(b->ip[i] > ' ' && b->ip[i] < 0x7f);
    assert(*heartbeat_status_word(b->status));
    assert(b->has_pid || b->pid == 0);
}

static void note(struct slice text, struct outcome *out)
{
    const char *why = NULL;
    size_t i = out->count;

    if (i == MAX_FRAMES)
        return;
    out->frames[i].size = text.size;
    out->frames[i].rc = heartbeat_decode(text, &out->frames[i].beat, &why);
    check(&out->frames[i].beat, out->frames[i].rc, why);
    out->count++;
}

/* The bytes arrive in pieces of 1 to `most` bytes (0: all at once). */
static void cut_all(struct slice stream, size_t most, unsigned seed,
                    struct outcome *out)
{
    const struct framing framing = heartbeat_framing(MAX_TEXT);
    size_t begin = 0, arrived = 0;

    memset(out, 0, sizeof(*out));
    while (arrived < stream.size && out->end == 0) {
        size_t step = most ? 1 + (size_t)rand_r(&seed) % most : stream.size;
        uint8_t *block;

        arrived += step < stream.size - arrived ? step : stream.size - arrived;
        block = malloc(arrived - begin);
        assert(block);
        memcpy(block, stream.data + begin, arrived - begin);
        for (size_t at = 0, size = arrived - begin; at < size;) {
            struct framing_state state = {0};
            struct frame frame;
            ssize_t n = framing_cut(&framing, &state, slice_of(block + at, size - at),
                                    arrived < stream.size, NULL, &frame);

            if (n <= 0) {
                out->end = n;
                break;
            }
            assert((size_t)n == 4 + frame.body.size && frame.body.size <= MAX_TEXT);
            note(frame.body, out);
            at += (size_t)n;
            begin += (size_t)n;
        }
        free(block);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, split;

    if (size < 1)
        return 0;
    cut_all(slice_of(data + 1, size - 1), 0, 0, &whole);
    cut_all(slice_of(data + 1, size - 1), 1 + data[0] % 32, data[0], &split);
    assert(whole.end == split.end && whole.count == split.count);
    assert(memcmp(whole.frames, split.frames, sizeof(whole.frames)) == 0);
    note(slice_of(data + 1, size - 1), &whole); /* and all of it as one text */
    return 0;
}
