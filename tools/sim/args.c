#include "sim/args.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *word;
    double factor;
};

static const struct unit counts[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}};
static const struct unit times[] = {{"", 1e9},
                                    {"ms", 1e6},
                                    {"s", 1e9},
                                    {"min", 60e9},
                                    {"h", 3600e9}};
static const struct unit sizes[] = {{"", 1},       {"B", 1},    {"kB", 1e3},
                                    {"KiB", 1024}, {"MB", 1e6}, {"MiB", 1048576}};

static int parse(const char *text, const struct unit *units, size_t n, double *out)
{
    char *end;
    double v;

    if (!isdigit((unsigned char)text[0])) /* strtod would take blanks, signs, "nan" */
        return ERR_INVALID;
    v = strtod(text, &end);
    for (size_t i = 0; i < n; i++)
        if (strcmp(end, units[i].word) == 0) {
            *out = v * units[i].factor;
            return *out < 9e18 ? OK : ERR_INVALID;
        }
    return ERR_INVALID;
}

int args_number(const char *text, double *out)
{
    return parse(text, counts, ARRAY_LEN(counts), out);
}

static int parse_whole(const char *text, const struct unit *units, size_t n,
                       uint64_t *out)
{
    double v;

    if (parse(text, units, n, &v) < 0 || v != (double)(uint64_t)v)
        return ERR_INVALID;
    *out = (uint64_t)v;
    return OK;
}

int args_count(const char *text, uint64_t *out)
{
    return parse_whole(text, counts, ARRAY_LEN(counts), out);
}

int args_bytes(const char *text, uint64_t *out)
{
    return parse_whole(text, sizes, ARRAY_LEN(sizes), out);
}

int args_time(const char *text, int64_t *out_ns)
{
    double v;

    if (parse(text, times, ARRAY_LEN(times), &v) < 0)
        return ERR_INVALID;
    *out_ns = (int64_t)v;
    return OK;
}

static int parse_choice(const char *text, const char *words, unsigned *out)
{
    size_t n = strlen(text);

    for (*out = 0;; ++*out) {
        size_t word = strcspn(words, "|");

        if (word == n && memcmp(words, text, n) == 0)
            return OK;
        if (words[word] == '\0')
            return ERR_INVALID;
        words += word + 1;
    }
}

const char *args_choice_word(const char *words, unsigned place)
{
    static _Thread_local char word[32];

    for (; place > 0; place--)
        words += strcspn(words, "|") + 1;
    snprintf(word, sizeof(word), "%.*s", (int)strcspn(words, "|"), words);
    return word;
}

static int parse_pair(const struct arg *a, const char *text, void *settings)
{
    char first[256];
    size_t n = strcspn(text, ":");

    if (n >= sizeof(first))
        return ERR_INVALID;
    memcpy(first, text, n);
    first[n] = '\0';
    return a->pair(settings, first, text[n] == ':' ? text + n + 1 : NULL);
}

static int set(const struct arg *a, const char *text, void *settings)
{
    void *value = (char *)settings + a->offset;

    switch (a->type) {
    case ARG_FLAG:
        *(bool *)value = true;
        return OK;
    case ARG_COUNT:
        return args_count(text, value);
    case ARG_NUMBER:
        return args_number(text, value);
    case ARG_TIME:
        return args_time(text, value);
    case ARG_BYTES:
        return args_bytes(text, value);
    case ARG_CHOICE:
        return parse_choice(text, a->hint, value);
    case ARG_TEXT:
        *(const char **)value = text;
        return OK;
    case ARG_PAIR:
        return parse_pair(a, text, settings);
    }
    return ERR_INVALID;
}

static const char *wanted(const struct arg *a)
{
    switch (a->type) {
    case ARG_COUNT:
        return "a whole number such as 200, 15k or 2M";
    case ARG_NUMBER:
        return "a number such as 0.5, 200 or 15k";
    case ARG_TIME:
        return "a time such as 500ms, 10s or 2min";
    case ARG_BYTES:
        return "a size such as 64 or 1KiB";
    default:
        return a->hint;
    }
}

/* How many letters must be changed, added or removed (Levenshtein); names are short. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t n = strlen(b);

    if (n >= ARRAY_LEN(row))
        return UINT32_MAX;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; *a; a++, i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            unsigned change = diagonal + (*a != b[j - 1]);
            unsigned best = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = change < best ? change : best;
        }
    }
    return row[n];
}

static const struct arg *find(const struct arg *table, size_t length, const char *name)
{
    for (size_t i = 0; i < length; i++)
        if (table[i].name && strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

static void refuse_unknown(const struct arg *table, size_t length, const char *name,
                           const char *who, FILE *errors)
{
    const char *nearest = NULL;
    unsigned best = 4;

    for (size_t i = 0; i < length; i++)
        if (table[i].name && distance(name, table[i].name) < best) {
            best = distance(name, table[i].name);
            nearest = table[i].name;
        }
    fprintf(errors, "%s: there is no option --%s", who, name);
    if (nearest)
        fprintf(errors, "; did you mean --%s?\n", nearest);
    else
        fputs("; --help lists them\n", errors);
}

int args_parse(const struct arg *table, size_t length, int argc, char **argv,
               void *settings, const char *who, FILE *errors)
{
    for (int i = 0; i < argc; i++) {
        char name[64];
        const char *value = strchr(argv[i], '=');
        const struct arg *a;
        size_t n = value ? (size_t)(value - argv[i]) : strlen(argv[i]);

        if (strncmp(argv[i], "--", 2) != 0 || n < 3 || n - 2 >= sizeof(name)) {
            fprintf(errors, "%s: \"%s\" is not an option; --help lists them\n", who,
                    argv[i]);
            return ERR_INVALID;
        }
        snprintf(name, sizeof(name), "%.*s", (int)(n - 2), argv[i] + 2);
        if (!(a = find(table, length, name))) {
            refuse_unknown(table, length, name, who, errors);
            return ERR_INVALID;
        }
        if (value && a->type == ARG_FLAG) {
            fprintf(errors, "%s: --%s takes no value\n", who, name);
            return ERR_INVALID;
        }
        if (value)
            value++;
        else if (a->type != ARG_FLAG && i + 1 < argc)
            value = argv[++i];
        if (a->type != ARG_FLAG && (!value || set(a, value, settings) < 0)) {
            fprintf(errors, "%s: --%s %s: expected %s\n", who, name,
                    value ? value : "(nothing)", wanted(a));
            return ERR_INVALID;
        }
        if (a->type == ARG_FLAG && set(a, NULL, settings) < 0)
            return ERR_INVALID;
    }
    return OK;
}

void args_print_help(const struct arg *table, size_t length, FILE *out)
{
    const int column = 32;

    for (size_t i = 0; i < length; i++) {
        const struct arg *a = &table[i];
        const char *text = a->help;
        int used;

        if (!a->name) {
            fprintf(out, "\n%s\n", text);
            continue;
        }
        used = fprintf(out, "  --%s%s%s", a->name, a->hint ? " " : "",
                       a->hint ? a->hint : "");
        if (used >= column)
            fprintf(out, "\n%*s", column, "");
        else
            fprintf(out, "%*s", column - used, "");
        for (; *text; text++) { /* a line break in the text stays in its column */
            fputc(*text, out);
            if (*text == '\n')
                fprintf(out, "%*s", column, "");
        }
        fputc('\n', out);
    }
}
