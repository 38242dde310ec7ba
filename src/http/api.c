#include "http/api_inside.h"
#include "base/clock.h"
#include "base/hash.h"
#include "http/api_events.h"
#include "http/calls.h"
#include "http/told.h"

#include <stdlib.h>

/* ---- answers ---- */

void api_no_memory(struct api *a, http_handle h)
{
    http_problem(a->server, h, 503, "not-ready", NULL, "memory is out");
}

void api_answer(struct api *a, http_handle h, unsigned status, const char *type,
                struct json *j)
{
    struct http_answer answer = {.status = status, .type = type, .body = *j->out};

    *j->out = (struct buf){0};
    if (!j->failed) {
        http_answer(a->server, h, &answer);
        return;
    }
    buf_fini(&answer.body);
    api_no_memory(a, h);
}

void api_answer_empty(struct api *a, http_handle h)
{
    struct http_answer answer = {.status = 204};

    http_answer(a->server, h, &answer);
}

/* ---- types ---- */

bool api_has_type(const struct http_request *q, const char *type)
{
    const char *given = http_header(q, "Content-Type");
    size_t size = strlen(type);

    return given && strncasecmp(given, type, size) == 0 &&
           (!given[size] || strchr("; \t", given[size]));
}

bool api_accepts(const struct http_request *q, const char *type)
{
    const char *accept = http_header(q, "Accept");

    return accept && strcasestr(accept, type);
}

/* ---- the journal's word ---- */

static void on_published(struct parcel *parcel, void *receiver)
{
    struct api *a = CONTAINER_OF(parcel, struct api, published);

    (void)receiver;
    atomic_store(&a->is_published, false); /* what comes now is another parcel */
    polls_news(a);
    streams_news(a);
}

void api_published(void *user)
{
    struct api *a = user;

    if (!atomic_load(&a->begun) || atomic_exchange(&a->is_published, true))
        return;
    a->published.open = on_published;
    inbox_push(http_inbox(a->server), &a->published);
}

void api_tick(void *user, int64_t now_ms)
{
    struct api *a = user;

    polls_tick(a, now_ms);
    streams_tick(a, now_ms);
}

/* ---- life ---- */

void api_drain(struct api *a)
{
    atomic_store(&a->draining, true);
}

void api_end(struct api *a)
{
    atomic_store(&a->ending, true);
}

int api_new(const struct api_conf *conf, struct api **out)
{
    struct api *a = calloc(1, sizeof(*a));

    if (!a || !(a->told = calloc(1, sizeof(*a->told)))) {
        free(a);
        return ERR_NOMEM;
    }
    a->conf = *conf;
    a->boot = (uint32_t)hash_key_random().k0;
    a->started_ms = clock_wall_ms();
    list_init(&a->calls);
    list_init(&a->polls);
    list_init(&a->waiting_streams);
    *out = a;
    return OK;
}

int api_begin(struct api *a, struct http_server *s, struct journal *j)
{
    int rc = asking_init(&a->asking, a->conf.group);

    if (rc == OK)
        rc = processes_init(&a->processes, http_loop(s), a->conf.processes,
                            a->conf.process_count);
    if (rc < 0)
        return rc;
    a->asking.inbox = http_inbox(s);
    a->server = s;
    a->journal = j;
    atomic_store(&a->begun, true);
    return OK;
}

void api_free(struct api **out)
{
    struct api *a = *out;

    if (!a)
        return;
    asking_fini(&a->asking);
    processes_fini(&a->processes);
    calls_fini(a);
    polls_fini(a);
    told_fini(a->told);
    free(a->told);
    free(a);
    *out = NULL;
}
