/* MQTT 3.1.1, QoS 0: one topic per pair. */
#include "wire.h"

#define CONNACK  0x20
#define PUBLISH  0x30
#define SUBACK   0x90
#define PINGRESP 0xd0

static void add_length(struct wire_part *part, size_t n)
{
    do {
        uint8_t digit = (uint8_t)(n % 128);

        n /= 128;
        wire_part_add(part, &(uint8_t){(uint8_t)(digit | (n ? 0x80 : 0))}, 1);
    } while (n);
}

static void add_string(struct wire_part *part, const char *name, uint32_t number)
{
    struct wire_part text = {0};

    wire_part_print(&text, "%s%u", name, number);
    wire_part_add(part, (uint8_t[]){0, (uint8_t)text.size}, 2);
    wire_part_add(part, text.bytes, text.size);
}

static void mqtt_prepare(uint32_t pair, size_t payload, struct wire_template *out)
{
    struct wire_part topic = {0};

    add_string(&topic, "bench/", pair);
    wire_part_add(&out->sent_head, &(uint8_t){PUBLISH}, 1);
    add_length(&out->sent_head, topic.size + payload);
    wire_part_add(&out->sent_head, topic.bytes, topic.size);
    out->delivered_head = out->sent_head;
}

static int mqtt_greet(uint32_t pair, enum wire_role role, size_t payload,
                      struct buf *out)
{
    static const uint8_t header[] = {0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0};
    struct wire_part all = {0};
    struct wire_part text = {0};

    (void)payload;
    add_string(&text, role == WIRE_SENDER ? "s" : "r", pair);
    wire_part_add(&all, "\x10", 1);
    add_length(&all, sizeof(header) + text.size);
    wire_part_add(&all, header, sizeof(header)); /* clean session, no keep-alive */
    wire_part_add(&all, text.bytes, text.size);
    if (role == WIRE_RECEIVER) {
        text.size = 0;
        add_string(&text, "bench/", pair);
        wire_part_add(&all, "\x82", 1);
        add_length(&all, 2 + text.size + 1);
        wire_part_add(&all, "\0\1", 2);
        wire_part_add(&all, text.bytes, text.size);
        wire_part_add(&all, "\0", 1);
    } else {
        wire_part_add(&all, "\xc0\0", 2); /* a ping: ready when it is answered */
    }
    return buf_try_append(out, slice_of(all.bytes, all.size));
}

static ssize_t mqtt_other(struct slice in, struct wire_event *event)
{
    if (in.size < 2)
        return 0;
    if (in.data[1] > 3)
        return -1; /* longer than any answer that we expect */
    if (in.size < 2u + in.data[1])
        return 0;
    switch (in.data[0]) {
    case CONNACK:
        if (in.data[3] != 0)
            return -1;
        break;
    case SUBACK:
        if (in.data[4] != 0)
            return -1;
        event->is_ready = true;
        break;
    case PINGRESP:
        event->is_ready = true;
        break;
    default:
        return -1;
    }
    return 2 + in.data[1];
}

const struct wire wire_mqtt = {
    .name = "mqtt",
    .prepare = mqtt_prepare,
    .greet = mqtt_greet,
    .other = mqtt_other,
};
