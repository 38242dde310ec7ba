/* clock.h - the two clocks.
 *
 * Whoever turns (a loop, a keeper of a store, the supervisor) reads the first once in a
 * turn; logic gets `now_ms` as an argument. The second is read for what people see and
 * what is stored. */
#pragma once

#include <stdint.h>

/* Milliseconds that never jump (CLOCK_MONOTONIC): for time-outs. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void); /* the same clock */

/* What a field of 48 bits, one of them the sign, holds of either: 4000 years. */
#define TIME_MASK ((INT64_C(1) << 47) - 1)

/* Milliseconds since 1970 (CLOCK_REALTIME): for people and for stored records. */
int64_t clock_wall_ms(void);
