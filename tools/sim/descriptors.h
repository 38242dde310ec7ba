/* descriptors.h - room for as many connections as were asked for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Raises the limit of file descriptors to `wanted` and some to spare; false (and why on
 * standard error) if that is not allowed. `who` begins the message, `what` tells what
 * needs so many: "2,000 clients". */
bool descriptors_raise(uint64_t wanted, const char *who, const char *what);
