/* Commands over HTTP: a request becomes an order, what came of it an answer. */
#include "http/body.h"
#include "http/calls.h"
#include "ordersrig.h"

#define AT   "/api/v1/devices/T9000010/commands"
#define JSON "application/json"

static unsigned post(const char *target, const char *body)
{
    return http_rig_post(target, JSON, slice_of(body, strlen(body)));
}

static void assert_answer(unsigned n, unsigned status, const char *type)
{
    if (http_rig_status(n) != status || !strstr(http_rig_body(n), type))
        fail_msg("%u %s instead of %u %s", http_rig_status(n), http_rig_body(n), status,
                 type);
}

/* ---- from the request to the order ---- */

static void a_command_becomes_an_order(void **state)
{
    struct order *o;

    (void)state;
    post(AT, "{\"command\": \"status\"}");
    o = orders_rig_last();
    assert_int_equal(o->kind, ORDER_CREATE);
    assert_int_equal(o->id_count, 2);
    assert_int_equal(o->ids[0].protocol, PROTOCOL_DEVICE);
    assert_int_equal(o->ids[1].protocol, PROTOCOL_JT808);
    assert_memory_equal(o->ids[1].text, "T9000010", 9);
    assert_string_equal(o->command.name, "status");
    assert_int_equal(o->command.args.size, 0);
    assert_int_equal(o->wait_ms, 5000);
    assert_int_equal(o->ttl_ms, 0);
    assert_string_equal(o->key, "");
    assert_string_equal(o->only_if, "");
    orders_rig_end_answered("\5", 1);
}

static void all_that_may_be_said_of_a_command_arrives(void **state)
{
    const char *const headers[] = {"Content-Type", "Application/JSON; charset=utf-8",
                                   "Idempotency-Key", "order 66", NULL};
    const char *body =
        "{\"command\":\"text\",\"args\":{\"text\":\"\\u4f60\",\"n\":[1]},"
        "\"not_before\":\"2026-11-21T11:20:40Z\","
        "\"not_after\":\"2026-11-21T11:20:41Z\","
        "\"only_if\":\"ready\",\"supersede\":true}";
    struct http_request q = {.method = HTTP_POST, .body = slice_of(body, strlen(body))};
    struct order *o;

    (void)state;
    http_rig_send(q, AT "?wait=250ms&ttl=10m&protocol=jt808", headers);
    o = orders_rig_last();
    assert_int_equal(o->id_count, 1);
    assert_int_equal(o->ids[0].protocol, PROTOCOL_JT808);
    assert_int_equal(o->wait_ms, 250);
    assert_int_equal(o->ttl_ms, 600000);
    assert_string_equal(o->key, "order 66");
    assert_int_equal(o->not_before_ms, 1795260040000);
    assert_int_equal(o->not_after_ms, 1795260041000);
    assert_string_equal(o->only_if, "ready");
    assert_true(o->supersedes);
    assert_int_equal(o->command.args.size, 22);
    assert_memory_equal(o->command.args.data, "{\"text\":\"\344\275\240\",\"n\":[1]}",
                        22);
    orders_rig_give_error(ERR_NOMEM);
}

static void a_raw_message_is_told_by_number_or_by_digits(void **state)
{
    struct order *o;

    (void)state;
    post(AT, "{\"message_id\": 33029, \"body\": \"04fF\"}");
    o = orders_rig_last();
    assert_string_equal(o->command.name, "");
    assert_int_equal(o->command.message, 0x8105);
    assert_int_equal(o->command.args.size, 2);
    assert_memory_equal(o->command.args.data, "\x04\xff", 2);
    orders_rig_give_error(ERR_NOMEM);
    post(AT, "{\"message_id\": \"8105\"}");
    assert_int_equal(orders_rig_last()->command.message, 0x8105);
    assert_int_equal(orders_rig_last()->command.args.size, 0);
    orders_rig_give_error(ERR_NOMEM);
}

static const struct {
    const char *body, *why;
} bad_bodies[] = {
    {"", "the body is empty"},
    {"{", "not JSON: line 1"},
    {"[]", "must be a JSON object"},
    {"\"status\"", "not JSON"},
    {"{\"command\":\"status\"} x", "not JSON"},
    {"{\"command\":\"st\xff\"}", "not JSON"},
    {"{\"command\":\"st\xc0\xaf\"}", "not JSON"},
    {"{\"command\":\"st\xed\xa0\x80\"}", "not JSON"},
    {"{\"command\":\"a\\u0000b\"}", "not JSON"},
    {"{\"command\":\"a\\nb\"}", "`command` must be the name of a command"},
    {"{\"command\":\"status\",\"command\":\"status\"}", "duplicate"},
    {"{\"command\":\"text\",\"args\":{\"a\":1,\"a\":2}}", "duplicate"},
    {"{}", "either `command` or `message_id`"},
    {"{\"command\":\"status\",\"message_id\":1}", "either `command` or `message_id`"},
    {"{\"command\":\"status\",\"colour\":1}", "a member `colour`"},
    {"{\"command\":5}", "`command` must be the name"},
    {"{\"command\":\"\"}", "`command` must be the name"},
    {"{\"command\":null}", "`command` must be the name"},
    {"{\"command\":\"12345678901234567890123456789012\"}",
     "`command` must be the name"},
    {"{\"command\":\"status\",\"args\":[]}", "`args` must be an object"},
    {"{\"command\":\"status\",\"args\":null}", "`args` must be an object"},
    {"{\"command\":\"status\",\"body\":\"00\"}", "`body` belongs to a `message_id`"},
    {"{\"message_id\":1,\"args\":{}}", "`args` belongs to a `command`"},
    {"{\"message_id\":-1}", "`message_id` must be a number from 0 to 65535"},
    {"{\"message_id\":65536}", "`message_id` must be"},
    {"{\"message_id\":1.0}", "`message_id` must be"},
    {"{\"message_id\":1e999}", "not JSON"},
    {"{\"message_id\":99999999999999999999}", "not JSON"},
    {"{\"message_id\":true}", "`message_id` must be"},
    {"{\"message_id\":\"810\"}", "`message_id` must be"},
    {"{\"message_id\":\"0x81\"}", "`message_id` must be"},
    {"{\"message_id\":\"81055\"}", "`message_id` must be"},
    {"{\"message_id\":1,\"body\":\"0\"}", "`body` must be hex digits, an even number"},
    {"{\"message_id\":1,\"body\":\"0g\"}", "`body` must be hex digits"},
    {"{\"message_id\":1,\"body\":\"00 0\"}", "`body` must be hex digits"},
    {"{\"message_id\":1,\"body\":7}", "`body` must be hex digits"},
    {"{\"message_id\":1,\"supersede\":true}", "`supersede` is about commands"},
    {"{\"command\":\"status\",\"supersede\":1}", "`supersede` must be true or false"},
    {"{\"command\":\"status\",\"only_if\":\"\"}", "`only_if` must be the name"},
    {"{\"command\":\"status\",\"not_before\":\"now\"}", "`not_before` must be a time"},
    {"{\"command\":\"status\",\"not_after\":1763724360}", "`not_after` must be a time"},
    {"{\"command\":\"status\",\"not_before\":\"2026-11-21T11:20:41Z\","
     "\"not_after\":\"2026-11-21T11:20:40Z\"}",
     "`not_after` is before `not_before`"},
};

static void a_body_that_says_no_command_is_refused_and_told_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_bodies); i++) {
        unsigned n = post(AT, bad_bodies[i].body);

        assert_int_equal(orders_rig.count, 0);
        assert_answer(n, 400, "bad-request");
        assert_answer(n, 400, bad_bodies[i].why);
        assert_int_equal(api_rig.api->calls.length, 0);
    }
}

static void deep_and_long_bodies_do_no_harm(void **state)
{
    static char body[65536];

    (void)state;
    memset(body, '[', sizeof(body));
    assert_answer(http_rig_post(AT, JSON, slice_of(body, sizeof(body))), 400, "depth");
    memset(body, ' ', sizeof(body));
    assert_answer(http_rig_post(AT, JSON, slice_of(body, sizeof(body))), 400,
                  "not JSON");
    memset(body, '0', sizeof(body));
    memcpy(body, "{\"message_id\":1,\"body\":\"", 24);
    memcpy(body + sizeof(body) - 2, "\"}", 2);
    http_rig_post(AT, JSON, slice_of(body, sizeof(body)));
    assert_int_equal(orders_rig_last()->command.args.size, (sizeof(body) - 26) / 2);
    orders_rig_give_error(ERR_NOMEM);
}

/* Numbers may be longer when they are written again. */
static void arguments_stay_within_their_bound(void **state)
{
    static char body[60000] = "{\"command\":\"a\",\"args\":{\"a\":[0.1";
    size_t size = strlen(body);

    (void)state;
    while (size < sizeof(body) - 16)
        size += (size_t)snprintf(body + size, sizeof(body) - size, ",0.1");
    memcpy(body + size, "]}}", 3);
    assert_answer(http_rig_post(AT, JSON, slice_of(body, size + 3)), 400,
                  "`args` must");
}

static void only_json_is_taken(void **state)
{
    static const char *const types[] = {NULL, "text/plain", "application/jsonp",
                                        "application/x-www-form-urlencoded"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        assert_answer(http_rig_post(AT, types[i],
                                    slice_of("{\"command\":\"status\"}", 20)),
                      415, "media-type");
    assert_int_equal(orders_rig.count, 0);
}

static unsigned post_with_key(const char *key)
{
    const char *const headers[] = {"Content-Type", JSON, "Idempotency-Key", key, NULL};
    struct http_request q = {.method = HTTP_POST,
                             .body = slice_of("{\"command\":\"status\"}", 20)};

    return http_rig_send(q, AT, headers);
}

static void a_key_is_printable_and_not_too_long(void **state)
{
    char key[IDEMPOTENCY_KEY_MAX + 2] = "";

    (void)state;
    assert_answer(post_with_key(""), 400, "Idempotency-Key must have");
    assert_answer(post_with_key("a\tb"), 400, "Idempotency-Key must have");
    assert_answer(post_with_key("caf\303\251"), 400, "Idempotency-Key must have");
    memset(key, 'k', IDEMPOTENCY_KEY_MAX + 1);
    assert_answer(post_with_key(key), 400, "Idempotency-Key must have");
    assert_int_equal(orders_rig.count, 0);
    key[IDEMPOTENCY_KEY_MAX] = '\0';
    post_with_key(key);
    assert_string_equal(orders_rig_last()->key, key);
    orders_rig_give_error(ERR_MALFORMED);
}

static void parameters_are_bounded(void **state)
{
    static const char *const bad[] = {"wait=61s",  "wait=2m",
                                      "wait=1",    "wait=-1s",
                                      "ttl=999ms", "ttl=31d",
                                      "ttl=0s",    "ttl=3000000s",
                                      "ttl=1w",    "ttl=99999999999999999999d",
                                      "limit=1",   "ttl=18446744073709551615d"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char target[128];

        snprintf(target, sizeof(target), AT "?%s", bad[i]);
        assert_answer(post(target, "{\"command\":\"status\"}"), 400, "bad-request");
    }
    assert_int_equal(orders_rig.count, 0);
    post(AT "?wait=1m&ttl=30d", "{\"command\":\"status\"}");
    assert_int_equal(orders_rig_last()->wait_ms, 60000);
    assert_int_equal(orders_rig_last()->ttl_ms, 2592000000);
    orders_rig_give_error(ERR_NOMEM);
    post(AT "?wait=1min&ttl=10min", "{\"command\":\"status\"}");
    assert_int_equal(orders_rig_last()->wait_ms, 60000);
    assert_int_equal(orders_rig_last()->ttl_ms, 600000);
    orders_rig_give_error(ERR_NOMEM);
}

/* ---- from the order to the answer ---- */

static void an_answered_ticket_is_shown_whole(void **state)
{
    unsigned n = post(AT, "{\"command\":\"status\"}");
    struct order *o = orders_rig_last();

    (void)state;
    o->view = orders_rig_view(TICKET_ANSWERED, TICKET_BY_NONE);
    o->view.sent_ms = 1763724360001;
    o->view.ended_ms = 1763724360020;
    orders_rig_answer(&o->view, "\0\0\0\5", 4);
    orders_rig_give_back();
    assert_int_equal(http_rig_status(n), 200);
    assert_string_equal(
        http_rig_body(n),
        "{\"ticket\":\"9f1c02a45be08d13\",\"state\":\"answered\",\"device\":"
        "\"T9000010\","
        "\"protocol\":\"device\",\"command\":\"status\",\"message\":\"1005\","
        "\"reason\":null,\"created\":\"2025-11-21T11:26:00.000Z\",\"not_before\":null,"
        "\"expires\":null,\"sent\":\"2025-11-21T11:26:00.001Z\",\"acknowledged\":null,"
        "\"ended\":\"2025-11-21T11:26:00.020Z\",\"sendings\":1,\"durable\":false,"
        "\"answer\":{\"message\":\"1005\",\"serial\":2,\"body\":\"00000005\","
        "\"decoded\":{\"of\":4101,\"version\":0,\"size\":4}}}");
}

static const struct {
    enum ticket_state state;
    enum ticket_reason reason;
    unsigned status;
    const char *type;
} ends[] = {
    {TICKET_ANSWERED, TICKET_BY_NONE, 200, ""},
    {TICKET_QUEUED, TICKET_BY_NONE, 202, ""},
    {TICKET_SENT, TICKET_BY_NONE, 202, ""},
    {TICKET_ACKNOWLEDGED, TICKET_BY_NONE, 202, ""},
    {TICKET_EXPIRED, TICKET_BY_UNSENT, 504, "{no-answer 504 "},
    {TICKET_EXPIRED, TICKET_BY_NO_ANSWER, 504, "{no-answer 504 "},
    {TICKET_EXPIRED, TICKET_BY_NONE, 504, "{no-answer 504 "},
    {TICKET_SUPERSEDED, TICKET_BY_NONE, 409, "{superseded 409 "},
    {TICKET_CANCELLED, TICKET_BY_NONE, 409, "{cancelled 409 "},
    {TICKET_FAILED, TICKET_BY_OFFLINE, 409, "{offline 409 "},
    {TICKET_FAILED, TICKET_BY_DISCONNECTED, 504, "{no-answer 504 "},
    {TICKET_FAILED, TICKET_BY_STATE, 409, "{state 409 "},
    {TICKET_FAILED, TICKET_BY_REFUSED, 502, "{refused 502 "},
    {TICKET_FAILED, TICKET_BY_UNSENDABLE, 409, "{unsendable 409 "},
    {TICKET_FAILED, TICKET_BY_ENDING, 503, "{not-ready 503 "},
};

static void each_end_has_its_status_and_shows_the_ticket(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        unsigned n = post(AT, "{\"command\":\"status\"}");

        orders_rig_end_with(ends[i].state, ends[i].reason);
        assert_answer(n, ends[i].status, ends[i].type);
        assert_answer(n, ends[i].status,
                      "\"ticket\":\"9f1c02a45be08d13\",\"state\":\"");
        assert_answer(n, ends[i].status, ticket_state_word((uint8_t)ends[i].state));
        assert_string_equal(http_rig_of(n)->headers,
                            ends[i].status == 202
                                ? "Location: /api/v1/tickets/9f1c02a45be08d13\r\n"
                                : "");
    }
}

static void a_wrong_state_is_told(void **state)
{
    unsigned n = post(AT, "{\"command\":\"turn_on\",\"only_if\":\"ready\"}");
    struct order *o = orders_rig_last();

    (void)state;
    o->view = orders_rig_view(TICKET_FAILED, TICKET_BY_STATE);
    o->view.found_state = 3;
    orders_rig_give_back();
    assert_answer(n, 409, "\"found\":{\"state\":\"cooling\",\"code\":3}");
    n = post(AT, "{\"command\":\"turn_on\",\"only_if\":\"ready\"}");
    o = orders_rig_last();
    o->view = orders_rig_view(TICKET_FAILED, TICKET_BY_STATE);
    o->view.found_state = 200;
    orders_rig_give_back();
    assert_answer(n, 409, "\"found\":{\"state\":null,\"code\":200}");
}

static void a_refusal_shows_the_devices_answer(void **state)
{
    unsigned n = post(AT, "{\"message_id\":\"8105\"}");
    struct order *o = orders_rig_last();

    (void)state;
    o->view = orders_rig_view(TICKET_FAILED, TICKET_BY_REFUSED);
    o->view.name[0] = '\0';
    orders_rig_answer(&o->view, "\x81\x05\x03", 3);
    orders_rig_give_back();
    assert_answer(n, 502, "\"body\":\"810503\"");
    assert_answer(n, 502, "\"command\":null");
}

/* Its listener may be gone, or serve something else, since the ticket was made. */
static void an_answer_without_a_dialect_is_shown_as_it_is(void **state)
{
    (void)state;
    for (uint16_t listener = 0; listener <= 3; listener++) {
        unsigned n = post(AT, "{\"command\":\"status\"}");
        struct order *o = orders_rig_last();

        o->view = orders_rig_view(TICKET_ANSWERED, TICKET_BY_NONE);
        o->view.listener = listener;
        if (listener == 1) /* it had vehicles then */
            o->view.device.protocol = PROTOCOL_JT808;
        orders_rig_answer(&o->view, "\5", 1);
        orders_rig_give_back();
        assert_answer(n, 200, "\"body\":\"05\",\"decoded\":null");
    }
}

static const struct {
    int rc;
    const char *why;
    unsigned status;
    const char *says;
} errors[] = {
    {ERR_NOTFOUND, "", 404, "{not-found 404 : there is no device `T9000010`}"},
    {ERR_NOTFOUND, "there is no command `dance`", 404, "no command `dance`"},
    {ERR_EXISTS, "", 409, "{ambiguous 409 "},
    {ERR_INVALID, "`text` is missing", 400, "{bad-request 400 : `text` is missing"},
    {ERR_TOO_LARGE, "`text` is too long", 400, "{bad-request 400 : `text` is too long"},
    {ERR_FULL, "", 429, "{queue-full 429 "},
    {ERR_MALFORMED, "", 422, "{key-reused 422 "},
    {ERR_NOSPACE, "", 503, "{store 503 : no space left"},
    {ERR_IO, "", 503, "{store 503 "},
    {ERR_BUSY, "", 503, "{store 503 "},
    {ERR_CLOSED, "", 503, "{not-ready 503 : the gateway is ending"},
    {ERR_NOMEM, "", 503, "{not-ready 503 : memory is out"},
};

static void each_refusal_has_its_status_and_says_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        unsigned n = post(AT, "{\"command\":\"status\"}");

        strcpy(orders_rig_last()->why, errors[i].why);
        orders_rig_give_error(errors[i].rc);
        api_rig_settle();
        assert_answer(n, errors[i].status, errors[i].says);
        assert_null(strstr(http_rig_body(n), "\"ticket\""));
    }
}

static void know_device(uint8_t protocol, const char *text)
{
    struct relay_group *g = &relay_rig.group;
    struct id id;
    uint64_t hash;

    assert_int_equal(id_make(protocol, slice_of(text, strlen(text)), &id), OK);
    hash = relay_hash(g, &id);
    assert_non_null(
        relay_terminal(&relay_rig.relays[relay_shard_of(g, hash)], &id, hash));
}

static void who_takes_no_commands_is_told_apart_from_nobody(void **state)
{
    const char *target = "/api/v1/devices/00000001/commands", *body;
    unsigned n;

    (void)state;
    body = "{\"command\":\"status\"}";
    know_device(PROTOCOL_TTMS, "00000001");
    n = post(target, body);
    orders_rig_give_error(ERR_NOTFOUND);
    api_rig_settle();
    assert_answer(n, 409, "{no-commands 409 : `00000001` is a device of protocol ttms");
    know_device(PROTOCOL_HEARTBEAT, "00000001");
    n = post(target, body);
    orders_rig_give_error(ERR_NOTFOUND);
    api_rig_settle();
    assert_answer(n, 409, "no-commands");
    n = post("/api/v1/devices/00000001/commands?protocol=ttms", body);
    api_rig_settle();
    assert_answer(n, 409, "no-commands");
    n = post("/api/v1/devices/00000001/commands?protocol=jt808", body);
    orders_rig_give_error(ERR_NOTFOUND);
    api_rig_settle();
    assert_answer(n, 404, "not-found");
}

static void an_id_that_cannot_be_is_nobodys(void **state)
{
    char target[160];
    unsigned n;

    (void)state;
    snprintf(target, sizeof(target), "/api/v1/devices/%055d/commands", 1);
    n = post(target, "{\"command\":\"status\"}");
    assert_int_equal(orders_rig.count, 0);
    assert_answer(n, 404, "there is no device");
}

/* ---- callers that leave, and the end ---- */

static void the_order_of_a_client_that_left_ends_in_silence(void **state)
{
    unsigned n = post(AT "?wait=60s", "{\"command\":\"status\"}");

    (void)state;
    http_rig_leave(n);
    assert_int_equal(api_rig.api->calls.length, 1);
    orders_rig_end_answered("\5", 1);
    assert_int_equal(api_rig.api->calls.length, 0);
    assert_int_equal(http_rig_status(n), 0);
}

static void the_server_waits_longer_than_the_order(void **state)
{
    unsigned n = post(AT "?wait=60s", "{\"command\":\"status\"}");

    (void)state;
    assert_true(http_rig_of(n)->deadline_ms > http_rig.loop.now_ms + 60000);
    orders_rig_give_error(ERR_CLOSED);
}

static void calls_are_bounded_whoever_still_listens(void **state)
{
    unsigned n;

    (void)state;
    api_rig.api->calls.length += CALLS_MAX;
    n = post(AT, "{\"command\":\"status\"}");
    api_rig.api->calls.length -= CALLS_MAX;
    assert_int_equal(orders_rig.count, 0);
    assert_answer(n, 503, "not-ready");
    post(AT, "{\"message_id\":1,\"body\":\"0001\"}");
    assert_int_equal(api_rig.api->call_bytes, 2);
    api_rig.api->call_bytes += CALLS_MAX_BYTES;
    n = http_rig_get("/api/v1/tickets/9f1c02a45be08d13");
    assert_answer(n, 503, "not-ready");
    api_rig.api->call_bytes -= CALLS_MAX_BYTES;
    orders_rig_give_error(ERR_CLOSED);
    assert_int_equal(api_rig.api->call_bytes, 0);
}

/* The address sanitizer would miss their memory. */
static void orders_that_never_came_back_are_dropped_at_the_end(void **state)
{
    (void)state;
    post(AT, "{\"command\":\"status\",\"args\":{}}");
    post(AT, "{\"message_id\":1,\"body\":\"00\"}");
    assert_int_equal(orders_rig.count, 2);
}

/* ---- tickets ---- */

#define TICKET "/api/v1/tickets/9f1c02a45be08d13"

static void a_ticket_is_shown_whatever_became_of_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        unsigned n = http_rig_get(TICKET "?wait=30s");

        assert_int_equal(orders_rig_last()->kind, ORDER_SHOW);
        assert_true(orders_rig_last()->ticket == 0x9f1c02a45be08d13);
        assert_int_equal(orders_rig_last()->wait_ms, 30000);
        orders_rig_end_with(ends[i].state, ends[i].reason);
        assert_answer(n, 200, "\"ticket\":\"9f1c02a45be08d13\"");
    }
}

static void what_is_no_ticket_is_not_asked_for(void **state)
{
    static const char *const bad[] = {
        "1",
        "9f1c02a45be08d1",
        "9f1c02a45be08d133",
        "9F1C02A45BE08D13",
        "9f1c02a45be08d1x",
        "0000000000000000",
        "0x1c02a45be08d13",
    };
    unsigned n;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char target[64];

        snprintf(target, sizeof(target), "/api/v1/tickets/%s", bad[i]);
        assert_answer(http_rig_get(target), 404, "there is no ticket");
        assert_answer(http_rig_ask(HTTP_DELETE, target, NULL), 404, "no ticket");
    }
    assert_int_equal(orders_rig.count, 0);
    n = http_rig_get(TICKET);
    orders_rig_give_error(ERR_NOTFOUND);
    assert_answer(n, 404, "{not-found 404 : there is no such ticket");
}

static void a_ticket_is_withdrawn_unless_it_was_sent(void **state)
{
    unsigned n = http_rig_ask(HTTP_DELETE, TICKET, NULL);

    (void)state;
    assert_int_equal(orders_rig_last()->kind, ORDER_CANCEL);
    orders_rig_end_with(TICKET_CANCELLED, TICKET_BY_NONE);
    assert_answer(n, 200, "\"state\":\"cancelled\"");
    n = http_rig_ask(HTTP_DELETE, TICKET, NULL);
    orders_rig_last()->view = orders_rig_view(TICKET_SENT, TICKET_BY_NONE);
    orders_rig_give_error(ERR_BUSY);
    assert_answer(n, 409, "{not-cancellable 409 ");
    assert_answer(n, 409, "\"state\":\"sent\"");
}

static void tickets_are_listed_with_their_answers(void **state)
{
    unsigned n = http_rig_get(AT "?limit=7");
    struct order *o = orders_rig_last();

    (void)state;
    assert_int_equal(o->kind, ORDER_LIST);
    assert_int_equal(o->limit, 7);
    assert_int_equal(o->id_count, 2);
    o->views = calloc(2, sizeof(*o->views));
    o->count = 2;
    o->views[0] = orders_rig_view(TICKET_QUEUED, TICKET_BY_NONE);
    o->views[1] = orders_rig_view(TICKET_ANSWERED, TICKET_BY_NONE);
    orders_rig_answer(&o->views[1], "\5", 1);
    orders_rig_give_back();
    assert_answer(n, 200, "{\"tickets\":[{\"ticket\":\"9f1c02a45be08d13\",");
    assert_answer(n, 200, "\"body\":\"05\",\"decoded\":");
    assert_int_equal(times_in(http_rig_body(n), "\"ticket\":"), 2);
    n = http_rig_get(AT);
    assert_int_equal(orders_rig_last()->limit, 100);
    orders_rig_give_back();
    assert_string_equal(http_rig_body(n), "{\"tickets\":[]}");
    n = http_rig_get(AT);
    orders_rig_give_error(ERR_NOTFOUND);
    api_rig_settle();
    assert_answer(n, 404, "there is no device `T9000010`");
}

static void an_answer_too_long_for_a_list_is_told_by_its_size(void **state)
{
    unsigned n = http_rig_get(AT);
    struct order *o = orders_rig_last();

    (void)state;
    o->views = calloc(1, sizeof(*o->views));
    o->count = 1;
    o->views[0] = orders_rig_view(TICKET_ANSWERED, TICKET_BY_NONE);
    o->views[0].has_answer = o->views[0].is_left_out = true;
    o->views[0].answer_size = 65536;
    orders_rig_give_back();
    assert_answer(n, 200, "\"body\":null,\"size\":65536,\"decoded\":null}");
}

#define TEST(name)                                                                     \
    cmocka_unit_test_setup_teardown(name, orders_rig_begin, orders_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_becomes_an_order),
        TEST(all_that_may_be_said_of_a_command_arrives),
        TEST(a_raw_message_is_told_by_number_or_by_digits),
        TEST(a_body_that_says_no_command_is_refused_and_told_why),
        TEST(deep_and_long_bodies_do_no_harm),
        TEST(arguments_stay_within_their_bound),
        TEST(only_json_is_taken),
        TEST(a_key_is_printable_and_not_too_long),
        TEST(parameters_are_bounded),
        TEST(an_answered_ticket_is_shown_whole),
        TEST(each_end_has_its_status_and_shows_the_ticket),
        TEST(a_wrong_state_is_told),
        TEST(a_refusal_shows_the_devices_answer),
        TEST(an_answer_without_a_dialect_is_shown_as_it_is),
        TEST(each_refusal_has_its_status_and_says_why),
        TEST(who_takes_no_commands_is_told_apart_from_nobody),
        TEST(an_id_that_cannot_be_is_nobodys),
        TEST(the_order_of_a_client_that_left_ends_in_silence),
        TEST(the_server_waits_longer_than_the_order),
        TEST(calls_are_bounded_whoever_still_listens),
        TEST(orders_that_never_came_back_are_dropped_at_the_end),
        TEST(a_ticket_is_shown_whatever_became_of_it),
        TEST(what_is_no_ticket_is_not_asked_for),
        TEST(a_ticket_is_withdrawn_unless_it_was_sent),
        TEST(tickets_are_listed_with_their_answers),
        TEST(an_answer_too_long_for_a_list_is_told_by_its_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
