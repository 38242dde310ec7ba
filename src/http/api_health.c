/* Is it alive; may it be given work. */
#include "http/api_inside.h"
#include "ledger/ledger.h"

void api_healthz(struct api *a, const struct http_request *q, const struct params *p)
{
    struct buf text = {0};
    struct json j = json_to(&text);

    (void)p;
    json_open(&j, '{');
    json_key(&j, "status");
    json_word(&j, "ok");
    json_close(&j, '}');
    api_answer(a, q->handle, 200, NULL, &j);
}

/* A sentence's beginning, and *rc; NULL: nothing is wrong. */
static const char *what_is_wrong(const struct api *a, int *rc)
{
    const struct relay_group *g = a->conf.group;

    *rc = OK;
    if (atomic_load(&a->draining))
        return "the gateway is ending";
    if ((*rc = mailbox_health(g->relays[0].mailbox)) < 0) /* all share a store */
        return "no mail can be stored";
    if ((*rc = journal_health(a->journal)) < 0)
        return "no event can be stored";
    if ((*rc = ledger_health(g->ledger)) < 0)
        return "no ticket can be stored";
    return NULL;
}

void api_readyz(struct api *a, const struct http_request *q, const struct params *p)
{
    int rc;
    const char *wrong = what_is_wrong(a, &rc);

    if (!wrong)
        api_healthz(a, q, p);
    else
        http_problem(a->server, q->handle, 503, "not-ready", NULL, "%s%s%s", wrong,
                     rc < 0 ? ": " : "", rc < 0 ? err_text(rc) : "");
}
