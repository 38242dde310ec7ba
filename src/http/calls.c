#include "http/calls.h"
#include "http/api_inside.h"

#include <stdlib.h>

/* Beyond what the order itself may wait: a ledger whose disk is slow answers late. */
#define ANSWER_EXTRA_MS 30000

/* Whose devices have a dialect. */
static const uint8_t commanded[] = {PROTOCOL_DEVICE, PROTOCOL_JT808};

static_assert(offsetof(struct order, trip) == 0 && offsetof(struct letter, trip) == 0 &&
                  offsetof(struct revocation, trip) == 0,
              "a call comes back by its trip");
static_assert(ARRAY_LEN(commanded) <= ORDER_IDS_MAX, "an order has room for them");

struct call *call_new(struct api *a, http_handle h, void (*answer)(struct call *c))
{
    struct call *c;

    if (a->calls.length >= CALLS_MAX || a->call_bytes >= CALLS_MAX_BYTES) {
        http_problem(a->server, h, 503, "not-ready", NULL,
                     "too many calls are waiting for devices");
        return NULL;
    }
    if (!(c = calloc(1, sizeof(*c)))) {
        api_no_memory(a, h);
        return NULL;
    }
    c->api = a;
    c->handle = h;
    c->answer = answer;
    list_append(&a->calls, &c->link);
    return c;
}

void call_free(struct call *c)
{
    list_remove(&c->api->calls, &c->link);
    c->api->call_bytes -= c->bytes;
    if (c->kind == CALL_LETTER)
        buf_fini(&c->letter.body);
    if (c->kind == CALL_ORDER) {
        buf_fini(&c->order.args);
        buf_fini(&c->order.view.answer);
        for (size_t i = 0; i < c->order.count; i++)
            buf_fini(&c->order.views[i].answer);
        free(c->order.views);
    }
    free(c);
}

/* The ids that this text may be, in protocols that take commands. */
static void name_device(struct order *o, const char *text, uint64_t protocol)
{
    struct slice id = slice_of(text, strlen(text));

    for (size_t i = 0; i < ARRAY_LEN(commanded); i++)
        if ((!protocol || protocol == commanded[i]) &&
            id_make(commanded[i], id, &o->ids[o->id_count]) == OK)
            o->id_count++;
}

struct call *call_for_device(struct api *a, const struct http_request *q,
                             const struct params *p, void (*answer)(struct call *c))
{
    const char *text = http_segment(q, 3);
    uint64_t protocol = p->number[PARAM_PROTOCOL];
    struct call *c = call_new(a, q->handle, answer);

    if (!c)
        return NULL;
    name_device(&c->order, text, protocol);
    if (c->order.id_count)
        return c;
    call_free(c);
    api_takes_no_commands(a, q->handle, text, protocol);
    return NULL;
}

static void on_back(struct trip *t)
{
    struct call *c = CONTAINER_OF(t, struct call, trip);

    c->answer(c);
    call_free(c);
}

/* `carried`: a body; or NULL. */
static void prepare(struct call *c, const struct buf *carried)
{
    c->bytes = carried ? buf_used(carried) : 0;
    c->api->call_bytes += c->bytes;
    c->trip.inbox = http_inbox(c->api->server);
    c->trip.done = on_back;
}

void call_send_order(struct call *c, enum order_kind kind)
{
    struct api *a = c->api;

    prepare(c, &c->order.args);
    c->order.kind = (uint8_t)kind;
    http_set_deadline(a->server, c->handle, c->order.wait_ms + ANSWER_EXTRA_MS);
    a->conf.order(a->conf.group, &c->order);
}

void call_send_letter(struct call *c)
{
    prepare(c, &c->letter.body);
    letter_send(c->api->conf.group, &c->letter);
}

void call_send_revocation(struct call *c)
{
    prepare(c, NULL);
    vehicles_revoke(c->api->conf.group, &c->revocation);
}

void calls_fini(struct api *a)
{
    struct link *k;

    while ((k = list_first(&a->calls)))
        call_free(CONTAINER_OF(k, struct call, link));
}
