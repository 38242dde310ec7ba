#include "http/page.h"
#include "http/cursor.h"

#include <assert.h>
#include <stdlib.h>

#define BLOCK 128         /* views under way at once */
#define WHOLE (64 * 1024) /* text up to this size is answered whole */
#define LOW   (32 * 1024) /* less than that left: the next block is asked for */

struct page {
    struct question question;
    struct process_question to_process;
    struct api *api;
    const struct page_kind *kind;
    http_handle handle;
    uint64_t left; /* of the limit */
    struct json json;
    struct buf text;
    unsigned shard; /* the one being asked, or a process behind them; where on it */
    uint32_t at;
    bool shard_ended;
    unsigned room, count; /* of the block */
    char *views;
    uint32_t numbers[BLOCK];
    bool asked; /* the block is under way */
    bool streaming;
    bool ended;  /* all text is written */
    bool gone;   /* nobody takes it any more */
    bool misses; /* what a process knows */
    _Alignas(8) char filter[PAGE_FILTER_SIZE];
};

static void free_page(struct page *p)
{
    buf_fini(&p->text);
    free(p->views);
    free(p);
}

/* ---- on the shard ---- */

static bool collect(struct question *q, struct relay *r)
{
    struct page *p = CONTAINER_OF(q, struct page, question);

    p->count +=
        p->kind->collect(r, p->filter, &p->at, p->views + p->count * p->kind->view_size,
                         p->numbers + p->count, p->room - p->count, &p->shard_ended);
    return p->count == p->room || p->shard_ended;
}

/* ---- on the server's thread ---- */

static unsigned shard_count(const struct page *p)
{
    return p->api->conf.group->count;
}

/* Shards, and processes behind them. */
static unsigned end_of(const struct api *a, const struct page_kind *kind)
{
    return a->conf.group->count + (kind->ask ? (unsigned)a->processes.count : 0);
}

static struct process *process_of(const struct page *p)
{
    return &p->api->processes.each[p->shard - shard_count(p)];
}

static void ask_process(struct page *p)
{
    p->kind->ask(p->filter, p->at, p->room, &p->to_process.ask);
    process_ask(process_of(p), &p->to_process);
}

static void ask_on(struct page *p)
{
    p->count = 0;
    p->shard_ended = false;
    /* One more than the limit: it is where the next page begins. */
    p->room = p->left < BLOCK ? (unsigned)p->left + 1 : BLOCK;
    p->asked = true;
    if (p->shard < shard_count(p))
        ask(&p->api->asking, &p->question, p->shard);
    else
        ask_process(p);
}

static void end_text(struct page *p, const char *next)
{
    p->kind->end(&p->json, next, p->misses);
    p->ended = true;
}

static void end_before(struct page *p, uint32_t number)
{
    struct cursor next = {.boot = p->api->boot,
                          .shard = (uint16_t)p->shard,
                          .number = number};
    char text[CURSOR_TEXT_SIZE];

    cursor_write(&next, text);
    end_text(p, text);
}

static void go_to_next(struct page *p)
{
    unsigned end = end_of(p->api, p->kind);

    p->at = 0;
    do
        p->shard++;
    while (p->shard >= shard_count(p) && p->shard < end &&
           !p->kind->wants(p->filter, process_of(p)->conf.listener));
}

static void write_block(struct page *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        if (p->left == 0) {
            end_before(p, p->numbers[i]);
            return;
        }
        p->kind->write(&p->json, p->views + i * p->kind->view_size);
        p->left--;
    }
    if (!p->shard_ended)
        return;
    go_to_next(p);
    if (p->shard == end_of(p->api, p->kind))
        end_text(p, NULL);
}

static ssize_t fill(void *user, uint8_t *to, size_t room)
{
    struct page *p = user;
    struct slice text = buf_peek(&p->text);
    size_t n = text.size < room ? text.size : room;

    if (p->json.failed)
        return HTTP_ABORT;
    if (n) {
        memcpy(to, text.data, n);
        buf_consume(&p->text, n);
    }
    if (!p->ended && !p->asked && buf_used(&p->text) < LOW)
        ask_on(p);
    return n || !p->ended ? (ssize_t)n : HTTP_END;
}

static void on_gone(void *user)
{
    struct page *p = user;

    p->gone = true;
    if (!p->asked)
        free_page(p);
}

static void answer_whole(struct page *p)
{
    api_answer(p->api, p->handle, 200, p->kind->type, &p->json);
    free_page(p);
}

static void go_on(struct page *p)
{
    struct http_stream stream = {.fill = fill, .gone = on_gone, .user = p};

    if (p->streaming) {
        http_wake(p->api->server, p->handle);
    } else if (p->ended || p->json.failed) {
        answer_whole(p);
    } else if (buf_used(&p->text) < WHOLE) {
        ask_on(p);
    } else {
        p->streaming = true;
        http_stream(p->api->server, p->handle, 200, p->kind->type, NULL, &stream);
    }
}

static void take_block(struct page *p)
{
    p->asked = false;
    if (p->gone || !http_is_alive(p->api->server, p->handle)) {
        if (p->gone || !p->streaming) /* else `gone` is still to come */
            free_page(p);
        return;
    }
    write_block(p);
    if (p->streaming && !p->ended && !p->json.failed && buf_used(&p->text) < LOW)
        ask_on(p);
    go_on(p);
}

static void on_block(struct question *q)
{
    take_block(CONTAINER_OF(q, struct page, question));
}

static void on_process(struct process_question *q, const struct look_answer *a)
{
    struct page *p = CONTAINER_OF(q, struct page, to_process);

    p->misses |= !a;
    p->shard_ended = !a || a->ended;
    if (a && a->count <= p->room) {
        p->count = a->count;
        p->at = a->at;
        memcpy(p->views, a->views, a->count * p->kind->view_size);
        memcpy(p->numbers, a->slots, a->count * sizeof(*p->numbers));
    }
    take_block(p);
}

static void drop_process(struct process_question *q)
{
    free_page(CONTAINER_OF(q, struct page, to_process));
}

static void drop(struct question *q)
{
    free_page(CONTAINER_OF(q, struct page, question));
}

void page_end(struct json *j, const char *next, bool misses)
{

    json_close(j, ']');
    if (misses) {
        json_key(j, "incomplete");
        json_bool(j, true);
    }
    json_key(j, "next");
    if (next)
        json_word(j, next);
    else
        json_none(j);
    json_close(j, '}');
}

/* Returns OK, or ERR_INVALID and has refused. */
static int find_place(struct api *a, const struct http_request *q, const char *text,
                      struct page *p)
{
    struct cursor from;

    if (cursor_read(text, &from) < 0 ||
        (from.boot == a->boot && from.shard >= end_of(a, p->kind))) {
        http_problem(a->server, q->handle, 400, "bad-request", NULL,
                     "`cursor` is not what `next` was");
        return ERR_INVALID;
    }
    if (from.boot != a->boot) {
        http_problem(a->server, q->handle, 410, "stale-page", NULL,
                     "the gateway was started anew since that page: begin again");
        return ERR_INVALID;
    }
    p->shard = from.shard;
    p->at = from.number;
    return OK;
}

void page_begin(struct api *a, const struct http_request *q, const struct params *p,
                const struct page_kind *kind, uint64_t limit, const void *filter,
                size_t filter_size)
{
    struct page *page = calloc(1, sizeof(*page));
    uint64_t room = limit < BLOCK ? limit + 1 : BLOCK;

    assert(filter_size <= PAGE_FILTER_SIZE);
    if (!page || !(page->views = calloc(room, kind->view_size))) {
        free(page);
        api_no_memory(a, q->handle);
        return;
    }
    page->question =
        (struct question){.step = collect, .answered = on_block, .drop = drop};
    page->to_process =
        (struct process_question){.answered = on_process, .drop = drop_process};
    page->api = a;
    page->kind = kind;
    page->handle = q->handle;
    page->left = limit;
    page->json = json_to(&page->text);
    memcpy(page->filter, filter, filter_size);
    if (params_have(p, PARAM_CURSOR) &&
        find_place(a, q, p->text[PARAM_CURSOR], page) < 0) {
        free_page(page);
        return;
    }
    kind->begin(a, &page->json);
    ask_on(page);
}
