/* Terminals that send anything, in any pieces, while others come and go; if the first
 * byte says so, two of them are heartbeat clients. The input is a list of commands:
 * who, what, and for "send" how many of the following bytes. What a terminal receives
 * must be whole $TTMX frames with the right check byte, always; a client receives
 * nothing. */
#include "../unit/relayrig.h"
#include "base/log.h"

#define TERMINALS 4

enum { SEND, READ, DROP, TURN, BEAT, DATA, FULL, ACTIONS };

struct ear {
    int fd;         /* -1: not connected */
    bool is_client; /* of the heartbeat service */
    struct buf heard;
};

static struct ear ears[TERMINALS];

static void check_heard(struct ear *e)
{
    assert(!e->is_client);
    while (buf_used(&e->heard) >= TTMS_HEAD) {
        struct slice in = buf_peek(&e->heard);
        size_t size = (size_t)(in.data[5] << 8 | in.data[6]);
        uint8_t check = 0;

        assert(memcmp(in.data, "$TTMX", 5) == 0);
        if (size < TTMS_MIN_FRAME || in.size < size)
            return;
        for (size_t i = 0; i + 1 < size; i++)
            check ^= in.data[i];
        assert(check == in.data[size - 1]);
        buf_consume(&e->heard, size);
    }
}

static void hear_some(struct ear *e, size_t most)
{
    uint8_t bytes[1024];
    ssize_t n = recv(e->fd, bytes, most < sizeof(bytes) ? most : sizeof(bytes), 0);

    if (n <= 0)
        return;
    if (buf_try_append(&e->heard, slice_of(bytes, (size_t)n)) < 0)
        abort();
    check_heard(e);
}

static void drop(struct ear *e)
{
    if (e->fd >= 0)
        close(e->fd);
    e->fd = -1;
    buf_clear(&e->heard);
}

/* One of a few names, now and then a text that is none. */
static void report(struct ear *e, uint8_t name)
{
    uint8_t frame[64];
    int size = snprintf((char *)frame + 4, sizeof(frame) - 4,
                        "{\"ip\":\"%u\",\"status\":\"%s\"}", name % 8u,
                        name < 250 ? "alive" : "dead");

    put_u32(frame, (uint32_t)size);
    (void)!send(e->fd, frame, 4 + (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_formed(struct ear *e, enum ttms_command command, uint8_t address)
{
    uint8_t frame[64];
    size_t size = ttms_formed_size(4, TTMS_LENGTH_TOTAL);

    if (e->is_client) {
        report(e, address);
        return;
    }
    ttms_form(command, address % 8, slice_of("four", 4), TTMS_LENGTH_TOTAL, frame);
    (void)!send(e->fd, frame, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Returns how many bytes of the input it used. */
static size_t act(const uint8_t *data, size_t size)
{
    uint8_t who = data[0] % TERMINALS;
    uint8_t count = data[1];
    struct ear *e = &ears[who];
    const struct listener *l = e->is_client ? &relay_rig.clients : &relay_rig.listener;

    if (e->fd < 0)
        e->fd = relay_rig_accept(count % RELAY_SHARDS, l, count / 2 % 2);
    switch (data[0] / TERMINALS % ACTIONS) {
    case SEND:
        if (count > size - 2)
            count = (uint8_t)(size - 2);
        (void)!send(e->fd, data + 2, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        return 2u + count;
    case READ:
        hear_some(e, count);
        break;
    case DROP:
        drop(e);
        break;
    case TURN:
        relay_rig_turn();
        break;
    case BEAT:
        send_formed(e, TTMS_HEARTBEAT, count);
        break;
    case DATA:
        send_formed(e, TTMS_DATA, count);
        break;
    case FULL:
        store_mem_set_full(&mailbox_store, count & 1);
        break;
    }
    return 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_setup(LOG_ERROR, 0);
    log_redirect(-1);
    if (size < 1)
        return 0;
    store_mem_wipe();
    relay_rig_defaults();
    relay_rig.settings.receipts = data[0] & 1;
    relay_rig.settings.durable = data[0] & 2;
    relay_rig.settings.reply_heartbeats = data[0] & 4;
    relay_rig.settings.checksum = data[0] & 8 ? TTMS_CHECK_STRICT : TTMS_CHECK_WARN;
    relay_rig.settings.codec.max_frame = 4096;
    relay_rig.output_limit = 256;
    relay_rig.mail.max_messages = 20;
    /* Only where the length field is believed can the ears tell frames apart. */
    relay_rig.settings.codec.length = TTMS_LENGTH_TOTAL;
    relay_rig_open();
    for (int i = 0; i < TERMINALS; i++)
        ears[i] = (struct ear){.fd = -1, .is_client = i < 2 && data[0] & 16};
    for (size_t at = 1; at + 2 <= size;)
        at += act(data + at, size - at);
    relay_rig_settle();
    for (int i = 0; i < TERMINALS; i++) {
        if (ears[i].fd >= 0)
            hear_some(&ears[i], SIZE_MAX);
        drop(&ears[i]);
        buf_fini(&ears[i].heard);
    }
    store_mem_set_full(&mailbox_store, false);
    relay_rig_close();
    return 0;
}
