#include "base/file.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

ssize_t file_read(int fd, void *to, size_t size)
{
    uint8_t *bytes = to;
    size_t used = 0;
    ssize_t n = 0;

    do {
        n = TEMP_FAILURE_RETRY(read(fd, bytes + used, size - used));
        if (n > 0)
            used += (size_t)n;
    } while (n > 0 && used < size);
    return n < 0 ? -1 : (ssize_t)used;
}
