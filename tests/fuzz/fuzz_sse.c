/* fuzz_sse.c - any bytes where a stream of events is expected.
 *
 *   input: how it is cut | the stream
 *
 * Cut anywhere it gives the same events. */
#include "base/crc32c.h"
#include "cli/sse.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
    unsigned events;
    uint32_t sum;
};

static int on_event(void *user, const struct sse_event *event)
{
    struct heard *heard = user;

    heard->events++;
    heard->sum = crc32c(crc32c(heard->sum, event->id), event->type);
    heard->sum = crc32c(heard->sum, event->data);
    return OK;
}

static struct heard read_in_pieces(struct slice bytes, size_t piece)
{
    struct heard heard = {0};
    struct sse sse = {0};

    while (bytes.size) {
        size_t n = bytes.size < piece ? bytes.size : piece;

        assert(sse_feed(&sse, slice_of(bytes.data, n), on_event, &heard) == OK);
        bytes = slice_from(bytes, n);
    }
    sse_restart(&sse);
    sse_fini(&sse);
    return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct heard whole, cut;

    if (size == 0)
        return 0;
    whole = read_in_pieces(slice_of(data + 1, size - 1), size);
    cut = read_in_pieces(slice_of(data + 1, size - 1), data[0] % 7 + 1u);
    assert(whole.events == cut.events && whole.sum == cut.sum);
    return 0;
}
