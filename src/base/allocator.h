/* allocator.h - asks the allocator to give memory back after busy moments. */
#pragma once

/* Once per process, before its threads. Without jemalloc it does nothing. */
void allocator_setup(void);
