/* restart.h - when a child that died is started again.
 *
 * At once, then after a pause that doubles, at most so many times in a row. A child
 * that lived for RESTART_ROW_MS ends the row: it was healthy, this is another story. */
#pragma once

#include <stdint.h>

#define RESTART_ROW_MS   60000
#define RESTART_FIRST_MS 100 /* the pause before the second restart of a row */
#define RESTART_GIVE_UP  (-1)

struct restart {
    unsigned max; /* restarts in a row */
    int64_t max_delay_ms;
    unsigned in_row;
};

/* A child that was started at `born_ms` is dead at `now_ms`. Returns how long to wait
 * before starting the next one, or RESTART_GIVE_UP. */
int64_t restart_after_death(struct restart *r, int64_t born_ms, int64_t now_ms);
