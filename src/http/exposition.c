#include "http/exposition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

PRINTF(2, 3) static void put(struct exposition *e, const char *format, ...)
{
    char text[256];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < sizeof(text));
    if (!e->failed && buf_try_append(e->out, slice_of(text, (size_t)n)) < 0)
        e->failed = true;
}

void expose(struct exposition *e, const char *name, enum exposed type, const char *help)
{
    static const char *const words[] = {"counter", "gauge", "histogram"};

    e->name = name;
    put(e, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, words[type]);
}

static void put_labels(struct exposition *e, const struct label *labels)
{
    if (!labels || !labels->name)
        return;
    for (const struct label *l = labels; l->name; l++) {
        put(e, "%s%s=\"", l == labels ? "{" : ",", l->name);
        for (const char *c = l->value; *c; c++)
            put(e, *c == '\n' ? "\\n" : *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
        put(e, "\"");
    }
    put(e, "}");
}

void expose_value(struct exposition *e, const char *suffix, const struct label *labels,
                  uint64_t value)
{
    put(e, "%s%s", e->name, suffix);
    put_labels(e, labels);
    put(e, " %" PRIu64 "\n", value);
}

void expose_us(struct exposition *e, const char *suffix, const struct label *labels,
               uint64_t us)
{
    put(e, "%s%s", e->name, suffix);
    put_labels(e, labels);
    put(e, " %" PRIu64 ".%06u\n", us / 1000000, (unsigned)(us % 1000000));
}
