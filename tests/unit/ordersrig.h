/* ordersrig.h - the API with nobody behind it: a test takes the orders, and says what
 * became of them. Its devices speak a dialect of one state. */
#pragma once

#include "apirig.h"

#define ORDERS_RIG_MAX 64

static struct {
    struct order *orders[ORDERS_RIG_MAX]; /* under way */
    unsigned count;
    struct session_ops ops;
    struct listener listeners[2]; /* the second one has devices */
} orders_rig;

/* ---- a dialect: the first byte of a body is the state ---- */

static inline void orders_rig_show(const void *conf, uint16_t message, uint8_t version,
                                   struct slice body, struct json *j)
{
    assert_string_equal(conf, "conf");
    json_open(j, '{');
    json_key(j, "of");
    json_uint(j, message);
    json_key(j, "version");
    json_uint(j, version);
    json_key(j, "size");
    json_uint(j, body.size);
    json_close(j, '}');
}

static inline int orders_rig_state(const void *conf, uint16_t message,
                                   struct slice body)
{
    (void)conf;
    (void)message;
    return body.size ? body.data[0] : -1;
}

static inline const char *orders_rig_state_word(const void *conf, uint8_t state)
{
    static const char *const words[] = {NULL,      "on",      "paused",
                                        "cooling", "standby", "ready"};

    (void)conf;
    return state < ARRAY_LEN(words) ? words[state] : NULL;
}

static const struct dialect orders_rig_dialect = {
    .protocol = PROTOCOL_DEVICE,
    .show = orders_rig_show,
    .state = orders_rig_state,
    .state_word = orders_rig_state_word,
};

/* ---- the engine ---- */

static inline void orders_rig_take(struct relay_group *g, struct order *o)
{
    assert_ptr_equal(g, &relay_rig.group);
    assert_ptr_equal(o->trip.inbox, http_inbox(api_rig.server));
    assert_true(orders_rig.count < ORDERS_RIG_MAX);
    orders_rig.orders[orders_rig.count++] = o;
}

/* The newest order. */
static inline struct order *orders_rig_last(void)
{
    assert_true(orders_rig.count > 0);
    return orders_rig.orders[orders_rig.count - 1];
}

/* It goes back, with what was set. */
static inline void orders_rig_give_back(void)
{
    struct order *o = orders_rig_last();

    orders_rig.count--;
    o->trip.done(&o->trip);
}

static inline void orders_rig_give_error(int rc)
{
    orders_rig_last()->rc = rc;
    orders_rig_give_back();
}

static inline struct ticket_view orders_rig_view(enum ticket_state state,
                                                 enum ticket_reason reason)
{
    struct ticket_view v = {.ticket = 0x9f1c02a45be08d13,
                            .listener = 1,
                            .state = (uint8_t)state,
                            .reason = (uint8_t)reason,
                            .name = "status",
                            .message = 0x1005,
                            .created_ms = 1763724360000,
                            .sendings = 1,
                            .found_state = -1};

    assert_int_equal(id_make(PROTOCOL_DEVICE, slice_of("T9000010", 8), &v.device), OK);
    return v;
}

static inline void orders_rig_answer(struct ticket_view *v, const char *bytes,
                                     size_t size)
{
    v->has_answer = true;
    v->answer_message = 0x1005;
    v->answer_serial = 2;
    assert_int_equal(buf_try_append(&v->answer, slice_of(bytes, size)), OK);
}

static inline void orders_rig_end_with(enum ticket_state state,
                                       enum ticket_reason reason)
{
    orders_rig_last()->view = orders_rig_view(state, reason);
    orders_rig_give_back();
}

/* The device said that. */
static inline void orders_rig_end_answered(const char *bytes, size_t size)
{
    struct order *o = orders_rig_last();

    o->view = orders_rig_view(TICKET_ANSWERED, TICKET_BY_NONE);
    orders_rig_answer(&o->view, bytes, size);
    orders_rig_give_back();
}

static inline int orders_rig_begin(void **state)
{
    (void)state;
    memset(&orders_rig, 0, sizeof(orders_rig));
    api_rig.order = orders_rig_take;
    api_rig_begin(100);
    orders_rig.ops = ttms_ops;
    orders_rig.ops.dialect = &orders_rig_dialect;
    orders_rig.listeners[0] = relay_rig.listener;
    orders_rig.listeners[1] = (struct listener){.name = "devices",
                                                .ops = &orders_rig.ops.conn,
                                                .conf = "conf",
                                                .index = 1};
    api_rig.api->conf.listeners = orders_rig.listeners;
    api_rig.api->conf.listener_count = 2;
    return 0;
}

static inline int orders_rig_end(void **state)
{
    (void)state;
    return api_rig_end();
}
