/* file.h - reading what comes from a file or a pipe in one piece or many. */
#pragma once

#include "base/compiler.h"

#include <stddef.h>
#include <sys/types.h>

/* Up to `size` bytes, fewer only where the file ends; -1 with errno. */
MUST_CHECK ssize_t file_read(int fd, void *to, size_t size);
