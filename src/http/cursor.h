/* cursor.h - where a page of a list goes on, as an opaque text. */
#pragma once

#include "base/err.h"

#include <stdint.h>

/* Within one life of the gateway (`boot`): a shard (or, behind them, a process of a
 * service), and a number on it. */
struct cursor {
    uint32_t boot;
    uint16_t shard;
    uint32_t number;
};

#define CURSOR_TEXT_SIZE 16 /* with its end */

void cursor_write(const struct cursor *c, char text[CURSOR_TEXT_SIZE]);

/* Returns OK or ERR_INVALID: not a cursor of ours. */
MUST_CHECK int cursor_read(const char *text, struct cursor *out);
