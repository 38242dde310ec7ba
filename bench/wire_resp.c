/* Redis publish and subscribe: one channel per pair. */
#include "wire.h"

#include <stdio.h>

static void add_bulk(struct wire_part *part, const char *text)
{
    wire_part_print(part, "$%zu\r\n%s\r\n", strlen(text), text);
}

static void resp_prepare(uint32_t pair, size_t payload, struct wire_template *out)
{
    char channel[24];

    snprintf(channel, sizeof(channel), "bench:%u", pair);
    wire_part_print(&out->sent_head, "*3\r\n");
    add_bulk(&out->sent_head, "PUBLISH");
    add_bulk(&out->sent_head, channel);
    wire_part_print(&out->sent_head, "$%zu\r\n", payload);
    wire_part_print(&out->sent_tail, "\r\n");

    wire_part_print(&out->delivered_head, "*3\r\n");
    add_bulk(&out->delivered_head, "message");
    add_bulk(&out->delivered_head, channel);
    wire_part_print(&out->delivered_head, "$%zu\r\n", payload);
    wire_part_print(&out->delivered_tail, "\r\n");
}

static int resp_greet(uint32_t pair, enum wire_role role, size_t payload,
                      struct buf *out)
{
    (void)payload;
    if (role == WIRE_SENDER)
        return wire_print(out, "PING\r\n");
    return wire_print(out, "SUBSCRIBE bench:%u\r\n", pair);
}

/* One line of a published message's answer (`:1`, the receivers reached), of the ping's
 * (`+PONG`) or of the subscription's (an array that ends in `:1`). */
static ssize_t resp_other(struct slice in, struct wire_event *event)
{
    struct slice line = wire_line(in);

    if (!line.data || line.size == 0)
        return line.data ? -1 : 0;
    switch (line.data[0]) {
    case ':':
        if (!slice_equal(line, slice_of(":1", 2)))
            return -1;
        event->is_ready = true;
        break;
    case '+':
        event->is_ready = true;
        break;
    case '-':
        return -1;
    default:
        break;
    }
    return (ssize_t)line.size + 2;
}

const struct wire wire_resp = {
    .name = "resp",
    .prepare = resp_prepare,
    .greet = resp_greet,
    .other = resp_other,
};
