#include "cli/field.h"

#include "base/clock.h"
#include "base/rfc3339.h"

#include <inttypes.h>

const char *field_raw(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

const char *field_text(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return table_safe(slice_of(json_string_value(value), json_string_length(value)));
}

uint64_t field_count(const json_t *object, const char *name)
{
    json_int_t count = json_integer_value(json_object_get(object, name));

    return count > 0 ? (uint64_t)count : 0;
}

const char *field_number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value)
               ? table_say("%" PRIi64, (int64_t)json_integer_value(value))
               : "";
}

int64_t field_time(const json_t *object, const char *name)
{
    const char *text = field_raw(object, name);
    int64_t time_ms;

    return rfc3339_read(slice_of(text, strlen(text)), &time_ms) == OK ? time_ms : 0;
}

const char *field_since(const json_t *object, const char *name, enum output output)
{
    int64_t time_ms = field_time(object, name);

    if (output != OUTPUT_EYES || !time_ms)
        return field_text(object, name);
    return table_say("%s ago", table_age(clock_wall_ms() - time_ms));
}

enum colour field_colour(const char *word)
{
    if (strcmp(word, "alive") == 0)
        return COLOUR_GREEN;
    if (strcmp(word, "leave") == 0)
        return COLOUR_YELLOW;
    return strcmp(word, "close") == 0 ? COLOUR_DIM : COLOUR_NONE;
}

void field_print_long(const json_t *object, const char *name)
{
    for (const char *c = field_raw(object, name); *c; c++)
        putchar(*c > ' ' && *c < 0x7f ? *c : '?');
}

void field_print(const json_t *value)
{
    json_dumpf(value, stdout,
               JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY |
                   JSON_REAL_PRECISION(15)); /* 31.2, not 31.199999999999999 */
}
