/* message.h - one message of the load: formed, and checked when it arrives.
 *
 *   | head | number 8 | sent_ns 8 | pair 4 | filler, always the same ... | tail |
 */
#pragma once

#include "wire.h"

#define MESSAGE_VARY        20 /* bytes of the payload: number, time, pair */
#define MESSAGE_MIN_PAYLOAD 24
#define MESSAGE_MAX_PAYLOAD 60000

struct message_shape {
    const struct wire *wire;
    size_t payload;
    uint8_t filler_xor;
    uint8_t filler[MESSAGE_MAX_PAYLOAD]; /* where it stands in the payload */
};

enum message_state {
    MESSAGE_GOOD,
    MESSAGE_DAMAGED,  /* a byte is not what it should be */
    MESSAGE_DISORDER, /* whole, but another one was next */
};

void message_shape_init(struct message_shape *shape, const struct wire *wire,
                        size_t payload);

/* Writes the payload's constant part where it will be in messages formed at `to`. */
void message_fill(const struct message_shape *shape, size_t head, uint8_t *to);

/* Forms a message at `to`, where the filler is already. */
void message_form(const struct message_shape *shape, const struct wire_template *t,
                  uint32_t pair, uint64_t number, uint64_t now_ns, uint8_t *to);

/* Checks a message that came for `pair`, where `number` is the next one. */
enum message_state message_check(const struct message_shape *shape,
                                 const struct wire_template *t, uint32_t pair,
                                 uint64_t number, const uint8_t *frame,
                                 uint64_t *sent_ns);
