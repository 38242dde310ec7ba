#include "base/err.h"

const char *err_word(int err)
{
    switch (err) {
    case OK:
        return "ok";
#define X(name, word, text)                                                            \
    case ERR_##name:                                                                   \
        return word;
        ERRORS(X)
#undef X
    default:
        return "unknown";
    }
}

const char *err_text(int err)
{
    switch (err) {
    case OK:
        return "success";
#define X(name, word, text)                                                            \
    case ERR_##name:                                                                   \
        return text;
        ERRORS(X)
#undef X
    default:
        return "unknown error";
    }
}
