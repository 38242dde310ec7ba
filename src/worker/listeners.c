/* A listener of the configuration becomes one that shards serve: its protocol says
 * which operations, its options become their settings. */
#include "worker/worker_inside.h"
#include "codec/jt808.h"
#include "net/options.h"
#include "session/device.h"
#include "session/heartbeat.h"
#include "session/ttms.h"

#include <stdlib.h>

union settings {
    struct session_settings common;
    struct ttms_settings ttms;
    struct heartbeat_settings heartbeat;
    struct device_settings device;
};

static void make_ttms(const struct listener_config *l, union settings *out)
{
    out->ttms = (struct ttms_settings){
        .codec = {.length = l->length, .max_frame = l->max_frame},
        .checksum = l->checksum,
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

/* What one connection may have us keep of messages that come in packages. Vehicle
 * terminals are asked for those that do not come, before a command whose answer they
 * are would be repeated (`commands.retry`); others cannot be asked. */
static const struct packages_limits packages = {
    .max_groups = 4,
    .max_bytes = 128 * 1024,
    .max_age_ms = 60 * 1000,
    .ask_after_ms = 2 * 1000,
    .max_asks = 3,
};

static void make_device(const struct listener_config *l, union settings *out)
{
    struct framing framing = device_framing(l->id_form);

    if (framing.max_frame > l->max_frame)
        framing.max_frame = l->max_frame;
    out->device = (struct device_settings){
        .framing = framing,
        .form = l->id_form,
        .packages = packages,
        .profile = l->profile,
    };
}

static void make_vehicle(const struct listener_config *l, union settings *out)
{
    if (jt808_init() < 0)
        log_warn(MAIN,
                 "listener %s lacks=GBK: the system's iconv does not know it, so "
                 "texts of terminals are shown, and sent, in ASCII only",
                 l->name);
    make_device(l, out);
    out->device.registration = l->registration;
}

/* What a listener has that must be freed. */
static int make_lists(const struct listener_config *l, union settings *out)
{
    if (l->protocol != PROTOCOL_JT808 || !l->registration_ids)
        return OK;
    return id_list_new(l->registration_ids, &out->device.may_register);
}

/* What serves a protocol. */
static const struct kind {
    const struct session_ops *ops;
    void (*make)(const struct listener_config *l, union settings *out);
} kinds[PROTOCOL_LIMIT] = {
    [PROTOCOL_TTMS] = {&ttms_ops, make_ttms},
    [PROTOCOL_HEARTBEAT] = {&heartbeat_ops, make_heartbeat},
    [PROTOCOL_DEVICE] = {&device_ops, make_device},
    [PROTOCOL_JT808] = {&vehicle_ops, make_vehicle},
};

int listeners_make(struct worker *w, const int *fds)
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
        if (make_lists(l, &w->settings[i]) < 0)
            return ERR_NOMEM;
        w->settings[i].common.presence = l->presence;
        w->settings[i].common.commands = l->commands;
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

void listeners_free(struct worker *w)
{
    for (size_t i = 0; w->settings && i < w->config->listener_count; i++)
        if (w->config->listeners[i].protocol == PROTOCOL_JT808)
            id_list_free(&w->settings[i].device.may_register);
    free(w->settings);
    free(w->listeners);
}

int processes_make(struct worker *w)
{
    const struct supervisor_work *work = w->work;

    w->processes = calloc(work->line_count + 1, sizeof(*w->processes));
    if (!w->processes)
        return ERR_NOMEM;
    for (size_t i = 0; i < work->line_count; i++)
        w->processes[i] = (struct process_conf){
            .listener = work->plan->crews[work->lines[i].crew].name,
            .fd = work->lines[i].fd,
        };
    return OK;
}
