#include "service/look.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert(sizeof(struct look_answer) <= 32 * 1024, "a packet has grown");

static void fill_figures(const struct answers *a, struct look_figures *f)
{
    const struct shard *s = a->shard;

    f->answered = a->answered;
    f->refused = a->refused;
    f->accepted = s->stats.accepted;
    memcpy(f->closed, s->stats.closed, sizeof(f->closed));
    for (int i = 0; i < CONN_STATE_COUNT; i++)
        f->connections[i] = s->in[i].length;
}

static void fill_connections(const struct shard *s, const struct look_question *q,
                             struct look_answer *a)
{
    unsigned room = q->room < LOOK_VIEWS ? q->room : LOOK_VIEWS;

    a->at = q->at;
    a->count = view_collect(s, &q->filter, &a->at, a->views, a->slots, room, &a->ended);
    for (unsigned i = 0; i < a->count; i++)
        a->views[i].process = a->process;
}

static void answer(struct look *l, const struct look_question *q)
{
    struct look_answer a;

    memset(&a, 0, sizeof(a)); /* its gaps, too: it leaves this process */
    a.number = q->number;
    a.kind = q->kind;
    a.process = getpid();
    if (q->kind == LOOK_FIGURES)
        fill_figures(l->answers, &a.figures);
    else
        fill_connections(l->answers->shard, q, &a);
    (void)!TEMP_FAILURE_RETRY(
        send(l->fd, &a, look_answer_size(&a), MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* One question in a turn: the connections come first. */
static void on_question(struct source *source, uint32_t events)
{
    struct look *l = CONTAINER_OF(source, struct look, source);
    struct look_question q;
    ssize_t n = recv(l->fd, &q, sizeof(q), MSG_DONTWAIT);

    (void)events;
    if (n == sizeof(q))
        answer(l, &q);
    else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        loop_remove(&l->answers->shard->loop, l->fd); /* nobody is there any more */
}

int look_begin(struct look *l, struct answers *a, int fd)
{
    *l = (struct look){.source.ready = on_question, .answers = a, .fd = fd};
    return loop_add(&a->shard->loop, fd, EPOLLIN, &l->source);
}
