/* hearing.h - what a simulated device in 7E frames hears of its gateway: it must be
 * whole frames, well made, however few bytes of them are read at a time. */
#pragma once

#include "codec/device.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Zeroed at a connection's beginning; buf_fini(&rest) at its end. */
struct hearing {
    struct framing_state cut;
    struct buf rest; /* of an incomplete frame */
};

typedef void hearing_frame(void *user, const struct device_frame *f);

/* Reads once, at most so many bytes. */
static inline void hear(struct hearing *h, int fd, size_t most,
                        enum device_id_form form, hearing_frame *each, void *user)
{
    struct framing framing = device_framing(form);
    uint8_t bytes[4096], scratch[DEVICE_FRAME_MAX];
    ssize_t n = recv(fd, bytes, most < sizeof(bytes) ? most : sizeof(bytes), 0);
    ssize_t used = 1;

    if (n <= 0)
        return;
    if (buf_try_append(&h->rest, slice_of(bytes, (size_t)n)) < 0)
        abort();
    while (buf_used(&h->rest) && used > 0) {
        struct device_frame f;
        struct frame cut;
        int rc;

        used = framing_cut(&framing, &h->cut, buf_peek(&h->rest), false, scratch, &cut);
        assert(used >= 0 && cut.fault == OK);
        if (cut.bytes.size) {
            rc = device_decode(form, cut.body, &f);
            assert(rc == OK);
            each(user, &f);
        }
        buf_consume(&h->rest, (size_t)used);
    }
}
