#include "http/outcome.h"
#include "http/api_inside.h"
#include "http/tickets.h"

#include <inttypes.h>
#include <stdio.h>

static const struct outcome by_reason[] = {
    [TICKET_BY_UNSENT] = {504, "no-answer", "it could not be sent in its time"},
    [TICKET_BY_NO_ANSWER] = {504, "no-answer",
                             "the device did not answer in the command's time"},
    [TICKET_BY_OFFLINE] = {409, "offline",
                           "the device has no connection, and there is no `ttl`"},
    [TICKET_BY_DISCONNECTED] = {504, "no-answer",
                                "the connection ended before the answer"},
    [TICKET_BY_STATE] = {409, "state", "the device is not in the state of `only_if`"},
    [TICKET_BY_REFUSED] = {502, "refused",
                           "the device answered that it will not, or cannot"},
    [TICKET_BY_UNSENDABLE] = {409, "unsendable",
                              "it cannot be put into the protocol that the device "
                              "speaks now"},
    [TICKET_BY_ENDING] = {503, "not-ready", "the gateway is ending"},
};

static struct outcome meaning_of(const struct ticket_view *v)
{
    static const struct outcome lost = {504, "no-answer", "nothing came of it"};

    switch (v->state) {
    case TICKET_ANSWERED:
        return (struct outcome){.status = 200};
    case TICKET_SUPERSEDED:
        return (struct outcome){409, "superseded", "a newer command took its place"};
    case TICKET_CANCELLED:
        return (struct outcome){409, "cancelled", "it was withdrawn meanwhile"};
    case TICKET_EXPIRED:
    case TICKET_FAILED:
        return v->reason < ARRAY_LEN(by_reason) && by_reason[v->reason].status
                   ? by_reason[v->reason]
                   : lost;
    default:
        return (struct outcome){.status = 202};
    }
}

static struct outcome refusal_of(int rc)
{
    switch (rc) {
    case ERR_NOTFOUND:
        return (struct outcome){404, "not-found", "there is no such device"};
    case ERR_EXISTS:
        return (struct outcome){409, "ambiguous",
                                "it is an id in several protocols: add ?protocol="};
    case ERR_INVALID:
    case ERR_TOO_LARGE:
        return (struct outcome){400, "bad-request", "the command is not allowed"};
    case ERR_FULL:
        return (struct outcome){429, "queue-full",
                                "too many commands wait for this device, or in all"};
    case ERR_MALFORMED:
        return (struct outcome){422, "key-reused",
                                "the Idempotency-Key was used for another command"};
    case ERR_NOMEM:
        return (struct outcome){503, "not-ready", "memory is out"};
    case ERR_CLOSED:
        return (struct outcome){503, "not-ready", "the gateway is ending"};
    default: /* ERR_BUSY, ERR_NOSPACE, ERR_IO */
        return (struct outcome){503, "store", err_text(rc)};
    }
}

struct outcome outcome_of(const struct order *o)
{
    struct outcome what = o->rc == OK ? meaning_of(&o->view) : refusal_of(o->rc);

    if (o->rc != OK && *o->why)
        what.detail = o->why;
    return what;
}

/* ---- answering ---- */

static void answer_problem(struct call *c, const struct outcome *what)
{
    struct api *a = c->api;
    const struct ticket_view *v = &c->order.view;
    struct buf text = {0};
    struct json j = json_to(&text);
    const char *members = NULL;

    if (v->ticket) {
        ticket_write_members(a, &j, v);
        if (!j.failed && buf_try_append(&text, slice_of("", 1)) == OK)
            members = (const char *)buf_peek(&text).data;
    }
    http_problem(a->server, c->handle, what->status, what->type, members, "%s",
                 what->detail);
    buf_fini(&text);
}

static void answer_ticket(struct call *c, unsigned status)
{
    struct api *a = c->api;
    const struct ticket_view *v = &c->order.view;
    struct http_answer answer = {.status = status};
    struct json j = json_to(&answer.body);
    char location[64];

    ticket_write(a, &j, v);
    if (j.failed) {
        buf_fini(&answer.body);
        api_no_memory(a, c->handle);
        return;
    }
    snprintf(location, sizeof(location), "Location: /api/v1/tickets/%016" PRIx64 "\r\n",
             v->ticket);
    if (status == 202)
        answer.headers = location;
    http_answer(a->server, c->handle, &answer);
}

void outcome_answer(struct call *c, const struct outcome *what)
{
    if (what->type)
        answer_problem(c, what);
    else
        answer_ticket(c, what->status);
}

void outcome_refuse(struct call *c)
{
    const struct order *o = &c->order;
    struct outcome what = outcome_of(o);
    char id[ID_TEXT_MAX + 1];

    if (o->rc != ERR_NOTFOUND || *o->why) {
        outcome_answer(c, &what);
        return;
    }
    snprintf(id, sizeof(id), "%.*s", ID_ARGS(&o->ids[0]));
    api_takes_no_commands(c->api, c->handle, id,
                          o->id_count == 1 ? o->ids[0].protocol : 0);
}
