/* Vending machines that send anything, in any pieces, while they are asked and others
 * come and go. The input is a list of actions: who, what, and for "send" how many of
 * the following bytes. What a machine hears must be whole frames, well made; each order
 * must come back once, and say what became of it. */
#include "../unit/relayrig.h"
#include "base/log.h"
#include "hearing.h"
#include "command/commands.h"
#include "session/device.h"

#define MACHINES 4
#define ORDERS   8

enum { SEND, SAY, ANSWER, READ, DROP, TURN, ASK, FULL, ACTIONS };

struct machine {
    int fd; /* -1: not connected */
    struct hearing hearing;
    uint16_t asked, serial; /* its newest command; 0: none */
};

static struct machine machines[MACHINES];
static struct order orders[ORDERS];
static struct inbox orders_back;
static struct device_settings settings;
static struct listener listener;

/* ---- machines ---- */

static void on_heard(void *user, const struct device_frame *f)
{
    struct machine *m = user;

    if (f->message == profile_vending.login || f->message == profile_vending.heartbeat)
        assert(f->body.size == 1 && f->body.data[0] == 0);
    m->asked = f->message;
    m->serial = f->serial;
}

static void hear_some(struct machine *m, size_t most)
{
    hear(&m->hearing, m->fd, most, DEVICE_ID_ASCII8, on_heard, m);
}

static void drop(struct machine *m)
{
    if (m->fd >= 0)
        close(m->fd);
    buf_fini(&m->hearing.rest);
    *m = (struct machine){.fd = -1};
}

static void say(const struct machine *m, uint8_t name, uint16_t message,
                uint16_t serial, bool in_packages)
{
    struct device_head head = {.form = DEVICE_ID_ASCII8, .id = "MACHINE"};
    static const uint8_t state[4] = {0, 0, 0, 5};
    struct buf wire = {0};
    int rc;

    head.id[7] = 'a' + name % 6;
    rc = device_encode(&head, message, serial, in_packages ? 2 : 0,
                       in_packages ? 1 + (name & 1) : 0, slice_of(state, 4), &wire);
    assert(rc == OK);
    (void)!send(m->fd, buf_peek(&wire).data, buf_used(&wire),
                MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_fini(&wire);
}

/* ---- orders ---- */

static void order_done(struct trip *t)
{
    struct order *o = CONTAINER_OF(t, struct order, trip);

    assert(o->trip.inbox && (o->rc <= OK));
    if (o->rc == OK)
        assert(o->view.ticket && o->view.state >= TICKET_QUEUED);
    buf_fini(&o->view.answer);
    o->trip.inbox = NULL; /* it is ours again */
}

static void take_back(void)
{
    for (struct parcel *p = inbox_take(&orders_back), *next; p; p = next) {
        next = p->next;
        p->open(p, NULL);
    }
}

static void ask(uint8_t how, uint8_t name)
{
    static const char *const commands[] = {"status", "turn_on", "restart", "dance"};
    struct order *o = &orders[how % ORDERS];
    char text[] = "MACHINEA";

    if (o->trip.inbox)
        return; /* on its way */
    text[7] = (char)('A' + name % 6);
    *o = (struct order){
        .kind = ORDER_CREATE,
        .id_count = 1,
        .wait_ms = 1000000,
        .ttl_ms = how & 8 ? 1000000 : 0,
        .supersedes = how & 16,
        .trip = {.inbox = &orders_back, .done = order_done},
    };
    if (id_make(PROTOCOL_DEVICE, slice_of(text, 8), &o->ids[0]) < 0)
        abort();
    strcpy(o->command.name, commands[how / 32 % 4]);
    if (how & 128)
        strcpy(o->only_if, "ready");
    commands_order(&relay_rig.group, o);
}

/* ---- the input ---- */

/* Returns how many bytes of the input it used. */
static size_t act(const uint8_t *data, size_t size)
{
    static const uint16_t said[] = {0x1001, 0x1002, 0x1003, 0x1005};
    struct machine *m = &machines[data[0] % MACHINES];
    uint8_t arg = data[1];

    if (m->fd < 0)
        m->fd = relay_rig_accept(arg % RELAY_SHARDS, &listener, 0);
    switch (data[0] / MACHINES % ACTIONS) {
    case SEND:
        if (arg > size - 2)
            arg = (uint8_t)(size - 2);
        (void)!send(m->fd, data + 2, arg, MSG_NOSIGNAL | MSG_DONTWAIT);
        return 2u + arg;
    case SAY:
        say(m, arg, said[arg / 8 % ARRAY_LEN(said)], arg, arg & 128);
        break;
    case ANSWER:
        say(m, arg, m->asked, (uint16_t)(m->serial + arg / 64), false);
        break;
    case READ:
        hear_some(m, arg);
        break;
    case DROP:
        drop(m);
        break;
    case TURN:
        relay_rig_turn();
        take_back();
        break;
    case ASK:
        ask(arg, data[0] / (MACHINES * ACTIONS));
        break;
    case FULL:
        store_mem_set_full(&ledger_store, arg & 1);
        break;
    }
    return 2;
}

static void open_rig(uint8_t how)
{
    settings = (struct device_settings){
        .common.commands = {.in_flight = how & 1 ? 3 : 1, .retry_ms = 1000000},
        .framing = device_framing(DEVICE_ID_ASCII8),
        .form = DEVICE_ID_ASCII8,
        .packages = {.max_groups = 2, .max_bytes = 4096, .max_age_ms = 60000},
        .profile = profile_vending,
    };
    listener = (struct listener){
        .name = "machines",
        .ops = &device_ops.conn,
        .conf = &settings,
        .register_timeout_ms = 1000000,
        .read_timeout_ms = 1000000,
    };
    relay_rig_defaults();
    relay_rig.devices = &listener;
    relay_rig.device_count = 1;
    relay_rig.output_limit = 256;
    relay_rig_open();
    if (inbox_init(&orders_back) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_setup(LOG_ERROR, 0);
    log_redirect(-1);
    if (size < 1)
        return 0;
    store_mem_wipe();
    open_rig(data[0]);
    for (int i = 0; i < MACHINES; i++)
        machines[i] = (struct machine){.fd = -1};
    for (size_t at = 1; at + 2 <= size;)
        at += act(data + at, size - at);
    relay_rig_settle();
    for (int i = 0; i < MACHINES; i++) {
        if (machines[i].fd >= 0)
            hear_some(&machines[i], SIZE_MAX);
        drop(&machines[i]);
    }
    store_mem_set_full(&ledger_store, false);
    relay_rig_settle();
    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        commands_end(&relay_rig.relays[i]);
    relay_rig_settle();
    take_back();
    for (int i = 0; i < ORDERS; i++)
        assert(!orders[i].trip.inbox);
    relay_rig_close();
    inbox_fini(&orders_back);
    return 0;
}
