#include "base/inbox.h"
#include "base/err.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int inbox_init(struct inbox *in)
{
    *in = (struct inbox){.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    return in->event_fd < 0 ? ERR_IO : OK;
}

void inbox_fini(struct inbox *in)
{
    if (in->event_fd >= 0)
        close(in->event_fd);
    in->event_fd = -1;
}

void inbox_ring(struct inbox *in)
{
    uint64_t one = 1;

    (void)!TEMP_FAILURE_RETRY(write(in->event_fd, &one, sizeof(one)));
}

void inbox_push(struct inbox *in, struct parcel *parcel)
{
    struct parcel *top = atomic_load_explicit(&in->top, memory_order_relaxed);

    do
        parcel->next = top;
    while (!atomic_compare_exchange_weak(&in->top, &top, parcel));

    /* Ordered after the push, as inbox_may_sleep orders `asleep` before its look at
     * `top`: one of the two sides always sees the other. */
    if (atomic_load(&in->asleep) && atomic_exchange(&in->asleep, false))
        inbox_ring(in);
}

struct parcel *inbox_take(struct inbox *in)
{
    struct parcel *newest, *oldest = NULL;

    if (!atomic_load_explicit(&in->top, memory_order_relaxed))
        return NULL;
    newest = atomic_exchange(&in->top, NULL);
    while (newest) {
        struct parcel *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

bool inbox_may_sleep(struct inbox *in)
{
    atomic_store(&in->asleep, true);
    if (!atomic_load(&in->top))
        return true;
    atomic_store(&in->asleep, false);
    return false;
}

void inbox_wake(struct inbox *in)
{
    atomic_store_explicit(&in->asleep, false, memory_order_relaxed);
}

void inbox_clear(struct inbox *in)
{
    uint64_t count;

    (void)!read(in->event_fd, &count, sizeof(count));
}
