/* answersrig.h - the request/answer conversation without a network: one shard turned by
 * hand, and socket pairs as clients. */
#pragma once

#include "service/answers.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWERS_OUTPUT_LIMIT (256 * 1024)

static struct answers_rig {
    struct shard shard;
    struct answers answers;
    struct listener listener;
    struct limits *limits;
} answers_rig;

static inline void answers_rig_nothing(struct shard *s)
{
    (void)s;
}

/* `framing` NULL: the ten digits. */
static inline void answers_rig_open(const struct hf_service *service,
                                    const struct framing *framing)
{
    struct answers_rig *g = &answers_rig;
    struct framing_words digits = {.length = FRAMING_DIGITS, .digits = 10};
    struct framing ten;
    const char *wrong = framing_from_words(&digits, 1 << 20, &ten);
    struct shard_conf conf = {.output_limit = ANSWERS_OUTPUT_LIMIT,
                              .before_writes = answers_rig_nothing,
                              .after_writes = answers_rig_nothing};
    int rc = wrong ? ERR_INVALID : limits_new(0, 0, &g->limits);

    conf.limits = g->limits;
    g->listener = (struct listener){.name = "answers",
                                    .ops = &answers_ops.conn,
                                    .register_timeout_ms = 1000000,
                                    .read_timeout_ms = 1000000};
    if (rc == OK)
        rc = shard_init(&g->shard, &conf);
    if (rc == OK)
        rc = answers_init(&g->answers, &g->shard, framing ? framing : &ten, service,
                          NULL);
    assert(rc == OK);
}

static inline void answers_rig_turn(void)
{
    for (int i = 0; i < 4; i++)
        loop_turn(&answers_rig.shard.loop, 0);
}

static inline void answers_rig_close(void)
{
    struct answers_rig *g = &answers_rig;

    shard_close_all(&g->shard);
    answers_fini(&g->answers);
    shard_fini(&g->shard);
    limits_free(&g->limits);
}

/* Returns the client's end. */
static inline int answers_rig_connect(void)
{
    struct answers_rig *g = &answers_rig;
    struct sockaddr_in6 peer = {.sin6_family = AF_INET6, .sin6_port = htons(5000)};
    enum limits_verdict verdict = limits_enter(g->limits, &peer.sin6_addr);
    int ends[2];
    int rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
    struct conn *c;

    assert(verdict == LIMITS_PASS && rc == 0);
    c = conn_open(&g->shard, &g->listener, ends[0], &peer);
    assert(c);
    (void)verdict, (void)rc, (void)c;
    return ends[1];
}
