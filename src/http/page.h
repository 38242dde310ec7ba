/* page.h - a list over all shards and, where they know something, the processes of
 * services; made while its client takes it.
 *
 *   shard 0: views ->|                   client
 *   shard 1:         |-> text -----> takes, takes...
 *   processes one block under way, when little text is left
 *
 * Shards copy what they know of a few devices at a time (ask.h); the text is written on
 * the server's thread. So neither a turn of a shard nor the memory grows with the list,
 * nor with how slow its client is. What is small is answered whole. */
#pragma once

#include "http/api_inside.h"

struct page;

struct page_kind {
    const char *type;
    void (*begin)(struct api *a, struct json *j);
    void (*write)(struct json *j, const void *view);
    /* `next`: text of the cursor, or NULL. `misses`: a process did not answer. */
    void (*end)(struct json *j, const char *next, bool misses);
    size_t view_size;
    /* On the shard. Looks at a few from number `*at` on and puts views of those that
     * fit into `views`, at most `room`, each with its number in `numbers`; moves `*at`
     * on, and sets `*ended` when there are no more. Returns how many it put. */
    unsigned (*collect)(struct relay *r, const void *filter, uint32_t *at, void *views,
                        uint32_t *numbers, unsigned room, bool *ended);
    /* Has the list to do with the processes that serve this listener? And what to ask
     * such a process, from number `at` on; its views are the same. NULL: with none. */
    bool (*wants)(const void *filter, const char *listener);
    void (*ask)(const void *filter, uint32_t at, unsigned room,
                struct look_question *out);
};

/* "...],"next":...}", for `end`. */
void page_end(struct json *j, const char *next, bool misses);

#define PAGE_FILTER_SIZE 128 /* bytes */

/* Answers the request with the list that its `limit` and `cursor` ask for; `limit`
 * UINT64_MAX: all of it. `filter` (PAGE_FILTER_SIZE bytes at most) is copied. */
void page_begin(struct api *a, const struct http_request *q, const struct params *p,
                const struct page_kind *kind, uint64_t limit, const void *filter,
                size_t filter_size);
