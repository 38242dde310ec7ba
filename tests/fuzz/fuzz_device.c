/* fuzz_device.c - frames of devices: read the same however the bytes arrive, and made
 * again from what was read; their packages joined within the bounds.
 *
 *   input: form of the ids | seed of the splits | the stream ...
 *
 * Each piece is handed over in a heap block of its exact size, so that a read outside
 * is caught. */
#include "codec/packages.h"

#include <assert.h>
#include <stdlib.h>

#define MAX_FRAMES 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct packages_limits limits = {
    .max_groups = 3,
    .max_bytes = 8192,
    .max_age_ms = 50,
    .ask_after_ms = 5,
    .max_asks = 2,
};

struct outcome {
    size_t dropped, whole, count;
    uint32_t frames[MAX_FRAMES]; /* a hash of each */
};

static uint32_t hash_of(struct slice bytes)
{
    return checksum_of(CHECKSUM_CRC32, bytes) + (uint32_t)bytes.size;
}

static void check_id(const struct device_head *head)
{
    struct id id;
    int rc = device_id_text(head, PROTOCOL_DEVICE, &id);

    assert(rc == OK && id.length > 0 && id.length <= 20);
    for (size_t i = 0; i < id.length; i++)
        assert(
            id.text[i] >= ' ' && id.text[i] <= '~' &&
            (head->form != DEVICE_ID_ASCII8 || id.text[i] < 'a' || id.text[i] > 'z'));
}

/* Only reserved bits of the properties do not come out again. */
static void check_made(const struct device_frame *f)
{
    const struct framing framing = device_framing(f->head.form);
    struct framing_state state = {.is_open = true};
    uint8_t scratch[DEVICE_FRAME_MAX];
    struct device_frame again;
    struct buf wire = {0};
    struct frame cut;
    ssize_t used;
    int rc = device_encode(&f->head, f->message, f->serial, f->total, f->number,
                           f->body, &wire);

    assert(rc == OK);
    used = framing_cut(&framing, &state, slice_from(buf_peek(&wire), 1), false, scratch,
                       &cut);
    assert((size_t)used == buf_used(&wire) - 1);
    rc = device_decode(f->head.form, cut.body, &again);
    assert(rc == OK && memcmp(&again.head, &f->head, sizeof(f->head)) == 0);
    assert(again.message == f->message && again.serial == f->serial &&
           again.total == f->total && slice_equal(again.body, f->body));
    assert(again.number == (f->total ? f->number : 0));
    buf_fini(&wire);
}

static void join(struct packages **p, const struct device_frame *f, int64_t now_ms,
                 struct outcome *out)
{
    struct packages_missing ask;
    const char *why = NULL;
    struct slice body = {0};
    uint16_t first;
    uint32_t dropped;
    bool asks;

    switch (packages_try_add(p, &limits, f, now_ms, &body, &first, &why)) {
    case PACKAGES_REFUSED:
        assert(why && *why);
        break;
    case PACKAGES_WHOLE:
        assert(body.size <= limits.max_bytes);
        out->whole += hash_of(body);
        break;
    case PACKAGES_MORE:
        break;
    }
    if (!*p)
        return;
    assert(packages_bytes(*p) < 4 * limits.max_bytes);
    if (packages_tick(*p, &limits, now_ms, &ask, &asks, &dropped) == INT64_MAX)
        packages_free(p);
    else if (asks)
        assert(ask.count > 0 && ask.numbers[0] > 0);
}

static void on_frame(enum device_id_form form, struct slice body, struct packages **p,
                     struct outcome *out)
{
    struct device_frame f;
    int rc = device_decode(form, body, &f);

    if (rc < 0) {
        out->dropped++;
        return;
    }
    assert(f.body.size <= DEVICE_BODY_MAX && f.head.form != DEVICE_ID_JT808);
    check_id(&f.head);
    check_made(&f);
    if (f.properties & DEVICE_PACKAGED)
        join(p, &f, (int64_t)out->count, out);
    if (out->count < MAX_FRAMES)
        out->frames[out->count++] = hash_of(body);
}

/* The bytes arrive in pieces of 1 to `most` bytes; 0: all at once. */
static void read_all(enum device_id_form form, struct slice stream, size_t most,
                     unsigned seed, struct outcome *out)
{
    const struct framing framing = device_framing(form);
    struct framing_state state = {0};
    uint8_t scratch[DEVICE_FRAME_MAX];
    struct packages *p = NULL;
    size_t begin = 0, arrived = 0;

    *out = (struct outcome){0};
    while (arrived < stream.size) {
        size_t step = most ? 1 + (size_t)rand_r(&seed) % most : stream.size;
        uint8_t *block;

        arrived += step < stream.size - arrived ? step : stream.size - arrived;
        block = malloc(arrived - begin);
        assert(block);
        memcpy(block, stream.data + begin, arrived - begin);
        for (size_t at = 0, size = arrived - begin; at < size;) {
            struct frame cut;
            ssize_t used =
                framing_cut(&framing, &state, slice_of(block + at, size - at),
                            arrived < stream.size, scratch, &cut);

            assert(used >= 0);
            if (used == 0)
                break;
            if (cut.bytes.size)
                on_frame(form, cut.body, &p, out);
            at += (size_t)used;
            begin += (size_t)used;
        }
        free(block);
    }
    packages_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, split, trickled;
    enum device_id_form form;
    struct slice stream;

    if (size < 3)
        return 0;
    form = (enum device_id_form)(data[0] % 4);
    stream = slice_of(data + 2, size - 2);
    read_all(form, stream, 0, 0, &whole);
    read_all(form, stream, 1 + data[1] % 32, data[1], &split);
    read_all(form, stream, 1, 0, &trickled);
    assert(memcmp(&whole, &split, sizeof(whole)) == 0);
    assert(memcmp(&whole, &trickled, sizeof(whole)) == 0);
    return 0;
}
