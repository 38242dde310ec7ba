/* Events that are kept, at once or as soon as there are some. */
#include "http/api_events.h"
#include "http/api_inside.h"

#include <stdio.h>
#include <stdlib.h>

/* Read under the journal's lock at once: that many events, or bytes of their text. */
#define CHUNK           256
#define CHUNK_BYTES     (64u << 10)

#define ANSWER_BYTES    (8u << 20) /* beyond it an answer ends, whatever its limit */
#define ANSWER_EXTRA_MS 5000       /* beyond `wait`, before the server gives up */

/* ---- reading ---- */

struct reading {
    struct event_filter filter;
    uint64_t after; /* moves on */
    uint64_t left;  /* of the limit */
    uint64_t found;
    struct api *api;
    struct json *json;
    int chunk;         /* events that may still be looked at under the lock */
    size_t chunk_ends; /* and how long the text may be by then */
};

static bool visit(void *user, const struct event *e)
{
    struct reading *r = user;

    r->after = e->cursor;
    if (event_fits(&r->filter, e->kind, &e->device)) {
        event_write(r->api, r->json, e);
        r->found++;
        r->left--;
    }
    r->chunk--;
    return r->left && r->chunk > 0 && buf_used(r->json->out) < r->chunk_ends;
}

static bool has_more(const struct reading *r)
{
    size_t used = buf_used(r->json->out);

    return r->left && used < ANSWER_BYTES && (r->chunk <= 0 || used >= r->chunk_ends);
}

/* Returns OK or what journal_read says; events that were read are written. */
static int read_events(struct api *a, struct reading *r)
{
    int rc;

    do {
        r->chunk = CHUNK;
        r->chunk_ends = buf_used(r->json->out) + CHUNK_BYTES;
        if ((rc = journal_read(a->journal, r->after, visit, r)) < 0)
            return rc;
    } while (has_more(r));
    return OK;
}

static void refuse_cursor(struct api *a, http_handle h, uint64_t after, int rc)
{
    unsigned long long oldest = journal_oldest(a->journal);
    unsigned long long newest = journal_newest(a->journal);
    char members[80];

    snprintf(members, sizeof(members), "\"oldest\":%llu,\"newest\":%llu", oldest,
             newest);
    http_problem(a->server, h, 410, "cursor-gone", members,
                 rc == ERR_NOTFOUND ? "events behind %llu are not kept any more"
                                    : "%llu is no event's cursor",
                 (unsigned long long)after);
}

static bool stop_at_once(void *user, const struct event *e)
{
    (void)user, (void)e;
    return false;
}

bool events_refuse(struct api *a, http_handle h, uint64_t after)
{
    int rc = journal_read(a->journal, after, stop_at_once, NULL);

    if (rc != ERR_INVALID)
        return false;
    refuse_cursor(a, h, after, rc);
    return true;
}

/* ---- answering ---- */

struct poll {
    struct link link;
    http_handle handle;
    struct reading reading;
    int64_t due_ms;
};

/* True: answered. Else nothing is there yet, and the caller may `wait`. */
static bool try_answer(struct api *a, http_handle h, struct reading *r, bool wait)
{
    uint64_t after = r->after;
    struct buf text = {0};
    struct json j = json_to(&text);
    int rc;

    json_open(&j, '{');
    json_key(&j, "events");
    json_open(&j, '[');
    r->api = a;
    r->json = &j;
    rc = read_events(a, r);
    if ((rc < 0 && r->after == after) || (wait && !r->found)) {
        buf_fini(&text);
        if (rc < 0)
            refuse_cursor(a, h, after, rc);
        return rc < 0;
    }
    json_close(&j, ']');
    json_key(&j, "cursor");
    json_uint(&j, r->after ? r->after : journal_newest(a->journal));
    json_key(&j, "oldest");
    json_uint(&j, journal_oldest(a->journal));
    json_key(&j, "newest");
    json_uint(&j, journal_newest(a->journal));
    json_close(&j, '}');
    api_answer(a, h, 200, NULL, &j);
    return true;
}

static void poll_for(struct api *a, const struct http_request *q, struct reading *r,
                     int64_t wait_ms)
{
    struct poll *poll;

    if (try_answer(a, q->handle, r, wait_ms > 0))
        return;
    if (!(poll = malloc(sizeof(*poll)))) {
        api_no_memory(a, q->handle);
        return;
    }
    *poll = (struct poll){
        .handle = q->handle,
        .reading = *r,
        .due_ms = http_loop(a->server)->now_ms + wait_ms,
    };
    list_append(&a->polls, &poll->link);
    http_set_deadline(a->server, q->handle, wait_ms + ANSWER_EXTRA_MS);
}

static void end_poll(struct api *a, struct poll *poll)
{
    list_remove(&a->polls, &poll->link);
    free(poll);
}

static void look_again(struct api *a, bool is_tick, int64_t now_ms)
{
    bool ends = atomic_load(&a->ending); /* nobody is kept waiting for the end */

    LIST_FOREACH_SAFE (&a->polls, k) {
        struct poll *poll = CONTAINER_OF(k, struct poll, link);
        bool is_due = is_tick && (ends || now_ms >= poll->due_ms);

        if (!http_is_alive(a->server, poll->handle) ||
            ((is_due || !is_tick) &&
             try_answer(a, poll->handle, &poll->reading, !is_due)))
            end_poll(a, poll);
    }
}

void polls_news(struct api *a)
{
    look_again(a, false, 0);
}

void polls_tick(struct api *a, int64_t now_ms)
{
    look_again(a, true, now_ms);
}

void polls_fini(struct api *a)
{
    struct link *k;

    while ((k = list_first(&a->polls)))
        end_poll(a, CONTAINER_OF(k, struct poll, link));
}

/* ---- routes ---- */

static void name_device(struct event_filter *f, const char *text)
{
    f->length = (uint8_t)strlen(text);
    memcpy(f->text, text, f->length);
}

static struct reading reading_of(const struct params *p)
{
    return (struct reading){
        .filter.protocol = (uint8_t)p->number[PARAM_PROTOCOL],
        .filter.kinds = (uint32_t)p->number[PARAM_TYPE],
        .after = p->number[PARAM_AFTER],
        .left = p->number[PARAM_EVENT_LIMIT],
    };
}

void api_events(struct api *a, const struct http_request *q, const struct params *p)
{
    struct reading r = reading_of(p);

    if (params_have(p, PARAM_DEVICE))
        name_device(&r.filter, p->text[PARAM_DEVICE]);
    if (api_accepts(q, "text/event-stream"))
        streams_begin(a, q, p, &r.filter);
    else
        poll_for(a, q, &r, (int64_t)p->number[PARAM_WAIT]);
}

void api_device_events(struct api *a, const struct http_request *q,
                       const struct params *p)
{
    struct reading r = reading_of(p);
    const char *id = http_segment(q, 3);

    if (strlen(id) > ID_TEXT_MAX) {
        http_problem(a->server, q->handle, 404, "not-found", NULL,
                     "there is no device `%.80s`", id);
        return;
    }
    name_device(&r.filter, id);
    poll_for(a, q, &r, 0);
}
