#include "net/shard.h"
#include "base/address.h"
#include "base/log.h"
#include "net/accept.h"
#include "net/conn_inside.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN                                                               \
    32 /* then the other connections, and the other shards, again */
#define ACCEPT_PAUSE_MS 100
#define FIRST_TABLE     64

/* A free slot's content: the next free one, marked by a bit that no pointer has. */
#define FREE_SLOT(n) ((uintptr_t)(n) << 1 | 1)

struct accepting {
    struct source source;
    struct timer pause;
    struct shard *shard;
    const struct listener *listener;
    unsigned failures; /* in a row */
    bool watching;
};

/* ---- slots: from other threads a connection is named, never pointed to ---- */

static int grow_table(struct shard *s)
{
    uint32_t size = s->table_size ? s->table_size * 2 : FIRST_TABLE;
    union shard_slot *table;

    if (size > 1u << CONN_SLOT_BITS ||
        !(table = realloc(s->table, size * sizeof(*table))))
        return ERR_NOMEM;
    for (uint32_t i = s->table_size; i < size; i++)
        table[i].next_free = i + 1 < size ? FREE_SLOT(i + 1) : 0;
    s->first_free = FREE_SLOT(s->table_size);
    s->table = table;
    s->table_size = size;
    return OK;
}

int shard_give_slot(struct shard *s, struct conn *c)
{
    uintptr_t slot;

    if (!s->first_free && grow_table(s) < 0)
        return ERR_NOMEM;
    slot = s->first_free >> 1;
    s->first_free = s->table[slot].next_free;
    s->table[slot].conn = c;
    c->slot = slot & CONN_SLOT_MASK;
    return OK;
}

void shard_take_slot(struct shard *s, struct conn *c)
{
    assert(s->table[c->slot].conn == c);
    s->table[c->slot].next_free = s->first_free;
    s->first_free = FREE_SLOT(c->slot);
}

uint64_t conn_handle(const struct conn *c)
{
    return (uint64_t)c->number << CONN_SLOT_BITS | c->slot;
}

struct conn *shard_conn_at(const struct shard *s, uint32_t slot)
{
    if (slot >= s->table_size || s->table[slot].next_free & 1)
        return NULL;
    return s->table[slot].conn;
}

struct conn *shard_find_conn(struct shard *s, uint64_t handle)
{
    struct conn *c = shard_conn_at(s, handle & CONN_SLOT_MASK);

    return c && c->number == handle >> CONN_SLOT_BITS ? c : NULL;
}

/* Unique in the worker: each shard counts in its own residue class. */
uint64_t shard_next_number(struct shard *s)
{
    return ++s->opened * SHARDS_MAX + s->conf.index;
}

/* ---- accepting ---- */

static void watch_listener(struct accepting *a)
{
    if (a->watching || a->shard->draining)
        return;
    a->watching = loop_add(&a->shard->loop, a->listener->fd, EPOLLIN | EPOLLEXCLUSIVE,
                           &a->source) == OK;
    if (!a->watching) /* no memory for it now: as with descriptors, later */
        wheel_arm(&a->shard->loop.wheel, &a->pause,
                  a->shard->loop.now_ms + ACCEPT_PAUSE_MS);
}

static void unwatch_listener(struct accepting *a)
{
    if (a->watching)
        loop_remove(&a->shard->loop, a->listener->fd);
    a->watching = false;
}

static void on_pause_over(struct timer *t, int64_t now_ms)
{
    (void)now_ms;
    watch_listener(CONTAINER_OF(t, struct accepting, pause));
}

static void pause_accepting(struct accepting *a, int err)
{
    unwatch_listener(a);
    wheel_arm(&a->shard->loop.wheel, &a->pause,
              a->shard->loop.now_ms + ACCEPT_PAUSE_MS);
    LOG_UP_TO(1, LOG_ERROR, LOG_T_NET, "listener %s paused reason=%s pause_ms=%d%s",
              a->listener->name, strerrorname_np(err), ACCEPT_PAUSE_MS,
              accept_hint(err));
}

static void refuse(struct accepting *a, int fd, enum limits_verdict verdict)
{
    a->shard->stats.refused++;
    LOG_THROTTLED(LOG_WARN, NET, "listener %s refused reason=%s", a->listener->name,
                  verdict == LIMITS_TOTAL ? "max_connections" : "max_per_address");
    close(fd);
}

/* One connection off the queue. False: stop for this turn. */
static bool accept_one(struct accepting *a)
{
    struct sockaddr_storage any;
    struct sockaddr_in6 peer;
    socklen_t size;
    int fd = accept_next(a->listener->fd, &a->failures, &any, &size);
    enum limits_verdict verdict;

    if (fd == ACCEPT_REST)
        pause_accepting(a, errno);
    if (fd < 0)
        return fd == ACCEPT_FAILED;
    peer = address_as_in6(&any);
    if ((verdict = limits_enter(a->shard->conf.limits, &peer.sin6_addr)) !=
        LIMITS_PASS) {
        refuse(a, fd, verdict);
        return true;
    }
    if (!conn_open(a->shard, a->listener, fd, &peer)) {
        limits_leave(a->shard->conf.limits, &peer.sin6_addr);
        pause_accepting(a, ENOMEM);
        return false;
    }
    a->shard->stats.accepted++;
    return true;
}

/* The kernel wakes the one who has waited longest at the listener: who just accepted
 * goes to the end of the queue. */
static void queue_again(struct accepting *a)
{
    if (!a->watching)
        return;
    unwatch_listener(a);
    watch_listener(a);
}

static void on_acceptable(struct source *src, uint32_t events)
{
    struct accepting *a = CONTAINER_OF(src, struct accepting, source);
    int most = a->shard->conf.takes_turns ? 1 : ACCEPTS_PER_TURN;

    (void)events;
    for (int n = 0; n < most && a->watching && accept_one(a); n++)
        ;
    if (a->shard->conf.takes_turns)
        queue_again(a);
}

static int init_accepting(struct shard *s)
{
    const struct shard_conf *conf = &s->conf;

    if (!(s->accepting = calloc(conf->listener_count + 1, sizeof(*s->accepting))))
        return ERR_NOMEM;
    for (size_t i = 0; i < conf->listener_count; i++) {
        s->accepting[i] = (struct accepting){
            .source = {.ready = on_acceptable},
            .pause = {.expired = on_pause_over},
            .shard = s,
            .listener = &conf->listeners[i],
        };
        watch_listener(&s->accepting[i]);
    }
    return OK;
}

/* ---- an orderly end ---- */

void shard_quiet(struct shard *s)
{
    s->draining = true;
    for (size_t i = 0; i < s->conf.listener_count; i++) {
        unwatch_listener(&s->accepting[i]);
        wheel_stop(&s->loop.wheel, &s->accepting[i].pause);
    }
    for (int state = 0; state < CONN_CLOSING; state++)
        LIST_FOREACH_SAFE (&s->in[state], k) {
            struct conn *c = CONTAINER_OF(k, struct conn, link);

            if (state != CONN_PROCESS) /* those are held already */
                conn_hold(c);
        }
}

bool shard_is_flushed(const struct shard *s)
{
    return acks_are_idle(&s->acks) && !s->due;
}

static struct conn *any_open(const struct shard *s)
{
    for (int state = 0; state < CONN_CLOSING; state++)
        if (!list_is_empty(&s->in[state]))
            return CONTAINER_OF(list_first(&s->in[state]), struct conn, link);
    return NULL;
}

void shard_close_all(struct shard *s)
{
    struct conn *c;

    s->ended = true;
    while ((c = any_open(s))) {
        conn_read_out(c);
        conn_close(c, CLOSE_DRAINED);
    }
}

/* ---- the turn's end ---- */

void shard_forget_due(struct shard *s, struct conn *c)
{
    struct conn **at = &s->due;

    while (*at != c)
        at = &(*at)->next_due;
    *at = c->next_due;
    c->is_due = false;
}

static void resume_due(struct shard *s)
{
    for (struct conn *c = s->due; c; c = c->next_due)
        conn_resume(c);
}

static void flush_due(struct shard *s)
{
    struct conn *c = s->due;

    s->due = NULL;
    while (c) {
        struct conn *next = c->next_due;

        c->is_due = false;
        conn_flush(c);
        if (c->resumed) /* released after its time: in the next turn */
            conn_make_due(c);
        c = next;
    }
}

static void end_of_turn(void *user)
{
    struct shard *s = user;
    struct link *k;

    if (s->resumed)
        resume_due(s);
    s->conf.before_writes(s);
    flush_due(s);
    s->conf.after_writes(s);
    while ((k = list_first(&s->in[CONN_CLOSING])))
        conn_destroy(CONTAINER_OF(k, struct conn, link));
}

/* ---- life ---- */

int shard_init(struct shard *s, const struct shard_conf *conf)
{
    int rc;

    *s = (struct shard){.conf = *conf, .loop = {.epoll_fd = -1, .inbox.event_fd = -1}};
    for (int i = 0; i < CONN_STATE_COUNT; i++)
        list_init(&s->in[i]);
    slab_init(&s->conns, sizeof(struct conn));
    slab_init(&s->owed, sizeof(struct owed));
    slab_init(&s->rests, sizeof(struct rest));
    if ((rc = loop_init(&s->loop, end_of_turn, s)) < 0)
        goto fail;
    acks_init(&s->acks, &s->loop.wheel);
    s->loop.turns = conf->turns;
    rc = ERR_NOMEM;
    if (!(s->input = malloc(SHARD_INPUT_SIZE)))
        goto fail;
    if ((rc = init_accepting(s)) < 0)
        goto fail;
    return OK;
fail:
    shard_fini(s);
    return rc;
}

void shard_fini(struct shard *s)
{
    assert(!any_open(s));
    while (!list_is_empty(&s->in[CONN_CLOSING]))
        conn_destroy(CONTAINER_OF(list_first(&s->in[CONN_CLOSING]), struct conn, link));
    loop_fini(&s->loop);
    free(s->accepting);
    free(s->table);
    free(s->input);
    slab_fini(&s->conns);
    slab_fini(&s->owed);
    slab_fini(&s->rests);
    buf_fini(&s->spare_answer);
}

static void *run(void *arg)
{
    struct shard *s = arg;

    if (s->conf.thread_begins)
        s->conf.thread_begins(s->conf.index, s->conf.user);
    loop_run(&s->loop);
    if (s->conf.thread_ends)
        s->conf.thread_ends(s->conf.index, s->conf.user);
    return NULL;
}

int shard_start(struct shard *s)
{
    sigset_t all, before;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&s->thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? ERR_NOMEM : OK;
}

void shard_join(struct shard *s)
{
    pthread_join(s->thread, NULL);
}
