/* The token of a vehicle terminal: void from now on. It may outlive what the gateway
 * remembers of its device, so the device itself is not asked for. */
#include "http/api_inside.h"
#include "http/calls.h"

#include <stdio.h>

static void refuse(struct api *a, http_handle h, const char *id)
{
    http_problem(a->server, h, 404, "not-found", NULL,
                 "no vehicle terminal `%.80s` has a credential", id);
}

static void on_revoked(struct call *c)
{
    const struct revocation *v = &c->revocation;
    char id[ID_TEXT_MAX + 1];

    snprintf(id, sizeof(id), "%.*s", ID_ARGS(&v->id));
    if (v->rc == OK)
        api_answer_empty(c->api, c->handle);
    else if (v->rc == ERR_NOTFOUND)
        refuse(c->api, c->handle, id);
    else if (v->rc == ERR_NOMEM)
        api_no_memory(c->api, c->handle);
    else
        http_problem(c->api->server, c->handle, 503, "store", NULL,
                     "the token is void, but a restart may bring it back: %s",
                     err_text(v->rc));
}

void api_revoke_credential(struct api *a, const struct http_request *q,
                           const struct params *p)
{
    const char *text = http_segment(q, 3); /* /api/v1/devices/{id}/credential */
    struct call *c = call_new(a, q->handle, on_revoked);

    (void)p;
    if (!c)
        return;
    c->kind = CALL_REVOCATION;
    if (id_make(PROTOCOL_JT808, slice_of(text, strlen(text)), &c->revocation.id) < 0) {
        refuse(a, q->handle, text);
        call_free(c);
    } else {
        call_send_revocation(c);
    }
}
