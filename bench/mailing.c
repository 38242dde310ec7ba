#include "mailing.h"

#include <stdarg.h>
#include <stdio.h>

const struct mail_wire *mail_wire_find(const char *name)
{
    static const struct mail_wire *all[] = {&mail_wire_ttms, &mail_wire_mqtt,
                                            &mail_wire_nats, &mail_wire_resp};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

int mail_say(struct buf *out, const char *format, ...)
{
    char text[512];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return buf_try_append(out, slice_of(text, (size_t)n));
}

int mail_say_body(struct buf *out, const uint8_t *body)
{
    int rc = buf_try_append(out, slice_of(body, MAIL_BODY));

    return rc < 0 ? rc : buf_try_append(out, slice_of("\r\n", 2));
}

size_t mail_line(struct slice in)
{
    const uint8_t *end = in.size ? memmem(in.data, in.size, "\r\n", 2) : NULL;

    return end ? (size_t)(end - in.data) + 2 : 0;
}

bool mail_begins(struct slice in, const char *with)
{
    return in.size >= strlen(with) && memcmp(in.data, with, strlen(with)) == 0;
}
