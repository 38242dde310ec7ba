/* How long a sync takes on the disk that mailboxes will be on. */
#include "cli/selftest_inside.h"
#include "base/clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SYNCS 300u
#define SIZE  1520u

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int measure(int fd, int64_t took_us[SYNCS])
{
    uint8_t message[SIZE];

    memset(message, 'x', sizeof(message));
    for (unsigned i = 0; i < SYNCS; i++) {
        int64_t begun_us = clock_mono_us();

        if (write(fd, message, sizeof(message)) != (ssize_t)sizeof(message) ||
            fdatasync(fd) < 0)
            return ERR_IO;
        took_us[i] = clock_mono_us() - begun_us;
    }
    return OK;
}

int selftest_disk(struct disk_result *out)
{
    int64_t took_us[SYNCS];
    int fd = open("sync", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc;

    if (fd < 0)
        return ERR_IO;
    rc = measure(fd, took_us);
    close(fd);
    (void)unlink("sync");
    if (rc < 0)
        return rc;
    qsort(took_us, SYNCS, sizeof(*took_us), by_size);
    *out = (struct disk_result){
        .syncs = SYNCS,
        .median_us = took_us[SYNCS / 2],
        .slowest_us = took_us[SYNCS - 1],
    };
    return OK;
}
