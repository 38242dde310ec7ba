/* frame.h - framing is declared, not programmed: one engine cuts what is declared.
 *
 *   0       start.size                   size - trailer         size
 *   | start | length field | body ...    | checksum | end |
 *
 * Every part is optional. Where a frame ends is told by its length field, else by its
 * `end` bytes, else by the next `start` (or the end of the data received so far). All
 * offsets and sizes count from the frame's first byte, `start` included, escapes
 * undone; the body begins behind `start`, or behind the length field if that follows
 * directly. docs/framing.md has examples. Pure functions, any thread. */
#pragma once

#include "base/buf.h"
#include "codec/checksum.h"
#include "codec/mark.h"

#include <sys/types.h>

#define FRAMING_ESCAPES_MAX 4
#define FRAMING_SIZE_MAX    (1u << 30)

enum framing_number {
    FRAMING_NO_LENGTH,
    FRAMING_U8,
    FRAMING_U16_BE,
    FRAMING_U16_LE,
    FRAMING_U32_BE,
    FRAMING_U32_LE,
    FRAMING_DIGITS, /* decimal, ASCII, zeros in front */
    FRAMING_FIXED,  /* no field: every frame has `adjust` bytes */
};

struct framing_length {
    uint8_t form;   /* enum framing_number */
    uint8_t digits; /* of FRAMING_DIGITS, at most 10 */
    uint16_t offset;
    int32_t adjust;    /* frame size = value + adjust: says what the field counts */
    uint32_t min, max; /* of the value; max 0: what max_frame leaves */
};

/* `mark code` on the wire stands for `plain`. Needs one-byte `end` and no length field;
 * `mark`, `end` and `start` must all have a code. */
struct framing_escape {
    uint8_t mark;
    uint8_t count; /* 0: no escapes */
    struct {
        uint8_t code;
        uint8_t plain;
    } pairs[FRAMING_ESCAPES_MAX];
};

struct framing_checksum {
    uint8_t kind; /* enum checksum */
    bool little_endian;
    bool is_reported; /* a wrong one is no fault: the caller asks frame_check_fits() */
    uint16_t offset;  /* where it stands; 0: behind the body */
    uint16_t from;    /* it covers the bytes [from, to) */
    uint16_t to;      /* 0: up to the end of the body */
};

enum framing_id_form { FRAMING_NO_ID, FRAMING_ID_ASCII, FRAMING_ID_HEX };

/* Who sent it: `size` bytes at `offset`. HEX writes two digits a byte, so it also reads
 * binary-coded decimals. */
struct framing_id {
    uint8_t form; /* enum framing_id_form */
    uint8_t size;
    uint16_t offset;
};

/* No pointers: copy it freely. framing_check() before the first use. */
struct framing {
    struct mark start;
    struct mark end; /* equal to start: one may close and open, runs are empty */
    struct framing_length length;
    struct framing_escape escape;
    struct framing_checksum checksum;
    struct framing_id id;
    bool resyncs; /* a fault skips to the next frame instead of ending the stream */
    uint32_t min_frame, max_frame;
};

/* What a connection remembers between calls. Zeroed at its start. */
struct framing_state {
    uint32_t scanned; /* bytes of the incomplete frame already searched for its end */
    bool is_open;     /* start equal to end: one was consumed, the next frame is open */
    bool is_dropping; /* amid a frame that is too large, up to its end */
};

struct frame {
    struct slice bytes; /* all of it, start to end; borrows from input or scratch */
    struct slice body;
    uint32_t computed; /* the checksum as it should be */
    uint32_t received;
    int fault; /* OK, or why the bytes used hold no frame, or part of none */
};

static inline bool frame_check_fits(const struct frame *f)
{
    return f->computed == f->received;
}

/* NULL, or what is wrong with a declaration: "the smallest frame does not hold ...". */
const char *framing_check(const struct framing *f);

/* The framings that few words declare: around each body a length field, end bytes, or
 * both. */
struct framing_words {
    uint8_t length;    /* enum framing_number, but FRAMING_FIXED */
    uint8_t digits;    /* of FRAMING_DIGITS */
    bool counts_frame; /* the length field counts everything; else the body */
    struct mark end;
};

/* Fills *out for bodies of at most `max_body` bytes, and checks it. NULL, or what is
 * wrong with it. */
const char *framing_from_words(const struct framing_words *words, uint32_t max_body,
                               struct framing *out);

/* Bytes of `scratch` that framing_cut needs; 0 for a declaration whose frames can be
 * borrowed from the input. */
size_t framing_scratch_size(const struct framing *f);

/* Cuts the next frame off `in`, which begins where the last call's bytes ended. Returns
 *
 *   > 0  bytes used. out->bytes is the frame; or it is empty, and the bytes were
 *        skipped for the reason out->fault (OK: mere delimiters). Ask with the rest.
 *     0  more bytes are needed; what a later call gets must begin with these.
 *   < 0  a fault, of a declaration that does not resync: ERR_BAD_START, ERR_BAD_LENGTH,
 *        ERR_TOO_SHORT, ERR_TOO_LARGE, ERR_BAD_ESCAPE, ERR_BAD_CHECKSUM.
 *
 * A fault is reported as soon as it is certain: no byte is awaited for a frame that
 * would be too large. Skipped bytes may come in several pieces. `more_waits`: the end
 * of `in` is not the end of the data received so far; it matters where a frame may end
 * with the data, and once all was read the caller asks again without it. */
MUST_CHECK ssize_t framing_cut(const struct framing *f, struct framing_state *state,
                               struct slice in, bool more_waits, uint8_t *scratch,
                               struct frame *out);

/* How many bytes the incomplete frame that `rest` begins will have; 0: that is not
 * known yet, or only its end will tell. */
size_t framing_size(const struct framing *f, struct slice rest);

/* Appends the frame around `body`. Length field and checksum are written, over the
 * body's bytes where the declaration puts them there. OK, or ERR_TOO_SHORT,
 * ERR_TOO_LARGE, ERR_BAD_LENGTH, ERR_NOMEM, with nothing appended. */
MUST_CHECK int framing_wrap(const struct framing *f, struct slice body,
                            struct buf *out);

/* The same for a body of `size` bytes that the caller writes to *room, before anything
 * else happens to `out`. Only for a declaration that is plain: whatever the body is, it
 * stands in the frame as it is. */
MUST_CHECK int framing_wrap_room(const struct framing *f, size_t size, struct buf *out,
                                 uint8_t **room);

static inline bool framing_is_plain(const struct framing *f)
{
    return f->escape.count == 0 && f->checksum.kind == CHECKSUM_NONE &&
           f->length.form != FRAMING_NO_LENGTH && f->length.offset == f->start.size;
}

/* What stands before and behind a body of `size` bytes in a plain frame: framing_head()
 * and framing_trailer() bytes. OK, ERR_TOO_SHORT, ERR_TOO_LARGE. */
#define FRAMING_AROUND_MAX 24
MUST_CHECK int framing_around(const struct framing *f, size_t size, uint8_t *before,
                              uint8_t *behind);

/* Writes the declared id's text (2 * id.size bytes at most) and returns its length. */
size_t framing_read_id(const struct framing *f, const struct frame *frame, char *text);

/* Bytes of a whole length field, before the body, and behind it. */
static inline size_t framing_length_size(const struct framing_length *length)
{
    static const uint8_t sizes[] = {
        [FRAMING_U8] = 1,     [FRAMING_U16_BE] = 2, [FRAMING_U16_LE] = 2,
        [FRAMING_U32_BE] = 4, [FRAMING_U32_LE] = 4, [FRAMING_FIXED] = 0,
    };

    if (length->form == FRAMING_DIGITS)
        return length->digits;
    return length->form < ARRAY_LEN(sizes) ? sizes[length->form] : 0;
}

static inline size_t framing_head(const struct framing *f)
{
    bool follows = f->length.form && f->length.offset == f->start.size;

    return f->start.size + (follows ? framing_length_size(&f->length) : 0);
}

static inline size_t framing_trailer(const struct framing *f)
{
    return f->end.size + (f->checksum.offset ? 0 : checksum_size(f->checksum.kind));
}
