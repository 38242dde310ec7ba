/* The terminal relay's own frames (floor, Holdfast, the Python server).
 *
 * The server does not answer a heartbeat, so a terminal greets with a heartbeat and one
 * message to itself, as long as all others: when that comes back, it is registered. */
#include "wire.h"

#include <arpa/inet.h>

#define HEAD        12
#define FIRST_ID    0x10000000u
#define HEARTBEAT   0x01
#define DATA        0xaa
#define MESSAGE_MAX 0xffffu

static uint32_t id_of(uint32_t pair, enum wire_role role)
{
    return FIRST_ID + 2 * pair + (role == WIRE_RECEIVER);
}

static void add_head(struct wire_part *part, const char *start, size_t frame,
                     uint32_t address, uint8_t command)
{
    uint16_t size = htons((uint16_t)frame);

    address = htonl(address);
    wire_part_add(part, start, 5);
    wire_part_add(part, &size, 2);
    wire_part_add(part, &address, 4);
    wire_part_add(part, &command, 1);
}

static uint8_t xor_of(struct slice s)
{
    uint8_t x = 0;

    for (size_t i = 0; i < s.size; i++)
        x ^= s.data[i];
    return x;
}

static void ttms_prepare(uint32_t pair, size_t payload, struct wire_template *out)
{
    size_t frame = HEAD + payload + 1;

    add_head(&out->sent_head, "$TTMS", frame, id_of(pair, WIRE_RECEIVER), DATA);
    wire_part_add(&out->sent_tail, "", 1); /* the check byte's place */
    add_head(&out->delivered_head, "$TTMX", frame, id_of(pair, WIRE_SENDER), DATA);
    wire_part_add(&out->delivered_tail, "", 1);
}

static int ttms_greet(uint32_t pair, enum wire_role role, size_t payload,
                      struct buf *out)
{
    struct wire_part head = {0};
    uint32_t id = id_of(pair, role);
    uint8_t frame[HEAD + MESSAGE_MAX + 1];
    int rc;

    add_head(&head, "$TTMS", HEAD + 4 + 1, id, HEARTBEAT);
    wire_part_add(&head, "\0\0\3\350", 4);
    wire_part_add(&head, &(uint8_t){xor_of(slice_of(head.bytes, head.size))}, 1);
    if ((rc = buf_try_append(out, slice_of(head.bytes, head.size))) < 0)
        return rc;

    head.size = 0;
    add_head(&head, "$TTMS", HEAD + payload + 1, id, DATA);
    memcpy(frame, head.bytes, HEAD);
    memset(frame + HEAD, '=', payload);
    frame[HEAD + payload] = xor_of(slice_of(frame, HEAD + payload));
    return buf_try_append(out, slice_of(frame, HEAD + payload + 1));
}

/* The only other frame is the terminal's own greeting come back. */
static ssize_t ttms_other(struct slice in, struct wire_event *event)
{
    size_t size;

    if (in.size < HEAD + 1)
        return 0;
    size = (size_t)in.data[5] << 8 | in.data[6];
    if (memcmp(in.data, "$TTMX", 5) != 0 || size <= HEAD || in.data[HEAD] != '=')
        return -1;
    if (in.size < size)
        return 0;
    event->is_ready = true;
    return (ssize_t)size;
}

static uint8_t ttms_check(const uint8_t *frame, size_t head, size_t vary,
                          uint8_t filler)
{
    return xor_of(slice_of(frame, head + vary)) ^ filler;
}

const struct wire wire_ttms = {
    .name = "ttms",
    .prepare = ttms_prepare,
    .greet = ttms_greet,
    .other = ttms_other,
    .check = ttms_check,
};
