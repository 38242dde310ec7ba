/* Events that are kept, at once or as soon as there are some. */
#include "http/api_events.h"
#include "device/presence.h"
#include "http/api_inside.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNK           256  /* events read under the journal's lock at once */
#define ANSWER_EXTRA_MS 5000 /* beyond `wait`, before the server gives up */

/* ---- one event ---- */

const char *event_word(uint8_t kind)
{
    switch (kind) {
#define X(name, number, word)                                                          \
    case EVENT_##name:                                                                 \
        return word;
        EVENT_KINDS(X)
#undef X
    }
    return "unknown";
}

static void write_move(struct json *j, const struct event *e)
{
    json_key(j, "device");
    json_text(j, slice_of(e->device.text, e->device.length));
    json_key(j, "protocol");
    json_word(j, protocol_word(e->device.protocol));
    json_key(j, "listener");
    json_text(j, e->listener);
    json_key(j, "epoch");
    json_uint(j, e->epoch);
    json_key(j, "sequence");
    json_uint(j, e->sequence);
    json_key(j, "from");
    json_word(j, presence_word(e->from));
    json_key(j, "to");
    json_word(j, presence_word(e->to));
    json_key(j, "reason");
    json_text(j, e->reason);
}

void event_write(struct json *j, const struct event *e)
{
    json_open(j, '{');
    json_key(j, "cursor");
    json_uint(j, e->cursor);
    json_key(j, "type");
    json_word(j, event_word(e->kind));
    json_key(j, "time");
    json_time(j, e->time_ms);
    if (e->kind == EVENT_GAP) {
        json_key(j, "lost");
        json_uint(j, e->lost);
    } else {
        write_move(j, e);
    }
    json_close(j, '}');
}

bool event_fits(const struct event_filter *f, uint8_t kind, const struct id *device)
{
    if (kind == EVENT_GAP)
        return true;
    return (!f->protocol || f->protocol == device->protocol) &&
           (!f->length || (f->length == device->length &&
                           memcmp(f->text, device->text, f->length) == 0));
}

/* ---- reading ---- */

struct reading {
    struct event_filter filter;
    uint64_t after; /* moves on */
    uint64_t left;  /* of the limit */
    uint64_t found;
    int chunk; /* events that may still be looked at under the lock */
    struct json *json;
};

static bool visit(void *user, const struct event *e)
{
    struct reading *r = user;

    r->after = e->cursor;
    if (event_fits(&r->filter, e->kind, &e->device)) {
        event_write(r->json, e);
        r->found++;
        r->left--;
    }
    return r->left && --r->chunk > 0;
}

/* Returns OK or what journal_read says; events that were read are written. */
static int read_events(struct api *a, struct reading *r)
{
    int rc;

    do {
        r->chunk = CHUNK;
        if ((rc = journal_read(a->journal, r->after, visit, r)) < 0)
            return rc;
    } while (r->left && r->chunk <= 0);
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
        .after = p->number[PARAM_AFTER],
        .left = p->number[PARAM_EVENT_LIMIT],
    };
}

static bool wants_stream(const struct http_request *q)
{
    const char *accept = http_header(q, "Accept");

    return accept && strcasestr(accept, "text/event-stream");
}

void api_events(struct api *a, const struct http_request *q, const struct params *p)
{
    struct reading r = reading_of(p);

    if (params_have(p, PARAM_DEVICE))
        name_device(&r.filter, p->text[PARAM_DEVICE]);
    if (wants_stream(q))
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
