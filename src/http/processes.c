#include "http/processes.h"
#include "base/hash.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRY_AGAIN_MS 1000 /* one that is overdue */

static struct process_question *question_at(struct link *k)
{
    return k ? CONTAINER_OF(k, struct process_question, link) : NULL;
}

static bool is_sent(const struct process *p, const struct process_question *q)
{
    return TEMP_FAILURE_RETRY(send(p->conf.fd, &q->ask, sizeof(q->ask),
                                   MSG_DONTWAIT | MSG_NOSIGNAL)) == sizeof(q->ask);
}

/* One that will not be answered in time comes back by the same way, at once. */
static void send_first(struct process *p)
{
    struct process_question *q = question_at(list_first(&p->waiting));
    int64_t now_ms = p->loop->now_ms, due_ms = now_ms;

    if (!q)
        return;
    q->ask.number = ++p->last_number;
    if (!p->is_gone && (!p->is_overdue || now_ms - p->sent_ms >= TRY_AGAIN_MS)) {
        p->sent_ms = now_ms;
        if (is_sent(p, q) && !p->is_overdue)
            due_ms = now_ms + PROCESS_DEADLINE_MS;
    }
    wheel_arm(&p->loop->wheel, &p->deadline, due_ms);
}

static void finish_first(struct process *p, const struct look_answer *a)
{
    struct process_question *q = question_at(list_pop(&p->waiting));

    wheel_stop(&p->loop->wheel, &p->deadline);
    send_first(p);
    q->answered(q, a);
}

static void on_deadline(struct timer *t, int64_t now_ms)
{
    static const struct look_answer nothing = {.ended = true};
    struct process *p = CONTAINER_OF(t, struct process, deadline);

    (void)now_ms;
    if (!p->is_gone && !p->is_overdue)
        log_warn(HTTP, "service %s does not answer process=%d deadline_ms=%d",
                 p->conf.listener, (int)p->pid, PROCESS_DEADLINE_MS);
    p->is_overdue = true;
    finish_first(p, p->is_gone ? &nothing : NULL);
}

/* ---- answers ---- */

/* A process runs code that is not ours, which may have written anywhere. */
static bool is_sound(struct look_answer *a, ssize_t size)
{
    if (size < (ssize_t)offsetof(struct look_answer, views) || a->count > LOOK_VIEWS ||
        (size_t)size != look_answer_size(a))
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        struct conn_view *v = &a->views[i];

        v->listener[sizeof(v->listener) - 1] = v->extra[sizeof(v->extra) - 1] = '\0';
        if (v->device.length > ID_TEXT_MAX)
            return false;
    }
    return true;
}

static void add_counters(struct look_figures *sum, const struct look_figures *f)
{
#define X(name, text) sum->name += f->name;
    LOOK_COUNTERS(X)
#undef X
    for (int i = 0; i < CLOSE_REASON_COUNT; i++)
        sum->closed[i] += f->closed[i];
}

static void note(struct process *p, const struct look_answer *a)
{
    p->is_overdue = false;
    if (p->pid != a->process) {
        add_counters(&p->former, &p->latest);
        p->latest = (struct look_figures){0};
        p->pid = a->process;
    }
    if (a->kind == LOOK_FIGURES)
        p->latest = a->figures;
}

static void on_answer(struct source *s, uint32_t events)
{
    struct process *p = CONTAINER_OF(s, struct process, source);
    struct process_question *q = question_at(list_first(&p->waiting));
    struct look_answer a;
    ssize_t n = recv(p->conf.fd, &a, sizeof(a), MSG_DONTWAIT);

    (void)events;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        loop_remove(p->loop, p->conf.fd);
        p->is_gone = true;
        if (q)
            wheel_arm(&p->loop->wheel, &p->deadline, p->loop->now_ms);
        return;
    }
    if (n < 0 || !is_sound(&a, n))
        return;
    note(p, &a);
    if (q && q->ask.number == a.number && q->ask.kind == a.kind)
        finish_first(p, &a);
}

void process_ask(struct process *p, struct process_question *q)
{
    list_append(&p->waiting, &q->link);
    if (p->waiting.length == 1)
        send_first(p);
}

void process_add_figures(const struct process *p, struct look_figures *sum)
{
    add_counters(sum, &p->former);
    add_counters(sum, &p->latest);
}

/* ---- life ---- */

static int init(struct process *p, struct loop *loop, const struct process_conf *conf)
{
    *p = (struct process){
        .conf = *conf,
        .source = {.ready = on_answer},
        .deadline = {.expired = on_deadline},
        .loop = loop,
        /* What a former worker had asked may still be answered. */
        .last_number = hash_key_random().k0,
    };
    list_init(&p->waiting);
    return loop_add(loop, conf->fd, EPOLLIN, &p->source);
}

int processes_init(struct processes *p, struct loop *loop,
                   const struct process_conf *confs, size_t count)
{
    int rc = OK;

    *p = (struct processes){.each = calloc(count + 1, sizeof(*p->each))};
    if (!p->each)
        return ERR_NOMEM;
    while (rc == OK && p->count < count) {
        rc = init(&p->each[p->count], loop, &confs[p->count]);
        p->count++;
    }
    return rc;
}

void processes_fini(struct processes *p)
{
    struct process_question *q;

    for (size_t i = 0; i < p->count; i++)
        while ((q = question_at(list_pop(&p->each[i].waiting))))
            q->drop(q);
    free(p->each);
    *p = (struct processes){0};
}
