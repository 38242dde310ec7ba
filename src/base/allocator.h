/* allocator.h - asks the allocator to give memory back after busy moments. */
#pragma once

/* Once per process, before its threads. Without jemalloc it does nothing. */
void allocator_setup(void);

/* What this thread keeps at hand for its next allocations goes back: it was busy, and
 * is idle now. */
void allocator_rest(void);

/* For a thread that handles messages of many megabytes: the pages of one serve the
 * next. Otherwise blocks of 8 MiB and more go back to the system at once. */
void allocator_keep_large(void);
