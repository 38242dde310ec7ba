/* look.h - how the worker looks into the processes of services: it asks, they answer,
 * one packet each.
 *
 *   worker (http/processes.h) ==question==> service process: look_begin()
 *                             <==answer====
 *
 * Both are the same program, so structs are the format. Whoever asks waits for no
 * longer than it likes, and whoever answers does not wait at all: an answer that finds
 * no room is dropped. The channel outlives both, so an answer names its question. */
#pragma once

#include "relay/view.h"
#include "service/answers.h"

enum look_kind { LOOK_CONNECTIONS, LOOK_FIGURES };

struct look_question {
    uint64_t number;
    uint8_t kind; /* enum look_kind */
    /* LOOK_CONNECTIONS: */
    struct view_filter filter;
    uint32_t at; /* from this slot on */
    uint32_t room;
};

/* Counters since the process was started. */
#define LOOK_COUNTERS(X)                                                               \
    X(answered, "requests answered by services")                                       \
    X(refused, "requests that services closed instead of answering")                   \
    X(accepted, "connections that services accepted")

struct look_figures {
#define X(name, text) uint64_t name;
    LOOK_COUNTERS(X)
#undef X
    uint64_t closed[CLOSE_REASON_COUNT];
    uint64_t connections[CONN_STATE_COUNT]; /* now */
};

#define LOOK_VIEWS 64

struct look_answer {
    uint64_t number;
    uint8_t kind;
    pid_t process;
    struct look_figures figures; /* LOOK_FIGURES */
    /* LOOK_CONNECTIONS: */
    bool ended;
    uint32_t at;
    uint32_t count;
    uint32_t slots[LOOK_VIEWS];
    struct conn_view views[LOOK_VIEWS]; /* `count` of them are sent */
};

/* A packet. */
static inline size_t look_answer_size(const struct look_answer *a)
{
    return offsetof(struct look_answer, views) + a->count * sizeof(a->views[0]);
}

/* In a service's process. */
struct look {
    struct source source;
    struct answers *answers;
    int fd;
};

/* Answers what comes in at `fd` from now on. Returns OK, ERR_NOMEM, ERR_IO. */
MUST_CHECK int look_begin(struct look *l, struct answers *a, int fd);
