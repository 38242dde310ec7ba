/* answers_inside.h - what the files of the request/answer conversation share. */
#pragma once

#include "base/address.h"
#include "service/answers.h"

/* A connection's part of it. */
struct answering {
    struct framing_state framing;
    uint32_t requests; /* so far: the last one's number */
    bool awaits;       /* held: the last one's answer comes from elsewhere */
    bool deaf;         /* held: it does not take our answers */
};

static inline struct answering *answering_of(const struct conn *c)
{
    return (void *)c->session;
}

static inline struct answers *answers_of(const struct conn *c)
{
    return c->shard->app;
}

enum request_fate { REQUEST_OPEN, REQUEST_ANSWERED, REQUEST_LATER, REQUEST_CLOSED };

struct hf_request {
    struct conn *conn;
    struct slice body;
    enum request_fate fate;
    bool in_room; /* the answer stands in the answers' `room` and is to be wrapped */
    char peer[ADDRESS_TEXT_SIZE];
};

/* The bytes of a whole answer were appended to its output. */
void answers_after_answer(struct conn *c);
