/* reader.h - reads big-endian fields from a slice, with a sticky error.
 *
 * A read past the end sets `bad` and yields zeros, so a parser reads all its fields and
 * asks once at the end. */
#pragma once

#include "base/buf.h"

struct reader {
    struct slice rest;
    bool bad;
};

static inline struct reader reader_of(struct slice bytes)
{
    return (struct reader){.rest = bytes, .bad = false};
}

/* The next `n` bytes, borrowed; an empty slice past the end. */
static inline struct slice read_bytes(struct reader *r, size_t n)
{
    struct slice got = {0};

    if (r->bad || r->rest.size < n) {
        r->bad = true;
        return got;
    }
    got = slice_of(r->rest.data, n);
    r->rest = slice_from(r->rest, n);
    return got;
}

static inline uint8_t read_u8(struct reader *r)
{
    struct slice s = read_bytes(r, 1);

    return s.size ? s.data[0] : 0;
}

static inline uint16_t read_u16(struct reader *r)
{
    struct slice s = read_bytes(r, 2);

    return s.size ? (uint16_t)(s.data[0] << 8 | s.data[1]) : 0;
}

static inline uint32_t read_u32(struct reader *r)
{
    uint32_t high = read_u16(r);

    return high << 16 | read_u16(r);
}

static inline uint64_t read_u64(struct reader *r)
{
    uint64_t high = read_u32(r);

    return high << 32 | read_u32(r);
}

/* And the other direction: store at `p`, which has room. */
static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    put_u16(p, (uint16_t)(v >> 16));
    put_u16(p + 2, (uint16_t)v);
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (uint32_t)(v >> 32));
    put_u32(p + 4, (uint32_t)v);
}
