/* The stream of events (Server-Sent Events): a reader is a cursor, a filter, and the
 * part of a record for which there was no room. Who does not read costs no more. */
#include "http/api_events.h"
#include "http/api_inside.h"
#include "http/told.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define COMMENT_AFTER_MS 15000
/* For one who is behind, in one go: looks at that many events, writes that much. */
#define FETCH       64
#define FETCH_BYTES (64u << 10)

static const char headers[] = "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n";

struct stream {
    struct link link; /* on the api's waiting ones, or on no list */
    struct api *api;
    http_handle handle;
    struct event_filter filter;
    uint64_t cursor;  /* of the event told last */
    int64_t wrote_ms; /* when something was sent last */
    struct buf rest;  /* written and not yet taken */
    int fetched;
    bool failed; /* memory is out */
};

static void put(struct stream *s, struct slice text)
{
    if (buf_try_append(&s->rest, text) < 0)
        s->failed = true;
}

/* ---- who is behind what was told reads the journal ---- */

static bool fetch_one(void *user, const struct event *e)
{
    struct stream *s = user;

    s->cursor = e->cursor;
    if (event_fits(&s->filter, e->kind, &e->device) &&
        told_write(s->api, &s->rest, e) < 0)
        s->failed = true;
    return ++s->fetched < FETCH && buf_used(&s->rest) < FETCH_BYTES && !s->failed;
}

static void put_missed(struct stream *s)
{
    struct journal *j = s->api->journal;
    char text[128];
    int n = snprintf(text, sizeof(text),
                     "event: missed\ndata: {\"oldest\":%llu,\"newest\":%llu}\n\n",
                     (unsigned long long)journal_oldest(j),
                     (unsigned long long)journal_newest(j));

    put(s, slice_of(text, (size_t)n));
    s->cursor = 0; /* from the oldest one */
}

/* False: nothing is there. */
static bool fetch(struct stream *s)
{
    s->fetched = 0;
    if (journal_read(s->api->journal, s->cursor, fetch_one, s) == OK)
        return s->fetched > 0;
    put_missed(s);
    return true;
}

/* ---- filling ---- */

static size_t take(struct buf *from, uint8_t *to, size_t room)
{
    struct slice text = buf_peek(from);
    size_t n = text.size < room ? text.size : room;

    if (!n)
        return 0;
    memcpy(to, text.data, n);
    buf_consume(from, n);
    if (!buf_used(from))
        buf_fini(from); /* an idle reader owns nothing */
    return n;
}

/* The next event that was told, as far as there is room; the rest of it is kept. */
static size_t take_told(struct stream *s, const struct told_event *e, uint8_t *to,
                        size_t room)
{
    struct slice text = buf_peek(&e->text);
    size_t n = text.size < room ? text.size : room;

    s->cursor = e->cursor;
    if (!event_fits(&s->filter, e->kind, &e->device))
        return 0;
    memcpy(to, text.data, n);
    if (n < text.size)
        put(s, slice_from(text, n));
    return n;
}

static size_t take_all(struct stream *s, uint8_t *to, size_t room)
{
    const struct told *told = s->api->told;
    const struct told_event *e;
    size_t n = take(&s->rest, to, room);

    while (n < room && !s->failed) {
        if (s->cursor < told->base) {
            if (!fetch(s))
                break;
            n += take(&s->rest, to + n, room - n);
        } else if ((e = told_after(told, s->cursor))) {
            n += take_told(s, e, to + n, room - n);
        } else {
            break;
        }
    }
    return n;
}

static int64_t now_ms(const struct stream *s)
{
    return http_loop(s->api->server)->now_ms;
}

static ssize_t fill(void *user, uint8_t *to, size_t room)
{
    struct stream *s = user;
    size_t n = take_all(s, to, room);

    if (s->failed)
        return HTTP_ABORT;
    if (n)
        s->wrote_ms = now_ms(s);
    else if (!link_is_on_list(&s->link))
        list_append(&s->api->waiting_streams, &s->link);
    return (ssize_t)n;
}

static void on_gone(void *user)
{
    struct stream *s = user;

    if (link_is_on_list(&s->link))
        list_remove(&s->api->waiting_streams, &s->link);
    s->api->stream_count--;
    buf_fini(&s->rest);
    free(s);
}

/* ---- waking ---- */

void streams_news(struct api *a)
{
    size_t n = a->waiting_streams.length;

    if (!a->stream_count)
        return;
    told_update(a->told, a);
    while (n-- > 0) {
        struct link *k = list_pop(&a->waiting_streams);

        http_wake(a->server, CONTAINER_OF(k, struct stream, link)->handle);
    }
}

void streams_tick(struct api *a, int64_t now)
{
    LIST_FOREACH_SAFE (&a->waiting_streams, k) {
        struct stream *s = CONTAINER_OF(k, struct stream, link);

        if (now - s->wrote_ms < COMMENT_AFTER_MS)
            continue;
        put(s, slice_of(":\n\n", 3));
        list_remove(&a->waiting_streams, &s->link);
        http_wake(a->server, s->handle);
    }
}

/* ---- beginning ---- */

static bool read_cursor(const char *text, uint64_t *out)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && !*end && *out <= INT64_MAX;
}

/* False: refused. */
static bool find_beginning(struct api *a, const struct http_request *q,
                           const struct params *p, uint64_t *out)
{
    const char *last = http_header(q, "Last-Event-ID");

    *out = params_have(p, PARAM_AFTER) ? p->number[PARAM_AFTER] : a->told->newest;
    if (!last || !*last || read_cursor(last, out))
        return true;
    http_problem(a->server, q->handle, 400, "bad-request", NULL,
                 "`Last-Event-ID` is not a cursor");
    return false;
}

void streams_begin(struct api *a, const struct http_request *q, const struct params *p,
                   const struct event_filter *filter)
{
    static const char hello[] = "retry: 2000\n\n";
    struct stream *s;
    uint64_t cursor;

    if (!a->stream_count)
        told_begin(a->told, a); /* nobody has listened */
    else
        told_update(a->told, a);
    if (!find_beginning(a, q, p, &cursor) || events_refuse(a, q->handle, cursor))
        return;
    if (!(s = calloc(1, sizeof(*s)))) {
        api_no_memory(a, q->handle);
        return;
    }
    s->api = a;
    s->handle = q->handle;
    s->filter = *filter;
    s->cursor = cursor;
    s->wrote_ms = now_ms(s);
    a->stream_count++;
    put(s, slice_of(hello, sizeof(hello) - 1));
    http_stream(a->server, q->handle, 200, "text/event-stream", headers,
                &(struct http_stream){.fill = fill, .gone = on_gone, .user = s});
}
