/* Tickets: shown, waited for, withdrawn. */
#include "http/api_inside.h"
#include "http/outcome.h"
#include "http/tickets.h"

/* Exactly as it was given; 0: it is none. */
static uint64_t read_ticket(const char *text)
{
    uint64_t ticket = 0;

    if (strlen(text) != TICKET_DIGITS)
        return 0;
    for (; *text; text++) {
        const char *digit = strchr("0123456789abcdef", *text);

        if (!digit)
            return 0;
        ticket = ticket << 4 | (uint64_t)(digit - "0123456789abcdef");
    }
    return ticket;
}

static void on_ticket(struct call *c)
{
    struct outcome what = {.status = 200};

    if (c->order.rc == ERR_NOTFOUND)
        what =
            (struct outcome){404, "not-found", "there is no such ticket, or no more"};
    else if (c->order.rc == ERR_BUSY && c->order.kind == ORDER_CANCEL)
        what = (struct outcome){409, "not-cancellable", "it was sent, or is over"};
    else if (c->order.rc != OK)
        what = outcome_of(&c->order);
    outcome_answer(c, &what);
}

static void ask_ticket(struct api *a, const struct http_request *q,
                       enum order_kind kind, int64_t wait_ms)
{
    const char *text = http_segment(q, 3); /* /api/v1/tickets/{ticket} */
    uint64_t ticket = read_ticket(text);
    struct call *c;

    if (!ticket) {
        http_problem(a->server, q->handle, 404, "not-found", NULL,
                     "there is no ticket `%.80s`", text);
        return;
    }
    if (!(c = call_new(a, q->handle, on_ticket)))
        return;
    c->order.ticket = ticket;
    c->order.wait_ms = wait_ms;
    call_send_order(c, kind);
}

void api_show_ticket(struct api *a, const struct http_request *q,
                     const struct params *p)
{
    ask_ticket(a, q, ORDER_SHOW, (int64_t)p->number[PARAM_END_WAIT]);
}

void api_cancel_ticket(struct api *a, const struct http_request *q,
                       const struct params *p)
{
    (void)p;
    ask_ticket(a, q, ORDER_CANCEL, 0);
}

static void on_list(struct call *c)
{
    struct buf text = {0};
    struct json j = json_to(&text);

    if (c->order.rc != OK) {
        outcome_refuse(c);
        return;
    }
    json_open(&j, '{');
    json_key(&j, "tickets");
    json_open(&j, '[');
    for (size_t i = 0; i < c->order.count; i++)
        ticket_write(c->api, &j, &c->order.views[i]);
    json_close(&j, ']');
    json_close(&j, '}');
    api_answer(c->api, c->handle, 200, NULL, &j);
}

void api_list_tickets(struct api *a, const struct http_request *q,
                      const struct params *p)
{
    struct call *c = call_for_device(a, q, p, on_list);

    if (!c)
        return;
    c->order.limit = (uint32_t)p->number[PARAM_TICKET_LIMIT];
    call_send_order(c, ORDER_LIST);
}
