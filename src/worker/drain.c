/* The end, step by step: what a step left undone at its time, the next one copes with.
 *
 *     0            1/2             3/4        7/8           drain_timeout
 *     | flush      | close, settle | HTTP     | stores      |
 *
 * flush: nothing is read any more, so no answer of a device comes either, and who waits
 * for one is told; what connections have to send is sent and acknowledged. settle: what
 * was not has become mail and is stored. HTTP answers all the while, and says that the
 * gateway is ending; its questions need the shards, so it ends before they do. The rest
 * is for the stores' last commits. Each step ends as soon as it can; the supervisor
 * kills a worker that needs longer than all of them may. */
#include "worker/worker_inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "command/commands.h"

#include <pthread.h>

/* ---- a step that all shards take ---- */

struct rendezvous {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned arrived;
};

struct step {
    struct parcel parcel;
    struct timer timer;
    struct rendezvous *rendezvous;
    struct shard *shard;
    bool (*is_done)(struct shard *s); /* asked again until it says so */
    int64_t deadline_ms;
};

static void arrive(struct rendezvous *r)
{
    pthread_mutex_lock(&r->lock);
    r->arrived++;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void try_step(struct timer *t, int64_t now_ms)
{
    struct step *step = CONTAINER_OF(t, struct step, timer);

    if (step->is_done(step->shard) || now_ms >= step->deadline_ms)
        arrive(step->rendezvous);
    else
        wheel_arm(&step->shard->loop.wheel, t, now_ms + 2);
}

static void on_step(struct parcel *parcel, void *receiver)
{
    struct step *step = CONTAINER_OF(parcel, struct step, parcel);

    step->shard = receiver;
    step->timer.expired = try_step;
    try_step(&step->timer, step->shard->loop.now_ms);
}

/* Returns when all have done it, or the time is over. */
static void all_shards(struct worker *w, bool (*is_done)(struct shard *s),
                       int64_t deadline_ms)
{
    struct rendezvous r = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct step steps[SHARDS_MAX];

    for (unsigned i = 0; i < w->running; i++) {
        steps[i] = (struct step){
            .parcel.open = on_step,
            .rendezvous = &r,
            .is_done = is_done,
            .deadline_ms = deadline_ms,
        };
        shard_post(&w->shards[i], &steps[i].parcel);
    }
    pthread_mutex_lock(&r.lock);
    while (r.arrived < w->running)
        pthread_cond_wait(&r.changed, &r.lock);
    pthread_mutex_unlock(&r.lock);
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.lock);
}

/* ---- the steps ---- */

static bool flush(struct shard *s)
{
    if (!s->draining) {
        shard_quiet(s);
        commands_end(s->app);
    }
    return shard_is_flushed(s);
}

static bool close_all(struct shard *s)
{
    shard_close_all(s);
    return true;
}

static bool settle(struct shard *s)
{
    return relay_is_settled(s->app);
}

static bool stop(struct shard *s)
{
    loop_stop(&s->loop);
    return true;
}

void drain(struct worker *w)
{
    int64_t timeout_ms = w->config->drain_timeout_ms;
    int64_t begun_ms = clock_mono_ms();

    api_drain(w->api);
    log_info(MAIN, "worker draining timeout_ms=%lld connections=%u",
             (long long)timeout_ms, limits_connections(w->limits));
    all_shards(w, flush, begun_ms + timeout_ms / 2);
    all_shards(w, close_all, 0);
    /* Twice: what a shard had sent to another may be on its way to the store there. */
    all_shards(w, settle, begun_ms + timeout_ms * 3 / 4);
    all_shards(w, settle, begun_ms + timeout_ms * 3 / 4);
    api_end(w->api);
    if (w->http)
        http_stop(w->http, timeout_ms / 8);
    all_shards(w, stop, 0);
}
