/* Is it alive; may it be given work. */
#include "http/api_inside.h"

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

void api_readyz(struct api *a, const struct http_request *q, const struct params *p)
{
    int mail = mailbox_health(a->conf.group->relays[0].mailbox); /* all share a store */
    int journal = journal_health(a->journal);
    const char *wrong = NULL;

    if (atomic_load(&a->draining))
        wrong = "the gateway is ending";
    else if (mail < 0)
        wrong = "no mail can be stored";
    else if (journal < 0)
        wrong = "no event can be stored";
    if (!wrong)
        api_healthz(a, q, p);
    else
        http_problem(a->server, q->handle, 503, "not-ready", NULL, "%s%s%s", wrong,
                     mail < 0 || journal < 0 ? ": " : "",
                     mail < 0      ? err_text(mail)
                     : journal < 0 ? err_text(journal)
                                   : "");
}
