#include "cli/sse.h"

static int add(struct buf *b, struct slice bytes)
{
    if (buf_used(b) + bytes.size > SSE_MAX)
        return ERR_TOO_LARGE;
    return buf_try_append(b, bytes);
}

static int replace(struct buf *b, struct slice bytes)
{
    buf_clear(b);
    return add(b, bytes);
}

static bool is_word(struct slice s, const char *word)
{
    return slice_equal(s, slice_of(word, strlen(word)));
}

static int take_field(struct sse *s, struct slice name, struct slice value)
{
    int rc = OK;

    if (is_word(name, "data")) {
        if (s->has_data)
            rc = add(&s->data, slice_of("\n", 1));
        s->has_data = true;
        return rc < 0 ? rc : add(&s->data, value);
    }
    if (is_word(name, "event"))
        return replace(&s->type, value);
    if (is_word(name, "id") && (!value.size || !memchr(value.data, 0, value.size)))
        return replace(&s->id, value);
    return OK; /* `retry`: our pauses are our own */
}

static int finish_event(struct sse *s, sse_handler *handle, void *user)
{
    struct sse_event event = {
        .id = buf_peek(&s->id),
        .type = buf_used(&s->type) ? buf_peek(&s->type) : slice_of("message", 7),
        .data = buf_peek(&s->data),
    };
    int rc = s->has_data ? handle(user, &event) : OK;

    buf_clear(&s->data);
    buf_clear(&s->type);
    s->has_data = false;
    return rc;
}

static int take_line(struct sse *s, sse_handler *handle, void *user)
{
    struct slice line = buf_peek(&s->line), value = {0};
    const uint8_t *colon;

    if (!line.size)
        return finish_event(s, handle, user);
    if ((colon = memchr(line.data, ':', line.size))) {
        value = slice_from(line, (size_t)(colon - line.data) + 1);
        line.size = (size_t)(colon - line.data);
        if (value.size && value.data[0] == ' ')
            value = slice_from(value, 1);
    }
    return take_field(s, line, value); /* a comment's name is empty */
}

int sse_feed(struct sse *s, struct slice bytes, sse_handler *handle, void *user)
{
    int rc = OK;

    while (bytes.size && rc == OK) {
        size_t n = 0;

        if (s->was_cr && bytes.data[0] == '\n') {
            s->was_cr = false;
            bytes = slice_from(bytes, 1);
            continue;
        }
        while (n < bytes.size && bytes.data[n] != '\n' && bytes.data[n] != '\r')
            n++;
        if ((rc = add(&s->line, slice_of(bytes.data, n))) < 0)
            return rc;
        s->was_cr = n < bytes.size && bytes.data[n] == '\r';
        if (n < bytes.size) {
            rc = take_line(s, handle, user);
            buf_clear(&s->line);
            n++;
        }
        bytes = slice_from(bytes, n);
    }
    return rc;
}

void sse_restart(struct sse *s)
{
    buf_clear(&s->line);
    buf_clear(&s->data);
    buf_clear(&s->type);
    s->was_cr = s->has_data = false;
}

void sse_fini(struct sse *s)
{
    buf_fini(&s->line);
    buf_fini(&s->data);
    buf_fini(&s->type);
    buf_fini(&s->id);
}
