#include "service/serve.h"
#include "base/log.h"
#include "net/options.h"

#include <unistd.h>

#define STEP_MS 2

/* Nobody has to say who it is. */
#define NO_REGISTER_TIMEOUT_MS (INT64_C(1000) * 3600 * 24 * 36500)

struct serve {
    const struct serve_conf *conf;
    struct shard shard;
    struct answers answers;
    struct listener listener;
    struct limits *limits;
    struct source stop;
    struct timer drain;
    int64_t drained_by_ms;
};

static void nothing(struct shard *s)
{
    (void)s;
}

/* ---- the end, in steps: what was asked is answered, what was answered is sent ---- */

static void on_drain(struct timer *t, int64_t now_ms)
{
    struct serve *s = CONTAINER_OF(t, struct serve, drain);
    bool settled = s->answers.open_later == 0 && shard_is_flushed(&s->shard);

    if (!settled && now_ms < s->drained_by_ms) {
        wheel_arm(&s->shard.loop.wheel, t, now_ms + STEP_MS);
        return;
    }
    shard_close_all(&s->shard);
    loop_stop(&s->shard.loop);
}

static void on_stop(struct source *source, uint32_t events)
{
    struct serve *s = CONTAINER_OF(source, struct serve, stop);
    struct loop *l = &s->shard.loop;

    (void)events;
    loop_remove(l, s->conf->stop_fd);
    log_info(MAIN, "service %s draining connections=%u", s->conf->name,
             limits_connections(s->limits));
    shard_quiet(&s->shard);
    s->drained_by_ms = l->now_ms + s->conf->drain_timeout_ms;
    wheel_arm(&l->wheel, &s->drain, l->now_ms + STEP_MS);
}

/* ---- life ---- */

static int make_shard(struct serve *s)
{
    const struct serve_conf *conf = s->conf;
    struct shard_conf shard_conf = {
        .listeners = &s->listener,
        .listener_count = 1,
        .limits = s->limits,
        .takes_turns = true,
        .output_limit = conf->output_limit,
        .before_writes = nothing,
        .after_writes = nothing,
        .turns = conf->turns,
    };

    int rc;

    s->listener = (struct listener){
        .name = conf->name,
        .fd = conf->listen_fd,
        .ops = &answers_ops.conn,
        .register_timeout_ms = NO_REGISTER_TIMEOUT_MS,
        .read_timeout_ms = conf->read_timeout_ms,
    };
    if ((rc = shard_init(&s->shard, &shard_conf)) < 0)
        return rc;
    /* So that the numbers of connections differ between processes, in one log. */
    s->shard.opened = (uint64_t)(getpid() & 0xffff) << 16;
    return OK;
}

static int start_service(const struct serve_conf *conf, void **state)
{
    const struct hf_service *service = conf->service;
    int failed = service->start ? service->start(conf->argument, state) : 0;

    if (!failed)
        return OK;
    log_error(MAIN, "service %s did not start name=%s answer=%d: see what it said",
              conf->name, service->name, failed);
    return ERR_INVALID;
}

static int serve_until_stopped(struct serve *s, void *state)
{
    const struct serve_conf *conf = s->conf;
    int rc = answers_init(&s->answers, &s->shard, conf->framing, conf->service, state);

    if (rc == OK)
        rc = loop_add(&s->shard.loop, conf->stop_fd, EPOLLIN, &s->stop);
    if (rc == OK && conf->begin)
        rc = conf->begin(conf->user, &s->answers);
    if (rc < 0)
        return rc;
    if (conf->ready)
        conf->ready(conf->user);
    loop_run(&s->shard.loop);
    log_info(MAIN, "service %s ended answered=%llu refused=%llu", conf->name,
             (unsigned long long)s->answers.answered,
             (unsigned long long)s->answers.refused);
    return OK;
}

int serve_run(const struct serve_conf *conf)
{
    struct serve s = {
        .conf = conf,
        .stop = {.ready = on_stop},
        .drain = {.expired = on_drain},
    };
    void *state = NULL;
    int rc = limits_new(conf->max_connections, conf->max_per_address, &s.limits);

    if (rc < 0)
        goto fail;
    options_set(conf->listen_fd, conf->name);
    if ((rc = make_shard(&s)) < 0)
        goto fail;
    if ((rc = start_service(conf, &state)) == OK) {
        rc = serve_until_stopped(&s, state);
        if (conf->service->stop)
            conf->service->stop(state);
        answers_fini(&s.answers);
    }
    shard_fini(&s.shard);
fail:
    limits_free(&s.limits);
    if (rc < 0 && rc != ERR_INVALID)
        log_error(MAIN, "service %s cannot serve reason=%s", conf->name, err_word(rc));
    return rc;
}
