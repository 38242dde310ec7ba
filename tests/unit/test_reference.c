/* The pages that show settings say what the program believes. When one of these fails:
 * docs/update-reference, and etc/holdfast.yaml by hand, with the reason for the
 * default. */
#include "config/schema.h"
#include "net/conn.h"

#include "unit.h"

#include <libfyaml.h>
#include <stdlib.h>

static char *read_file(const char *name)
{
    char path[512];
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    FILE *in;
    int c;

    snprintf(path, sizeof(path), "%s/%s", SOURCE_ROOT, name);
    in = fopen(path, "r");
    if (!in)
        fail_msg("cannot open %s", path);
    while ((c = getc(in)) != EOF)
        putc(c, out);
    fclose(in);
    fclose(out);
    return text;
}

static void assert_page_contains(const char *name, void (*print)(FILE *))
{
    char *page = read_file(name);
    char *list = NULL;
    size_t size;
    FILE *out = open_memstream(&list, &size);

    print(out);
    fclose(out);
    if (!strstr(page, list))
        fail_msg("%s is out of date: run docs/update-reference", name);
    free(list);
    free(page);
}

static void the_page_about_configuration_lists_all_settings(void **state)
{
    (void)state;
    assert_page_contains("docs/configuration.md", config_print_reference);
}

static void the_manual_page_lists_all_settings(void **state)
{
    (void)state;
    assert_page_contains("docs/man/holdfast.yaml.5", config_print_manual);
}

/* "listen.*.address" -> "/listen/clients/address" */
static void path_in_example(const struct schema_key *key, uint8_t protocol, char *out,
                            size_t size)
{
    static const char *const listeners[PROTOCOL_LIMIT] = {
        [PROTOCOL_TTMS] = "terminals", [PROTOCOL_HEARTBEAT] = "clients",
        [PROTOCOL_DEVICE] = "devices", [PROTOCOL_JT808] = "vehicles",
        [PROTOCOL_NBNET] = "answers",
    };
    const char *rest = key->path;
    size_t n = 0;

    while (*rest && n + 16 < size) {
        size_t part = strcspn(rest, ".");

        if (*rest == '*' && protocol)
            n += (size_t)snprintf(out + n, size - n, "/%s", listeners[protocol]);
        else if (*rest == '*')
            n += (size_t)snprintf(out + n, size - n, "/%s",
                                  rest == key->path + strlen("profiles.") ? "vending"
                                  : schema_owner(key) == SCHEMA_OF_STATE  ? "ready"
                                                                          : "turn_on");
        else
            n += (size_t)snprintf(out + n, size - n, "/%.*s", (int)part, rest);
        rest += part + (rest[part] == '.');
    }
}

/* Is it there for listeners of this protocol, with their default? */
static bool shows(struct fy_document *example, const struct schema_key *key,
                  uint8_t protocol)
{
    const char *fallback = schema_fallback(key, protocol);
    char path[128];
    struct fy_node *node;

    path_in_example(key, protocol, path, sizeof(path));
    node = fy_node_by_path(fy_document_root(example), path, FY_NT, FYNWF_DONT_FOLLOW);
    if (!node)
        return false;
    if (schema_is_list(key) && fallback)
        assert_true(fy_node_sequence_is_empty(node));
    else if (fallback && strcmp(fy_node_get_scalar0(node), fallback) != 0)
        fail_msg("etc/holdfast.yaml has %s: %s, and the default is %s", path,
                 fy_node_get_scalar0(node), fallback);
    return true;
}

static void check_in_example(struct fy_document *example, const char *text,
                             const struct schema_key *key)
{
    char commented[128];
    bool found = false;

    if (key->type == SCHEMA_TEXT && !*schema_fallback(key, 0)) {
        /* Not set by default: there as a comment. */
        snprintf(commented, sizeof(commented), "# %s: ", schema_name(key));
        found = strstr(text, commented) != NULL;
    } else if (schema_owner(key) != SCHEMA_OF_LISTENER) {
        found = shows(example, key, 0);
    }
    for (uint8_t i = 1; i < PROTOCOL_LIMIT && schema_owner(key) == SCHEMA_OF_LISTENER;
         i++) {
        bool here = shows(example, key, i);

        found |= here;
        if (!here && key->fallback_of[i])
            fail_msg("etc/holdfast.yaml lacks %s of %s", key->path, protocol_word(i));
    }
    if (!found)
        fail_msg("etc/holdfast.yaml does not mention %s", key->path);
}

static void the_example_shows_every_setting_with_its_default(void **state)
{
    char *text = read_file("etc/holdfast.yaml");
    struct fy_document *example = fy_document_build_from_string(NULL, text, FY_NT);

    (void)state;
    assert_non_null(example);
    for (size_t i = 0; i < schema_key_count; i++) {
        if (schema_keys[i].type != SCHEMA_GROUP)
            check_in_example(example, text, &schema_keys[i]);
    }
    fy_document_destroy(example);
    free(text);
}

static void the_example_can_be_loaded_and_changes_nothing(void **state)
{
    struct config *defaults = NULL, *example = NULL;

    (void)state;
    assert_int_equal(config_load(NULL, stderr, &defaults), OK);
    assert_int_equal(config_load(SOURCE_ROOT "/etc/holdfast.yaml", stderr, &example),
                     OK);
    assert_true(config_is_same_work(defaults, example));
    config_free(&defaults);
    config_free(&example);
}

static void the_operators_page_lists_every_close_reason(void **state)
{
    static const char *const rows[] = {
#define X(name, word, text) "\n| `" word "` | " text " |\n",
        CLOSE_REASONS(X)
#undef X
    };
    char *page = read_file("docs/operations.md");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!strstr(page, rows[i]))
            fail_msg("docs/operations.md lacks the line %s", rows[i]);
    }
    free(page);
}

static void every_word_of_help_ends_as_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < schema_key_count; i++) {
        const char *help = schema_keys[i].help;

        assert_int_equal(help[strlen(help) - 1], '.');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_about_configuration_lists_all_settings),
        cmocka_unit_test(the_manual_page_lists_all_settings),
        cmocka_unit_test(the_example_shows_every_setting_with_its_default),
        cmocka_unit_test(the_example_can_be_loaded_and_changes_nothing),
        cmocka_unit_test(the_operators_page_lists_every_close_reason),
        cmocka_unit_test(every_word_of_help_ends_as_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
