/* MQTT 3.1.1 at QoS 1, with sessions that outlive their connection. */
#include "mailing.h"

#include <stdio.h>

static void mqtt_add(uint8_t *packet, const void *bytes, size_t size)
{
    memcpy(packet + 2 + packet[1], bytes, size);
    packet[1] = (uint8_t)(packet[1] + size);
}

static void mqtt_add_name(uint8_t *packet, const char *prefix, unsigned number)
{
    char name[32];
    int size = snprintf(name, sizeof(name), "%s%05u", prefix, number);

    mqtt_add(packet, (uint8_t[]){0, (uint8_t)size}, 2);
    mqtt_add(packet, name, (size_t)size);
}

static int mqtt_say(struct buf *out, const uint8_t *packet)
{
    return buf_try_append(out, slice_of(packet, 2u + packet[1]));
}

static int mqtt_greet(struct mail_peer *p, struct buf *out)
{
    uint8_t clean = p->role == MAIL_SENDER ? 2 : 0;
    uint8_t connect[80] = {0x10}, subscribe[80] = {0x82};
    int rc;

    mqtt_add(connect, (uint8_t[]){0, 4, 'M', 'Q', 'T', 'T', 4, clean, 0, 0}, 10);
    mqtt_add_name(connect, p->role == MAIL_SENDER ? "s" : "t", p->number);
    if ((rc = mqtt_say(out, connect)) < 0 || p->role != MAIL_NEWCOMER)
        return rc;
    mqtt_add(subscribe, (uint8_t[]){0, 1}, 2);
    mqtt_add_name(subscribe, "mail/", p->number);
    mqtt_add(subscribe, (uint8_t[]){1}, 1);
    return mqtt_say(out, subscribe);
}

static int mqtt_put(struct mail_peer *p, unsigned terminal, const uint8_t *body,
                    struct buf *out)
{
    uint32_t id = p->count++ % 65535 + 1;
    uint8_t publish[128] = {0x32};

    mqtt_add_name(publish, "mail/", terminal);
    mqtt_add(publish, (uint8_t[]){(uint8_t)(id >> 8), (uint8_t)id}, 2);
    mqtt_add(publish, body, MAIL_BODY);
    return mqtt_say(out, publish);
}

static ssize_t mqtt_hear(struct mail_peer *p, struct slice in, struct mail_news *news,
                         struct buf *out)
{
    const uint8_t *at = in.data;
    size_t size;

    if (in.size < 2 || in.size < 2u + at[1])
        return 0;
    size = 2u + at[1];
    if (at[0] == 0x20 && size == 4 && at[3] == 0) { /* CONNACK */
        news->is_ready = p->role != MAIL_NEWCOMER;
    } else if (at[0] == 0x90 && size == 5 && at[4] == 1) { /* SUBACK */
        news->is_ready = true;
    } else if (at[0] == 0x40 && size == 4) { /* PUBACK */
        news->safe = 1;
    } else if ((at[0] & 0xf7) == 0x32 && size > 4 + MAIL_BODY) { /* PUBLISH */
        const uint8_t *id = at + size - MAIL_BODY - 2;

        news->body = at + size - MAIL_BODY;
        if (mqtt_say(out, (uint8_t[]){0x40, 2, id[0], id[1]}) < 0)
            return -1;
    } else {
        return -1;
    }
    return (ssize_t)size;
}

const struct mail_wire mail_wire_mqtt = {
    .name = "mqtt",
    .greet = mqtt_greet,
    .put = mqtt_put,
    .hear = mqtt_hear,
};
