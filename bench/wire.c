#include "wire.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

const struct wire *wire_find(const char *name)
{
    static const struct wire *all[] = {&wire_ttms, &wire_mqtt, &wire_nats, &wire_resp};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

void wire_part_add(struct wire_part *part, const void *bytes, size_t size)
{
    assert(size <= WIRE_PART_MAX - part->size);
    memcpy(part->bytes + part->size, bytes, size);
    part->size += size;
}

void wire_part_print(struct wire_part *part, const char *format, ...)
{
    char text[WIRE_PART_MAX];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < sizeof(text));
    wire_part_add(part, text, (size_t)n);
}

int wire_print(struct buf *out, const char *format, ...)
{
    char text[256];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < sizeof(text));
    return buf_try_append(out, slice_of(text, (size_t)n));
}

struct slice wire_line(struct slice in)
{
    const uint8_t *end = in.size ? memmem(in.data, in.size, "\r\n", 2) : NULL;

    return end ? slice_of(in.data, (size_t)(end - in.data)) : slice_of(NULL, 0);
}
