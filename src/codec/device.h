/* device.h - frames of devices that speak as JT/T 808 does: between 7E and 7E.
 *
 *   | message | properties | [version] | id | serial | [total, number] | body | xor |
 *
 * docs/protocol-device.md and docs/protocol-jt808.md tell the whole; JT/T 808-2013 and
 * -2019, section 4. Cut with framing_cut() by device_framing(); this reads what stands
 * between the delimiters. Pure functions, any thread. */
#pragma once

#include "base/id.h"
#include "codec/frame.h"

/* How the id is written. */
#define DEVICE_IDS(X)                                                                  \
    X(ASCII8, "ascii8", "8 ASCII characters, upper-cased")                             \
    X(BCD6, "bcd6", "12 decimal digits (JT/T 808-2013)")                               \
    X(BCD10, "bcd10", "a version byte and 20 decimal digits (JT/T 808-2019)")          \
    X(JT808, "jt808", "bcd10 where bit 14 of the properties is set, else bcd6")

enum device_id_form {
#define X(name, word, text) DEVICE_ID_##name,
    DEVICE_IDS(X)
#undef X
};

#define DEVICE_BODY_MAX  1023 /* bytes in one frame */
#define DEVICE_HEAD_MAX  21   /* with version, bcd10 and package numbers */
#define DEVICE_FRAME_MAX (2 + DEVICE_HEAD_MAX + DEVICE_BODY_MAX + 1) /* unescaped */
#define DEVICE_ID_BYTES  10
#define DEVICE_PACKAGED  (1u << 13)
#define DEVICE_VERSIONED (1u << 14)

/* Which header a device speaks, and its id as it stands there: for answers. */
struct device_head {
    uint8_t form;    /* enum device_id_form; never JT808: what that turned out to be */
    uint8_t version; /* of a BCD10 header; else 0 */
    uint8_t id[DEVICE_ID_BYTES];
};

struct device_frame {
    struct device_head head;
    uint16_t message;
    uint16_t properties;
    uint16_t serial;
    uint16_t total, number; /* of packages; 0, 0: it is whole */
    struct slice body;      /* borrowed from the frame */
};

struct framing device_framing(enum device_id_form form);

/* Reads the body of what was cut. Returns OK, ERR_TOO_SHORT, ERR_BAD_LENGTH (the
 * message's body is not as long as the properties say), ERR_MALFORMED (an encrypted
 * body; an id that has no text form: ASCII8 with other than printable characters, or
 * with blanks alone). */
MUST_CHECK int device_decode(enum device_id_form form, struct slice frame,
                             struct device_frame *out);

/* Appends the frame, escaped and with its delimiters. `body` is at most
 * DEVICE_BODY_MAX; `total` 0: not packaged. OK, ERR_TOO_LARGE, ERR_NOMEM. */
MUST_CHECK int device_encode(const struct device_head *head, uint16_t message,
                             uint16_t serial, uint16_t total, uint16_t number,
                             struct slice body, struct buf *out);

/* The device's name: ASCII8 without blanks at its end; BCD as digits without leading
 * zeros ("0" if there are no others), so that it is the same in 6 and in 10 bytes; an
 * id that is not BCD as hex digits, in lower case, all of them. `protocol`: PROTOCOL_
 * DEVICE or _JT808. */
MUST_CHECK int device_id_text(const struct device_head *head, uint8_t protocol,
                              struct id *out);
