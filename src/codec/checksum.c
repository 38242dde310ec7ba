#include "codec/checksum.h"

const char *checksum_word(uint8_t kind)
{
    static const char *const words[] = {
#define X(name, word, size) word,
        CHECKSUMS(X)
#undef X
    };

    return kind < ARRAY_LEN(words) ? words[kind] : "unknown";
}

static inline uint64_t word_at(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

/* XOR does not care about order: whole words are XORed together in independent lanes
 * (the compiler makes vectors of them) and folded to one byte at the end. */
uint8_t checksum_xor(struct slice bytes)
{
    const uint8_t *p = bytes.data;
    size_t left = bytes.size;
    uint64_t lane[4] = {0};
    uint64_t all;
    uint32_t half;

    for (; left >= 32; left -= 32, p += 32) {
        lane[0] ^= word_at(p);
        lane[1] ^= word_at(p + 8);
        lane[2] ^= word_at(p + 16);
        lane[3] ^= word_at(p + 24);
    }
    all = lane[0] ^ lane[1] ^ lane[2] ^ lane[3];
    for (; left >= 8; left -= 8, p += 8)
        all ^= word_at(p);
    if (left & 4) {
        memcpy(&half, p, sizeof(half));
        all ^= half;
        p += 4;
    }
    for (left &= 3; left > 0; left--)
        all ^= *p++;
    all ^= all >> 32;
    all ^= all >> 16;
    all ^= all >> 8;
    return (uint8_t)all;
}

static uint32_t sum(struct slice bytes)
{
    uint32_t s = 0;

    for (size_t i = 0; i < bytes.size; i++)
        s += bytes.data[i];
    return s;
}

/* CRCs go nibble by nibble: 16-entry tables stay in one cache line or two, and their
 * frames are short. `high` ones shift the most significant bit out first, `low` ones
 * (called reflected) the least. */
static uint32_t crc16_high(struct slice bytes, uint32_t crc)
{
    static const uint16_t table[16] = {
        0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
        0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
    };

    for (size_t i = 0; i < bytes.size; i++) {
        uint32_t byte = bytes.data[i];

        crc = (crc << 4 ^ table[(crc >> 12 ^ byte >> 4) & 15]) & 0xffff;
        crc = (crc << 4 ^ table[(crc >> 12 ^ byte) & 15]) & 0xffff;
    }
    return crc;
}

static uint32_t crc_low(const uint32_t table[16], struct slice bytes, uint32_t crc)
{
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

static const uint32_t crc16_low_table[16] = {
    0x0000, 0xcc01, 0xd801, 0x1400, 0xf001, 0x3c00, 0x2800, 0xe401,
    0xa001, 0x6c00, 0x7800, 0xb401, 0x5000, 0x9c01, 0x8801, 0x4400,
};

static const uint32_t crc32_table[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
    0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
    0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

uint32_t checksum_of(uint8_t kind, struct slice bytes)
{
    switch ((enum checksum)kind) {
    case CHECKSUM_XOR:
        return checksum_xor(bytes);
    case CHECKSUM_SUM8:
        return sum(bytes) & 0xff;
    case CHECKSUM_SUM16:
        return sum(bytes) & 0xffff;
    case CHECKSUM_CRC16_CCITT_FALSE:
        return crc16_high(bytes, 0xffff);
    case CHECKSUM_CRC16_XMODEM:
        return crc16_high(bytes, 0);
    case CHECKSUM_CRC16_MODBUS:
        return crc_low(crc16_low_table, bytes, 0xffff);
    case CHECKSUM_CRC16_ARC:
        return crc_low(crc16_low_table, bytes, 0);
    case CHECKSUM_CRC32:
        return ~crc_low(crc32_table, bytes, 0xffffffff);
    case CHECKSUM_NONE:
    case CHECKSUM_COUNT_:
        break;
    }
    return 0;
}
