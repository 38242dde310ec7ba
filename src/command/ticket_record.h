/* ticket_record.h - what a ticket looks like in the ledger.
 *
 *   0         1       2        3       4          5          6
 *   | version | state | reason | flags | protocol | id length | id | ...
 *
 *   u64 number, position, sameness; u32 sendings; u16 message, the one that
 *   answers it, serial, serials, found state (as signed), answer's message, its serial;
 *   u8 its version
 *   i64 created, not before, not after, expires, sent, acknowledged, ended
 *   u8 length and text: listener, name, only_if, key
 *   u32 length and bytes: arguments, answer
 *
 * Big-endian; times are wall clock, 0: none. The ledger adds a sum. The arguments of a
 * ticket that is over are left out.
 *
 * Before changing any of this: raise TICKET_RECORD_VERSION, teach ticket_record_read()
 * the old form too, keep the golden vectors of test_ticket_record.c as they are, and
 * add new ones. Pure functions, any thread. */
#pragma once

#include "base/id.h"
#include "base/reader.h"

#define TICKET_RECORD_VERSION 1

/* A ticket's members of fixed size, in their order in the record; and its flags. What
 * has a ticket has members of these names, too. */
#define TICKET_FACTS(X)                                                                \
    X(u64, number)                                                                     \
    X(u64, position)                                                                   \
    X(u64, sameness)                                                                   \
    X(u32, sendings)                                                                   \
    X(u16, message)                                                                    \
    X(u16, expects)                                                                    \
    X(u16, serial)                                                                     \
    X(u16, serials)                                                                    \
    X(u16, found_state)                                                                \
    X(u16, answer_message)                                                             \
    X(u16, answer_serial)                                                              \
    X(u8, answer_version)                                                              \
    X(u64, created_ms)                                                                 \
    X(u64, not_before_ms)                                                              \
    X(u64, not_after_ms)                                                               \
    X(u64, expires_ms)                                                                 \
    X(u64, sent_ms)                                                                    \
    X(u64, acknowledged_ms)                                                            \
    X(u64, ended_ms)

#define TICKET_FLAGS(X)                                                                \
    X(supersedes, 1)                                                                   \
    X(has_answer, 2)                                                                   \
    X(is_preliminary, 4)                                                               \
    X(fixed_serial, 8)                                                                 \
    X(plain_answer, 16)

struct ticket_record {
    struct id device;
    uint8_t state, reason; /* device/ticket.h */
    bool supersedes, has_answer, is_preliminary, fixed_serial, plain_answer;
    uint64_t number, position, sameness;
    uint32_t sendings;
    uint16_t message, expects, serial, serials;
    int16_t found_state;
    uint16_t answer_message, answer_serial;
    uint8_t answer_version;
    int64_t created_ms, not_before_ms, not_after_ms, expires_ms;
    int64_t sent_ms, acknowledged_ms, ended_ms;
    struct slice listener, name, only_if, key; /* borrowed, each below 256 bytes */
    struct slice args, answer;
};

/* Appends it. OK or ERR_NOMEM. */
MUST_CHECK int ticket_record_write(const struct ticket_record *t, struct buf *out);

/* Borrows from `record`. OK, ERR_VERSION, ERR_DAMAGED. */
MUST_CHECK int ticket_record_read(struct slice record, struct ticket_record *out);
