/* A service process: finds the logic that the settings name and serves it. */
#include "service.h"
#include "base/allocator.h"
#include "service/look.h"
#include "service/serve.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The object stays for the life of the process. */
static const struct hf_service *load(const char *path)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct hf_service *service =
        object ? dlsym(object, "holdfast_service") : NULL;
    const char *wrong = service ? answers_check(service) : dlerror();

    if (!wrong)
        return service;
    log_error(MAIN, "service refused file=%s: %s", path, wrong);
    return NULL;
}

static const struct hf_service *find(const char *logic)
{
    const struct hf_service *builtin = answers_builtin(logic);

    if (builtin || strchr(logic, '/'))
        return builtin ? builtin : load(logic);
    log_error(
        MAIN,
        "service refused logic=%s: it is not built in (echo, reverse), nor a path "
        "with a slash",
        logic);
    return NULL;
}

struct life {
    const struct supervisor_work *work;
    struct look look;
};

static int on_begin(void *user, struct answers *a)
{
    struct life *life = user;

    return look_begin(&life->look, a, life->work->lines[0].fd);
}

static void on_ready(void *user)
{
    struct life *life = user;

    vital_set_ready(life->work->vital);
}

static int watch_for_sigterm(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int service_run(const struct config *config, const struct listener_config *listener,
                int listen_fd, const struct supervisor_work *work)
{
    struct vital *vital = work->vital;
    struct life life = {.work = work};
    struct serve_conf conf = {
        .name = listener->name,
        .listen_fd = listen_fd,
        .stop_fd = watch_for_sigterm(),
        .framing = &listener->framing.made,
        .argument = listener->argument ? listener->argument : "",
        .max_connections = config->max_connections,
        .max_per_address = config->max_per_address,
        .output_limit = config->output_limit,
        .read_timeout_ms = listener->read_timeout_ms,
        .drain_timeout_ms = config->drain_timeout_ms / 2,
        .turns = &vital->shards[0].turns,
        .begin = on_begin,
        .ready = on_ready,
        .user = &life,
    };
    int rc;

    allocator_setup();
    allocator_keep_large();
    conf.service = find(listener->logic);
    if (!conf.service || conf.stop_fd < 0)
        return WORKER_HOPELESS;
    vital_shard_start(vital, 0);
    rc = serve_run(&conf);
    vital_shard_stop(vital, 0);
    close(conf.stop_fd);
    return rc == OK ? EXIT_SUCCESS : rc == ERR_INVALID ? WORKER_HOPELESS : EXIT_FAILURE;
}
