/* cutting.h - hands bytes to the framing engine in every possible way.
 *
 * What was cut is written down as text: each frame's body as hex digits, `(n)` for n
 * bytes that were skipped, `!word` for the error that ends the stream. However the
 * bytes arrive, the text must be the same. */
#pragma once

#include "codec/frame.h"

#include "unit.h"

#include <stdio.h>

#define TRANSCRIPT_MAX 16384

struct cutting {
    char text[TRANSCRIPT_MAX];
    size_t length;
    size_t skipped;   /* since the last frame */
    bool frames_only; /* do not write down what was skipped */
};

static inline struct slice hex(const char *digits, uint8_t *to)
{
    size_t n = 0;
    unsigned byte;

    for (; *digits; digits++) {
        if (*digits == ' ')
            continue;
        assert_int_equal(sscanf(digits++, "%2x", &byte), 1);
        to[n++] = (uint8_t)byte;
    }
    return slice_of(to, n);
}

static inline void note(struct cutting *c, const char *text)
{
    int n = snprintf(c->text + c->length, sizeof(c->text) - c->length, "%s%s",
                     c->length ? " " : "", text);

    c->length += (size_t)n;
    assert_true(c->length < sizeof(c->text));
}

static inline void note_skipped(struct cutting *c)
{
    char text[32];

    snprintf(text, sizeof(text), "(%zu)", c->skipped);
    if (c->skipped && !c->frames_only)
        note(c, text);
    c->skipped = 0;
}

static inline void note_frame(struct cutting *c, struct slice body)
{
    char digits[2 * 2048 + 1] = "-"; /* an empty body */

    assert_true(body.size <= 2048);
    for (size_t i = 0; i < body.size; i++)
        sprintf(digits + 2 * i, "%02x", body.data[i]);
    note_skipped(c);
    note(c, digits);
}

/* The stream arrives in pieces of sizes that next_size() tells; the cutter sees heap
 * blocks of exactly the bytes that wait. */
static inline void cut_pieces(const struct framing *f, struct slice stream,
                              size_t (*next_size)(size_t arrived, void *user),
                              void *user, struct cutting *c)
{
    struct framing_state state = {0};
    uint8_t *scratch = malloc(framing_scratch_size(f) + 1);
    size_t begin = 0, arrived = 0;
    ssize_t used = 1;

    *c = (struct cutting){.frames_only = c->frames_only};
    while (arrived < stream.size && used >= 0) {
        size_t size = next_size(arrived, user);
        uint8_t *block;

        arrived += size < stream.size - arrived ? size : stream.size - arrived;
        size = arrived - begin;
        block = malloc(size);
        memcpy(block, stream.data + begin, size);
        for (size_t at = 0; at < size; at += (size_t)used, begin += (size_t)used) {
            struct frame frame;

            used = framing_cut(f, &state, slice_of(block + at, size - at),
                               arrived < stream.size, scratch, &frame);
            if (used <= 0)
                break;
            assert_true((size_t)used <= size - at);
            if (frame.bytes.size)
                note_frame(c, frame.body);
            else if (frame.fault)
                c->skipped += (size_t)used;
        }
        free(block);
    }
    note_skipped(c);
    if (used < 0) {
        note(c, "!");
        c->length += (size_t)sprintf(c->text + c->length, "%s", err_word((int)used));
    }
    free(scratch);
}

static inline size_t fixed_size(size_t arrived, void *user)
{
    (void)arrived;
    return *(size_t *)user;
}

/* One cut, at *user; the rest together. */
static inline size_t two_pieces(size_t arrived, void *user)
{
    return arrived == 0 ? *(size_t *)user : SIZE_MAX;
}

static inline size_t random_size(size_t arrived, void *user)
{
    (void)arrived;
    (void)user;
    return 1 + (size_t)rand() % 40;
}

/* Whole, byte by byte, at every split into two, in random sizes. */
static inline void assert_cuts(const struct framing *f, struct slice stream,
                               const char *expected)
{
    static struct cutting c;
    size_t size = SIZE_MAX;

    assert_null(framing_check(f));
    cut_pieces(f, stream, fixed_size, &size, &c);
    assert_string_equal(c.text, expected);
    size = 1;
    cut_pieces(f, stream, fixed_size, &size, &c);
    assert_string_equal(c.text, expected);
    for (size = 1; size < stream.size; size++) {
        cut_pieces(f, stream, two_pieces, &size, &c);
        assert_string_equal(c.text, expected);
    }
    for (int i = 0; i < 20; i++) {
        cut_pieces(f, stream, random_size, NULL, &c);
        assert_string_equal(c.text, expected);
    }
}

static inline void assert_cuts_hex(const struct framing *f, const char *stream,
                                   const char *expected)
{
    static uint8_t bytes[TRANSCRIPT_MAX];

    assert_cuts(f, hex(stream, bytes), expected);
}
