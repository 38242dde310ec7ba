/* The addresses of the old server: what its clients ask, and what they read. */
#include "http/calls.h"
#include "ordersrig.h"

#define HTML "text/html; charset=utf-8"

static const char *const for_programs[] = {"Accept", "application/json", NULL};

static unsigned get_json(const char *target)
{
    return http_rig_ask(HTTP_GET, target, for_programs);
}

static void assert_page(unsigned n, unsigned status, const char *text)
{
    size_t size = buf_used(&http_rig_of(n)->body);

    assert_int_equal(http_rig_status(n), status);
    assert_string_equal(http_rig_of(n)->type, HTML);
    if (size != strlen(text) || memcmp(http_rig_body(n), text, size) != 0)
        fail_msg("`%.*s` instead of `%s`", (int)size, http_rig_body(n), text);
}

static void assert_problem(unsigned n, unsigned status, const char *type)
{
    assert_int_equal(http_rig_status(n), status);
    assert_string_equal(http_rig_of(n)->type, "application/problem+json");
    if (!strstr(http_rig_body(n), type))
        fail_msg("%s instead of %s", http_rig_body(n), type);
}

/* ---- what is asked ---- */

static void assert_order(const char *target, const char *name, const char *only_if)
{
    const struct order *o;

    http_rig_get(target);
    o = orders_rig_last();
    assert_int_equal(o->kind, ORDER_CREATE);
    assert_string_equal(o->command.name, name);
    assert_string_equal(o->only_if, only_if);
    assert_int_equal(o->wait_ms, 5000);
    assert_int_equal(o->ttl_ms, 0);
    assert_int_equal(o->id_count, 1);
    assert_int_equal(o->ids[0].protocol, PROTOCOL_DEVICE);
    assert_int_equal(o->ids[0].length, 8);
    assert_memory_equal(o->ids[0].text, "T9000010", 8);
    orders_rig_give_error(ERR_NOTFOUND);
}

static void an_id_is_upper_cased_and_what_follows_is_ignored(void **state)
{
    (void)state;
    assert_order("/status/T9000010", "status", "");
    assert_order("/turnon/t9000010", "turn_on", "ready");
    assert_order("/restart/T9000010", "restart", "");
    assert_order("/status/t9000010xyz", "status", "");
    assert_order("/status/t9000010/", "status", "");
    assert_order("/turnon/t9000010/now/at/once", "turn_on", "ready");
    assert_order("/status/t9000010?_=1763724360", "status", "");
}

static void blanks_at_an_ids_end_do_not_count(void **state)
{
    unsigned n;

    (void)state;
    http_rig_get("/status/t90     x");
    assert_int_equal(orders_rig_last()->ids[0].length, 3);
    orders_rig_give_error(ERR_NOTFOUND);
    n = http_rig_get("/status/  ");
    assert_int_equal(orders_rig.count, 0);
    assert_page(n, 409, "设备不在线!");
    assert_int_equal(api_rig.api->calls.length, 0);
}

/* ---- what is answered ---- */

static void a_status_is_told_as_the_old_server_wrote_it(void **state)
{
    unsigned n = http_rig_get("/status/T9000010");

    (void)state;
    orders_rig_end_answered("\5", 1);
    assert_page(n, 200, "0x5");
    n = http_rig_get("/status/T9000010");
    orders_rig_end_answered("\xfe", 1);
    assert_page(n, 200, "0xfe");
    n = http_rig_get("/status/T9000010");
    orders_rig_end_answered("", 0);
    assert_page(n, 502, "设备状态不明,请检查设备");
}

static void programs_get_the_ticket(void **state)
{
    unsigned n = get_json("/status/T9000010");

    (void)state;
    orders_rig_end_answered("\5", 1);
    assert_int_equal(http_rig_status(n), 200);
    assert_string_equal(http_rig_of(n)->type, "application/json");
    assert_string_equal(text_of(http_rig_body(n), "state"), "answered");
    n = get_json("/status/T9000010");
    orders_rig_end_answered("", 0);
    assert_problem(n, 502, "{no-state 502 ");
    n = get_json("/turnon/T9000010");
    orders_rig_last()->view = orders_rig_view(TICKET_FAILED, TICKET_BY_STATE);
    orders_rig_last()->view.found_state = 2;
    orders_rig_give_back();
    assert_problem(n, 409, "\"found\":{\"state\":\"paused\",\"code\":2}");
    n = get_json("/turnon/T9000010");
    orders_rig_end_with(TICKET_FAILED, TICKET_BY_OFFLINE);
    assert_problem(n, 409, "{offline 409 ");
    n = get_json("/turnon/T9000010");
    orders_rig_give_error(ERR_NOTFOUND);
    assert_problem(n, 409, "{offline 409 ");
    n = get_json("/turnon/T9000010");
    orders_rig_end_with(TICKET_EXPIRED, TICKET_BY_NO_ANSWER);
    assert_problem(n, 504, "{no-answer 504 ");
}

static void only_a_ready_device_is_turned_on(void **state)
{
    static const char *const texts[] = {
        "设备状态不明,请检查设备",
        "设备已经开启,请换一台设备!",
        "设备处于暂停状态,请按设备上开机键开启!",
        "设备处于散热状态,请稍等后再开启!",
        "设备处于standby状态,直接按设备上的开机键即可!",
    };
    unsigned n;

    (void)state;
    for (int16_t found = 0; found < (int16_t)ARRAY_LEN(texts); found++) {
        n = http_rig_get("/turnon/T9000010");
        orders_rig_last()->view = orders_rig_view(TICKET_FAILED, TICKET_BY_STATE);
        orders_rig_last()->view.found_state = found;
        orders_rig_give_back();
        assert_page(n, 409, texts[found]);
    }
    n = http_rig_get("/turnon/T9000010");
    orders_rig_end_with(TICKET_FAILED, TICKET_BY_STATE); /* nobody could tell it */
    assert_page(n, 409, texts[0]);
    n = http_rig_get("/turnon/T9000010");
    orders_rig_end_answered("\1", 1);
    assert_page(n, 200, "已经向设备发送开机指令");
    n = http_rig_get("/restart/T9000010");
    orders_rig_end_answered("\5", 1);
    assert_page(n, 200, "已经向设备发送重启指令");
}

static void who_is_away_or_silent_is_told_apart(void **state)
{
    static const char *const targets[] = {"/status/T9000010", "/turnon/T9000010",
                                          "/restart/T9000010"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        unsigned n = http_rig_get(targets[i]);

        orders_rig_give_error(ERR_NOTFOUND);
        assert_page(n, 409, "设备不在线!");
        n = http_rig_get(targets[i]);
        orders_rig_end_with(TICKET_FAILED, TICKET_BY_OFFLINE);
        assert_page(n, 409, "设备不在线!");
        n = http_rig_get(targets[i]);
        orders_rig_end_with(TICKET_EXPIRED, TICKET_BY_NO_ANSWER);
        assert_page(n, 504, "T9000010发送指令未收到返回值,请重试!");
        n = http_rig_get(targets[i]);
        orders_rig_end_with(TICKET_FAILED, TICKET_BY_DISCONNECTED);
        assert_page(n, 504, "T9000010发送指令未收到返回值,请重试!");
        n = http_rig_get(targets[i]);
        orders_rig_give_error(ERR_FULL);
        assert_page(n, 429, "T9000010发送指令未收到返回值,请重试!");
        n = http_rig_get(targets[i]);
        strcpy(orders_rig_last()->why, "there is no such command");
        orders_rig_give_error(ERR_NOTFOUND);
        assert_page(n, 404, "没找到对应页面,请检查网址!");
    }
}

static void what_a_device_calls_itself_becomes_no_tag(void **state)
{
    unsigned n = http_rig_get("/status/<b>\"'&x");

    (void)state;
    orders_rig_give_error(ERR_FULL);
    assert_page(n, 429, "&#60;B&#62;&#34;&#39;&#38;X发送指令未收到返回值,请重试!");
}

/* ---- who may ask ---- */

static void a_foreign_page_causes_nothing(void **state)
{
    static const char *const foreign[] = {"Referer", "http://evil.example/", NULL};
    static const char *const ours[] = {"Referer", "http://localhost/list/", NULL};
    static const char *const targets[] = {"/status/T9000010", "/turnon/T9000010",
                                          "/restart/T9000010"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        unsigned n = http_rig_ask(HTTP_GET, targets[i], foreign);

        assert_problem(n, 403, "{forbidden-origin 403 ");
        assert_int_equal(orders_rig.count, 0);
        http_rig_ask(HTTP_GET, targets[i], ours);
        orders_rig_give_error(ERR_NOTFOUND);
    }
}

static void a_browser_that_looks_ahead_turns_nothing_on(void **state)
{
    static const char *const ahead[] = {"Sec-Purpose", "prefetch;prerender", NULL};
    unsigned n = http_rig_ask(HTTP_GET, "/turnon/T9000010", ahead);

    (void)state;
    assert_int_equal(orders_rig.count, 0);
    assert_problem(n, 403, "{forbidden-origin 403 ");
}

static void a_head_turns_nothing_on(void **state)
{
    struct http_request q = {.method = HTTP_GET, .is_head = true};
    unsigned n = http_rig_send(q, "/turnon/T9000010", NULL);

    (void)state;
    assert_int_equal(orders_rig.count, 0);
    assert_problem(n, 405, "method-not-allowed");
    assert_string_equal(http_rig_of(n)->headers, "Allow: GET\r\n");
    assert_int_equal(http_rig_status(http_rig_send(q, "/healthz", NULL)), 200);
    n = http_rig_ask(HTTP_POST, "/healthz", NULL);
    assert_string_equal(http_rig_of(n)->headers, "Allow: GET, HEAD\r\n");
    n = http_rig_ask(HTTP_DELETE, "/api/v1/devices/x/commands", NULL);
    assert_string_equal(http_rig_of(n)->headers, "Allow: POST, GET, HEAD\r\n");
}

/* ---- pages that are not ---- */

static void an_unknown_page_is_told_in_the_readers_language(void **state)
{
    static const char *const browser[] = {"Accept", "text/html,*/*;q=0.8", NULL};

    (void)state;
    assert_page(http_rig_ask(HTTP_GET, "/nothing", browser), 404,
                "没找到对应页面,请检查网址!");
    assert_problem(http_rig_get("/nothing"), 404, "not-found");
    assert_problem(http_rig_ask(HTTP_GET, "/api/v1/nothing", browser), 404,
                   "not-found");
    assert_page(http_rig_ask(HTTP_GET, "/status/", browser), 404,
                "没找到对应页面,请检查网址!");
}

static void the_list_is_for_programs_too(void **state)
{
    unsigned n = http_rig_get("/list/");

    (void)state;
    api_rig_settle();
    assert_page(n, 200, "{}");
    n = get_json("/");
    api_rig_settle();
    assert_string_equal(http_rig_of(n)->type, "application/json");
}

static void without_legacy_there_is_none_of_it(void **state)
{
    static const char *const targets[] = {"/", "/list/", "/status/T9000010",
                                          "/turnon/T9000010", "/restart/T9000010"};
    static const char *const browser[] = {"Accept", "text/html", NULL};
    unsigned n;

    (void)state;
    api_rig.api->conf.legacy = false;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++)
        assert_problem(http_rig_ask(HTTP_GET, targets[i], browser), 404, "not-found");
    assert_int_equal(orders_rig.count, 0);
    n = http_rig_get("/api/v1/openapi.json");
    assert_null(strstr(http_rig_body(n), "/turnon/"));
    assert_null(strstr(http_rig_body(n), "/list/"));
    assert_non_null(strstr(http_rig_body(n), "\"/healthz\""));
}

#define TEST(name)                                                                     \
    cmocka_unit_test_setup_teardown(name, orders_rig_begin, orders_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_upper_cased_and_what_follows_is_ignored),
        TEST(blanks_at_an_ids_end_do_not_count),
        TEST(a_status_is_told_as_the_old_server_wrote_it),
        TEST(programs_get_the_ticket),
        TEST(only_a_ready_device_is_turned_on),
        TEST(who_is_away_or_silent_is_told_apart),
        TEST(what_a_device_calls_itself_becomes_no_tag),
        TEST(a_foreign_page_causes_nothing),
        TEST(a_browser_that_looks_ahead_turns_nothing_on),
        TEST(a_head_turns_nothing_on),
        TEST(an_unknown_page_is_told_in_the_readers_language),
        TEST(the_list_is_for_programs_too),
        TEST(without_legacy_there_is_none_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
