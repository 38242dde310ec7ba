/* entry.h - what the journal's records look like.
 *
 *   0         1      2          3           4     8
 *   | version | form | protocol | id length | crc | ...        form: EVENT, CARD, CLAIM
 *
 *   EVENT  8      9      10   11         12       13       14        16        24
 *          | kind | from | to | listener | reason | header | message | time_ms | ...
 *          |      |      |    | length   | length | u8     | u16     | i64     |
 *          24      28         32
 *          | epoch | sequence | lost | id | listener | reason            version 1
 *          | u32   | u32      | u32  |
 *          24      28         32     36       38        40       48
 *          | epoch | sequence | size | serial | content | ticket | id | listener
 *          | u32   | u32      | u32  | u16    | length  | u64    | reason | content
 *                                                                      version 2
 *   CARD   8       9          10     12      16         20       36         44
 *          | state | listener | port | epoch | sequence | ip     | since_ms | ...
 *          |       | length   | u16  | u32   | u32      | 16     | i64      |
 *          44             52            60             68
 *          | last_seen_ms | messages_in | messages_out | id | listener
 *          | i64          | u64         | u64          |
 *   CLAIM  nothing more: numbers up to its own and CLAIM_REACH more may be in use
 *
 * Big-endian. Version 2 is for the kinds of events that came with it, COMMAND and
 * REPORT; all else is written as version 1, whose `header` and `message` are zero.
 *
 * crc = CRC-32C of everything else in the order: bytes 0-3, bytes from 8, and then the
 * entry's number, which is its key in the store: an entry found under another key is as
 * damaged as one with a flipped bit.
 *
 * Before changing any of this: raise ENTRY_VERSION, teach entry_decode to read the old
 * form too, keep the golden vectors of test_entry.c as they are, add new ones, and
 * raise journal_store's format so that an older gateway refuses the store instead of
 * dropping every entry as damaged. Pure functions, any thread. */
#pragma once

#include "journal/journal.h"

#define ENTRY_VERSION 2 /* the newest; each entry has the oldest that can tell it */
#define ENTRY_HEAD    8
#define MOVE_HEAD     36 /* an event's of version 1 */
#define EVENT_HEAD    48
#define CARD_HEAD     68
#define CARD_MAX      (CARD_HEAD + ID_TEXT_MAX + LISTENER_NAME_MAX)
#define ENTRY_MAX                                                                      \
    (EVENT_HEAD + ID_TEXT_MAX + LISTENER_NAME_MAX + EVENT_REASON_MAX +                 \
     EVENT_CONTENT_MAX)

_Static_assert(CARD_MAX <= UINT8_MAX, "a card's size is kept in one byte");
_Static_assert(CARD_MAX <= ENTRY_MAX, "an event is the longest entry");
_Static_assert(ENTRY_MAX <= UINT16_MAX, "an event's size is kept in two");

/* DIR/journal */
extern const struct store_kind journal_store;

/* Stored: never renumber, only add. */
enum entry_form { ENTRY_EVENT = 1, ENTRY_CARD = 2, ENTRY_CLAIM = 3 };

struct entry {
    uint8_t form;
    union {
        struct event event; /* its slices are borrowed from the entry */
        struct card card;
    };
};

/* Write the entry without its sum; return its size. */
size_t entry_of_event(const struct event *e, uint8_t *to); /* entry_event_size bytes */
size_t entry_of_card(const struct card *c, uint8_t to[CARD_MAX]);
size_t entry_of_claim(uint8_t to[ENTRY_HEAD]);

/* At most ENTRY_MAX. */
size_t entry_event_size(const struct event *e);

/* Gives an entry its sum. */
void entry_seal(uint8_t *entry, size_t size, uint64_t seq);

/* Returns OK, ERR_DAMAGED, or ERR_VERSION (newer than we are, yet its sum may fit). */
MUST_CHECK int entry_decode(struct slice bytes, uint64_t seq, struct entry *out);

/* An event that was encoded here or decoded before, so its sum is not looked at. */
void entry_read_event(struct slice bytes, uint64_t cursor, struct event *out);
