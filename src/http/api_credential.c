/* The token of a vehicle terminal: void from now on. It may outlive what the gateway
 * remembers of its device, so the device itself is not asked for. */
#include "http/api_inside.h"
#include "session/vehicles.h"

#include <stdlib.h>

struct revocation {
    struct question question;
    struct api *api;
    http_handle handle;
    struct id id;
    bool done;
};

static bool revoke(struct question *q, struct relay *r)
{
    struct revocation *v = CONTAINER_OF(q, struct revocation, question);

    v->done = vehicles_revoke(r, &v->id);
    return true;
}

static void refuse(struct api *a, http_handle h, const char *id)
{
    http_problem(a->server, h, 404, "not-found", NULL,
                 "no vehicle terminal `%.80s` has a credential", id);
}

static void on_revoked(struct question *q)
{
    struct revocation *v = CONTAINER_OF(q, struct revocation, question);
    char id[ID_TEXT_MAX + 1] = "";

    memcpy(id, v->id.text, v->id.length);
    if (v->done)
        api_answer_empty(v->api, v->handle);
    else
        refuse(v->api, v->handle, id);
    free(v);
}

static void drop(struct question *q)
{
    free(CONTAINER_OF(q, struct revocation, question));
}

void api_revoke_credential(struct api *a, const struct http_request *q,
                           const struct params *p)
{
    const char *text = http_segment(q, 3); /* /api/v1/devices/{id}/credential */
    const struct relay_group *g = a->conf.group;
    struct revocation *v = calloc(1, sizeof(*v));

    (void)p;
    if (!v) {
        api_no_memory(a, q->handle);
    } else if (id_make(PROTOCOL_JT808, slice_of(text, strlen(text)), &v->id) < 0) {
        refuse(a, q->handle, text);
        free(v);
    } else {
        v->question =
            (struct question){.step = revoke, .answered = on_revoked, .drop = drop};
        v->api = a;
        v->handle = q->handle;
        ask(&a->asking, &v->question, relay_shard_of(g, relay_hash(g, &v->id)));
    }
}
