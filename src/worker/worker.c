/* The worker's life, in order: everything is made, opened, started; SIGTERM; everything
 * is drained and taken down, so that nothing accepted is lost. */
#include "worker/worker_inside.h"
#include "base/allocator.h"
#include "base/log.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Descriptors that are not connections: epolls, store, logs, and some to spare. */
#define SPARE_DESCRIPTORS 64

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

static int start(struct worker *w)
{
    const struct config *config = w->config;
    const int *fds = w->work->fds;
    int rc;

    w->max_connections = max_connections(config);
    if ((rc = limits_new(w->max_connections, config->max_per_address, &w->limits)) < 0)
        return rc;
    if ((rc = listeners_make(w, fds)) < 0)
        return rc;
    if ((rc = processes_make(w)) < 0)
        return rc;
    if ((rc = stores_make(w)) < 0)
        return rc;
    if ((rc = shards_make(w)) < 0)
        return rc;
    if ((rc = stores_open(w)) < 0)
        return rc;
    tracker_start(&w->group);
    if ((rc = shards_start(w)) < 0)
        return rc;
    return http_serve(w, fds[config->listener_count]);
}

static void dismantle(struct worker *w)
{
    mail_writer_close(&w->writer);
    journal_close(&w->journal);
    ledger_close(&w->ledger);
    http_free(&w->http); /* the journal told it what it published */
    shards_free(w);
    api_free(&w->api);
    tracker_group_free(&w->tracker);
    commands_group_free(&w->commands);
    free(w->processes);
    listeners_free(w);
    limits_free(&w->limits);
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

/* What another attempt would find as it is: somebody has to do something first. */
static bool is_hopeless(int rc)
{
    return rc == ERR_VERSION || rc == ERR_DAMAGED || rc == ERR_INVALID;
}

int worker_run(const struct config *config, const struct supervisor_work *work)
{
    struct worker w = {
        .config = config,
        .work = work,
        .vital = work->vital,
    };
    int rc;

    allocator_setup();
    if ((rc = start(&w)) < 0) {
        log_error(MAIN, "worker cannot start reason=%s text=\"%s\"", err_word(rc),
                  err_text(rc));
        /* Some threads may run: no orderly way back. */
        exit(is_hopeless(rc) ? WORKER_HOPELESS : EXIT_FAILURE);
    }
    log_info(MAIN, "worker ready shards=%u max_connections=%u", w.shard_count,
             w.max_connections);
    vital_set_ready(w.vital);
    wait_for_sigterm();
    drain(&w);
    for (unsigned i = 0; i < w.running; i++)
        shard_join(&w.shards[i]);
    totals_log(&w);
    dismantle(&w);
    log_info(MAIN, "worker ended");
    return 0;
}
