#include "http/services.h"

#include <stdlib.h>

int survey_init(struct survey *s, struct processes *processes)
{
    *s = (struct survey){
        .processes = processes,
        .parts = calloc(processes->count + 1, sizeof(*s->parts)),
    };
    return s->parts ? OK : ERR_NOMEM;
}

void survey_fini(struct survey *s)
{
    free(s->parts);
    s->parts = NULL;
}

static void on_answer(struct process_question *q, const struct look_answer *a)
{
    struct survey_part *p = CONTAINER_OF(q, struct survey_part, question);

    p->answered = a && a->process;
    if (p->answered)
        memcpy(p->connections, a->figures.connections, sizeof(p->connections));
    if (--p->survey->open == 0)
        p->survey->done(p->survey);
}

static void on_drop(struct process_question *q)
{
    struct survey_part *p = CONTAINER_OF(q, struct survey_part, question);

    if (--p->survey->open == 0)
        p->survey->drop(p->survey);
}

void survey_begin(struct survey *s)
{
    s->open = s->processes->count;
    if (s->open == 0) {
        s->done(s);
        return;
    }
    for (size_t i = 0; i < s->processes->count; i++) {
        s->parts[i] = (struct survey_part){
            .question = {.ask = {.kind = LOOK_FIGURES},
                         .answered = on_answer,
                         .drop = on_drop},
            .survey = s,
        };
        process_ask(&s->processes->each[i], &s->parts[i].question);
    }
}

/* ---- by listener: its processes stand together ---- */

struct sum {
    const char *listener;
    unsigned processes; /* that answered */
    struct look_figures figures;
};

/* Returns the number of the first process of the next listener. */
static size_t add_up(const struct survey *s, size_t first, struct sum *out)
{
    const struct process *each = s->processes->each;
    size_t i = first;

    *out = (struct sum){.listener = each[first].conf.listener};
    for (; i < s->processes->count; i++) {
        if (strcmp(each[i].conf.listener, out->listener) != 0)
            break;
        out->processes += s->parts[i].answered;
        process_add_figures(&each[i], &out->figures);
        for (int state = 0; state < CONN_STATE_COUNT; state++)
            out->figures.connections[state] += s->parts[i].connections[state];
    }
    return i;
}

typedef void expose_sum(struct exposition *e, const struct sum *sum);

static void expose_each(struct exposition *e, const struct survey *s, expose_sum *one)
{
    struct sum sum;

    for (size_t i = 0; i < s->processes->count;) {
        i = add_up(s, i, &sum);
        one(e, &sum);
    }
}

#define X(name, text)                                                                  \
    static void expose_##name(struct exposition *e, const struct sum *sum)             \
    {                                                                                  \
        expose_value(e, "", LABELS({"listener", sum->listener}), sum->figures.name);   \
    }
LOOK_COUNTERS(X)
#undef X

static void expose_closed(struct exposition *e, const struct sum *sum)
{
    for (uint8_t i = 0; i < CLOSE_REASON_COUNT; i++)
        expose_value(e, "",
                     LABELS({"listener", sum->listener},
                            {"reason", close_reason_word(i)}),
                     sum->figures.closed[i]);
}

static void expose_connections(struct exposition *e, const struct sum *sum)
{
    for (uint8_t i = 0; i < CONN_CLOSING; i++)
        expose_value(e, "",
                     LABELS({"listener", sum->listener}, {"state", conn_state_word(i)}),
                     sum->figures.connections[i]);
}

static void expose_processes(struct exposition *e, const struct sum *sum)
{
    expose_value(e, "", LABELS({"listener", sum->listener}), sum->processes);
}

void expose_services(struct exposition *e, const struct survey *s)
{
#define X(name, text)                                                                  \
    expose(e, "holdfast_service_" #name "_total", EXPOSE_COUNTER, text);               \
    expose_each(e, s, expose_##name);
    LOOK_COUNTERS(X)
#undef X
    expose(e, "holdfast_service_closed_total", EXPOSE_COUNTER,
           "connections of services that ended, by reason");
    expose_each(e, s, expose_closed);
    expose(e, "holdfast_service_connections", EXPOSE_GAUGE,
           "connections of services that are open, by state");
    expose_each(e, s, expose_connections);
    expose(e, "holdfast_service_processes", EXPOSE_GAUGE,
           "processes of services that answered when asked for these figures");
    expose_each(e, s, expose_processes);
}
