/* What a request says, taken apart and judged: the pure parts of the HTTP server. */
#include "http/server_guard.h"
#include "http/server_rules.h"
#include "http/server_target.h"

#include "unit.h"

#include <arpa/inet.h>
#include <stdlib.h>

static struct target target;

static int parse(const char *text)
{
    const char *why = NULL;
    int rc;

    target_fini(&target);
    rc = target_parse(slice_of(text, strlen(text)), &target, &why);
    assert_true((rc == OK) == (why == NULL));
    return rc;
}

static void a_path_falls_into_decoded_segments(void **state)
{
    (void)state;
    assert_int_equal(parse("/api/v1/devices/a%2Fb%20c"), OK);
    assert_string_equal(target.path, "/api/v1/devices/a%2Fb c");
    assert_int_equal(target.segment_count, 4);
    assert_string_equal(target.segments[3], "a/b c");
    assert_null(target.authority);

    assert_int_equal(parse("/"), OK);
    assert_int_equal(target.segment_count, 1);
    assert_string_equal(target.segments[0], "");

    assert_int_equal(parse("/list/"), OK);
    assert_int_equal(target.segment_count, 2);
    assert_string_equal(target.segments[1], "");

    assert_int_equal(parse("/a//b"), OK);
    assert_int_equal(target.segment_count, 3);
}

static void a_query_falls_into_decoded_parameters(void **state)
{
    (void)state;
    assert_int_equal(parse("/x?a=1&b=%26%3D&&c&d=x+y%2B&e=p=q"), OK);
    assert_string_equal(target.path, "/x");
    assert_int_equal(target.param_count, 5);
    assert_string_equal(target_param(&target, "a"), "1");
    assert_string_equal(target_param(&target, "b"), "&=");
    assert_string_equal(target_param(&target, "c"), "");
    assert_string_equal(target_param(&target, "d"), "x y+");
    assert_string_equal(target_param(&target, "e"), "p=q");
    assert_null(target_param(&target, "f"));
    assert_int_equal(parse("/x?"), OK);
    assert_int_equal(target.param_count, 0);
    assert_int_equal(parse("/a+b"), OK);
    assert_string_equal(target.segments[0], "a+b");
}

static void the_absolute_form_names_its_machine(void **state)
{
    (void)state;
    assert_int_equal(parse("http://localhost:8002/x?a=1"), OK);
    assert_string_equal(target.authority, "localhost:8002");
    assert_string_equal(target.path, "/x");
    assert_string_equal(target_param(&target, "a"), "1");
    assert_int_equal(parse("HTTP://h"), OK);
    assert_string_equal(target.path, "/");
    assert_int_equal(parse("http://h?a=1"), OK);
    assert_string_equal(target.path, "/");
    assert_string_equal(target_param(&target, "a"), "1");
}

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "*",
        "https://h/x",
        "//h/x\x7f",
        "/%",
        "/%4",
        "/%zz",
        "/%4g",
        "/%00",
        "/%ff",
        "/%c0%af",
        "/%ed%a0%80",
        "/\xff",
        "/a b",
        "/a\tb",
        "/a#b",
        "/?a=1&a=2",
        "/?a=1&%61=2",
        "/?=1",
        "/?a=%00",
        "/?a=%f",
        "/?a=%ff",
        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
        "/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x&y&z&1&2&3&4&5&6&7",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (parse(bad[i]) != ERR_MALFORMED)
            fail_msg("`%s` is let through", bad[i]);
    }
}

static struct sockaddr_storage bound_to(const char *ip)
{
    struct sockaddr_storage a = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;

    a.ss_family = strchr(ip, ':') ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(a.ss_family, ip,
                               a.ss_family == AF_INET6 ? (void *)&v6->sin6_addr
                                                       : (void *)&v4->sin_addr),
                     1);
    return a;
}

static bool is_ours(const char *host, const char *bound, const char *hosts)
{
    struct sockaddr_storage a = bound_to(bound);

    return rules_host_is_ours(host, &a, hosts);
}

static void host_says_our_address_or_one_of_our_names(void **state)
{
    (void)state;
    assert_true(is_ours("127.0.0.1:8002", "127.0.0.1", NULL));
    assert_true(is_ours("127.0.0.1", "127.0.0.1", NULL));
    assert_true(is_ours("localhost:8002", "127.0.0.1", NULL));
    assert_true(is_ours("LocalHost", "127.0.0.1", NULL));
    assert_true(is_ours("[::1]:8002", "::1", NULL));
    assert_true(is_ours("192.0.2.7:8002", "0.0.0.0", NULL));
    assert_true(is_ours("[2001:db8::1]", "::", NULL));
    assert_true(is_ours("gw.example:1", "127.0.0.1", "a.example,gw.example"));
    assert_true(is_ours("GW.example", "127.0.0.1", "gw.example"));
    assert_true(is_ours("gw.example:80", "127.0.0.1", "gw.example:80"));

    assert_false(is_ours("192.0.2.7", "127.0.0.1", NULL));
    assert_false(is_ours("evil.example", "127.0.0.1", NULL));
    assert_false(is_ours("evil.example", "0.0.0.0", NULL));
    assert_false(is_ours("localhost.evil.example", "127.0.0.1", NULL));
    assert_false(is_ours("127.0.0.1.evil.example", "127.0.0.1", NULL));
    assert_false(is_ours("gw.example:81", "127.0.0.1", "gw.example:80"));
    assert_false(is_ours("gw.exampl", "127.0.0.1", "gw.example"));
    assert_false(is_ours("", "127.0.0.1", ""));
    assert_false(is_ours(",", "127.0.0.1", "a,,b"));
}

static void what_is_no_host_is_none(void **state)
{
    static const char *const bad[] = {"",        ":80",   "a:b",      "a:123456", "a b",
                                      "a@b",     "[::1",  "[::1]x",   "[]",       "a/b",
                                      "a:80:80", "h\xc3", "[::1]:8x", "a,b"};
    struct slice name;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (rules_split_host(bad[i], &name) == OK)
            fail_msg("`%s` is a host", bad[i]);
    }
    assert_int_equal(rules_split_host("[::1]:80", &name), OK);
    assert_true(slice_equal(name, slice_of("::1", 3)));
    assert_int_equal(rules_split_host("h:", &name), OK);
}

static void only_our_own_pages_may_ask(void **state)
{
    const char *host = "localhost:8002";

    (void)state;
    assert_true(rules_origin_is_ours("http://localhost:8002", host, NULL));
    assert_true(rules_origin_is_ours("https://LOCALHOST:8002", host, NULL));
    assert_true(rules_origin_is_ours("https://gw.example", host, "gw.example"));
    assert_false(rules_origin_is_ours("http://localhost:3000", host, NULL));
    assert_false(rules_origin_is_ours("http://localhost", host, NULL));
    assert_false(rules_origin_is_ours("http://evil.example", host, NULL));
    assert_false(rules_origin_is_ours("ftp://localhost:8002", host, NULL));
    assert_false(rules_origin_is_ours("null", host, NULL));
    assert_false(rules_origin_is_ours("", host, NULL));
    assert_false(rules_origin_is_ours("://localhost:8002", host, NULL));
}

static bool token_is(const char *authorization)
{
    return rules_token_is(rules_bearer(authorization), "0123456789abcdef");
}

static void a_referer_is_ours_by_its_origin(void **state)
{
    const char *host = "localhost:8002";
    char endless[2048];

    (void)state;
    assert_true(rules_referer_is_ours("http://localhost:8002/list/", host, NULL));
    assert_true(rules_referer_is_ours("http://localhost:8002", host, NULL));
    assert_true(rules_referer_is_ours("http://localhost:8002?a", host, NULL));
    assert_true(rules_referer_is_ours("https://gw.example/a/b", host, "gw.example"));
    assert_false(rules_referer_is_ours("http://evil.example/", host, NULL));
    assert_false(rules_referer_is_ours("http://evil.example/http://localhost:8002/",
                                       host, NULL));
    assert_false(rules_referer_is_ours("evil?http://localhost:8002/", host, NULL));
    assert_false(rules_referer_is_ours("http://localhost:8002@evil/", host, NULL));
    assert_false(rules_referer_is_ours("/list/", host, NULL));
    assert_false(rules_referer_is_ours("", host, NULL));
    memset(endless, 'a', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    memcpy(endless, "http://", 7);
    assert_false(rules_referer_is_ours(endless, host, NULL));
}

static void only_the_whole_token_passes(void **state)
{
    (void)state;
    assert_true(token_is("Bearer 0123456789abcdef"));
    assert_true(token_is("bearer   0123456789abcdef"));
    assert_false(token_is("Bearer 0123456789abcde"));
    assert_false(token_is("Bearer 0123456789abcdef0"));
    assert_false(token_is("Bearer 0123456789abcdef0123456789abcdef"));
    assert_false(token_is("Bearer 1123456789abcdef"));
    assert_false(token_is("Bearer 0123456789abcdeF"));
    assert_false(token_is("Bearer "));
    assert_false(token_is("Bearer"));
    assert_false(token_is("Basic 0123456789abcdef"));
    assert_false(token_is("0123456789abcdef"));
    assert_false(token_is(""));
    assert_false(token_is(NULL));
    assert_false(rules_token_is(slice_of("0", 1), "0000000000000000"));
}

static void gzip_is_sent_to_those_who_take_it(void **state)
{
    (void)state;
    assert_true(rules_accepts_gzip("gzip"));
    assert_true(rules_accepts_gzip("deflate, GZIP ; q=0.5"));
    assert_true(rules_accepts_gzip("br,*"));
    assert_true(rules_accepts_gzip("*;q=0, gzip;q=0.001"));
    assert_false(rules_accepts_gzip("gzip;q=0"));
    assert_false(rules_accepts_gzip("gzip; q=0.000, deflate"));
    assert_false(rules_accepts_gzip("*;q=0"));
    assert_false(rules_accepts_gzip("*, gzip;q=0"));
    assert_false(rules_accepts_gzip("identity"));
    assert_false(rules_accepts_gzip("xgzip, gzipx"));
    assert_false(rules_accepts_gzip(""));
    assert_false(rules_accepts_gzip(" , ,"));
    assert_false(rules_accepts_gzip(NULL));
}

static struct in6_addr ip(const char *text)
{
    struct in6_addr a;

    assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
    return a;
}

static void ten_wrong_tokens_lock_their_address_for_a_minute(void **state)
{
    struct guard *g = malloc(sizeof(*g));
    struct in6_addr a = ip("::ffff:192.0.2.1"), b = ip("::ffff:192.0.2.2");

    (void)state;
    assert_non_null(g);
    guard_init(g);
    for (int i = 0; i < GUARD_TRIES; i++) {
        assert_int_equal(guard_wait_ms(g, &a, 1000 + i), 0);
        guard_note_wrong(g, &a, 1000 + i);
    }
    assert_int_equal(guard_wait_ms(g, &a, 1010), GUARD_WINDOW_MS - 10);
    assert_int_equal(guard_wait_ms(g, &b, 1010), 0);
    assert_int_equal(guard_wait_ms(g, &a, 1000 + GUARD_WINDOW_MS), 0);
    guard_note_wrong(g, &a, 1000 + GUARD_WINDOW_MS);
    assert_int_equal(guard_wait_ms(g, &a, 1001 + GUARD_WINDOW_MS), 0);
    free(g);
}

static void a_network_of_ipv6_counts_as_one_address(void **state)
{
    struct guard *g = malloc(sizeof(*g));
    struct in6_addr a = ip("2001:db8::1"), b = ip("2001:db8::2");

    (void)state;
    assert_non_null(g);
    guard_init(g);
    for (int i = 0; i < GUARD_TRIES; i++)
        guard_note_wrong(g, i % 2 ? &a : &b, 5);
    assert_true(guard_wait_ms(g, &a, 6) > 0);
    free(g);
}

static int tear_down(void **state)
{
    (void)state;
    target_fini(&target);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_falls_into_decoded_segments),
        cmocka_unit_test(a_query_falls_into_decoded_parameters),
        cmocka_unit_test(the_absolute_form_names_its_machine),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(host_says_our_address_or_one_of_our_names),
        cmocka_unit_test(what_is_no_host_is_none),
        cmocka_unit_test(only_our_own_pages_may_ask),
        cmocka_unit_test(a_referer_is_ours_by_its_origin),
        cmocka_unit_test(only_the_whole_token_passes),
        cmocka_unit_test(gzip_is_sent_to_those_who_take_it),
        cmocka_unit_test(ten_wrong_tokens_lock_their_address_for_a_minute),
        cmocka_unit_test(a_network_of_ipv6_counts_as_one_address),
    };

    return cmocka_run_group_tests(tests, NULL, tear_down);
}
