#include "codec/packages.h"

#include <stdlib.h>

/* A group's bodies are kept as they arrive, one behind the other; its slots say which
 * is where. If they arrived in order that is the message already. */

struct slot {
    uint32_t at; /* in the group's bytes */
    uint16_t size;
    uint16_t serial;
    bool is_here;
};

struct group {
    struct group *next;
    struct device_head head;
    uint16_t message, total, count;
    uint16_t largest; /* body */
    uint16_t newest;  /* number that came last */
    bool in_order;
    uint32_t asks;
    int64_t since_ms; /* its first package came */
    int64_t news_ms;  /* the last one did, or was asked for */
    struct buf bytes;
    struct slot slots[]; /* of `total` */
};

struct packages {
    struct group *groups; /* oldest first */
    uint32_t count;
    struct buf whole; /* the message that was handed out */
};

/* What a group will take if those that are missing are as large as the largest so far:
 * so it is refused before its bytes come. */
static size_t cost_of(uint16_t total, uint16_t largest)
{
    return sizeof(struct group) + (size_t)total * (sizeof(struct slot) + largest);
}

static size_t cost_of_all(const struct packages *p)
{
    size_t cost = 0;

    for (const struct group *g = p->groups; g; g = g->next)
        cost += cost_of(g->total, g->largest);
    return cost;
}

static void drop(struct packages *p, struct group **at)
{
    struct group *g = *at;

    *at = g->next;
    p->count--;
    buf_fini(&g->bytes);
    free(g);
}

void packages_free(struct packages **p)
{
    if (!*p)
        return;
    while ((*p)->groups)
        drop(*p, &(*p)->groups);
    buf_fini(&(*p)->whole);
    free(*p);
    *p = NULL;
}

static struct group **find(struct packages *p, const struct device_frame *f)
{
    struct group **at = &p->groups;

    while (*at && ((*at)->message != f->message || (*at)->total != f->total))
        at = &(*at)->next;
    return at;
}

static struct slice body_of(const struct group *g, const struct slot *slot)
{
    return slot->size ? slice_of(g->bytes.mem + g->bytes.head + slot->at, slot->size)
                      : (struct slice){0};
}

/* ---- a package ---- */

static struct group *try_begin(const struct device_frame *f, int64_t now_ms)
{
    struct group *g = calloc(1, sizeof(*g) + f->total * sizeof(struct slot));

    if (!g)
        return NULL;
    g->head = f->head;
    g->message = f->message;
    g->total = f->total;
    g->in_order = true;
    g->since_ms = now_ms;
    return g;
}

/* NULL, or why it is refused. */
static const char *try_keep(struct group *g, const struct device_frame *f,
                            int64_t now_ms)
{
    struct slot *slot = &g->slots[f->number - 1];

    if (buf_try_append(&g->bytes, f->body) < 0)
        return "no_memory";
    *slot = (struct slot){
        .at = (uint32_t)(buf_used(&g->bytes) - f->body.size),
        .size = (uint16_t)f->body.size,
        .serial = f->serial,
        .is_here = true,
    };
    g->in_order = g->in_order && f->number == g->newest + 1;
    g->newest = f->number;
    g->news_ms = now_ms;
    g->count++;
    return NULL;
}

/* Fits what is to come into the limit? Counts the package as well. */
static bool has_room(const struct packages *p, const struct packages_limits *limits,
                     struct group *g, const struct device_frame *f)
{
    uint16_t largest = g ? g->largest : 0;
    size_t cost = cost_of_all(p) - (g ? cost_of(g->total, g->largest) : 0);

    if (f->body.size > largest)
        largest = (uint16_t)f->body.size;
    if (cost + cost_of(f->total, largest) > limits->max_bytes)
        return false;
    if (g)
        g->largest = largest;
    return true;
}

/* The group that this package belongs to, begun if need be. NULL: refused. */
static struct group **find_or_begin(struct packages *p,
                                    const struct packages_limits *limits,
                                    const struct device_frame *f, int64_t now_ms,
                                    const char **why)
{
    struct group **at = find(p, f);
    const struct slot *known = *at ? &(*at)->slots[f->number - 1] : NULL;

    if (known && known->is_here && !slice_equal(body_of(*at, known), f->body)) {
        drop(p, at); /* another message of this kind */
        at = find(p, f);
    }
    if (!has_room(p, limits, *at, f)) {
        *why = "too_large";
        if (*at)
            drop(p, at);
        return NULL;
    }
    if (*at)
        return at;
    if (p->count >= limits->max_groups) {
        *why = "too_many_groups";
        return NULL;
    }
    if (!(*at = try_begin(f, now_ms))) {
        *why = "no_memory";
        return NULL;
    }
    (*at)->largest = (uint16_t)f->body.size;
    p->count++;
    return at;
}

/* False: memory is out, and the group is as it was. */
static bool try_join(struct packages *p, struct group *g)
{
    buf_fini(&p->whole);
    if (g->in_order) {
        p->whole = g->bytes;
        g->bytes = (struct buf){0};
        return true;
    }
    for (unsigned i = 0; i < g->total; i++)
        if (buf_try_append(&p->whole, body_of(g, &g->slots[i])) < 0)
            return false;
    return true;
}

static enum packages_result refuse(const char *word, const char **why)
{
    *why = word;
    return PACKAGES_REFUSED;
}

enum packages_result packages_try_add(struct packages **p,
                                      const struct packages_limits *limits,
                                      const struct device_frame *f, int64_t now_ms,
                                      struct slice *body, uint16_t *first,
                                      const char **why)
{
    struct group **at, *g;

    if (f->total == 0 || f->number == 0 || f->number > f->total)
        return refuse("bad_number", why);
    if (!*p && !(*p = calloc(1, sizeof(**p))))
        return refuse("no_memory", why);
    buf_fini(&(*p)->whole);
    if (!(at = find_or_begin(*p, limits, f, now_ms, why)))
        return PACKAGES_REFUSED;
    g = *at;
    if (g->slots[f->number - 1].is_here) {
        g->slots[f->number - 1].serial = f->serial; /* it was sent again */
    } else if ((*why = try_keep(g, f, now_ms))) {
        drop(*p, at);
        return PACKAGES_REFUSED;
    }
    if (g->count < g->total)
        return PACKAGES_MORE;
    *first = g->slots[0].serial;
    if (!try_join(*p, g)) {
        drop(*p, at);
        return refuse("no_memory", why);
    }
    drop(*p, at);
    *body = buf_used(&(*p)->whole) ? buf_peek(&(*p)->whole) : (struct slice){0};
    return PACKAGES_WHOLE;
}

/* ---- time ---- */

static void list_missing(const struct group *g, struct packages_missing *ask)
{
    uint16_t lowest = 0;

    while (!g->slots[lowest].is_here)
        lowest++;
    *ask = (struct packages_missing){
        .message = g->message,
        .head = g->head,
        .first = (uint16_t)(g->slots[lowest].serial - lowest),
    };
    for (unsigned i = 0; i < g->total && ask->count < ARRAY_LEN(ask->numbers); i++)
        if (!g->slots[i].is_here)
            ask->numbers[ask->count++] = (uint16_t)(i + 1);
}

/* When something is to be done about it. */
static int64_t due_ms(const struct group *g, const struct packages_limits *limits)
{
    int64_t over_ms = g->since_ms + limits->max_age_ms;
    int64_t ask_ms = g->news_ms + limits->ask_after_ms;

    return g->asks < limits->max_asks && ask_ms < over_ms ? ask_ms : over_ms;
}

int64_t packages_tick(struct packages *p, const struct packages_limits *limits,
                      int64_t now_ms, struct packages_missing *ask, bool *asks,
                      uint32_t *dropped)
{
    int64_t next_ms = INT64_MAX;
    struct group **at = &p->groups;

    *asks = false;
    *dropped = 0;
    buf_fini(&p->whole);
    while (*at) {
        struct group *g = *at;

        if (g->since_ms + limits->max_age_ms <= now_ms) {
            drop(p, at);
            (*dropped)++;
            continue;
        }
        if (!*asks && due_ms(g, limits) <= now_ms) {
            list_missing(g, ask);
            *asks = true;
            g->asks++;
            g->news_ms = now_ms;
        }
        if (due_ms(g, limits) < next_ms)
            next_ms = due_ms(g, limits);
        at = &g->next;
    }
    return next_ms;
}

size_t packages_bytes(const struct packages *p)
{
    size_t bytes = sizeof(*p) + p->whole.size;

    for (const struct group *g = p->groups; g; g = g->next)
        bytes += sizeof(*g) + g->total * sizeof(struct slot) + g->bytes.size;
    return bytes;
}
