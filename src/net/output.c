#include "net/output.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

uint8_t *output_try_reserve(struct output *o, size_t size)
{
    assert(size <= UINT32_MAX);
    if (!buf_try_reserve(&o->notes, sizeof(struct noted_frame)))
        return NULL;
    return buf_try_reserve(&o->bytes, size);
}

void output_commit(struct output *o, size_t size, const struct frame_note *note)
{
    struct noted_frame *f = (void *)(o->notes.mem + o->notes.tail);

    f->note = *note;
    f->size = (uint32_t)size;
    buf_commit(&o->notes, sizeof(*f));
    buf_commit(&o->bytes, size);
}

int output_write(struct output *o, int fd)
{
    struct slice all = buf_peek(&o->bytes);

    while (o->written < all.size) {
        ssize_t n = send(fd, all.data + o->written, all.size - o->written,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0) {
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
                return OK;
            return errno == EPIPE || errno == ECONNRESET ? ERR_CLOSED : ERR_IO;
        }
        o->written += (size_t)n;
        o->handed_over += (uint64_t)n;
    }
    return OK;
}

static const struct noted_frame *oldest(const struct output *o)
{
    return buf_used(&o->notes) ? (const void *)buf_peek(&o->notes).data : NULL;
}

static void drop_oldest(struct output *o, size_t size)
{
    buf_consume(&o->notes, sizeof(struct noted_frame));
    buf_consume(&o->bytes, size);
    o->written = o->written > size ? o->written - size : 0;
}

void output_acknowledge(struct output *o, size_t unacked, output_frame *delivered,
                        void *user)
{
    size_t acked = o->written > unacked ? o->written - unacked : 0;
    const struct noted_frame *f;

    while ((f = oldest(o)) && f->size <= acked) {
        struct noted_frame got = *f;

        acked -= got.size;
        delivered(user, &got.note, slice_of(buf_peek(&o->bytes).data, got.size));
        drop_oldest(o, got.size);
    }
}

/* Somebody will see to it that it is sent again. */
static bool is_kept(const struct frame_note *note)
{
    return note->position || note->session;
}

bool output_must_be_recalled(const struct output *o)
{
    const struct noted_frame *f = oldest(o);
    size_t count = buf_used(&o->notes) / sizeof(*f);

    for (size_t i = 0; i < count; i++)
        if (is_kept(&f[i].note))
            return true;
    return o->recalled || output_unwritten(o) > 0;
}

void output_give_back(struct output *o, output_frame *each, void *user)
{
    bool recalled = false;
    const struct noted_frame *f;

    while ((f = oldest(o))) {
        struct noted_frame got = *f;

        recalled |= o->written > 0 && is_kept(&got.note);
        each(user, &got.note, slice_of(buf_peek(&o->bytes).data, got.size));
        drop_oldest(o, got.size);
    }
    output_fini(o);
    o->recalled = recalled;
}

/* Bytes that go on to the same peer, whoever it is now. Without memory the peer loses
 * step, and will be closed for it. */
static void keep(struct output *o, struct slice bytes)
{
    const struct frame_note nobody = {0};
    uint8_t *to = output_try_reserve(o, bytes.size);

    if (!to)
        return;
    memcpy(to, bytes.data, bytes.size);
    output_commit(o, bytes.size, &nobody);
}

void output_disown(struct output *o, output_frame *each, void *user)
{
    struct output rest = {.handed_over = o->handed_over};
    size_t begun = o->written; /* bytes of the oldest frames that are on the wire */
    const struct noted_frame *f;

    while ((f = oldest(o))) {
        struct noted_frame got = *f;
        struct slice bytes = slice_of(buf_peek(&o->bytes).data, got.size);
        size_t sent = begun < got.size ? begun : got.size;

        if (sent < got.size && (sent > 0 || got.note.position == 0))
            keep(&rest, slice_from(bytes, sent));
        if (got.note.position)
            each(user, &got.note, bytes);
        begun -= sent;
        drop_oldest(o, got.size);
    }
    output_fini(o);
    *o = rest;
}

void output_fini(struct output *o)
{
    buf_fini(&o->bytes);
    buf_fini(&o->notes);
    *o = (struct output){0};
}
