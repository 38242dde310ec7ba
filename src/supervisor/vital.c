#include "supervisor/vital.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A look that comes late counts as one in time: we did not run either. A shard that has
 * nothing to do turns once a second, so more would reach the shortest timeout. */
#define LOOK_MAX_MS 500

struct vital *vital_new(void)
{
    int fd = memfd_create("holdfast-vital", MFD_CLOEXEC);
    struct vital *v = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, sizeof(*v)) == 0)
        v = mmap(NULL, sizeof(*v), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (v == MAP_FAILED) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    v->fd = fd;
    vital_clear(v);
    return v;
}

void vital_free(struct vital **v)
{
    int fd;

    if (!*v)
        return;
    fd = (*v)->fd;
    munmap(*v, sizeof(**v));
    close(fd);
    *v = NULL;
}

void vital_clear(struct vital *v)
{
    int fd = v->fd;

    memset(v, 0, sizeof(*v));
    v->fd = fd;
    lseek(fd, offsetof(struct vital, words), SEEK_SET);
}

void vital_set_ready(struct vital *v)
{
    v->ready = 1;
}

void vital_shard_start(struct vital *v, unsigned shard)
{
    v->shards[shard].turns++;
    v->shards[shard].thread = gettid();
}

void vital_shard_stop(struct vital *v, unsigned shard)
{
    v->shards[shard].thread = 0;
}

int vital_find_stuck(struct vital *v, struct vital_watch *watch, int64_t timeout_ms,
                     int64_t now_ms)
{
    int64_t passed_ms = watch->looked_ms ? now_ms - watch->looked_ms : 0;
    int stuck = -1;

    if (passed_ms > LOOK_MAX_MS)
        passed_ms = LOOK_MAX_MS;
    watch->looked_ms = now_ms;
    for (int i = 0; i < VITAL_SHARDS; i++) {
        uint64_t turns = v->shards[i].turns;

        if (v->shards[i].thread == 0 || turns != watch->turns[i]) {
            watch->turns[i] = turns;
            watch->still_ms[i] = 0;
            continue;
        }
        watch->still_ms[i] += passed_ms;
        if (stuck < 0 && watch->still_ms[i] >= timeout_ms)
            stuck = i;
    }
    return stuck;
}
