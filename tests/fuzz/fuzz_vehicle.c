/* Vehicle terminals that register, prove who they are or only claim it, and send
 * anything, in any pieces, while they are asked and others come and go. The input is a
 * list of actions: who, what, and for some of them how many of the following bytes.
 *
 * What a terminal hears must be whole frames, well made. Nobody who has not shown a
 * token of an id is connected as that one, is asked anything, or leaves a trace in the
 * registry or the journal. What was acknowledged outlives a kill: a report, and that an
 * id is somebody's. Each order comes back once. */
#include "../unit/relayrig.h"
#include "base/log.h"
#include "hearing.h"
#include "codec/jt808.h"
#include "command/commands.h"
#include "session/device.h"
#include "session/vehicle_inside.h"

#define TERMINALS 4
#define PHONES    6
#define ORDERS    8
#define FULL_BODY 2500

enum {
    SEND,
    TELL,
    REGISTER,
    PROVE,
    ANSWER,
    PACKAGE,
    READ,
    DROP,
    TURN,
    ASK,
    LOOK,
    FULL,
    REVOKE,
    ACTIONS
};

struct peer {
    int fd;         /* -1: not connected */
    in_port_t port; /* of this connection alone */
    uint8_t phone;
    bool is_2019;
    bool is_late; /* a token was revoked since it came; may hear of what was before */
    struct hearing hearing;
    uint16_t asked, serial; /* the newest command; 0: none */
    uint16_t said;          /* serial of its newest message */
};

static struct peer peers[TERMINALS];
static struct order orders[ORDERS];
static struct inbox orders_back;
static uint64_t ticket; /* the newest that was told of */
static struct device_settings settings;
static struct listener listener;
static in_port_t ports;

/* Bits of phones. */
static uint8_t may_be[UINT16_MAX + 1]; /* by port: it has shown a token, still good */
static uint8_t was[UINT16_MAX + 1];    /* ... of old, too */
static uint8_t ever;                   /* somebody has */
static uint8_t told;                   /* ... and was told that it was good */
static uint8_t on_list;                /* that may register */

/* Newest and previous; those that were revoked. */
static char tokens[PHONES][3][TOKEN_SIZE];
/* Serials of reports. */
static bool reported[UINT16_MAX + 1], acknowledged[UINT16_MAX + 1];
static uint64_t read_to;

/* ---- what must be so ---- */

/* Of one whose token somebody may have; PHONES: of another one. */
static unsigned phone_of(const struct id *id)
{
    static const char all[] = "1390000000";
    unsigned n = (unsigned)(id->text[id->length - 1] - '0');

    if (id->length != sizeof(all) || memcmp(id->text, all, sizeof(all) - 1) != 0)
        return PHONES;
    return n < PHONES ? n : PHONES;
}

static struct id id_called(unsigned n)
{
    char text[] = "13900000000";
    struct id id;
    int rc;

    text[sizeof(text) - 2] = (char)('0' + n);
    rc = id_make(PROTOCOL_JT808, slice_of(text, sizeof(text) - 1), &id);
    assert(rc == OK);
    return id;
}

static bool is_in(uint8_t phones, const struct id *id)
{
    return id->protocol == PROTOCOL_JT808 && phones >> phone_of(id) & 1;
}

static bool note_event(void *user, const struct event *e)
{
    (void)user;
    read_to = e->cursor;
    assert(is_in(ever, &e->device));
    if (e->kind == EVENT_REPORT)
        reported[e->serial] = true;
    return true;
}

static void check_journal(void)
{
    int rc = journal_read(relay_rig.journal, read_to, note_event, NULL);

    assert(rc == OK);
}

static void check_conn(const struct conn *c)
{
    const struct device_session *s = device_session_of(c);
    struct id id;

    if (c->moved || conn_is_closing(c))
        return;
    assert(!s->self == !(s->vehicle && s->vehicle->credential));
    if (!s->self)
        return;
    id = device_id(&s->self->device);
    assert(is_in(may_be[c->peer_port], &id));
}

static void check_shard(unsigned i)
{
    const struct registry *all = &relay_rig.relays[i].terminals;

    for (struct device *d = NULL; (d = registry_next(all, d));) {
        struct id id = device_id(d);

        assert(is_in(ever, &id));
    }
    for (uint32_t slot = 0; slot < relay_rig.shards[i].table_size; slot++) {
        struct conn *c = shard_conn_at(&relay_rig.shards[i], slot);

        if (c)
            check_conn(c);
    }
}

static void check(void)
{
    check_journal();
    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        check_shard(i);
}

/* ---- terminals hear ---- */

static struct id id_in(const struct device_frame *f)
{
    struct id id;
    int rc = device_id_text(&f->head, PROTOCOL_JT808, &id);

    assert(rc == OK);
    return id;
}

static void on_registered(const struct device_frame *f)
{
    struct id id = id_in(f);
    unsigned n = phone_of(&id);

    assert(f->body.size == 3 || f->body.size == 3 + TOKEN_SIZE);
    assert((f->body.data[2] == 0) == (f->body.size > 3));
    if (f->body.size == 3)
        return;
    assert(is_in(on_list | ever, &id) || on_list == UINT8_MAX);
    if (n == PHONES)
        return;
    memcpy(tokens[n][1], tokens[n][0], TOKEN_SIZE);
    memcpy(tokens[n][0], f->body.data + 3, TOKEN_SIZE);
}

static bool is_report(uint16_t message)
{
    return message != JT808_HEARTBEAT && message != JT808_LOG_OUT &&
           message != JT808_ASK_TIME && message != JT808_ASK_PACKAGES &&
           message != JT808_REGISTER && message != JT808_AUTHENTICATE;
}

static void on_answered(const struct peer *p, const struct device_frame *f)
{
    struct jt808_answer a;
    struct id id = id_in(f);
    int rc = jt808_read_answer(f->body, &a);

    assert(rc == OK);
    if (a.message == JT808_AUTHENTICATE && a.result == JT808_RESULT_OK && !p->is_late)
        told |= (uint8_t)(may_be[p->port] & 1u << phone_of(&id));
    if (is_report(a.message) &&
        (a.result == JT808_RESULT_OK || a.result == JT808_RESULT_UNSUPPORTED))
        acknowledged[a.serial] = true;
}

static void on_heard(void *user, const struct device_frame *f)
{
    struct peer *p = user;
    struct id id = id_in(f);

    switch (f->message) {
    case JT808_REGISTER_ANSWER:
        on_registered(f);
        break;
    case JT808_PLATFORM_ANSWER:
        on_answered(p, f);
        break;
    default: /* for nobody but the one whose id it has */
        assert(is_in(was[p->port], &id));
        if (f->message == JT808_RESEND_PACKAGES || f->message == JT808_TIME)
            break;
        p->asked = f->message;
        p->serial = f->serial;
    }
}

static void hear_some(struct peer *p, size_t most)
{
    hear(&p->hearing, p->fd, most, DEVICE_ID_JT808, on_heard, p);
}

/* ---- terminals speak ---- */

static void enter(struct peer *p, uint8_t how)
{
    p->port = ++ports;
    may_be[p->port] = was[p->port] = 0;
    p->is_2019 = how & 2;
    p->fd = relay_rig_accept(how % RELAY_SHARDS, &listener, p->port);
}

static void drop(struct peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    buf_fini(&p->hearing.rest);
    *p = (struct peer){.fd = -1, .phone = p->phone};
}

static void say(struct peer *p, uint16_t message, uint16_t total, uint16_t number,
                struct slice body)
{
    size_t size = p->is_2019 ? DEVICE_ID_BYTES : 6;
    struct device_head head = {.form = p->is_2019 ? DEVICE_ID_BCD10 : DEVICE_ID_BCD6,
                               .version = p->is_2019};
    struct buf wire = {0};
    int rc;

    head.id[size - 6] = 0x01;
    head.id[size - 5] = 0x39;
    head.id[size - 1] = p->phone;
    rc = device_encode(&head, message, ++p->said, total, number, body, &wire);
    assert(rc == OK);
    (void)!send(p->fd, buf_peek(&wire).data, buf_used(&wire),
                MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_fini(&wire);
}

static void say_whole(struct peer *p, uint16_t message, const void *data, size_t size)
{
    say(p, message, 0, 0, slice_of(data, size));
}

/* `how`: whose token, and which. */
static void prove(struct peer *p, uint8_t how)
{
    unsigned whose = how & 64 ? how % PHONES : p->phone;
    const char *token = tokens[whose][how / 8 % 8 < 3 ? how / 8 % 8 : 0];
    char body[1 + TOKEN_SIZE + 35] = {TOKEN_SIZE};

    if (whose == p->phone && *token && token != tokens[whose][2]) {
        may_be[p->port] |= (uint8_t)(1u << whose);
        was[p->port] |= may_be[p->port];
        ever |= may_be[p->port];
    }
    memcpy(body + 1, token, TOKEN_SIZE);
    if (p->is_2019)
        say_whole(p, JT808_AUTHENTICATE, body, sizeof(body));
    else
        say_whole(p, JT808_AUTHENTICATE, body + 1, TOKEN_SIZE);
}

static void answer(struct peer *p, uint8_t how)
{
    uint16_t serial = (uint16_t)(p->serial + how / 64);
    uint8_t body[28 + 2] = {(uint8_t)(serial >> 8), (uint8_t)serial,
                            (uint8_t)(p->asked >> 8), (uint8_t)p->asked, how % 4};

    switch (how / 8 % 4) {
    case 0:
        say_whole(p, JT808_TERMINAL_ANSWER, body, 5);
        break;
    case 1:
        say_whole(p, jt808_answer_to(p->asked), body, sizeof(body));
        break;
    case 2: /* these packages again */
        body[2] = 0;
        body[3] = 2;
        body[4] = body[6] = 0;
        body[5] = 1;
        body[7] = how % 4;
        say_whole(p, JT808_ASK_PACKAGES, body, 8);
        break;
    case 3:
        say_whole(p, how & 1 ? JT808_ASK_TIME : JT808_LOG_OUT, NULL, 0);
        break;
    }
}

static void send_package(struct peer *p, uint8_t how)
{
    p->said = (uint16_t)(100 + how / 4 % 8);
    say(p, how & 32 ? JT808_REGISTER : JT808_BATCH, (uint16_t)(2 + how % 4),
        how / 4 % 8, slice_of("part", 4));
}

/* ---- the API ---- */

static void take_back(void)
{
    for (struct parcel *p = inbox_take(&orders_back), *next; p; p = next) {
        next = p->next;
        p->open(p, NULL);
    }
}

static void revocation_done(struct trip *t)
{
    const struct revocation *v = CONTAINER_OF(t, struct revocation, trip);

    assert(t->inbox && v->rc <= OK);
    t->inbox = NULL; /* it is ours again */
}

/* Whatever was under way goes on meanwhile, but nobody hears of it. */
static void revoke_token(unsigned n)
{
    struct revocation v = {.trip = {.inbox = &orders_back, .done = revocation_done}};

    v.id = id_called(n);
    vehicles_revoke(&relay_rig.group, &v);
    relay_rig_settle();
    take_back();
    assert(!v.trip.inbox);
    if (v.rc == ERR_NOTFOUND)
        return;
    memcpy(tokens[n][2], tokens[n][0], TOKEN_SIZE);
    memset(tokens[n], 0, 2 * TOKEN_SIZE);
    for (unsigned port = 0; port <= ports; port++)
        may_be[port] &= (uint8_t) ~(1u << n);
    for (int i = 0; i < TERMINALS; i++)
        peers[i].is_late = true;
    told &= (uint8_t) ~(1u << n);
}

static void order_done(struct trip *t)
{
    struct order *o = CONTAINER_OF(t, struct order, trip);

    assert(o->trip.inbox && o->rc <= OK);
    if (o->rc == OK && o->kind != ORDER_LIST) {
        assert(o->view.ticket && o->view.state >= TICKET_QUEUED);
        ticket = o->view.ticket;
    }
    buf_fini(&o->view.answer);
    for (size_t i = 0; i < o->count; i++)
        buf_fini(&o->views[i].answer);
    free(o->views);
    o->trip.inbox = NULL; /* it is ours again */
}

static void order(struct order *o, uint8_t phone)
{
    o->id_count = 1;
    o->wait_ms = 1000000;
    o->trip.inbox = &orders_back;
    o->trip.done = order_done;
    o->ids[0] = id_called(phone % PHONES);
    commands_order(&relay_rig.group, o);
}

static void ask(uint8_t how, uint8_t phone)
{
    static const char *const names[] = {"query_location", "query_attributes",
                                        "query_parameters", "dance"};
    static const uint8_t body[FULL_BODY];
    struct order *o = &orders[how % ORDERS];

    if (o->trip.inbox)
        return; /* on its way */
    *o = (struct order){.kind = ORDER_CREATE,
                        .ttl_ms = how & 8 ? 1000000 : 0,
                        .supersedes = how & 16};
    if (how & 32) {
        o->command.message = JT808_TEXT;
        o->command.args = slice_of(body, how & 64 ? FULL_BODY : 1);
    } else {
        strcpy(o->command.name, names[how / 64]);
    }
    order(o, phone);
}

static void look(uint8_t how, uint8_t phone)
{
    static const uint8_t kinds[] = {ORDER_SHOW, ORDER_CANCEL, ORDER_LIST};
    struct order *o = &orders[how % ORDERS];

    if (o->trip.inbox)
        return;
    *o = (struct order){.kind = kinds[how / 8 % 3], .ticket = ticket};
    order(o, phone);
}

/* ---- the disk ---- */

static void spoil(uint8_t how)
{
    const struct store_kind *kind = how & 2 ? &journal_store : &ledger_store;

    store_mem_set_full(kind, how & 1);
    store_mem_fail(kind, MEM_COMMIT, 1, how & 4 ? 1 + how / 64 : 0, ERR_IO);
}

/* ---- the input ---- */

/* Returns how many bytes of the input it used. */
static size_t act(const uint8_t *data, size_t size)
{
    struct peer *p = &peers[data[0] % TERMINALS];
    uint8_t more = data[0] / (TERMINALS * ACTIONS);
    uint8_t arg = data[1];

    if (p->fd < 0)
        enter(p, arg);
    switch (data[0] / TERMINALS % ACTIONS) {
    case SEND:
        if (arg > size - 2)
            arg = (uint8_t)(size - 2);
        (void)!send(p->fd, data + 2, arg, MSG_NOSIGNAL | MSG_DONTWAIT);
        return 2u + arg;
    case TELL: /* a message and its body */
        if (arg > size - 2)
            arg = (uint8_t)(size - 2);
        if (arg >= 2)
            say_whole(p, (uint16_t)(data[2] << 8 | data[3]), data + 4, arg - 2u);
        return 2u + arg;
    case REGISTER:
        p->phone = arg % PHONES;
        p->said -= arg / 64 % 2; /* the same message again */
        say_whole(p, JT808_REGISTER, "x", 1);
        break;
    case PROVE:
        prove(p, arg);
        break;
    case ANSWER:
        answer(p, arg);
        break;
    case PACKAGE:
        send_package(p, arg);
        break;
    case READ:
        hear_some(p, arg * 16u);
        break;
    case DROP:
        drop(p);
        break;
    case TURN:
        relay_rig_turn();
        take_back();
        check();
        break;
    case ASK:
        ask(arg, more + p->phone);
        break;
    case LOOK:
        look(arg, more + p->phone);
        break;
    case FULL:
        spoil(arg);
        break;
    case REVOKE:
        revoke_token(arg % PHONES);
        break;
    }
    return 2;
}

static void set_up(uint8_t how)
{
    settings = (struct device_settings){
        .common.commands = {.in_flight = how & 1 ? 3 : 1, .retry_ms = 1000000},
        .framing = device_framing(DEVICE_ID_JT808),
        .form = DEVICE_ID_JT808,
        .packages = {.max_groups = 2,
                     .max_bytes = 4096,
                     .max_age_ms = 60000,
                     .ask_after_ms = how & 2 ? 0 : 60000,
                     .max_asks = 2},
        .registration = how & 4 ? REGISTRATION_LIST : REGISTRATION_OPEN,
    };
    if (how & 4 && id_list_new("13900000000\n13900000002", &settings.may_register) < 0)
        abort();
    on_list = how & 4 ? 1 | 1 << 2 : UINT8_MAX;
    listener = (struct listener){
        .name = "vehicles",
        .ops = &vehicle_ops.conn,
        .conf = &settings,
        .register_timeout_ms = 1000000,
        .read_timeout_ms = 1000000,
    };
    relay_rig_defaults();
    relay_rig.devices = &listener;
    relay_rig.device_count = 1;
    relay_rig.output_limit = 4096;
    if (how & 8)
        relay_rig.max_devices = 3;
    relay_rig_open();
    if (inbox_init(&orders_back) < 0)
        abort();
    ports = 0;
    ever = told = 0;
    ticket = read_to = 0;
    memset(orders, 0, sizeof(orders)); /* those of one that was killed are lost */
    memset(tokens, 0, sizeof(tokens));
    memset(acknowledged, 0, sizeof(acknowledged));
    for (int i = 0; i < TERMINALS; i++)
        peers[i] = (struct peer){.fd = -1};
}

/* Its id is taken: no stranger gets a token for it. */
static void check_taken(unsigned n)
{
    struct peer *p = &peers[0];

    enter(p, 0);
    p->phone = (uint8_t)n;
    memset(tokens[n], 0, sizeof(tokens[n]));
    say_whole(p, JT808_REGISTER, "x", 1);
    relay_rig_settle();
    hear_some(p, SIZE_MAX);
    assert(!*tokens[n][0]);
    drop(p);
}

/* What was kept is of the same terminals, and all that was promised. */
static void check_stores(void)
{
    memset(reported, 0, sizeof(reported));
    read_to = 0;
    relay_rig_open();
    check();
    for (unsigned serial = 0; serial <= UINT16_MAX; serial++)
        assert(reported[serial] || !acknowledged[serial]);
    for (unsigned n = 0; n < PHONES; n++)
        if (told >> n & 1)
            check_taken(n);
    relay_rig_close();
}

static void hear_all(void)
{
    for (int i = 0; i < TERMINALS; i++) {
        if (peers[i].fd >= 0)
            hear_some(&peers[i], SIZE_MAX);
        drop(&peers[i]);
    }
}

static void heal_disk(void)
{
    spoil(0);
    spoil(2);
}

static void end(void)
{
    relay_rig_settle();
    hear_all();
    heal_disk();
    relay_rig_settle();
    check();
    for (unsigned i = 0; i < RELAY_SHARDS; i++)
        commands_end(&relay_rig.relays[i]);
    relay_rig_settle();
    take_back();
    for (int i = 0; i < ORDERS; i++)
        assert(!orders[i].trip.inbox);
    relay_rig_close();
}

/* Some callers will never know. */
static void end_killed(void)
{
    hear_all();
    relay_rig_kill();
    heal_disk();
    relay_rig_close();
    take_back();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_setup(LOG_ERROR, 0);
    log_redirect(-1);
    if (size < 1)
        return 0;
    store_mem_wipe();
    set_up(data[0]);
    for (size_t at = 1; at + 2 <= size;)
        at += act(data + at, size - at);
    if (data[0] & 16)
        end_killed();
    else
        end();
    check_stores();
    inbox_fini(&orders_back);
    id_list_free(&settings.may_register);
    return 0;
}
