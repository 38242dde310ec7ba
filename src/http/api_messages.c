/* A relay message from an application to a terminal. */
#include "http/api_inside.h"
#include "http/body.h"
#include "http/calls.h"

#include <stdio.h>

static void answer_accepted(struct call *c)
{
    struct buf text = {0};
    struct json j = json_to(&text);

    json_open(&j, '{');
    json_key(&j, "accepted");
    json_bool(&j, true);
    json_key(&j, "stored");
    json_bool(&j, c->letter.stored);
    json_close(&j, '}');
    api_answer(c->api, c->handle, 202, NULL, &j);
}

static void on_letter(struct call *c)
{
    const struct letter *l = &c->letter;
    struct http_server *s = c->api->server;
    char id[ID_TEXT_MAX + 1];

    snprintf(id, sizeof(id), "%.*s", ID_ARGS(&l->to));
    if (l->rc == OK)
        answer_accepted(c);
    else if (l->rc == ERR_NOTFOUND)
        api_takes_no_messages(c->api, c->handle, id);
    else if (l->rc == ERR_TOO_LARGE)
        http_problem(s, c->handle, 413, "too-large", NULL,
                     "the message is longer than a frame may be");
    else
        http_problem(s, c->handle, 507, "refused", NULL, "%s",
                     l->rc == ERR_FULL ? "the terminal's mailbox is full"
                                       : err_text(l->rc));
}

/* False: refused, and answered. */
static bool read_payload(struct api *a, const struct http_request *q, struct buf *to)
{
    char why[BODY_WHY_SIZE];
    int rc;

    if (api_has_type(q, "application/octet-stream")) {
        rc = buf_try_append(to, q->body);
    } else if (api_has_type(q, "application/json")) {
        rc = body_read_message(q->body, to, why);
    } else {
        http_problem(a->server, q->handle, 415, "media-type", NULL,
                     "the body must be the message itself (Content-Type: "
                     "application/octet-stream), or JSON (application/json)");
        return false;
    }
    if (rc == ERR_NOMEM)
        api_no_memory(a, q->handle);
    else if (rc < 0)
        http_problem(a->server, q->handle, 400, "bad-request", NULL, "%s", why);
    return rc == OK;
}

void api_send_message(struct api *a, const struct http_request *q,
                      const struct params *p)
{
    const char *text = http_segment(q, 3); /* /api/v1/devices/{id}/messages */
    struct call *c = call_new(a, q->handle, on_letter);

    (void)p;
    if (!c)
        return;
    c->kind = CALL_LETTER;
    c->letter = (struct letter){.sender = a->conf.sender};
    if (!read_payload(a, q, &c->letter.body)) {
        call_free(c);
    } else if (id_make(PROTOCOL_TTMS, slice_of(text, strlen(text)), &c->letter.to) <
               0) {
        call_free(c);
        api_takes_no_messages(a, q->handle, text);
    } else {
        call_send_letter(c);
    }
}
