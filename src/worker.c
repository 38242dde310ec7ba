/* Puts the parts together: the store and its writer, a shard per core with its relay
 * and mailbox, the journal, the listeners. Then waits for SIGTERM and takes everything
 * down in order, so that nothing accepted is lost. */
#include "worker.h"
#include "base/allocator.h"
#include "base/cores.h"
#include "http/api.h"
#include "journal/journal.h"
#include "mailbox/writer.h"
#include "net/options.h"
#include "session/relay.h"
#include "session/tracker.h"
#include "session/heartbeat.h"
#include "session/ttms.h"
#include "supervisor/crash.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Descriptors that are not connections: epolls, store, logs, and some to spare. */
#define SPARE_DESCRIPTORS 64

/* Events and cards in memory on their way to the disk; then events are lost. */
#define JOURNAL_BACKLOG (64u << 20)

/* What a listener's `conf` points to. */
union settings {
    struct session_settings common;
    struct ttms_settings ttms;
    struct heartbeat_settings heartbeat;
};

struct worker {
    const struct config *config;
    struct vital *vital;
    unsigned shard_count;
    struct shard *shards;
    struct relay_group group;
    struct tracker_group *tracker;
    struct listener *listeners; /* those served here */
    size_t listener_count;
    union settings *settings;
    struct limits *limits;
    struct mail_writer *writer;
    struct journal *journal;
    struct api *api;
    struct http_server *http; /* NULL: off */
    unsigned running;         /* shards with a thread */
    /* Shards report the steps of the end here. */
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    unsigned arrivals;
};

/* ---- the end, step by step ---- */

struct step {
    struct parcel parcel;
    struct timer timer;
    struct worker *worker;
    struct shard *shard;
    bool (*is_done)(struct shard *s); /* asked again until it says so */
    int64_t deadline_ms;
};

static void arrive(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->arrivals++;
    pthread_cond_signal(&w->arrived);
    pthread_mutex_unlock(&w->lock);
}

static void try_step(struct timer *t, int64_t now_ms)
{
    struct step *step = CONTAINER_OF(t, struct step, timer);

    if (step->is_done(step->shard) || now_ms >= step->deadline_ms)
        arrive(step->worker);
    else
        wheel_arm(&step->shard->loop.wheel, t, now_ms + 2);
}

static void on_step(struct parcel *parcel, void *receiver)
{
    struct step *step = CONTAINER_OF(parcel, struct step, parcel);

    step->shard = receiver;
    step->timer.expired = try_step;
    step->deadline_ms += step->shard->loop.now_ms;
    try_step(&step->timer, step->shard->loop.now_ms);
}

/* All shards do the step; returns when all have. */
static void all_shards(struct worker *w, bool (*is_done)(struct shard *s),
                       int64_t timeout_ms)
{
    struct step steps[SHARDS_MAX] = {0};

    w->arrivals = 0;
    for (unsigned i = 0; i < w->running; i++) {
        steps[i] = (struct step){
            .parcel.open = on_step,
            .worker = w,
            .is_done = is_done,
            .deadline_ms = timeout_ms,
        };
        shard_post(&w->shards[i], &steps[i].parcel);
    }
    pthread_mutex_lock(&w->lock);
    while (w->arrivals < w->running)
        pthread_cond_wait(&w->arrived, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static bool flush(struct shard *s)
{
    if (!s->draining)
        shard_quiet(s);
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

static void drain(struct worker *w)
{
    int64_t half_ms = w->config->drain_timeout_ms / 2; /* the store needs some, too */

    log_info(MAIN, "worker draining timeout_ms=%lld connections=%u",
             (long long)w->config->drain_timeout_ms, limits_connections(w->limits));
    api_drain(w->api);
    if (w->http) /* while the shards can still answer its questions */
        http_stop(w->http, w->config->drain_timeout_ms / 4);
    all_shards(w, flush, half_ms);
    all_shards(w, close_all, 0);
    /* Twice: what a shard had sent to another may be on its way to the store there. */
    all_shards(w, settle, half_ms);
    all_shards(w, settle, half_ms);
    all_shards(w, stop, 0);
}

/* ---- figures ---- */

static struct relay_stats relay_totals(const struct worker *w)
{
    struct relay_stats all = {0};

    for (unsigned i = 0; i < w->shard_count; i++) {
        const struct relay_stats *s = &w->group.relays[i].stats;

#define X(name, text) all.name += s->name;
        RELAY_COUNTERS(X)
#undef X
    }
    return all;
}

/* After the shards have ended. */
static void log_totals(const struct worker *w)
{
    struct relay_stats all = relay_totals(w);

#define X(name, text)                                                                  \
    if (all.name)                                                                      \
        log_info(MAIN, "totals " #name "=%llu", (unsigned long long)all.name);
    RELAY_COUNTERS(X)
#undef X
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++) {
        uint64_t n = 0;

        for (unsigned i = 0; i < w->shard_count; i++)
            n += w->shards[i].stats.closed[reason];
        if (n)
            log_info(MAIN, "totals closed=%llu reason=%s", (unsigned long long)n,
                     close_reason_word((uint8_t)reason));
    }
}

/* ---- the beginning ---- */

static enum checksum_rule checksum_rule(enum checksum_policy policy)
{
    return policy == CHECKSUM_STRICT   ? CHECKSUM_RULE_STRICT
           : policy == CHECKSUM_IGNORE ? CHECKSUM_RULE_IGNORE
                                       : CHECKSUM_RULE_WARN;
}

static void make_ttms(const struct listener_config *l, union settings *out)
{
    out->ttms = (struct ttms_settings){
        .codec = {.length = l->length, .max_frame = l->max_frame},
        .checksum = checksum_rule(l->checksum),
        .durable = l->durability == DURABILITY_ALL,
        .receipts = l->receipts,
        .reply_heartbeats = l->reply_heartbeats,
    };
}

static void make_heartbeat(const struct listener_config *l, union settings *out)
{
    out->heartbeat = (struct heartbeat_settings){
        .framing = heartbeat_framing(l->max_frame),
    };
}

/* What serves a protocol. */
static const struct kind {
    const struct session_ops *ops;
    void (*make)(const struct listener_config *l, union settings *out);
} kinds[PROTOCOL_LIMIT] = {
    [PROTOCOL_TTMS] = {&ttms_ops, make_ttms},
    [PROTOCOL_HEARTBEAT] = {&heartbeat_ops, make_heartbeat},
};

static int make_listeners(struct worker *w, const int *fds)
{
    size_t n = w->config->listener_count;

    w->listeners = calloc(n + 1, sizeof(*w->listeners));
    w->settings = calloc(n + 1, sizeof(*w->settings));
    if (!w->listeners || !w->settings)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct listener_config *l = &w->config->listeners[i];
        const struct kind *kind = &kinds[l->protocol];

        if (!kind->ops)
            continue; /* it has processes of its own */
        kind->make(l, &w->settings[i]);
        w->settings[i].common.presence = l->presence;
        w->listeners[w->listener_count] = (struct listener){
            .name = l->name,
            .fd = fds[i],
            .ops = &kind->ops->conn,
            .conf = &w->settings[i],
            .index = (uint16_t)w->listener_count,
            .register_timeout_ms = l->register_timeout_ms,
            .read_timeout_ms = l->read_timeout_ms,
        };
        w->listener_count++;
        options_set(fds[i], l->name);
        options_limit_send(fds[i], l->name, (int)(w->config->output_limit / 4));
    }
    return OK;
}

/* 0 in the configuration: as many as there are descriptors for. */
static uint32_t max_connections(const struct config *config)
{
    struct rlimit files;
    rlim_t room;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur <= 2 * SPARE_DESCRIPTORS)
        room = SPARE_DESCRIPTORS;
    else
        room = files.rlim_cur - SPARE_DESCRIPTORS;
    if (config->http.address_size > 0 && room > 4ull * config->http_max_connections)
        room -= config->http_max_connections;
    if (room > UINT32_MAX)
        room = UINT32_MAX;
    if (config->max_connections == 0)
        return (uint32_t)room;
    if (config->max_connections > room)
        log_warn(
            MAIN,
            "limits max_connections=%u exceeds open_files=%llu hint=raise_LimitNOFILE",
            config->max_connections, (unsigned long long)files.rlim_cur);
    return config->max_connections;
}

static void on_thread_begins(unsigned index, void *user)
{
    crash_setup_thread();
    vital_shard_start(user, index);
}

static void on_thread_ends(unsigned index, void *user)
{
    vital_shard_stop(user, index);
}

static int make_shard(struct worker *w, unsigned i)
{
    const struct config *config = w->config;
    struct shard_conf shard_conf = {
        .index = i,
        .listeners = w->listeners,
        .listener_count = w->listener_count,
        .limits = w->limits,
        .output_limit = config->output_limit,
        .before_writes = relay_before_writes,
        .after_writes = relay_after_writes,
        .turns = &w->vital->shards[i].turns,
        .thread_begins = on_thread_begins,
        .thread_ends = on_thread_ends,
        .user = w->vital,
    };
    struct relay *r = &w->group.relays[i];
    struct mailbox_conf box_conf = {
        .writer = w->writer,
        .limits = {.max_messages = config->mailbox_max_messages,
                   .max_bytes = config->mailbox_max_bytes,
                   .max_age_ms = (uint64_t)config->mailbox_max_age_ms,
                   .total_bytes = config->mailbox_total_bytes,
                   .backlog_bytes = config->mailbox_backlog_bytes},
        .inbox = &w->shards[i].loop.inbox,
        .events = &relay_mailbox_events,
        .user = r,
    };
    int rc;

    if ((rc = shard_init(&w->shards[i], &shard_conf)) < 0)
        return rc;
    if ((rc = relay_init(r, &w->group, &w->shards[i])) < 0)
        return rc;
    return mailbox_new(&box_conf, &r->mailbox);
}

static int make_shards(struct worker *w)
{
    const struct config *config = w->config;
    unsigned n = config->shards ? config->shards : cores_available();
    int rc;

    w->shard_count = n < SHARDS_MAX ? n : SHARDS_MAX;
    w->group = (struct relay_group){
        .count = w->shard_count,
        .key = hash_key_random(),
        .tracker = w->tracker,
        .max_devices = config->max_devices,
        .max_messages = config->mailbox_max_messages,
        .max_bytes = config->mailbox_max_bytes,
        .relays = calloc(w->shard_count, sizeof(*w->group.relays)),
    };
    w->shards = calloc(w->shard_count, sizeof(*w->shards));
    if (!w->group.relays || !w->shards)
        return ERR_NOMEM;
    for (unsigned i = 0; i < w->shard_count; i++)
        if ((rc = make_shard(w, i)) < 0)
            return rc;
    return OK;
}

static int make_tracker(struct worker *w)
{
    const struct config *config = w->config;
    struct api_conf api_conf = {
        .group = &w->group,
        .listeners = w->listeners,
        .listener_count = w->listener_count,
    };
    struct journal_conf journal_conf = {
        .engine = &store_lmdb,
        .dir = config->data_dir,
        .keep = config->events_keep,
        .max_cards = config->max_devices,
        .backlog_bytes = JOURNAL_BACKLOG,
        .published = api_published,
    };
    struct tracker_conf conf = {
        .listeners = w->listeners,
        .listener_count = w->listener_count,
        .restart_grace_ms = config->restart_grace_ms,
        .forget_after_ms = config->forget_after_ms,
    };
    int rc;

    if ((rc = api_new(&api_conf, &w->api)) < 0)
        return rc;
    journal_conf.user = w->api;
    if ((rc = journal_new(&journal_conf, &w->journal)) < 0)
        return rc;
    conf.journal = w->journal;
    return tracker_group_new(&conf, &w->tracker);
}

static int on_card(void *user, uint32_t number, const struct card *card)
{
    struct worker *w = user;

    return tracker_adopt(&w->group, number, card);
}

static int open_journal(struct worker *w)
{
    int rc = journal_open(w->journal, on_card, w);

    return rc < 0 ? rc : journal_start(w->journal);
}

static int on_found(void *user, const struct id *id, const struct mail_record *record)
{
    struct worker *w = user;

    return relay_adopt(&w->group, id, record);
}

static int open_store(struct worker *w)
{
    int rc = mail_writer_open(w->writer, on_found, w);

    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < w->shard_count; i++)
        mailbox_adopted(w->group.relays[i].mailbox);
    return mail_writer_start(w->writer);
}

static void dismantle(struct worker *w)
{
    mail_writer_close(&w->writer);
    journal_close(&w->journal);
    http_free(&w->http); /* the journal told it what it published */
    for (unsigned i = 0; w->group.relays && w->shards && i < w->shard_count; i++) {
        mailbox_free(&w->group.relays[i].mailbox);
        relay_fini(&w->group.relays[i]);
        shard_fini(&w->shards[i]);
    }
    api_free(&w->api);
    tracker_group_free(&w->tracker);
    free(w->group.relays);
    free(w->shards);
    free(w->listeners);
    free(w->settings);
    limits_free(&w->limits);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->arrived);
}

static int start(struct worker *w, const int *listener_fds)
{
    struct mail_writer_conf writer_conf = {
        .engine = &store_lmdb,
        .dir = w->config->data_dir,
        .total_bytes = w->config->mailbox_total_bytes,
    };
    int rc;

    if ((rc = limits_new(max_connections(w->config), w->config->max_per_address,
                         &w->limits)) < 0)
        return rc;
    if ((rc = make_listeners(w, listener_fds)) < 0)
        return rc;
    if ((rc = mail_writer_new(&writer_conf, &w->writer)) < 0)
        return rc;
    if ((rc = make_tracker(w)) < 0)
        return rc;
    if ((rc = make_shards(w)) < 0)
        return rc;
    if ((rc = open_journal(w)) < 0)
        return rc;
    if ((rc = open_store(w)) < 0)
        return rc;
    tracker_start(&w->group);
    for (; w->running < w->shard_count; w->running++)
        if ((rc = shard_start(&w->shards[w->running])) < 0)
            return rc;
    return OK;
}

/* ---- HTTP ---- */

#define HTTP_IDLE_MS     60000
#define HTTP_MAX_BODY    65536
#define HTTP_SEND_BUFFER (256 * 1024)

/* Counted as a shard behind the others, so that the watchdog sees it too. */
static void on_http_begins(void *user)
{
    struct worker *w = user;

    on_thread_begins(w->shard_count, w->vital);
}

static void on_http_ends(void *user)
{
    struct worker *w = user;

    on_thread_ends(w->shard_count, w->vital);
}

static int start_http(struct worker *w, int listen_fd)
{
    const struct config *c = w->config;
    struct http_conf conf = {
        .listen_fd = listen_fd,
        .address = c->http.address,
        .token = c->http_token,
        .hosts = c->http_hosts,
        .max_connections = c->http_max_connections,
        .max_per_address = c->http_max_per_address,
        .max_body = HTTP_MAX_BODY,
        .idle_timeout_ms = HTTP_IDLE_MS,
        .handler = api_handle,
        .on_tick = api_tick,
        .user = w->api,
        .turns = &w->vital->shards[w->shard_count].turns,
        .thread_begins = on_http_begins,
        .thread_ends = on_http_ends,
        .thread_user = w,
    };
    int rc;

    if (c->http.address_size == 0)
        return OK;
    options_set(listen_fd, "http");
    options_limit_send(listen_fd, "http", HTTP_SEND_BUFFER);
    if ((rc = http_new(&conf, &w->http)) < 0)
        return rc;
    if ((rc = api_begin(w->api, w->http, w->journal)) < 0)
        return rc;
    return http_start(w->http);
}

static void wait_for_sigterm(void)
{
    sigset_t set;
    int got;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    while (sigwait(&set, &got) != 0)
        ;
}

int worker_run(const struct config *config, const int *listener_fds,
               struct vital *vital)
{
    struct worker w = {
        .config = config,
        .vital = vital,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .arrived = PTHREAD_COND_INITIALIZER,
    };
    int rc;

    allocator_setup();
    if ((rc = start(&w, listener_fds)) == OK)
        rc = start_http(&w, listener_fds[config->listener_count]);
    if (rc < 0) {
        log_error(MAIN, "worker cannot start reason=%s text=\"%s\"", err_word(rc),
                  err_text(rc));
        exit(1); /* some threads may run: no orderly way back */
    }
    log_info(MAIN, "worker ready shards=%u max_connections=%u", w.shard_count,
             max_connections(config));
    vital_set_ready(vital);
    wait_for_sigterm();
    drain(&w);
    for (unsigned i = 0; i < w.running; i++)
        shard_join(&w.shards[i]);
    log_totals(&w);
    dismantle(&w);
    log_info(MAIN, "worker ended");
    return 0;
}
