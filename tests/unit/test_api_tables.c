/* What is written from tables: figures and the API's description. */
#include "apirig.h"

#include <jansson.h>

static int open_rig(void **state)
{
    (void)state;
    return api_rig_begin(100);
}

static int close_rig(void **state)
{
    (void)state;
    return api_rig_end();
}

/* ---- figures: a strict reader of the text format ---- */

#define FAMILIES_MAX 256

struct family {
    char name[96];
    char type[16];
};

static struct family families[FAMILIES_MAX];
static unsigned family_count;

static struct family *family_named(const char *name, size_t length)
{
    for (unsigned i = 0; i < family_count; i++)
        if (strlen(families[i].name) == length &&
            memcmp(families[i].name, name, length) == 0)
            return &families[i];
    return NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);

    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void check_name(const struct family *f)
{
    bool is_counter = strcmp(f->type, "counter") == 0;

    assert_int_equal(strspn(f->name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                     strlen(f->name));
    assert_true(strncmp(f->name, "holdfast_", 9) == 0 ||
                strncmp(f->name, "process_", 8) == 0);
    assert_int_equal(ends_with(f->name, "_total"), is_counter);
    assert_false(ends_with(f->name, "_ms") || ends_with(f->name, "_count") ||
                 ends_with(f->name, "_sum") || ends_with(f->name, "_bucket"));
}

/* "# HELP name text", "# TYPE name type": a new family. */
static void read_head(const char *help, const char *type)
{
    struct family *f = &families[family_count];
    char name[96];

    assert_true(family_count < FAMILIES_MAX);
    assert_int_equal(sscanf(help, "# HELP %95s", name), 1);
    assert_true(strlen(help) > strlen("# HELP ") + strlen(name) + 1);
    assert_int_equal(sscanf(type, "# TYPE %95s %15s", f->name, f->type), 2);
    assert_string_equal(name, f->name);
    assert_null(family_named(name, strlen(name)));
    assert_true(strcmp(f->type, "counter") == 0 || strcmp(f->type, "gauge") == 0 ||
                strcmp(f->type, "histogram") == 0);
    check_name(f);
    family_count++;
}

/* name{label="value",...} number */
static void read_sample(const char *line)
{
    const struct family *f = &families[family_count - 1];
    size_t length = strcspn(line, "{ ");
    const char *at = line + length;
    char *end;

    assert_true(family_count > 0 && length >= strlen(f->name));
    assert_memory_equal(line, f->name, strlen(f->name));
    if (strcmp(f->type, "histogram") != 0)
        assert_int_equal(length, strlen(f->name));
    if (*at == '{') {
        for (at++; *at != '}';) {
            at += strspn(at, "abcdefghijklmnopqrstuvwxyz");
            assert_memory_equal(at, "=\"", 2);
            at += 2 + strcspn(at + 2, "\"") + 1;
            at += *at == ',';
        }
        at++;
    }
    assert_int_equal(*at, ' ');
    strtod(at + 1, &end);
    assert_true(end > at + 1 && !*end);
}

static void read_families(void)
{
    unsigned n = api_rig_get("/metrics");
    char *text = strdup(http_rig_body(n)), *rest = text, *line, *help = NULL;

    assert_int_equal(http_rig_status(n), 200);
    assert_non_null(strstr(http_rig_of(n)->type, "version=0.0.4"));
    assert_true(ends_with(text, "\n"));
    family_count = 0;
    while ((line = strsep(&rest, "\n")) && rest) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_null(help);
            help = line;
        } else if (*line == '#') {
            assert_non_null(help);
            read_head(help, line);
            help = NULL;
        } else {
            assert_null(help);
            read_sample(line);
        }
    }
    free(text);
}

static void figures_follow_the_format_and_its_conventions(void **state)
{
    (void)state;
    read_families();
    assert_true(family_count > 50);
}

static void buckets_grow_and_end_with_the_count(void **state)
{
    unsigned n = api_rig_get("/metrics");
    const char *at = strstr(http_rig_body(n), "holdfast_shard_turn_seconds_bucket");
    unsigned long before = 0, value = 0;

    (void)state;
    for (; at; at = strstr(at + 1, "holdfast_shard_turn_seconds_bucket")) {
        value = strtoul(strchr(at, ' '), NULL, 10);
        assert_true(value >= before);
        before = value;
    }
    assert_true(value > 0); /* +Inf: the rig has turned */
    at = strstr(http_rig_body(n), "holdfast_shard_turn_seconds_count ");
    assert_int_equal(strtoul(strchr(at, ' '), NULL, 10), value);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, 1 << 20);

    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

/* A name in the manual, up to what cannot be part of one. */
static void check_mentioned(const char *text, const char *prefix)
{
    for (const char *at = strstr(text, prefix); at; at = strstr(at + 1, prefix)) {
        size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");

        if (!family_named(at, length))
            fail_msg("the manual names a figure that is not: %.*s", (int)length, at);
    }
}

/* Each figure has its line in the manual's table, and the manual names no other. */
static void the_manual_lists_all_figures(void **state)
{
    char *manual = read_file(SOURCE_ROOT "/docs/operations.md");
    const char *figures = strstr(manual, "\n## Figures\n"), *table;

    (void)state;
    read_families();
    assert_non_null(figures);
    check_mentioned(figures, "holdfast_");
    check_mentioned(figures, "process_");
    table = strstr(figures, "| figure | type |");
    assert_non_null(table);
    for (unsigned i = 0; i < family_count; i++) {
        char line[128];

        snprintf(line, sizeof(line), "\n| `%s", families[i].name);
        if (times_in(table, line) == 0)
            fail_msg("the manual does not list %s", families[i].name);
    }
    free(manual);
}

static void connections_are_counted_by_listener_and_state(void **state)
{
    int fd = relay_rig_connect(0);
    unsigned n;

    (void)state;
    relay_rig_settle();
    n = api_rig_get("/metrics");
    assert_non_null(strstr(http_rig_body(n), "holdfast_connections{listener="
                                             "\"terminals\",state=\"accept\"} 1\n"));
    close(fd);
}

/* ---- the description ---- */

static json_t *read_description(void)
{
    unsigned n = api_rig_get("/api/v1/openapi.json");
    json_error_t error;
    json_t *root = json_loads(http_rig_body(n), JSON_REJECT_DUPLICATES, &error);

    if (!root)
        fail_msg("%s at %d", error.text, error.position);
    return root;
}

static const char *word_of(enum http_method method)
{
    return method == HTTP_DELETE ? "delete" : method == HTTP_POST ? "post" : "get";
}

static void every_route_is_described(void **state)
{
    json_t *root = read_description(), *paths = json_object_get(root, "paths");
    size_t described = 0;
    const char *path;
    json_t *methods;

    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        json_t *route = json_object_get(json_object_get(paths, routes[i].pattern),
                                        word_of(routes[i].method));

        assert_non_null(route);
        assert_non_null(json_object_get(route, "summary"));
        assert_non_null(json_object_get(route, "responses"));
    }
    json_object_foreach(paths, path, methods) described += json_object_size(methods);
    assert_int_equal(described, route_count);
    json_decref(root);
}

static unsigned ask_described(const char *method, const char *path)
{
    const char *behind = strchr(path, '}');
    char target[128];
    unsigned n;

    snprintf(target, sizeof(target), "%.*s%s%s", (int)strcspn(path, "{"), path,
             behind ? "00000001" : "", behind ? behind + 1 : "");
    n = http_rig_ask(*method == 'd'   ? HTTP_DELETE
                     : *method == 'p' ? HTTP_POST
                                      : HTTP_GET,
                     target, NULL);
    api_rig_settle();
    return n;
}

static void every_described_path_is_served(void **state)
{
    json_t *root = read_description(), *methods, *route;
    const char *path, *method;

    (void)state;
    json_object_foreach(json_object_get(root, "paths"), path, methods)
    {
        json_object_foreach(methods, method, route)
        {
            unsigned n = ask_described(method, path);

            assert_true(http_rig_status(n) != 0 && http_rig_status(n) != 405);
            if (http_rig_status(n) == 404)
                assert_non_null(strstr(http_rig_body(n), "`00000001`"));
        }
    }
    json_decref(root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(figures_follow_the_format_and_its_conventions),
        TEST(buckets_grow_and_end_with_the_count),
        TEST(the_manual_lists_all_figures),
        TEST(connections_are_counted_by_listener_and_state),
        TEST(every_route_is_described),
        TEST(every_described_path_is_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
