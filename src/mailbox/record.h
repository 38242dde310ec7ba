/* record.h - what one stored message looks like.
 *
 *   0         1          2           3      4     8          16          24
 *   | version | protocol | id length | zero | crc | position | stored_ms | id | body
 *   |    1    |          |   1..54   |      | u32 | u64      | i64       |    | to end
 *
 * Big-endian. crc = CRC-32C of everything else in the order: bytes 0-3, position, id,
 * body, stored_ms, and then the record's sequence number, which is its key in the
 * store: a record found under another key is as damaged as one with a flipped bit. The
 * two fields that only the writer knows come last, so that a shard does the long part
 * of the sum (record_encode) and the writer, the one thread that all wait for, only
 * finishes it (record_seal).
 *
 * Before changing any of this: raise RECORD_VERSION, teach record_decode to read the
 * old form too, keep the golden vectors of test_record.c as they are, add new ones, and
 * raise mailbox_store's format so that an older gateway refuses the store instead
 * of reporting every record as damaged. Pure functions, any thread. */
#pragma once

#include "base/id.h"
#include "store/store.h"

/* DIR/mailbox */
extern const struct store_kind mailbox_store;

#define RECORD_VERSION 1
#define RECORD_HEAD    24

struct record {
    uint64_t position;
    int64_t stored_ms; /* wall clock */
    struct id id;
    struct slice body; /* borrowed from the record */
};

static inline size_t record_size(const struct id *id, size_t body)
{
    return RECORD_HEAD + id->length + body;
}

/* What a message counts for against total_bytes: its body, and as much as the largest
 * head and the engine's own key and bookkeeping take. */
static inline uint64_t record_charge(size_t body)
{
    return body + 96;
}

/* Writes record_size() bytes at `to`: all but the time and the finished sum. */
void record_encode(uint64_t position, const struct id *id, struct slice body,
                   uint8_t *to);

/* Finishes a copy of an encoded record. */
void record_seal(uint8_t *record, int64_t stored_ms, uint64_t seq);

/* Returns OK, ERR_DAMAGED, or ERR_VERSION (newer than we are, yet its sum may fit). */
MUST_CHECK int record_decode(struct slice record, uint64_t seq, struct record *out);

/* The body of a record that was encoded here and is known to be sound. */
struct slice record_body(struct slice record);
