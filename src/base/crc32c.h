/* crc32c.h - CRC-32C (Castagnoli), by the processor's instruction where it has one.
 *
 * Start with 0 and feed pieces in order: crc32c(crc32c(0, a), b) is the sum over a and
 * b. Pure, any thread. */
#pragma once

#include "base/buf.h"

uint32_t crc32c(uint32_t crc, struct slice bytes);

/* The same, without the instruction: for processors that lack it, and for the test that
 * both agree. */
uint32_t crc32c_by_table(uint32_t crc, struct slice bytes);
