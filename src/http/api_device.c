/* One device: found by its text, which may be an id in several protocols; looked at or
 * acted upon on its shard. */
#include "http/api_devices.h"
#include "http/api_inside.h"
#include "relay/delivery.h"

#include <stdlib.h>

static const uint8_t protocols[] = {
#define X(name, number, word) (number),
    PROTOCOLS(X)
#undef X
};

struct verb {
    bool is_for_any; /* answered also if several protocols know the id */
    /* On the shard; its result goes to the question's `done`. May be NULL. */
    uint64_t (*act)(struct relay *r, struct terminal *t);
    /* Afterwards, on the server's thread. */
    void (*answer)(struct api *a, http_handle h, const struct device_view *v,
                   uint64_t done);
};

struct device_question {
    struct question question;
    struct api *api;
    http_handle handle;
    const struct verb *verb;
    struct id ids[ARRAY_LEN(protocols)]; /* whom the text may mean */
    unsigned count, at;
    unsigned found, which; /* so far, and the newest of them */
    bool acts;             /* there is no doubt whom it means */
    uint64_t done;
    struct device_view view;
};

static bool look(struct question *q, struct relay *r)
{
    struct device_question *d = CONTAINER_OF(q, struct device_question, question);
    const struct id *id = &d->ids[d->at];
    struct device *device = registry_find(&r->terminals, id, relay_hash(r->group, id));

    if (!device)
        return true;
    d->found++;
    d->which = d->at;
    tracker_view(r, terminal_of(device), &d->view);
    if (d->acts && d->verb->act)
        d->done = d->verb->act(r, terminal_of(device));
    return true;
}

static void ask_at(struct device_question *d, unsigned at)
{
    const struct relay_group *g = d->api->conf.group;

    d->at = at;
    ask(&d->api->asking, &d->question, relay_shard_of(g, relay_hash(g, &d->ids[at])));
}

static void finish(struct device_question *d)
{
    struct http_server *s = d->api->server;
    const struct id *id = &d->ids[0];

    if (d->found == 0)
        http_problem(s, d->handle, 404, "not-found", NULL, "there is no device `%.*s`",
                     ID_ARGS(id));
    else if (d->found > 1 && !d->verb->is_for_any)
        http_problem(s, d->handle, 409, "ambiguous", NULL,
                     "`%.*s` is an id in %u protocols: add ?protocol=", ID_ARGS(id),
                     d->found);
    else
        d->verb->answer(d->api, d->handle, &d->view, d->done);
    free(d);
}

static void on_looked(struct question *q)
{
    struct device_question *d = CONTAINER_OF(q, struct device_question, question);

    if (d->at + 1 < d->count) {
        ask_at(d, d->at + 1);
    } else if (d->found == 1 && !d->acts && d->verb->act) {
        d->ids[0] = d->ids[d->which];
        d->count = 1;
        d->found = 0; /* it may be forgotten meanwhile */
        d->acts = true;
        ask_at(d, 0);
    } else {
        finish(d);
    }
}

static void drop(struct question *q)
{
    free(CONTAINER_OF(q, struct device_question, question));
}

static void name_candidates(struct device_question *d, const char *text,
                            uint64_t protocol)
{
    struct slice id = slice_of(text, strlen(text));

    for (unsigned i = 0; i < ARRAY_LEN(protocols); i++)
        if (!protocol || protocol == protocols[i])
            d->count += id_make(protocols[i], id, &d->ids[d->count]) == OK;
    d->acts = d->count == 1;
}

static void ask_about(struct api *a, http_handle h, const char *text, uint64_t protocol,
                      const struct verb *verb)
{
    struct device_question *d = calloc(1, sizeof(*d));

    if (!d) {
        api_no_memory(a, h);
        return;
    }
    d->question = (struct question){.step = look, .answered = on_looked, .drop = drop};
    d->api = a;
    d->handle = h;
    d->verb = verb;
    name_candidates(d, text, protocol);
    if (d->count) {
        ask_at(d, 0);
        return;
    }
    http_problem(a->server, h, 404, "not-found", NULL, "there is no device `%.80s`",
                 text);
    free(d);
}

static void ask_device(struct api *a, const struct http_request *q,
                       const struct params *p, const struct verb *verb)
{
    /* /api/v1/devices/{id} */
    ask_about(a, q->handle, http_segment(q, 3), p->number[PARAM_PROTOCOL], verb);
}

/* ---- what can be asked of it ---- */

static void answer_device(struct api *a, http_handle h, const struct device_view *v,
                          uint64_t done)
{
    struct buf text = {0};
    struct json j = json_to(&text);

    (void)done;
    device_show(&j, v);
    api_answer(a, h, 200, NULL, &j);
}

void api_show_device(struct api *a, const struct http_request *q,
                     const struct params *p)
{
    static const struct verb verb = {.answer = answer_device};

    ask_device(a, q, p, &verb);
}

static uint64_t kick(struct relay *r, struct terminal *t)
{
    (void)r;
    if (!t->conn)
        return 0;
    conn_close(t->conn, CLOSE_KICKED);
    return 1;
}

static void answer_kicked(struct api *a, http_handle h, const struct device_view *v,
                          uint64_t done)
{
    if (done)
        api_answer_empty(a, h);
    else
        http_problem(a->server, h, 404, "not-found", NULL,
                     "the device `%.*s` has no connection", ID_ARGS(&v->id));
}

void api_kick_device(struct api *a, const struct http_request *q,
                     const struct params *p)
{
    static const struct verb verb = {.act = kick, .answer = answer_kicked};

    ask_device(a, q, p, &verb);
}

static void answer_mailbox(struct api *a, http_handle h, const struct device_view *v,
                           uint64_t done)
{
    struct buf text = {0};
    struct json j = json_to(&text);

    (void)done;
    device_write_mailbox(&j, v);
    api_answer(a, h, 200, NULL, &j);
}

void api_show_mailbox(struct api *a, const struct http_request *q,
                      const struct params *p)
{
    static const struct verb verb = {.answer = answer_mailbox};

    ask_device(a, q, p, &verb);
}

static void answer_purged(struct api *a, http_handle h, const struct device_view *v,
                          uint64_t done)
{
    struct buf text = {0};
    struct json j = json_to(&text);

    (void)v;
    json_open(&j, '{');
    json_key(&j, "removed");
    json_uint(&j, done);
    json_close(&j, '}');
    api_answer(a, h, 200, NULL, &j);
}

void api_purge_mailbox(struct api *a, const struct http_request *q,
                       const struct params *p)
{
    static const struct verb verb = {.act = delivery_purge, .answer = answer_purged};

    ask_device(a, q, p, &verb);
}

/* ---- what it cannot do ---- */

static void refuse_command(struct api *a, http_handle h, const struct device_view *v,
                           uint64_t done)
{
    (void)done;
    http_problem(a->server, h, 409, "no-commands", NULL,
                 "`%.*s` is a device of protocol %s, which takes no commands",
                 ID_ARGS(&v->id), protocol_word(v->id.protocol));
}

void api_takes_no_commands(struct api *a, http_handle h, const char *id,
                           uint64_t protocol)
{
    static const struct verb verb = {.is_for_any = true, .answer = refuse_command};

    ask_about(a, h, id, protocol, &verb);
}

static void refuse_message(struct api *a, http_handle h, const struct device_view *v,
                           uint64_t done)
{
    (void)done;
    http_problem(a->server, h, 409, "no-messages", NULL,
                 "`%.*s` is a device of protocol %s, which takes no relay messages",
                 ID_ARGS(&v->id), protocol_word(v->id.protocol));
}

void api_takes_no_messages(struct api *a, http_handle h, const char *id)
{
    static const struct verb verb = {.is_for_any = true, .answer = refuse_message};

    ask_about(a, h, id, 0, &verb);
}
