/* declaring.h - any declaration of a framing, sound or not, from a fuzzer's input. */
#pragma once

#include "codec/frame.h"

#define DECLARED_BY 24 /* bytes; the first one is the caller's */

/* `flags`: bits 0 to 2 are little-endian, reported, resyncs. */
static inline struct framing declared(const uint8_t b[DECLARED_BY], unsigned flags)
{
    return (struct framing){
        .start = {b[1] % 4, {b[2], b[3], b[2]}},
        .end = {b[4] % 3, {b[5], b[6]}},
        .length = {.form = b[7] % 9,
                   .digits = b[8] % 12,
                   .offset = b[9] % 16,
                   .adjust = (int8_t)b[10],
                   .min = b[11] % 4,
                   .max = b[12]},
        .escape = {b[13], b[14] % 4, {{b[15], b[13]}, {b[16], b[2]}, {b[17], b[5]}}},
        .checksum = {.kind = b[18] % (CHECKSUM_COUNT_ + 1),
                     .little_endian = flags & 1,
                     .is_reported = flags & 2,
                     .offset = b[19] % 16,
                     .from = b[20] % 16,
                     .to = b[21] % 16},
        .resyncs = flags & 4,
        .min_frame = b[22],
        .max_frame = (uint32_t)b[23] * 4,
    };
}
