/* line.h - what a record looks like on the disk: a line of the ledger.
 *
 *   0         1      2      4     8        12
 *   | version | form | zero | crc | number | record
 *   |    1    |      | u16  | u32 | u32    | to the end
 *
 * Big-endian. crc = CRC-32C of everything else in the order: bytes 0-3, bytes from 8,
 * and then the line's key in the store: one found under another key is as damaged as
 * one with a flipped bit.
 *
 * Before changing any of this: raise LINE_VERSION, teach line_decode to read the old
 * form too, keep the golden vector of test_line.c as it is, add a new one, and raise
 * ledger_store's format so that an older gateway refuses the store instead of dropping
 * every line as damaged. Pure functions, any thread. */
#pragma once

#include "ledger/ledger.h"

#define LINE_VERSION 1
#define LINE_HEAD    12

/* Numbers are smaller: each takes a place in memory. */
#define LINE_NUMBER_LIMIT (1u << 24)

/* DIR/ledger */
extern const struct store_kind ledger_store;

struct line {
    uint32_t number;
    uint8_t form; /* enum ledger_form */
    struct slice record;
};

/* Writes LINE_HEAD + record.size bytes. */
void line_encode(const struct line *line, uint64_t seq, uint8_t *to);

/* Returns OK, ERR_DAMAGED, or ERR_VERSION (newer than we are, yet its sum fits). The
 * record is borrowed. */
MUST_CHECK int line_decode(struct slice bytes, uint64_t seq, struct line *out);
