/* checksum.h - the checksums that fielded protocols put behind their frames. */
#pragma once

#include "base/buf.h"

/* Name, word in a declaration, bytes. The check value of each, over the nine characters
 * "123456789", is in the unit test. */
#define CHECKSUMS(X)                                                                   \
    X(NONE, "none", 0)                                                                 \
    X(XOR, "xor", 1)                                                                   \
    X(SUM8, "sum8", 1)                                                                 \
    X(SUM16, "sum16", 2)                                                               \
    X(CRC16_CCITT_FALSE, "crc16-ccitt-false", 2)                                       \
    X(CRC16_XMODEM, "crc16-xmodem", 2)                                                 \
    X(CRC16_MODBUS, "crc16-modbus", 2)                                                 \
    X(CRC16_ARC, "crc16-arc", 2)                                                       \
    X(CRC32, "crc32", 4)

enum checksum {
#define X(name, word, size) CHECKSUM_##name,
    CHECKSUMS(X)
#undef X
        CHECKSUM_COUNT_
};

/* `kind` is an enum checksum; one that is unknown has size 0 and the word "unknown". */
static inline size_t checksum_size(uint8_t kind)
{
    static const uint8_t sizes[] = {
#define X(name, word, size) size,
        CHECKSUMS(X)
#undef X
    };

    return kind < ARRAY_LEN(sizes) ? sizes[kind] : 0;
}

const char *checksum_word(uint8_t kind);
uint32_t checksum_of(uint8_t kind, struct slice bytes);

/* XOR of all bytes; 0 for none. The relay's hot path. */
uint8_t checksum_xor(struct slice bytes);
