#include "config/amount.h"
#include "config/suggest.h"

#include <errno.h>
#include <stdlib.h>

struct unit {
    const char *word;
    uint64_t factor;
    bool is_other_word; /* read, not told: for the one before it */
};

static const struct unit no_units[] = {{.word = NULL}};

static const struct unit durations[] = {
    {"ms", 1, false},   {"s", 1000, false},    {"min", 60000, false},
    {"m", 60000, true}, {"h", 3600000, false}, {"d", 86400000, false},
    {.word = NULL},
};

static const struct unit sizes[] = {
    {"KiB", 1ull << 10, false},
    {"MiB", 1ull << 20, false},
    {"GiB", 1ull << 30, false},
    {"TiB", 1ull << 40, false},
    {.word = NULL},
};

static const struct unit *units_of(enum schema_type type)
{
    return type == SCHEMA_DURATION ? durations : type == SCHEMA_SIZE ? sizes : no_units;
}

static const char *noun_of(enum schema_type type)
{
    switch (type) {
    case SCHEMA_DURATION:
        return "a duration";
    case SCHEMA_SIZE:
        return "a size";
    case SCHEMA_COUNT:
        return "a whole number";
    default:
        return "a value";
    }
}

static int find_unit(const struct schema_key *key, const char *text, const char *word,
                     uint64_t *factor, struct value_error *error)
{
    const struct unit *units = units_of(key->type);
    struct suggestion near;

    word += strspn(word, " ");
    near = suggest_for(word);

    for (const struct unit *u = units; u->word; u++) {
        if (strcmp(u->word, word) == 0) {
            *factor = u->factor;
            return OK;
        }
        suggest_consider(&near, u->word);
    }
    if (!units->word)
        return value_complain(error, "`%s` is not %s", text, noun_of(key->type));
    return value_complain(error, "`%s` is not %s: there is no unit `%s`%s%s%s", text,
                          noun_of(key->type), word, near.best ? "; did you mean `" : "",
                          near.best ? near.best : "", near.best ? "`?" : "");
}

/* A whole number and its unit. */
static int parse(const struct schema_key *key, const char *text, uint64_t *out,
                 struct value_error *error)
{
    uint64_t factor = 1;
    char *end = NULL;
    uint64_t number;
    int rc;

    if (text[0] < '0' || text[0] > '9')
        return value_complain(error, "`%s` is not %s", text, noun_of(key->type));
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno == ERANGE)
        return value_complain(error, "`%s` is too large", text);
    if (*end == '.' || *end == ',')
        return value_complain(error, "`%s` is not a whole number: take a smaller unit",
                              text);
    if (*end) {
        if ((rc = find_unit(key, text, end, &factor, error)) < 0)
            return rc;
    } else if (key->type == SCHEMA_DURATION && number > 0) {
        return value_complain(error, "`%s` has no unit", text);
    }
    if (__builtin_mul_overflow(number, factor, out))
        return value_complain(error, "`%s` is too large", text);
    return OK;
}

int amount_read(const struct schema_key *key, const char *text, uint64_t *out,
                struct value_error *error)
{
    uint64_t min, max;
    int rc;

    if ((rc = parse(key, text, out, error)) < 0 ||
        (rc = parse(key, key->min, &min, error)) < 0 ||
        (rc = parse(key, key->max, &max, error)) < 0)
        return rc;
    if (*out < min)
        return value_complain(error, "`%s` is too small: the least is %s", text,
                              key->min);
    if (*out > max)
        return value_complain(error, "`%s` is too large: the most is %s", text,
                              key->max);
    return OK;
}

static void list_units(const struct unit *units, char *out, size_t size)
{
    size_t n = 0;

    for (const struct unit *u = units; u->word && n < size; u++) {
        const char *glue = u == units ? "" : u[1].word ? ", " : " or ";

        if (u->is_other_word)
            continue;
        n += (size_t)snprintf(out + n, size - n, "%s%s", glue, u->word);
    }
}

void amount_describe(const struct schema_key *key, char *out, size_t size)
{
    char units[64] = "";

    list_units(units_of(key->type), units, sizeof(units));
    switch (key->type) {
    case SCHEMA_SIZE:
        snprintf(out, size, "%s to %s, a number of bytes or with %s", key->min,
                 key->max, units);
        break;
    case SCHEMA_DURATION:
        snprintf(out, size, "%s to %s, a whole number with %s", key->min, key->max,
                 units);
        break;
    default:
        snprintf(out, size, "a whole number, %s to %s", key->min, key->max);
        break;
    }
}
