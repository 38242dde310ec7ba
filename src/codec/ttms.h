/* ttms.h - the terminal relay's frames.
 *
 *   0        5        7         11        12            size-1
 *   | $TTMS  | length | address | command | content ... | xor |
 *
 * `$TTMS` from a terminal, `$TTMX` to it; integers big-endian; the last byte is the XOR
 * of all before it. What the length field counts differs between terminals: see enum
 * ttms_length. docs/protocol-ttms.md tells the whole. Pure functions, any thread. */
#pragma once

#include "base/buf.h"

#include <sys/types.h>

#define TTMS_HEAD       12 /* bytes before the content */
#define TTMS_MIN_FRAME  13 /* where the length field is believed; 12 in `ignore` */
#define TTMS_MAX_FORMED 64 /* no frame that the gateway makes itself is longer */

enum ttms_command {
    TTMS_HEARTBEAT = 0x01,
    TTMS_RECEIPT = 0x02, /* gateway to terminal: content = u32, decided up to here */
    TTMS_REFUSAL = 0x03, /* gateway to terminal: content = u32, this one was refused */
    TTMS_DATA = 0xaa,
};

/* What the length field counts, and how a frame's end is found. */
#define TTMS_LENGTHS(X)                                                                \
    X(AUTO, "auto", "decided by a connection's first frame")                           \
    X(TOTAL, "total", "the whole frame")                                               \
    X(REST, "rest", "the bytes after the length field")                                \
    X(CONTENT1, "content1", "the content, a 1-byte check follows it")                  \
    X(CONTENT2, "content2", "the content, a 2-byte check follows it")                  \
    X(IGNORE, "ignore", "nothing: a frame ends at the next $TTMS or with the data")

enum ttms_length {
#define X(name, word, text) TTMS_LENGTH_##name,
    TTMS_LENGTHS(X)
#undef X
};

/* What becomes of a data frame whose check byte is wrong. */
enum ttms_check { TTMS_CHECK_WARN, TTMS_CHECK_STRICT, TTMS_CHECK_IGNORE };

struct ttms_conf {
    enum ttms_length length;
    uint32_t max_frame; /* bytes */
};

/* What a connection remembers between calls. Zeroed at its start; small and without
 * pointers, so that it can move between threads and processes.
 *
 * `auto` takes, on the first frame, the reading under which it ends at a valid check
 * byte and there ends the data or begins another $TTMS; of several the first in the
 * table. It waits while a reading may still fit. The first frame is a heartbeat, whose
 * size is known (17 bytes, or 18 with a 2-byte check): so when that many are here, a
 * length or a check byte that makes no sense is not waited for, and the reading is
 * `ignore`. */
struct ttms_dialect {
    uint8_t length;   /* enum ttms_length once decided, else TTMS_LENGTH_AUTO */
    uint32_t scanned; /* bytes of the incomplete frame already searched for a start */
};

struct ttms_frame {
    struct slice bytes;   /* all of it, borrowed from the input */
    struct slice content; /* between command and last byte */
    uint32_t address;
    uint8_t command;
    uint8_t computed; /* XOR of every byte before the last */
};

static inline bool ttms_check_fits(const struct ttms_frame *f)
{
    return f->computed == f->bytes.data[f->bytes.size - 1];
}

const char *ttms_length_word(uint8_t length);

/* Cuts the next frame off `in`, which begins where the previous one ended. Returns the
 * bytes used (then *frame is set and borrows from `in`), 0 when more are needed, or
 * ERR_BAD_START, ERR_TOO_SHORT, ERR_TOO_LARGE, each as soon as it is certain: close the
 * connection. A wrong check byte is not an error here.
 *
 * `more_waits`: the peer has sent more than `in` holds (the read filled its buffer), so
 * that the end of `in` is not the end of the data received so far. Only `ignore` asks:
 * it ends a frame with the data, except amid the next $TTMS or below 12 bytes, where it
 * waits. Once all was read, ask again without it. */
ssize_t ttms_cut(const struct ttms_conf *conf, struct ttms_dialect *dialect,
                 struct slice in, bool more_waits, struct ttms_frame *frame);

/* How many bytes the incomplete frame `rest` will have; 0: its head is not here, or it
 * ends where the next one begins. */
size_t ttms_size(const struct ttms_dialect *dialect, struct slice rest);

/* Writes what the target receives to `to`, which has room for frame->bytes.size bytes:
 * $TTMX, the sender's address, a recomputed last byte, every other byte untouched. */
void ttms_forward(const struct ttms_frame *frame, uint32_t sender, uint8_t *to);

/* The heartbeat's echo ($TTMX), same size and rules as above. */
void ttms_echo(const struct ttms_frame *frame, uint8_t *to);

/* Forms a receipt or refusal for frame `number` as the listener's dialect would count
 * its length; returns its size (at most TTMS_MAX_FORMED). */
size_t ttms_form_receipt(enum ttms_command kind, uint32_t number, uint8_t length,
                         uint8_t *to);

/* Forms a data frame for a terminal, as if `sender` had sent the content; the sizes are
 * those of ttms_formed_size(). */
void ttms_form_message(uint32_t sender, struct slice content, uint8_t length,
                       uint8_t *to);

/* For the terminal's side (simulator, tests): forms a $TTMS frame in the given dialect;
 * size of the result = ttms_formed_size(content size, length). */
size_t ttms_formed_size(size_t content, uint8_t length);
void ttms_form(enum ttms_command command, uint32_t address, struct slice content,
               uint8_t length, uint8_t *to);

/* Eight lower-case hex digits, not terminated. */
void ttms_id_text(uint32_t address, char text[8]);
