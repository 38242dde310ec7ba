/* stop.h - ending a run by Ctrl-C or SIGTERM. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

/* From now on the first signal sets the flag: finish, and report. The second one ends
 * the process at once, with status 2. */
_Atomic bool *stop_on_signals(void);
