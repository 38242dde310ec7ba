/* The tracker's beginning and end, what it remembers from before, and what others see
 * of it. */
#include "relay/tracker_inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "relay/session.h"

#include <stdlib.h>

/* ---- all shards together ---- */

/* The number of a listener's name, added if need be; -1: memory is out. */
static int number_of_name(struct tracker_group *g, struct slice name)
{
    char **names;

    for (size_t i = 0; i < g->name_count; i++)
        if (slice_equal(slice_of(g->names[i], strlen(g->names[i])), name))
            return (int)i;
    if (g->name_count > UINT16_MAX ||
        !(names = realloc(g->names, (g->name_count + 1) * sizeof(*names))))
        return -1;
    g->names = names;
    if (!(names[g->name_count] = strndup((const char *)name.data, name.size)))
        return -1;
    return (int)g->name_count++;
}

int tracker_group_new(const struct tracker_conf *conf, struct tracker_group **out)
{
    struct tracker_group *g = calloc(1, sizeof(*g));

    if (!g)
        return ERR_NOMEM;
    g->conf = *conf;
    for (size_t i = 0; i < conf->listener_count; i++) {
        const char *name = conf->listeners[i].name;

        if (number_of_name(g, slice_of(name, strlen(name))) != (int)i) {
            tracker_group_free(&g);
            return ERR_NOMEM;
        }
    }
    *out = g;
    return OK;
}

void tracker_group_free(struct tracker_group **g)
{
    if (!*g)
        return;
    for (size_t i = 0; i < (*g)->name_count; i++)
        free((*g)->names[i]);
    free((*g)->names);
    free(*g);
    *g = NULL;
}

int tracker_listener_named(struct relay_group *g, struct slice name)
{
    return number_of_name(g->tracker, name);
}

const char *tracker_listener_name(const struct relay *r, uint16_t listener)
{
    return r->group->tracker->names[listener];
}

void tracker_known(struct relay *r, const struct terminal *t)
{
    r->tracker->stats.devices[t->device.protocol][t->presence]++;
}

void tracker_unknown(struct relay *r, const struct terminal *t)
{
    r->tracker->stats.devices[t->device.protocol][t->presence]--;
}

int tracker_adopt(struct relay_group *g, uint32_t number, const struct card *card)
{
    struct relay *r;
    struct terminal *t = relay_remember(g, &card->device, &r);
    int listener = number_of_name(g->tracker, card->listener);

    if (!t || listener < 0)
        return ERR_NOMEM;
    tracker_unknown(r, t);
    t->presence = card->state;
    tracker_known(r, t);
    t->card = number;
    t->listener = (uint16_t)listener;
    t->since_ms = card->since_ms & TIME_MASK;
    t->last_seen_ms = card->last_seen_ms & TIME_MASK;
    t->last_ip = card->ip;
    t->last_port = card->port;
    t->epoch = card->epoch;
    t->sequence = card->sequence;
    t->messages_in = card->messages_in & COUNT_MASK;
    t->messages_out = card->messages_out & COUNT_MASK;
    return OK;
}

static int by_departure(const void *a, const void *b)
{
    const struct terminal *x = *(struct terminal *const *)a;
    const struct terminal *y = *(struct terminal *const *)b;

    return (x->since_ms > y->since_ms) - (x->since_ms < y->since_ms);
}

/* Those gone longest come first, as if they had gone while we were here. */
static void sort_offline(struct relay *r)
{
    struct list *offline = &r->in[DELIVERY_OFFLINE];
    size_t n = offline->length;
    struct terminal **all = calloc(n + 1, sizeof(*all));

    if (!all) {
        log_warn(SESSION, "tracker cannot sort devices=%zu reason=no_memory", n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        all[i] = CONTAINER_OF(list_pop(offline), struct terminal, link);
    qsort(all, n, sizeof(*all), by_departure);
    for (size_t i = 0; i < n; i++)
        list_append(offline, &all[i]->link);
    free(all);
}

void tracker_start(struct relay_group *g)
{
    for (unsigned i = 0; i < g->count; i++) {
        sort_offline(&g->relays[i]);
        tracker_start_rounds(g->relays[i].tracker);
    }
}

/* ---- one shard's ---- */

int tracker_new(struct relay *r, struct tracker **out)
{
    struct tracker *k = calloc(1, sizeof(*k));

    if (!k)
        return ERR_NOMEM;
    k->relay = r;
    k->group = r->group->tracker;
    slab_init(&k->watches, sizeof(struct watch));
    *out = k;
    return feed_new(k->group->conf.journal, &k->feed);
}

/* The feed is the journal's. */
void tracker_free(struct tracker **k)
{
    if (!*k)
        return;
    slab_fini(&(*k)->watches);
    buf_fini(&(*k)->shown);
    free(*k);
    *k = NULL;
}

void tracker_flush(struct relay *r)
{
    feed_flush(r->tracker->feed);
}

bool tracker_is_settled(const struct relay *r)
{
    return feed_is_settled(r->tracker->feed);
}

/* ---- looking at it ---- */

/* As many whole members of `"a":1,"b":{"c":"x,y"}` as fit; a string ends it. */
static void copy_members(struct slice from, char *to, size_t size)
{
    const char *text = (const char *)from.data;
    size_t whole = 0;
    int depth = 0;
    bool quoted = false;

    for (size_t i = 0; i <= from.size && i < size; i++) {
        char c = ',';

        if (i < from.size)
            c = text[i];
        if (c == '\\' && quoted)
            i++;
        else if (c == '"' && i < from.size)
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']'))
            depth--;
        else if (!quoted && depth == 0 && c == ',')
            whole = i;
    }
    if (whole)
        memcpy(to, text, whole);
    to[whole] = '\0';
}

static void show_session(struct tracker *k, const struct conn *c, char *to, size_t size)
{
    struct json j = json_to(&k->shown);

    buf_clear(&k->shown);
    if (session_ops_of(c)->show)
        session_ops_of(c)->show(c, &j);
    copy_members(j.failed ? (struct slice){0} : buf_peek(&k->shown), to, size);
}

void tracker_view(const struct relay *r, const struct terminal *t,
                  struct device_view *out)
{
    struct tracker *k = r->tracker;
    const struct conn *c = t->conn;

    *out = (struct device_view){
        .id = device_id(&t->device),
        .number = t->device.ref,
        .state = t->presence,
        .connected = c != NULL,
        .listener = k->group->names[t->listener],
        .since_ms = t->since_ms,
        .last_seen_ms = tracker_last_seen(k, t),
        .ip = c ? c->peer_ip : t->last_ip,
        .port = c ? c->peer_port : t->last_port,
        .epoch = t->epoch,
        .sequence = t->sequence,
        .messages_in = t->messages_in + (c ? c->rx_frames - t->counted_in : 0),
        .messages_out = t->messages_out,
        .mail_messages = mailqueue_messages(&t->mail),
        .mail_bytes = mailqueue_bytes(&t->mail),
    };
    if (c)
        show_session(k, c, out->extra, sizeof(out->extra));
}

struct tracker_stats tracker_stats(const struct relay *r)
{
    return r->tracker->stats;
}
