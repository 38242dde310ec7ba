/* Relay frames, to a listener with receipts that sends heartbeats back. */
#include "mailing.h"

#define TTMS_HEAD     12
#define TTMS_TERMINAL 0x20000000u
#define TTMS_SENDER   0x10000000u

static int ttms_say(struct buf *out, uint32_t address, uint8_t command,
                    const uint8_t *content, size_t size)
{
    uint8_t f[TTMS_HEAD + MAIL_BODY + 1] = "$TTMS";
    size_t all = TTMS_HEAD + size + 1;

    f[6] = (uint8_t)all;
    for (int i = 0; i < 4; i++)
        f[7 + i] = (uint8_t)(address >> (24 - 8 * i));
    f[11] = command;
    memcpy(f + TTMS_HEAD, content, size);
    for (size_t i = 0; i < all - 1; i++)
        f[all - 1] ^= f[i];
    return buf_try_append(out, slice_of(f, all));
}

static int ttms_greet(struct mail_peer *p, struct buf *out)
{
    uint32_t base = p->role == MAIL_SENDER ? TTMS_SENDER : TTMS_TERMINAL;

    return ttms_say(out, base + p->number, 0x01, (const uint8_t[4]){0}, 4);
}

static int ttms_put(struct mail_peer *p, unsigned terminal, const uint8_t *body,
                    struct buf *out)
{
    (void)p;
    return ttms_say(out, TTMS_TERMINAL + terminal, 0xaa, body, MAIL_BODY);
}

/* A receipt speaks for all messages up to its number. */
static ssize_t ttms_hear(struct mail_peer *p, struct slice in, struct mail_news *news,
                         struct buf *out)
{
    size_t size = in.size > 6 ? in.data[6] : 7;
    uint32_t upto = 0;

    (void)out;
    if (in.size < size || in.size <= 6)
        return 0;
    if (!mail_begins(in, "$TTMX") || size < TTMS_HEAD + 1)
        return -1;
    if (in.data[11] == 0x01) {
        news->is_ready = true;
    } else if (in.data[11] == 0xaa && size == TTMS_HEAD + MAIL_BODY + 1) {
        news->body = in.data + TTMS_HEAD;
    } else if (in.data[11] == 0x02) {
        for (int i = 0; i < 4; i++)
            upto = upto << 8 | in.data[TTMS_HEAD + i];
        news->safe = upto - p->count;
        p->count = upto;
    } else {
        return -1;
    }
    return (ssize_t)size;
}

const struct mail_wire mail_wire_ttms = {
    .name = "ttms",
    .greet = ttms_greet,
    .put = ttms_put,
    .hear = ttms_hear,
};
