/* output.h - what a connection still owes its peer, until the peer's TCP has it.
 *
 *   bytes:   head                   sent                      tail
 *             | written, not acked   |   not yet written       |
 *   frames:   |  a  |    b    |    c    | d | ...              |
 *
 * Bytes stay here after write(2): a frame is delivered when SIOCOUTQ shows that the
 * peer acknowledged its last byte. Whatever is not, when the connection ends, is still
 * here to be given to somebody else. Frames leave in order, so one ring of notes is
 * enough.
 *
 * One exists only while there is something in it. One thread. */
#pragma once

#include "base/buf.h"

/* What the owner wants to remember about a frame; the output only carries it. */
struct frame_note {
    uint64_t position; /* in its device's order; 0: belongs to nobody (an answer) */
    uint64_t session;  /* who waits for a receipt; 0: nobody */
    uint32_t number;   /* ... of which frame */
    uint16_t shard;    /* ... on which shard */
    bool stored;       /* the mailbox holds a copy */
};

struct output {
    struct buf bytes;
    struct buf notes;     /* of struct noted_frame */
    size_t written;       /* of bytes, from head */
    uint64_t handed_over; /* bytes written since the connection began */
    bool recalled;        /* frames were given back of which the kernel had a copy */
};

struct noted_frame {
    struct frame_note note;
    uint32_t size;
};

/* Room for one frame of `size` bytes, to be filled and then committed with its note;
 * NULL when memory is out. */
MUST_CHECK uint8_t *output_try_reserve(struct output *o, size_t size);
void output_commit(struct output *o, size_t size, const struct frame_note *note);

static inline bool output_is_empty(const struct output *o)
{
    return buf_used(&o->bytes) == 0;
}

static inline size_t output_size(const struct output *o)
{
    return buf_used(&o->bytes);
}

static inline size_t output_unwritten(const struct output *o)
{
    return buf_used(&o->bytes) - o->written;
}

/* Writes what is unwritten. Returns OK (perhaps not all: output_unwritten tells), or
 * ERR_CLOSED, ERR_IO with errno set. */
MUST_CHECK int output_write(struct output *o, int fd);

/* Bytes written that the peer has not acknowledged; -1 when the kernel does not say. */
long output_unacked(int fd);

/* Called for each frame that is wholly among the oldest bytes, which then go. */
typedef void output_frame(void *user, const struct frame_note *note,
                          struct slice bytes);
void output_acknowledge(struct output *o, size_t unacked, output_frame *delivered,
                        void *user);

/* Shows all frames that are left, oldest first, and empties the output: the connection
 * ends. */
void output_give_back(struct output *o, output_frame *each, void *user);

/* The connection ends: must the kernel's copy be thrown away, since some of it will be
 * sent again, or is cut off? Mere answers may still get through. */
bool output_must_be_recalled(const struct output *o);

/* The peer is somebody else from now on: shows all frames, and keeps only the rest of
 * the frame that is partly on the wire, as bytes that belong to nobody. */
void output_disown(struct output *o, output_frame *each, void *user);

void output_fini(struct output *o);
