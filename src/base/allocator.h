/* allocator.h - asks the allocator to give memory back after busy moments. */
#pragma once

#include "base/compiler.h"

#include <stddef.h>

/* Once per process, before its threads. Without jemalloc it does nothing. */
void allocator_setup(void);

/* What this thread keeps at hand for its next allocations goes back: it was busy, and
 * is idle now. */
void allocator_rest(void);

/* A block of so many bytes, a multiple of 4096, in pages of its own; free() takes it.
 * Other large blocks begin somewhere in a page with jemalloc, and write one more. */
MUST_CHECK void *allocator_try_pages(size_t size);

/* For a thread that handles messages of many megabytes: the pages of one serve the
 * next. Otherwise blocks of 8 MiB and more go back to the system at once. */
void allocator_keep_large(void);
