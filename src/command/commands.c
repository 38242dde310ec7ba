/* A shard's commands from their beginning to their end, and what happens to its devices
 * meanwhile: they come, go, and are forgotten. */
#include "command/commands_inside.h"
#include <stdio.h>
#include <stdlib.h>

/* What tickets hold, on the average, if there are as many as there may be. */
#define BYTES_PER_TICKET 2048
#define BYTES_MIN        (64u << 20)

bool speech_of(const struct commands *k, const struct terminal *t, struct speech *out)
{
    const struct commands_conf *conf = &k->group->conf;
    const struct listener *l;
    const struct session_settings *settings;

    if (!t->conn && t->listener >= conf->listener_count)
        return false;
    l = t->conn ? t->conn->listener : &conf->listeners[t->listener];
    settings = l->conf;
    *out = (struct speech){
        .dialect = listener_dialect(l, t->device.protocol),
        .conf = l->conf,
        .policy = &settings->commands,
        .listener = l->index,
    };
    if (out->dialect && t->conn)
        out->version = out->dialect->version(t->conn);
    return out->dialect != NULL;
}

/* ---- all shards together ---- */

/* What those commands have that need no arguments: only they can have it. */
static int note_prescribed(const struct listener *l, struct prescribed *out)
{
    const struct dialect *d = dialect_of(l);
    struct command c = {0};
    const char *word;

    for (unsigned n = 0; d && (word = d->command_word(l->conf, n)); n++) {
        struct wire_command w = {0};
        char why[DIALECT_WHY_SIZE];
        int rc;
        uint16_t *more = realloc(out->serials, (out->count + 1) * sizeof(*more));

        if (!more)
            return ERR_NOMEM;
        out->serials = more;
        snprintf(c.name, sizeof(c.name), "%s", word);
        rc = d->encode(l->conf, &c, 0, &w, why);
        if (rc == OK && w.has_serial)
            out->serials[out->count++] = w.serial;
        buf_fini(&w.body);
        if (rc == ERR_NOMEM)
            return rc;
    }
    return OK;
}

int commands_group_new(const struct commands_conf *conf, struct commands_group **out)
{
    struct commands_group *g = calloc(1, sizeof(*g));
    int rc = g ? OK : ERR_NOMEM;

    if (g) {
        g->conf = *conf;
        g->max_bytes = (uint64_t)conf->max_tickets * BYTES_PER_TICKET;
        if (g->max_bytes < BYTES_MIN)
            g->max_bytes = BYTES_MIN;
        g->prescribed = calloc(conf->listener_count + 1, sizeof(*g->prescribed));
        rc = g->prescribed ? OK : ERR_NOMEM;
    }
    for (size_t i = 0; rc == OK && i < conf->listener_count; i++)
        rc = note_prescribed(&conf->listeners[i], &g->prescribed[i]);
    if (rc < 0)
        commands_group_free(&g);
    *out = g;
    return rc;
}

void commands_group_free(struct commands_group **g)
{
    if (!*g)
        return;
    for (size_t i = 0; (*g)->prescribed && i < (*g)->conf.listener_count; i++)
        free((*g)->prescribed[i].serials);
    free((*g)->prescribed);
    free(*g);
    *g = NULL;
}

/* ---- one shard's ---- */

static struct commands *commands_at(const struct part *p)
{
    return CONTAINER_OF(p, struct commands, part);
}

static bool is_full(const struct commands *k)
{
    const struct commands_group *g = k->group;

    return atomic_load_explicit(&g->tickets, memory_order_relaxed) >
               g->conf.max_tickets ||
           atomic_load_explicit(&g->bytes, memory_order_relaxed) > g->max_bytes;
}

static void flush(struct part *p)
{
    struct commands *k = commands_at(p);

    while (!list_is_empty(&k->ended) && is_full(k))
        ticket_forget(k, CONTAINER_OF(list_first(&k->ended), struct ticket, of_all));
    keep_flush(k);
}

static bool is_settled(const struct part *p)
{
    return keep_is_settled(commands_at(p));
}

/* What is durable goes on after the restart. */
void commands_end(struct relay *r)
{
    struct commands *k = r->commands;

    if (!k || k->is_ending)
        return;
    k->is_ending = true;
    LIST_FOREACH_SAFE (&k->live, at) {
        struct ticket *t = CONTAINER_OF(at, struct ticket, of_all);

        if (!t->is_durable)
            ticket_end(k, t, TICKET_FAILED, TICKET_BY_ENDING);
        else if (t->is_accepted &&
                 (t->place != PLACE_ENDING || t->again_at_ms != NEVER))
            orders_reply(t, OK); /* else the ledger's word is near */
    }
}

/* ---- devices ---- */

static void on_attached(struct part *p, struct terminal *t)
{
    struct commands *k = commands_at(p);
    struct errands *e = errands_find(k, t);

    if (!e)
        return;
    e->is_attached = true;
    list_append(&k->arrived, &e->arrived);
}

/* It hears what waits for it behind the answer to what it came with: it may not listen
 * before that. */
static void before_writes(struct part *p)
{
    struct commands *k = commands_at(p);
    struct link *at;

    while ((at = list_pop(&k->arrived)))
        errands_advance(k, CONTAINER_OF(at, struct errands, arrived));
}

static void cut_sent(struct commands *k, struct ticket *t)
{
    ticket_leave_slot(t);
    if (t->has_answer) {
        ticket_end(k, t, TICKET_ANSWERED, TICKET_BY_NONE);
    } else if (!t->is_durable) {
        ticket_end(k, t, TICKET_FAILED, TICKET_BY_DISCONNECTED);
    } else {
        ticket_place(k, t, PLACE_WAITING);
        ticket_enter(k, t, TICKET_QUEUED, TICKET_BY_NONE);
    }
}

static void cut_all(struct commands *k, struct errands *e)
{
    if (e->asking)
        ticket_leave_slot(e->asking);
    LIST_FOREACH_SAFE (&e->in[PLACE_SENT], at) {
        struct ticket *t = ticket_at(at);

        cut_sent(k, t);
        ticket_arm(k, t);
    }
    LIST_FOREACH_SAFE (&e->in[PLACE_WAITING], at)
        if (!ticket_at(at)->is_durable)
            ticket_end(k, ticket_at(at), TICKET_FAILED, TICKET_BY_DISCONNECTED);
}

static void on_detached(struct part *p, struct terminal *t)
{
    struct commands *k = commands_at(p);
    struct errands *e = errands_find(k, t);

    if (!e || !e->is_attached)
        return;
    e->is_attached = false;
    if (link_is_on_list(&e->arrived))
        list_remove(&k->arrived, &e->arrived);
    if (!k->is_ending)
        cut_all(k, e);
}

static bool needs(const struct part *p, const struct terminal *t)
{
    struct errands *e = errands_find(commands_at(p), t);

    return e && errands_live(e) > 0;
}

static void forget(struct part *p, struct terminal *t)
{
    struct commands *k = commands_at(p);

    while (t->has_commands) {
        struct errands *e = errands_find(k, t);
        struct link *at = list_first(&e->in[PLACE_ENDED]);

        ticket_forget(k, ticket_at(at ? at : list_first(&e->in[PLACE_LATE])));
    }
}

/* ---- life ---- */

/* The loop has ended; the book is the ledger's. */
static void commands_free(struct part *p)
{
    struct commands *k = commands_at(p);

    k->relay->commands = NULL;
    tables_fini(k);
    buf_fini(&k->scratch);
    free(k);
}

static const struct part_ops commands_part = {
    .attached = on_attached,
    .detached = on_detached,
    .needs = needs,
    .forget = forget,
    .before_writes = before_writes,
    .flush = flush,
    .is_settled = is_settled,
    .free = commands_free,
};

int commands_new(struct relay *r)
{
    struct commands *k;
    int rc;

    if (!r->group->commands)
        return OK;
    if (!(k = calloc(1, sizeof(*k))))
        return ERR_NOMEM;
    k->relay = r;
    k->group = r->group->commands;
    k->numbers = hash_key_random();
    k->forget.expired = commands_on_forget;
    list_init(&k->arrived);
    if ((rc = tables_init(k)) < 0 || (rc = keep_open(k)) < 0) {
        commands_free(&k->part);
        return rc;
    }
    part_join(r, &k->part, &commands_part);
    r->commands = k;
    return OK;
}

struct commands_stats commands_stats(const struct relay *r)
{
    return r->commands ? r->commands->stats : (struct commands_stats){0};
}
