/* Figures for Prometheus. Nothing here has a label per device: the size of the answer
 * does not grow with the fleet. */
#include "http/api_inside.h"
#include "http/exposition.h"
#include "http/figures.h"
#include "http/services.h"
#include "http/stores.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct scrape {
    struct question question;
    struct api *api;
    http_handle handle;
    uint32_t slot;
    struct figures figures;
    struct survey survey;
};

static void free_scrape(struct scrape *s)
{
    survey_fini(&s->survey);
    free(s->figures.connections);
    free(s);
}

/* ---- what shards know ---- */

static void expose_counters(struct exposition *e, const struct figures *f)
{
#define X(name, text)                                                                  \
    expose(e, "holdfast_relay_" #name "_total", EXPOSE_COUNTER, text);                 \
    expose_value(e, "", NULL, f->relay.name);
    RELAY_COUNTERS(X)
#undef X
#define X(name, text)                                                                  \
    expose(e, "holdfast_connections_" #name "_total", EXPOSE_COUNTER, text);           \
    expose_value(e, "", NULL, f->shard.name);
    SHARD_COUNTERS(X)
#undef X
    expose(e, "holdfast_connections_closed_total", EXPOSE_COUNTER,
           "connections that ended, by reason");
    for (uint8_t i = 0; i < CLOSE_REASON_COUNT; i++)
        expose_value(e, "", LABELS({"reason", close_reason_word(i)}),
                     f->shard.closed[i]);
#define X(name, text)                                                                  \
    expose(e, "holdfast_devices_" #name "_total", EXPOSE_COUNTER, text);               \
    expose_value(e, "", NULL, f->tracker.name);
    TRACKER_COUNTERS(X)
#undef X
    expose(e, "holdfast_devices_moves_total", EXPOSE_COUNTER,
           "changes of a device's state, by the new one");
    for (uint8_t i = 0; i < PRESENCE_COUNT; i++)
        expose_value(e, "", LABELS({"state", presence_word(i)}), f->tracker.moves[i]);
#define X(name, text)                                                                  \
    expose(e, "holdfast_mailbox_" #name "_total", EXPOSE_COUNTER, text);               \
    expose_value(e, "", NULL, f->mail.name);
    MAILBOX_COUNTERS(X)
#undef X
#define X(name, text)                                                                  \
    expose(e, "holdfast_commands_" #name "_total", EXPOSE_COUNTER, text);              \
    expose_value(e, "", NULL, f->commands.name);
    COMMANDS_COUNTERS(X)
#undef X
#define X(name, text)                                                                  \
    expose(e, "holdfast_vehicles_" #name "_total", EXPOSE_COUNTER, text);              \
    expose_value(e, "", NULL, f->vehicles.name);
    CREDENTIALS_COUNTERS(X)
    VEHICLES_COUNTERS(X)
#undef X
}

static void expose_devices(struct exposition *e, const char *protocol,
                           const uint64_t devices[PRESENCE_COUNT])
{
    for (uint8_t i = 0; i < PRESENCE_COUNT; i++)
        expose_value(e, "", LABELS({"protocol", protocol}, {"state", presence_word(i)}),
                     devices[i]);
}

static void expose_gauges(struct exposition *e, struct api *a, const struct figures *f)
{
    expose(e, "holdfast_connections", EXPOSE_GAUGE,
           "connections that are open, by listener and state");
    for (size_t i = 0; i < f->listener_count; i++)
        for (uint8_t s = 0; s < CONN_CLOSING; s++)
            expose_value(e, "",
                         LABELS({"listener", a->conf.listeners[i].name},
                                {"state", conn_state_word(s)}),
                         f->connections[i][s]);
    expose(e, "holdfast_devices", EXPOSE_GAUGE,
           "devices that are known, by protocol and state");
#define X(name, number, word) expose_devices(e, word, f->tracker.devices[number]);
    PROTOCOLS(X)
#undef X
    expose(e, "holdfast_commands_queued", EXPOSE_GAUGE,
           "commands that wait for their device, their time or their turn");
    expose_value(e, "", NULL, f->commands.queued);
    expose(e, "holdfast_commands_in_flight", EXPOSE_GAUGE,
           "commands that were sent and await their answer");
    expose_value(e, "", NULL, f->commands.in_flight);
    expose(e, "holdfast_commands_tickets", EXPOSE_GAUGE,
           "tickets that are known, ended ones included");
    expose_value(e, "", NULL, f->commands.tickets);
    expose(e, "holdfast_mailbox_messages", EXPOSE_GAUGE, "messages that wait");
    expose_value(e, "", NULL, f->mail.messages);
    expose(e, "holdfast_mailbox_bytes", EXPOSE_GAUGE, "bytes of messages that wait");
    expose_value(e, "", NULL, f->mail.bytes);
    expose(e, "holdfast_mailbox_store_up", EXPOSE_GAUGE, "1: messages can be stored");
    expose_value(e, "", NULL, mailbox_health(a->conf.group->relays[0].mailbox) == OK);
}

static void expose_turns(struct exposition *e, const struct loop_turns *took)
{
    uint64_t count = 0;

    expose(e, "holdfast_shard_turn_seconds", EXPOSE_HISTOGRAM,
           "how long the turns of the shards' loops took");
    for (unsigned i = 0; i < LOOP_TURN_BUCKETS; i++) {
        unsigned us = (unsigned)LOOP_TURN_FIRST_US << i;
        char le[24] = "+Inf";

        if (i + 1 < LOOP_TURN_BUCKETS)
            snprintf(le, sizeof(le), "%u.%06u", us / 1000000, us % 1000000);
        count += took->buckets[i];
        expose_value(e, "_bucket", LABELS({"le", le}), count);
    }
    expose_us(e, "_sum", NULL, took->sum_us);
    expose_value(e, "_count", NULL, count);
    expose(e, "holdfast_shard_turn_longest_seconds", EXPOSE_GAUGE,
           "the longest turn since this was asked last");
    expose_us(e, "", NULL, took->longest_us);
}

/* ---- what others know ---- */

static void expose_http(struct exposition *e, const struct http_stats *s)
{
    static const char *const classes[] = {"", "1xx", "2xx", "3xx", "4xx", "5xx"};

#define X(name, text)                                                                  \
    expose(e, "holdfast_http_" #name "_total", EXPOSE_COUNTER, text);                  \
    expose_value(e, "", NULL, s->name);
    HTTP_COUNTERS(X)
#undef X
    expose(e, "holdfast_http_responses_total", EXPOSE_COUNTER,
           "answers, by the class of their status");
    for (unsigned i = 1; i < ARRAY_LEN(classes); i++)
        expose_value(e, "", LABELS({"code", classes[i]}), s->status[i]);
    expose(e, "holdfast_http_connections", EXPOSE_GAUGE,
           "connections of HTTP clients that are open");
    expose_value(e, "", NULL, s->open);
    expose(e, "holdfast_http_streams", EXPOSE_GAUGE, "streams under way");
    expose_value(e, "", NULL, s->streaming);
}

/* ---- the process: names that every exporter gives ---- */

static uint64_t resident_bytes(void)
{
    unsigned long long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file && fscanf(file, "%llu %llu", &size, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* 0: not known. */
static uint64_t open_descriptors(void)
{
    struct stat there;
    uint64_t n = 0;
    DIR *dir;

    if (stat("/proc/self/fd", &there) == 0 && there.st_size > 0)
        return (uint64_t)there.st_size; /* newer kernels say so */
    if (!(dir = opendir("/proc/self/fd")))
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 3; /* ".", ".." and the directory's own */
}

static uint64_t most_descriptors(void)
{
    struct rlimit limit = {0};

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

static void expose_process(struct exposition *e, const struct api *a)
{
    expose(e, "process_start_time_seconds", EXPOSE_GAUGE,
           "when the worker was started, since 1970");
    expose_us(e, "", NULL, (uint64_t)a->started_ms * 1000);
    expose(e, "process_resident_memory_bytes", EXPOSE_GAUGE, "resident memory");
    expose_value(e, "", NULL, resident_bytes());
    expose(e, "process_open_fds", EXPOSE_GAUGE, "descriptors that are open");
    expose_value(e, "", NULL, open_descriptors());
    expose(e, "process_max_fds", EXPOSE_GAUGE, "descriptors that may be open");
    expose_value(e, "", NULL, most_descriptors());
    expose(e, "holdfast_build_info", EXPOSE_GAUGE, "which version runs");
    expose_value(e, "", LABELS({"version", HOLDFAST_VERSION}), 1);
}

/* ---- the request ---- */

static void answer(struct scrape *s)
{
    struct buf text = {0};
    struct exposition e = {.out = &text};
    struct json done = json_to(&text);

    expose_process(&e, s->api);
    expose_gauges(&e, s->api, &s->figures);
    expose_counters(&e, &s->figures);
    expose_turns(&e, &s->figures.turns);
    expose_services(&e, &s->survey);
    expose_stores(&e, s->api->journal, s->api->conf.group->ledger);
    expose_http(&e, http_stats(s->api->server));
    done.failed = e.failed;
    api_answer(s->api, s->handle, 200, "text/plain; version=0.0.4; charset=utf-8",
               &done);
}

static bool look(struct question *q, struct relay *r)
{
    struct scrape *s = CONTAINER_OF(q, struct scrape, question);

    return figures_add(&s->figures, r, s->api->conf.listeners, &s->slot);
}

static void on_looked(struct question *q)
{
    struct scrape *s = CONTAINER_OF(q, struct scrape, question);
    unsigned next = q->shard + 1;

    if (next < s->api->conf.group->count) {
        s->slot = 0;
        ask(&s->api->asking, q, next);
        return;
    }
    survey_begin(&s->survey);
}

static void on_surveyed(struct survey *survey)
{
    struct scrape *s = CONTAINER_OF(survey, struct scrape, survey);

    answer(s);
    free_scrape(s);
}

static void drop_survey(struct survey *survey)
{
    free_scrape(CONTAINER_OF(survey, struct scrape, survey));
}

static void drop(struct question *q)
{
    free_scrape(CONTAINER_OF(q, struct scrape, question));
}

void api_metrics(struct api *a, const struct http_request *q, const struct params *p)
{
    struct scrape *s = calloc(1, sizeof(*s));
    size_t listeners = a->conf.listener_count;

    (void)p;
    if (!s || survey_init(&s->survey, &a->processes) < 0 ||
        !(s->figures.connections =
              calloc(listeners + 1, sizeof(*s->figures.connections)))) {
        if (s)
            free_scrape(s);
        api_no_memory(a, q->handle);
        return;
    }
    s->survey.done = on_surveyed;
    s->survey.drop = drop_survey;
    s->question = (struct question){.step = look, .answered = on_looked, .drop = drop};
    s->api = a;
    s->handle = q->handle;
    s->figures.listener_count = listeners;
    ask(&a->asking, &s->question, 0);
}
