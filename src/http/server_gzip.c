#include "http/server_inside.h"

#define LEVEL       4         /* above it, a little less size costs a lot of time */
#define WINDOW_BITS (15 + 16) /* the largest, with gzip's header */
#define MEMORY      8

static bool prepare(struct http_server *s)
{
    if (s->can_deflate)
        return deflateReset(&s->deflate) == Z_OK;
    s->can_deflate = deflateInit2(&s->deflate, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY,
                                  Z_DEFAULT_STRATEGY) == Z_OK;
    return s->can_deflate;
}

bool gzip_body(struct http_server *s, struct buf *body)
{
    struct slice plain = buf_peek(body);
    struct buf packed = {0};
    z_stream *z = &s->deflate;
    size_t room;

    if (plain.size > UINT32_MAX || !prepare(s))
        return false;
    room = deflateBound(z, plain.size);
    if (!(z->next_out = buf_try_reserve(&packed, room)))
        return false;
    z->next_in = (Bytef *)plain.data;
    z->avail_in = (uInt)plain.size;
    z->avail_out = (uInt)room;
    if (deflate(z, Z_FINISH) != Z_STREAM_END || room - z->avail_out >= plain.size) {
        buf_fini(&packed);
        return false;
    }
    buf_commit(&packed, room - z->avail_out);
    buf_fini(body);
    *body = packed;
    return true;
}
