/* wire.h - frames between 7E and 7E as a device reads and writes them: a reading of its
 * own, not the gateway's.
 *
 *   | message | properties | [version] | id | serial | [total, number] | body | xor |
 *
 * Pure functions. */
#pragma once

#include "base/buf.h"

#define WIRE_ID_MAX    10
#define WIRE_BODY_MAX  1023
#define WIRE_FRAME_MAX (2 * (21 + WIRE_BODY_MAX + 1) + 2) /* all of it escaped */

/* Who a device is, as its frames say it. */
struct wire_id {
    uint8_t size; /* 8, 6 or 10; 10: behind a version byte */
    uint8_t bytes[WIRE_ID_MAX];
};

struct wire_frame {
    uint16_t message, serial;
    uint16_t total, number; /* 0: it is whole */
    struct slice body;
};

/* Takes what is before and in the next frame off `in`: returns the bytes used, 0 for
 * "more is needed". *content is what stands between the delimiters, unescaped to
 * `room`; empty if there was none, or if *is_damaged. */
size_t wire_cut(struct slice in, uint8_t room[WIRE_FRAME_MAX], struct slice *content,
                bool *is_damaged);

/* NULL, or what is wrong with it: "checksum", "length", "id". */
const char *wire_read(struct slice content, const struct wire_id *who,
                      struct wire_frame *out);

/* Appends one frame. OK or ERR_NOMEM. */
MUST_CHECK int wire_write(struct buf *to, const struct wire_id *who,
                          const struct wire_frame *f);
