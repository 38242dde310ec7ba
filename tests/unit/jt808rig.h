/* jt808rig.h - bodies of published frames (JT/T 808), as they stand on the wire. */
#pragma once

#include "codec/jt808.h"

#include "unit.h"

#include <stdio.h>

/* Undoes one frame "7e...7e" given in hex digits; its parts are read here once more,
 * apart from codec/device.c. Valid until the next call. */
struct published {
    uint16_t message;
    bool is_2019;
    struct slice body;
};

static inline uint8_t published_byte(const char *digits)
{
    char two[3] = {digits[0], digits[1], 0};

    return (uint8_t)strtoul(two, NULL, 16);
}

static inline struct published published(const char *frame)
{
    static uint8_t bytes[2048];
    size_t size = 0, head;
    uint8_t xor = 0;
    struct published out;

    for (const char *p = frame + 2; p[2]; p += 2) {
        uint8_t byte = published_byte(p);

        if (byte == 0x7d) {
            p += 2;
            byte = published_byte(p) == 2 ? 0x7e : 0x7d;
        }
        bytes[size++] = byte;
        xor ^= byte;
    }
    assert_int_equal(xor, 0);
    out.message = (uint16_t)(bytes[0] << 8 | bytes[1]);
    out.is_2019 = bytes[2] & 0x40;
    head = out.is_2019 ? 17u : 12u;
    out.body = slice_of(bytes + head, size - head - 1);
    assert_int_equal(out.body.size, (bytes[2] & 3) << 8 | bytes[3]);
    return out;
}

static inline void assert_bytes(const struct buf *b, struct slice wanted)
{
    assert_int_equal(buf_used(b), wanted.size);
    if (wanted.size)
        assert_memory_equal(buf_peek(b).data, wanted.data, wanted.size);
}
