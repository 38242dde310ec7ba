/* clock.h - the two clocks.
 *
 * Only the loop and the store's writer read them; logic gets `now_ms` as an argument.
 */
#pragma once

#include <stdint.h>

/* Milliseconds that never jump (CLOCK_MONOTONIC): for time-outs. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void); /* the same clock */

/* What a field of 48 bits, one of them the sign, holds of either: 4000 years. */
#define TIME_MASK ((INT64_C(1) << 47) - 1)

/* Milliseconds since 1970 (CLOCK_REALTIME): for people and for stored records. */
int64_t clock_wall_ms(void);
