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

/* " (only ttms)" for a key that not all protocols have. */
static const char *describe_owners(const struct schema_key *key, char *out, size_t size)
{
    size_t n = 0;

    *out = '\0';
    for (uint8_t i = 1; key->only && i < PROTOCOL_LIMIT && n < size; i++) {
        if (schema_has(key, i))
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : " (only ",
                                  protocol_word(i));
    }
    if (n > 0 && n < size)
        snprintf(out + n, size - n, ")");
    return out;
}

/* "default `5`", or one for each protocol; `quote` is put around each. */
static const char *describe_default(const struct schema_key *key, const char *quote,
                                    char *out, size_t size)
{
    const char *all = value_default(key, 0);
    size_t n = 0;

    snprintf(out, size, key->may_lack ? "not set by default" : "must be given");
    if (all)
        snprintf(out, size, "default %s%s%s", quote, all, quote);
    for (uint8_t i = 1; i < PROTOCOL_LIMIT && n < size; i++) {
        if (key->fallback_of[i])
            n += (size_t)snprintf(out + n, size - n, "%s%s%s%s (%s)",
                                  n ? ", " : "default ", quote, value_default(key, i),
                                  quote, protocol_word(i));
    }
    return out;
}

static void print_key(FILE *out, const struct schema_key *key)
{
    char text[VALUE_MESSAGE_MAX];

    fprintf(out, "- `%s`%s: ", schema_shown(key),
            describe_owners(key, text, sizeof(text)));
    fprintf(out, "%s%s\n", describe_default(key, "`", text, sizeof(text)),
            key->live ? ", live" : "");
    fprintf(out, "  (%s)\n  ", value_describe(key, text, sizeof(text)));
    wrap(out, key->help, "  ");
    if (!key->words)
        return;
    for (const struct schema_word *w = key->words; w->word; w++) {
        if (w->help)
            fprintf(out, "  - `%s`: %s\n", w->word, w->help);
    }
}

/* Names of the user's choice are shown as NAME, between `before` and `after`. */
static void print_path(FILE *out, const char *path, const char *before,
                       const char *after)
{
    for (; *path; path++) {
        if (*path == '*')
            fprintf(out, "%sNAME%s", before, after);
        else
            fputc(*path, out);
    }
}

/* Of its own: else another group follows. */
static bool has_keys(const struct schema_key *group)
{
    return schema_is_child(group + 1, group->path) && group[1].type != SCHEMA_GROUP &&
           group[1].type != SCHEMA_NAMED;
}

static void print_group(FILE *out, const struct schema_key *group)
{
    fputs("\n## ", out);
    print_path(out, group->path, "", "");
    fputs("\n\n", out);
    wrap(out, group->help, "");
    if (has_keys(group))
        fputc('\n', out);
}

void config_print_reference(FILE *out)
{
    fprintf(out, "## At the top\n\n");
    for (size_t i = 0; i < schema_key_count; i++) {
        const struct schema_key *key = &schema_keys[i];

        if (key->type == SCHEMA_GROUP || key->type == SCHEMA_NAMED)
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
    print_path(out, path, "\\fI", "\\fB");
    fputc('\n', out);
}

static void print_roff_key(FILE *out, const struct schema_key *key)
{
    char text[VALUE_MESSAGE_MAX];

    fputs(".TP\n.B ", out);
    print_roff_path(out, key->path);
    print_roff(out, key->help);
    fputs("\n.br\n", out);
    print_roff(out, value_describe(key, text, sizeof(text)));
    fputs("; ", out);
    print_roff(out, describe_default(key, "", text, sizeof(text)));
    print_roff(out, describe_owners(key, text, sizeof(text)));
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

        if (key->type != SCHEMA_GROUP && key->type != SCHEMA_NAMED) {
            print_roff_key(out, key);
        } else if (strcmp(key->path, SCHEMA_LISTENER) != 0) {
            fputs(".SS ", out);
            print_roff_path(out, key->path);
            print_roff(out, key->help);
            fputc('\n', out);
        }
    }
}
