#include "message.h"

void message_shape_init(struct message_shape *shape, const struct wire *wire,
                        size_t payload)
{
    *shape = (struct message_shape){.wire = wire, .payload = payload};
    for (size_t i = MESSAGE_VARY; i < payload; i++) {
        shape->filler[i] = (uint8_t)('a' + i % 26);
        shape->filler_xor ^= shape->filler[i];
    }
}

void message_fill(const struct message_shape *shape, size_t head, uint8_t *to)
{
    memcpy(to + head, shape->filler, shape->payload);
}

static uint8_t check_byte(const struct message_shape *shape, const uint8_t *frame,
                          size_t head)
{
    return shape->wire->check(frame, head, MESSAGE_VARY, shape->filler_xor);
}

void message_form(const struct message_shape *shape, const struct wire_template *t,
                  uint32_t pair, uint64_t number, uint64_t now_ns, uint8_t *to)
{
    uint8_t *payload = to + t->sent_head.size;

    memcpy(to, t->sent_head.bytes, t->sent_head.size);
    memcpy(payload, &number, 8);
    memcpy(payload + 8, &now_ns, 8);
    memcpy(payload + 16, &pair, 4);
    memcpy(payload + shape->payload, t->sent_tail.bytes, t->sent_tail.size);
    if (shape->wire->check)
        payload[shape->payload] = check_byte(shape, to, t->sent_head.size);
}

enum message_state message_check(const struct message_shape *shape,
                                 const struct wire_template *t, uint32_t pair,
                                 uint64_t number, const uint8_t *frame,
                                 uint64_t *sent_ns)
{
    size_t head = t->delivered_head.size;
    const uint8_t *payload = frame + head;
    const uint8_t *tail = payload + shape->payload;
    bool is_whole = memcmp(frame, t->delivered_head.bytes, head) == 0 &&
                    memcmp(payload + 16, &pair, 4) == 0 &&
                    memcmp(payload + MESSAGE_VARY, shape->filler + MESSAGE_VARY,
                           shape->payload - MESSAGE_VARY) == 0;

    if (shape->wire->check)
        is_whole = is_whole && *tail == check_byte(shape, frame, head);
    else
        is_whole = is_whole &&
                   memcmp(tail, t->delivered_tail.bytes, t->delivered_tail.size) == 0;
    if (!is_whole)
        return MESSAGE_DAMAGED;
    memcpy(sent_ns, payload + 8, 8);
    return memcmp(payload, &number, 8) == 0 ? MESSAGE_GOOD : MESSAGE_DISORDER;
}
