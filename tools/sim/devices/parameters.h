/* parameters.h - the settings that a simulated vehicle terminal holds.
 *
 *   | id u32 | size u8 | value | ...        as they stand in 8103 and 0104
 *
 * Until one is set a terminal has none of its own, and shows what all have. */
#pragma once

#include "sim/devices/settings.h"
#include "base/buf.h"

#define PARAMETERS_PLATE                                                               \
    "\xd4\xc1"                                                                         \
    "B12345" /* GBK */

/* 8103: false: it cannot be read. */
bool parameters_set(const struct plant_settings *s, struct buf *held,
                    struct slice body);

/* 0104 behind its serial: a count, and all of them, or those whose ids `wanted` has
 * (8106: count and ids; empty: all). Returns the size. */
size_t parameters_list(const struct plant_settings *s, const struct buf *held,
                       struct slice wanted, uint8_t *to, size_t room);
