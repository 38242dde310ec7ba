/* log_floor.c - the least that durable messages can cost: a file whose blocks exist
 * already, one write and one fdatasync per batch. What was removed is one number in the
 * next batch's head; the file is used again from its start when it is full. */
#include "store_run.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES (256 << 20)
#define ALIGN      4096

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Written once, so that no later write has to allocate or to convert an extent. */
static int log_open(const char *dir)
{
    static char zeros[1 << 20];
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof(path), "%s/log", dir);
    if ((fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        die(path);
    for (size_t done = 0; done < FILE_BYTES; done += sizeof(zeros))
        if (write(fd, zeros, sizeof(zeros)) != sizeof(zeros))
            die("preallocate");
    if (fsync(fd) < 0)
        die("fsync");
    return fd;
}

int main(int argc, char **argv)
{
    struct store_run run;
    size_t record, bytes, at = 0;
    uint8_t *body, *batch;
    int fd;

    store_run_parse(argc, argv, &run);
    record = run.size + STORE_RUN_HEAD;
    bytes = 16 + run.batch * record;
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (bytes > FILE_BYTES || !(batch = calloc(1, bytes)) ||
        !(body = calloc(1, record)))
        return 1;
    fd = log_open(run.dir);

    store_run_begin(&run);
    do {
        memcpy(batch, &run.messages, 8); /* everything before this batch is removed */
        for (unsigned i = 0; i < run.batch; i++)
            memcpy(batch + 16 + i * record, body, record);
        if (at + bytes > FILE_BYTES)
            at = 0;
        if (pwrite(fd, batch, bytes, (off_t)at) != (ssize_t)bytes)
            die("pwrite");
        if (fdatasync(fd) < 0)
            die("fdatasync");
        at += bytes;
        run.batches++;
        run.messages += run.batch;
    } while (store_run_goes_on(&run));
    store_run_print(&run);

    free(batch);
    free(body);
    close(fd);
    return 0;
}
