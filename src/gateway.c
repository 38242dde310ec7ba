/* A configuration becomes the supervisor's plan here, and the supervisor's callbacks
 * become calls of the worker: neither of them knows the other. */
#include "gateway.h"
#include "base/cores.h"
#include "base/id.h"
#include "config/config.h"
#include "config/trial.h"
#include "service.h"
#include "supervisor/supervisor.h"
#include "worker/worker.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#define WHERE_MAX 512

struct gateway_plan {
    struct supervisor_plan plan;
    struct config *config;
    struct listen_at *listeners;           /* and that of HTTP behind them */
    struct crew *crews;                    /* the worker, then the services */
    const struct listener_config **serves; /* by crew: a service's listener */
    char (*where)[WHERE_MAX]; /* of each address, then of data_dir and user */
};

static int override(char **field, const char *given)
{
    char *copy;

    if (!given)
        return OK;
    if (!(copy = strdup(given)))
        return ERR_NOMEM;
    free(*field);
    *field = copy;
    return OK;
}

/* The file, then the command line. */
static int load(const struct gateway_options *o, FILE *errors, struct config **out)
{
    struct config *c = NULL;
    int rc = ERR_INVALID;

    if (!trial_survives(o->file, errors) ||
        (rc = config_load(o->file, errors, &c)) < 0 ||
        (rc = override(&c->data_dir, o->data_dir)) < 0)
        goto fail;
    if (o->data_dir)
        c->data_dir_place.line = 0;
    if ((o->log_level && (rc = log_parse_level(o->log_level, &c->log_level)) < 0) ||
        (o->log_topics && (rc = log_parse_topics(o->log_topics, &c->log_topics)) < 0))
        goto fail;
    *out = c;
    return OK;
fail:
    config_free(&c);
    return rc;
}

/* All other problems were told where they were found. */
static void tell_if_no_memory(int rc, FILE *errors)
{
    if (rc == ERR_NOMEM)
        fputs("the configuration cannot be read: out of memory\n", errors);
}

static void free_plan(struct gateway_plan **plan)
{
    if (!*plan)
        return;
    config_free(&(*plan)->config);
    free((*plan)->listeners);
    free((*plan)->where);
    free((*plan)->crews);
    free((*plan)->serves);
    free(*plan);
    *plan = NULL;
}

/* The crew that serves it. */
static unsigned crew_for(struct gateway_plan *p, const struct listener_config *l)
{
    size_t crew = p->plan.crew_count;

    if (l->protocol != PROTOCOL_NBNET)
        return 0;
    p->crews[crew] = (struct crew){
        .name = l->name,
        .processes = l->processes ? l->processes : cores_available(),
    };
    p->serves[crew] = l;
    p->plan.crew_count++;
    return (unsigned)crew;
}

static void add_listener(struct gateway_plan *p, const char *name,
                         const struct listener_config *l)
{
    size_t i = p->plan.listener_count++;

    p->listeners[i] = (struct listen_at){
        .name = name,
        .where = config_where(p->config, l->place, p->where[i], WHERE_MAX),
        .address = l->address,
        .address_size = l->address_size,
        .crew = crew_for(p, l),
    };
}

static void fill_plan(struct gateway_plan *p, const struct gateway_options *o)
{
    const struct config *c = p->config;
    size_t n;

    p->crews[0] = (struct crew){.name = "worker", .processes = 1};
    p->plan.crew_count = 1;
    for (size_t i = 0; i < c->listener_count; i++)
        add_listener(p, c->listeners[i].name, &c->listeners[i]);
    if (c->http.address_size > 0)
        add_listener(p, "http", &c->http);
    n = p->plan.listener_count;
    p->plan = (struct supervisor_plan){
        .crews = p->crews,
        .crew_count = p->plan.crew_count,
        .data_dir = c->data_dir,
        .data_dir_where =
            o->data_dir ? "--data"
                        : config_where(c, c->data_dir_place, p->where[n], WHERE_MAX),
        .user = c->user,
        .user_where = config_where(c, c->user_place, p->where[n + 1], WHERE_MAX),
        .listeners = p->listeners,
        .listener_count = n,
        .max_restarts = c->max_restarts,
        .max_restart_delay_ms = c->max_restart_delay_ms,
        .stuck_timeout_ms = c->stuck_timeout_ms,
        .drain_timeout_ms = c->drain_timeout_ms,
        .log_level = (int)c->log_level,
        .log_topics = c->log_topics,
    };
}

static int make_plan(const struct gateway_options *o, FILE *errors,
                     struct gateway_plan **out)
{
    struct gateway_plan *p = calloc(1, sizeof(*p));
    int rc = ERR_NOMEM;

    if (!p || (rc = load(o, errors, &p->config)) < 0)
        goto fail;
    rc = ERR_NOMEM;
    if (!(p->listeners =
              calloc(p->config->listener_count + 1, sizeof(*p->listeners))) ||
        !(p->where = calloc(p->config->listener_count + 3, sizeof(*p->where))) ||
        !(p->crews = calloc(p->config->listener_count + 1, sizeof(*p->crews))) ||
        !(p->serves = calloc(p->config->listener_count + 1, sizeof(void *))))
        goto fail;
    fill_plan(p, o);
    *out = p;
    return OK;
fail:
    tell_if_no_memory(rc, errors);
    free_plan(&p);
    return rc;
}

static int work(void *user, const struct supervisor_work *w)
{
    const struct gateway_plan *p = CONTAINER_OF(w->plan, struct gateway_plan, plan);
    size_t i = 0;

    (void)user;
    if (w->crew == 0)
        return worker_run(p->config, w);
    while (w->plan->listeners[i].crew != w->crew)
        i++;
    return service_run(p->config, p->serves[w->crew], w->fds[i], w);
}

/* The problems of a reload go to the log, line by line. */
static void log_problems(char *text)
{
    char *rest = text;
    char *line;

    while ((line = strsep(&rest, "\n"))) {
        if (*line)
            log_error(CONFIG, "holdfast config refused %s", line);
    }
}

static const struct supervisor_plan *reload(void *user)
{
    struct gateway_plan *next = NULL;
    char *said = NULL;
    size_t size = 0;
    FILE *errors = open_memstream(&said, &size);
    int rc = errors ? make_plan(user, errors, &next) : ERR_NOMEM;

    if (errors)
        fclose(errors);
    if (rc < 0 && said && *said)
        log_problems(said);
    else if (rc < 0)
        log_error(CONFIG, "holdfast config refused reason=%s", err_word(rc));
    free(said);
    return next ? &next->plan : NULL;
}

static bool is_same_work(const struct supervisor_plan *former,
                         const struct supervisor_plan *next)
{
    return config_is_same_work(CONTAINER_OF(former, struct gateway_plan, plan)->config,
                               CONTAINER_OF(next, struct gateway_plan, plan)->config);
}

static void discard(void *user, const struct supervisor_plan *plan)
{
    struct gateway_plan *p = CONTAINER_OF(plan, struct gateway_plan, plan);

    (void)user;
    free_plan(&p);
}

int gateway_run(const struct gateway_options *options)
{
    static const struct supervisor_ops ops = {work, reload, is_same_work, discard};
    struct gateway_options kept = *options;
    struct gateway_plan *p = NULL;

    if (make_plan(options, stderr, &p) < 0)
        return EXIT_USAGE;
    log_setup(p->config->log_level, p->config->log_topics);
    log_info(MAIN, "holdfast starts version=%s pid=%d config=%s data_dir=%s",
             HOLDFAST_VERSION, (int)getpid(),
             p->config->file ? p->config->file : "(defaults)", p->config->data_dir);
    return supervisor_run(&p->plan, &ops, &kept);
}

int gateway_check(const struct gateway_options *options)
{
    struct config *c = NULL;
    char where[WHERE_MAX];
    int rc;

    if ((rc = load(options, stderr, &c)) < 0) {
        tell_if_no_memory(rc, stderr);
        return EXIT_USAGE;
    }
    if (c->user && !getpwnam(c->user)) {
        fprintf(stderr, "%s: there is no user `%s` on this machine\n",
                config_where(c, c->user_place, where, sizeof(where)), c->user);
        config_free(&c);
        return EXIT_USAGE;
    }
    printf("%s: configuration is valid\n",
           options->file ? options->file : "(defaults)");
    config_describe(c, stdout);
    config_free(&c);
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}
