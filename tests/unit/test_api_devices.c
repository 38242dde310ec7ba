#include "apirig.h"

static struct id id_of(unsigned n)
{
    struct id id = {.protocol = PROTOCOL_TTMS, .length = 8};

    ttms_id_text(n, id.text);
    return id;
}

static struct relay *home_of(const struct id *id)
{
    const struct relay_group *g = &relay_rig.group;

    return &relay_rig.relays[relay_shard_of(g, relay_hash(g, id))];
}

/* A device whose mail waits: it stays although it has no connection. */
static void add(unsigned n)
{
    struct id id = id_of(n);
    struct relay *r = home_of(&id);
    struct terminal *t = relay_terminal(r, &id, relay_hash(r->group, &id));
    struct mail_receipt nobody = {0};

    assert_non_null(t);
    assert_int_equal(mailbox_append(r->mailbox, &t->mail, &id, ++r->last_position,
                                    slice_of("hello", 5), MAIL_NEW, nobody),
                     OK);
}

static void add_all(unsigned from, unsigned to)
{
    for (unsigned n = from; n <= to; n++)
        add(n);
    relay_rig_settle();
}

static void forget(unsigned n)
{
    struct id id = id_of(n);
    struct relay *r = home_of(&id);
    struct device *d = registry_find(&r->terminals, &id, relay_hash(r->group, &id));

    mailbox_purge(r->mailbox, &terminal_of(d)->mail);
    relay_forget(r, terminal_of(d));
}

static int open_rig(void **state)
{
    (void)state;
    return api_rig_begin(1000);
}

static int close_rig(void **state)
{
    (void)state;
    return api_rig_end();
}

/* ---- pages ---- */

/* Asks page after page; says between them what `meanwhile` does. Returns how often each
 * of the devices 1 to 63 was shown, as digits. */
static const char *read_pages(unsigned limit, void (*meanwhile)(unsigned page))
{
    static char seen[64];
    char target[128], next[32] = "";

    memset(seen, '0', sizeof(seen) - 1);
    for (unsigned page = 0;; page++) {
        const char *body;
        unsigned n;

        snprintf(target, sizeof(target), "/api/v1/devices?limit=%u%s%s", limit,
                 *next ? "&cursor=" : "", next);
        n = api_rig_get(target);
        assert_int_equal(http_rig_status(n), 200);
        body = http_rig_body(n);
        assert_true(times_in(body, "\"id\":") <= limit);
        for (const char *at = strstr(body, "\"id\":\""); at;
             at = strstr(at + 1, "\"id\":\"")) {
            unsigned long number = strtoul(at + 6, NULL, 16);

            assert_true(number < sizeof(seen));
            seen[number]++;
        }
        snprintf(next, sizeof(next), "%s", text_of(body, "next"));
        if (!*next)
            return seen + 1;
        if (meanwhile)
            meanwhile(page);
    }
}

static void pages_of_any_size_show_each_device_once(void **state)
{
    (void)state;
    add_all(1, 20);
    for (unsigned limit = 1; limit < 25; limit++)
        assert_memory_equal(read_pages(limit, NULL), "111111111111111111110000", 24);
}

static void the_last_page_has_no_next(void **state)
{
    unsigned n;

    (void)state;
    add_all(1, 5);
    n = api_rig_get("/api/v1/devices?limit=5");
    assert_non_null(strstr(http_rig_body(n), "\"next\":null}"));
    n = api_rig_get("/api/v1/devices?limit=4");
    assert_null(strstr(http_rig_body(n), "\"next\":null}"));
}

static void an_empty_list_is_a_page(void **state)
{
    unsigned n = api_rig_get("/api/v1/devices");

    (void)state;
    assert_int_equal(http_rig_status(n), 200);
    assert_string_equal(http_rig_body(n), "{\"as_of\":0,\"devices\":[],\"next\":null}");
}

static void come_and_go(unsigned page)
{
    if (page >= 10)
        return;
    forget(11 + page);
    add(21 + page);
    relay_rig_settle();
}

static void devices_that_stay_are_shown_once_while_others_come_and_go(void **state)
{
    const char *seen;

    (void)state;
    add_all(1, 20);
    seen = read_pages(3, come_and_go);
    assert_memory_equal(seen, "1111111111", 10);
    for (int i = 10; i < 62; i++)
        assert_true(seen[i] == '0' || seen[i] == '1');
}

static void a_cursor_of_another_start_is_stale(void **state)
{
    char target[128];
    unsigned n;

    (void)state;
    add_all(1, 5);
    n = api_rig_get("/api/v1/devices?limit=1");
    snprintf(target, sizeof(target), "/api/v1/devices?cursor=%s",
             text_of(http_rig_body(n), "next"));
    api_rig_close();
    api_rig_open(1000);
    n = api_rig_get(target);
    assert_int_equal(http_rig_status(n), 410);
    assert_non_null(strstr(http_rig_body(n), "stale-page"));
}

static void what_is_no_cursor_is_refused(void **state)
{
    static const char *const targets[] = {
        "/api/v1/devices?cursor=abc",
        "/api/v1/devices?cursor=AQEAAAAAZAAAAB",
        "/api/v1/devices?cursor=AQEAAAAAZAAAA*",
        "/api/v1/devices?cursor=AgEAAAAAZAAAAA",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++)
        assert_int_equal(http_rig_status(api_rig_get(targets[i])), 400);
}

/* ---- filters ---- */

static unsigned shown_by(const char *query)
{
    char target[160];
    unsigned n;

    snprintf(target, sizeof(target), "/api/v1/devices?%s", query);
    n = api_rig_get(target);
    assert_int_equal(http_rig_status(n), 200);
    return times_in(http_rig_body(n), "\"id\":");
}

static void filters_choose(void **state)
{
    (void)state;
    add_all(0x10, 0x25);
    assert_int_equal(shown_by("prefix=0000001"), 16);
    assert_int_equal(shown_by("prefix=00000020"), 1);
    assert_int_equal(shown_by("prefix=3"), 0);
    assert_int_equal(shown_by("protocol=ttms"), 22);
    assert_int_equal(shown_by("connected=false"), 22);
    assert_int_equal(shown_by("connected=true"), 0);
    assert_int_equal(shown_by("state=close"), 22);
    assert_int_equal(shown_by("state=alive,close"), 22);
    assert_int_equal(shown_by("state=alive,leave"), 0);
    assert_int_equal(shown_by("listener=elsewhere"), 0);
}

static void a_filter_that_fits_nobody_takes_several_turns_of_a_shard(void **state)
{
    unsigned n;

    (void)state;
    for (unsigned i = 1; i <= 3000; i++)
        add(i);
    relay_rig_settle();
    n = http_rig_get("/api/v1/devices?prefix=f");
    for (unsigned s = 0; s < RELAY_SHARDS; s++)
        loop_turn(&relay_rig.shards[s].loop, 0);
    http_rig_turn();
    assert_int_equal(http_rig_status(n), 0); /* not yet */
    api_rig_settle();
    assert_int_equal(http_rig_status(n), 200);
}

/* ---- large lists ---- */

static void a_large_list_is_made_as_its_client_takes_it(void **state)
{
    size_t taken = 0;
    unsigned n;

    (void)state;
    for (unsigned i = 1; i <= 2000; i++)
        add(i);
    relay_rig_settle();
    n = api_rig_get("/api/v1/devices?limit=1000000");
    assert_true(http_rig_of(n)->is_streaming);
    for (int i = 0; http_rig_of(n)->is_streaming; i++) {
        taken += http_rig_take(n, 10000, 777);
        api_rig_settle();
        assert_true(i < 1000);
    }
    assert_false(http_rig_of(n)->is_cut);
    assert_int_equal(times_in(http_rig_body(n), "\"id\":"), 2000);
    assert_string_equal(http_rig_body(n) + taken - 15, "}],\"next\":null}");
}

static void a_client_may_leave_in_the_middle_of_a_list(void **state)
{
    unsigned n, m;

    (void)state;
    for (unsigned i = 1; i <= 1000; i++)
        add(i);
    relay_rig_settle();
    n = api_rig_get("/api/v1/devices?limit=1000");
    http_rig_take(n, 70000, 1000); /* the next block is under way */
    http_rig_leave(n);
    m = http_rig_get("/api/v1/devices?limit=1000");
    http_rig_leave(m); /* before anything was shown */
    api_rig_settle();
    assert_int_equal(http_rig_status(m), 0);
}

static void questions_that_nobody_answers_are_dropped_at_the_end(void **state)
{
    (void)state;
    add_all(1, 5);
    for (int i = 0; i < 20; i++) {
        http_rig_get("/api/v1/devices");
        http_rig_get("/api/v1/devices/00000001");
    }
}

/* ---- one device ---- */

static void a_device_is_shown_by_its_id(void **state)
{
    unsigned n;

    (void)state;
    add_all(1, 3);
    n = api_rig_get("/api/v1/devices/00000002");
    assert_int_equal(http_rig_status(n), 200);
    assert_string_equal(text_of(http_rig_body(n), "id"), "00000002");
    assert_non_null(
        strstr(http_rig_body(n), "\"mailbox\":{\"messages\":1,\"bytes\":5}"));
    assert_int_equal(http_rig_status(api_rig_get("/api/v1/devices/00000009")), 404);
    assert_int_equal(http_rig_status(
                         api_rig_get("/api/v1/devices/00000002?protocol=ttms")),
                     200);
}

static void the_old_list_has_only_who_is_connected(void **state)
{
    unsigned n;

    (void)state;
    add_all(1, 3);
    n = api_rig_get("/list/");
    assert_int_equal(http_rig_status(n), 200);
    assert_string_equal(http_rig_body(n), "{}");
    assert_string_equal(http_rig_of(n)->type, "text/html; charset=utf-8");
    assert_string_equal(http_rig_body(api_rig_get("/")), "{}");
}

/* ---- what is refused ---- */

static void a_path_that_is_not_there_is_not_found(void **state)
{
    static const char *const targets[] = {
        "/api",
        "/api/v1/device",
        "/api/v1/devices/",
        "/list",
        "/api/v1/devices/a/",
        "/api/v1/devices/a/b",
        "/list/extra",
        "//",
        "/api/v1/devices//events",
        "/healthz/now",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++)
        assert_int_equal(http_rig_status(api_rig_get(targets[i])), 404);
}

static void another_method_is_told_which_there_are(void **state)
{
    unsigned n = http_rig_ask(HTTP_POST, "/api/v1/devices", NULL);

    (void)state;
    assert_int_equal(http_rig_status(n), 405);
    assert_string_equal(http_rig_of(n)->headers, "Allow: GET, HEAD\r\n");
}

static void parameters_are_strict(void **state)
{
    static const char *const targets[] = {
        "/api/v1/devices?limt=5",
        "/api/v1/devices?limit=0",
        "/api/v1/devices?limit=1000001",
        "/api/v1/devices?limit=-1",
        "/api/v1/devices?limit=5x",
        "/api/v1/devices?limit=",
        "/api/v1/devices?limit=+5",
        "/api/v1/devices?state=",
        "/api/v1/devices?state=alive,",
        "/api/v1/devices?state=ALIVE",
        "/api/v1/devices?connected=yes",
        "/api/v1/devices?protocol=x",
        "/api/v1/devices?listener=",
        "/api/v1/devices?prefix=",
        "/api/v1/devices/00000001?x=1",
        "/api/v1/events?wait=61s",
        "/api/v1/events?wait=10",
        "/api/v1/events?after=x",
        "/api/v1/events?limit=10001",
        "/healthz?verbose=1",
        "/api/v1/devices/1/events?wait=1s",
        "/api/v1/events?after=18446744073709551616",
        "/api/v1/devices?limit=184467440737095516160",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++)
        assert_int_equal(http_rig_status(api_rig_get(targets[i])), 400);
}

static void a_refusal_says_what_is_allowed(void **state)
{
    (void)state;
    assert_non_null(strstr(http_rig_body(api_rig_get("/api/v1/devices?limit=0")),
                           "`limit` is `0`; allowed is a number from 1 to 1000000"));
    assert_non_null(strstr(http_rig_body(api_rig_get("/api/v1/devices/1?x=0")),
                           "no parameter `x` here; there is `protocol`"));
    assert_non_null(strstr(http_rig_body(api_rig_get("/api/v1/devices?state=dead")),
                           "with commas: alive leave close"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_of_any_size_show_each_device_once),
        TEST(the_last_page_has_no_next),
        TEST(an_empty_list_is_a_page),
        TEST(devices_that_stay_are_shown_once_while_others_come_and_go),
        TEST(a_cursor_of_another_start_is_stale),
        TEST(what_is_no_cursor_is_refused),
        TEST(filters_choose),
        TEST(a_filter_that_fits_nobody_takes_several_turns_of_a_shard),
        TEST(a_large_list_is_made_as_its_client_takes_it),
        TEST(a_client_may_leave_in_the_middle_of_a_list),
        TEST(questions_that_nobody_answers_are_dropped_at_the_end),
        TEST(a_device_is_shown_by_its_id),
        TEST(the_old_list_has_only_who_is_connected),
        TEST(a_path_that_is_not_there_is_not_found),
        TEST(another_method_is_told_which_there_are),
        TEST(parameters_are_strict),
        TEST(a_refusal_says_what_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
