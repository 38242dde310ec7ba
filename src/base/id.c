#include "base/id.h"
#include "base/log.h"

#include <stdio.h>

const char *protocol_word(uint8_t protocol)
{
    switch (protocol) {
#define X(name, number, word)                                                          \
    case number:                                                                       \
        return word;
        PROTOCOLS(X)
#undef X
    default:
        return "unknown";
    }
}

int id_make(uint8_t protocol, struct slice text, struct id *out)
{
    *out = (struct id){0};
    if (text.size == 0 || text.size > ID_TEXT_MAX)
        return ERR_INVALID;
    out->protocol = protocol;
    out->length = (uint8_t)text.size;
    memcpy(out->text, text.data, text.size);
    return OK;
}

const char *id_show(const struct id *id, char *out, size_t size)
{
    return log_escape(slice_of(id->text, id->length), out, size);
}

const char *id_show_full(const struct id *id, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%s/", protocol_word(id->protocol));

    assert(n < size);
    id_show(id, out + n, size - n);
    return out;
}
