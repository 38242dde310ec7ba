/* NATS core publish and subscribe: one subject per pair. */
#include "wire.h"

static void nats_prepare(uint32_t pair, size_t payload, struct wire_template *out)
{
    wire_part_print(&out->sent_head, "PUB bench.%u %zu\r\n", pair, payload);
    wire_part_print(&out->sent_tail, "\r\n");
    wire_part_print(&out->delivered_head, "MSG bench.%u 1 %zu\r\n", pair, payload);
    wire_part_print(&out->delivered_tail, "\r\n");
}

static int nats_greet(uint32_t pair, enum wire_role role, size_t payload,
                      struct buf *out)
{
    int rc = wire_print(out, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n");

    (void)payload;
    if (rc == OK && role == WIRE_RECEIVER)
        rc = wire_print(out, "SUB bench.%u 1\r\n", pair);
    return rc == OK ? wire_print(out, "PING\r\n") : rc;
}

static ssize_t nats_other(struct slice in, struct wire_event *event)
{
    struct slice line = wire_line(in);

    if (!line.data)
        return 0;
    if (slice_equal(line, slice_of("PING", 4)))
        event->answer = slice_of("PONG\r\n", 6);
    else if (slice_equal(line, slice_of("PONG", 4)))
        event->is_ready = true;
    else if (line.size < 5 || memcmp(line.data, "INFO ", 5) != 0)
        return -1;
    return (ssize_t)line.size + 2;
}

const struct wire wire_nats = {
    .name = "nats",
    .prepare = nats_prepare,
    .greet = nats_greet,
    .other = nats_other,
};
