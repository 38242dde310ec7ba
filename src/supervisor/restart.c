#include "supervisor/restart.h"

static int64_t pause_before(const struct restart *r, unsigned number)
{
    int64_t delay_ms = RESTART_FIRST_MS;

    if (number == 1)
        return 0;
    for (unsigned i = 2; i < number && delay_ms < r->max_delay_ms; i++)
        delay_ms *= 2;
    return delay_ms < r->max_delay_ms ? delay_ms : r->max_delay_ms;
}

int64_t restart_after_death(struct restart *r, int64_t born_ms, int64_t now_ms)
{
    if (now_ms - born_ms >= RESTART_ROW_MS)
        r->in_row = 0;
    if (r->in_row >= r->max)
        return RESTART_GIVE_UP;
    return pause_before(r, ++r->in_row);
}
