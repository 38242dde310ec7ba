/* A command for a device: from the request to the order. */
#include "http/api_inside.h"
#include "http/body.h"
#include "http/outcome.h"

static void on_command(struct call *c)
{
    struct outcome what;

    if (c->order.rc != OK) {
        outcome_refuse(c);
        return;
    }
    what = outcome_of(&c->order);
    outcome_answer(c, &what);
}

/* OK, or ERR_INVALID: 1 to IDEMPOTENCY_KEY_MAX printable characters. */
static int read_key(const struct http_request *q, char to[IDEMPOTENCY_KEY_MAX + 1])
{
    const char *key = http_header(q, "Idempotency-Key");
    size_t size = key ? strlen(key) : 0;

    if (!key)
        return OK;
    if (size == 0 || size > IDEMPOTENCY_KEY_MAX)
        return ERR_INVALID;
    for (size_t i = 0; i < size; i++)
        if (key[i] < ' ' || key[i] > '~')
            return ERR_INVALID;
    memcpy(to, key, size + 1);
    return OK;
}

static bool read_request(struct api *a, const struct http_request *q, struct order *o)
{
    char why[BODY_WHY_SIZE];
    int rc = body_read_command(q->body, o, why);

    if (rc == ERR_NOMEM) {
        api_no_memory(a, q->handle);
    } else if (rc < 0) {
        http_problem(a->server, q->handle, 400, "bad-request", NULL, "%s", why);
    } else if (read_key(q, o->key) < 0) {
        rc = ERR_INVALID;
        http_problem(a->server, q->handle, 400, "bad-request", NULL,
                     "Idempotency-Key must have 1 to %d printable characters",
                     IDEMPOTENCY_KEY_MAX);
    }
    return rc == OK;
}

void api_command(struct api *a, const struct http_request *q, const struct params *p)
{
    struct call *c;

    if (!api_has_type(q, "application/json")) {
        http_problem(a->server, q->handle, 415, "media-type", NULL,
                     "the body must be JSON: Content-Type: application/json");
        return;
    }
    if (!(c = call_for_device(a, q, p, on_command)))
        return;
    if (!read_request(a, q, &c->order)) {
        call_free(c);
        return;
    }
    c->order.wait_ms = (int64_t)p->number[PARAM_ANSWER_WAIT];
    c->order.ttl_ms = (int64_t)p->number[PARAM_TTL];
    call_send_order(c, ORDER_CREATE);
}
