/* The list of keys: as Markdown that also reads well on a terminal, and for man(1). */
#include "config/value.h"

static void wrap(FILE *out, const char *text, const char *indent)
{
    size_t column = 0;

    while (*text) {
        size_t n = strcspn(text, " ");

        if (column > 0 && column + 1 + n > 84) {
            fprintf(out, "\n%s", indent);
            column = 0;
        } else if (column > 0) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, n, out);
        column += n;
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_key(FILE *out, const struct schema_key *key)
{
    char allowed[VALUE_MESSAGE_MAX];

    value_describe(key, allowed, sizeof(allowed));
    if (value_default(key))
        fprintf(out, "- `%s`: default `%s`%s\n", schema_name(key), value_default(key),
                key->live ? ", live" : "");
    else
        fprintf(out, "- `%s`: must be given\n", schema_name(key));
    fprintf(out, "  (%s)\n  ", allowed);
    wrap(out, key->help, "  ");
    if (!key->words)
        return;
    for (const struct schema_word *w = key->words; w->word; w++) {
        if (w->help)
            fprintf(out, "  - `%s`: %s\n", w->word, w->help);
    }
}

static void print_group(FILE *out, const struct schema_key *group)
{
    if (strcmp(group->path, SCHEMA_LISTENER) == 0)
        fprintf(out, "\n## listen.NAME\n\n");
    else
        fprintf(out, "\n## %s\n\n", group->path);
    wrap(out, group->help, "");
    if (strcmp(group->path, SCHEMA_LISTEN) != 0)
        fputc('\n', out);
}

void config_print_reference(FILE *out)
{
    fprintf(out, "## At the top\n\n");
    for (size_t i = 0; i < schema_key_count; i++) {
        const struct schema_key *key = &schema_keys[i];

        if (key->type == SCHEMA_GROUP)
            print_group(out, key);
        else
            print_key(out, key);
    }
}

/* For roff: a dot or quote at the start of a line would be a command, a hyphen a dash.
 */
static void print_roff(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '-' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void print_roff_path(FILE *out, const char *path)
{
    size_t n = strlen(SCHEMA_LISTENER ".");

    if (strncmp(path, SCHEMA_LISTENER ".", n) == 0)
        fprintf(out, ".B " SCHEMA_LISTEN ".\\fINAME\\fB.%s\n", path + n);
    else
        fprintf(out, ".B %s\n", path);
}

static void print_roff_key(FILE *out, const struct schema_key *key)
{
    char allowed[VALUE_MESSAGE_MAX];

    fputs(".TP\n", out);
    print_roff_path(out, key->path);
    print_roff(out, key->help);
    fputs("\n.br\n", out);
    print_roff(out, value_describe(key, allowed, sizeof(allowed)));
    fputs("; ", out);
    print_roff(out, value_default(key) ? "default " : "must be given");
    if (value_default(key))
        print_roff(out, value_default(key));
    fputs(key->live ? "; live.\n" : ".\n", out);
    for (const struct schema_word *w = key->words; w && w->word; w++) {
        if (w->help) {
            fprintf(out, ".br\n.I %s\n\\(em ", w->word);
            print_roff(out, w->help);
            fputc('\n', out);
        }
    }
}

void config_print_manual(FILE *out)
{
    for (size_t i = 0; i < schema_key_count; i++) {
        const struct schema_key *key = &schema_keys[i];

        if (key->type != SCHEMA_GROUP) {
            print_roff_key(out, key);
        } else if (strcmp(key->path, SCHEMA_LISTENER) != 0) {
            fprintf(out, ".SS %s\n", key->path);
            print_roff(out, key->help);
            fputc('\n', out);
        }
    }
}
