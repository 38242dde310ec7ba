/* The addresses of the old server: a device is asked by GET, and the answer is one of
 * its sentences; or, for programs that say so, JSON. */
#include "http/api_inside.h"
#include "http/outcome.h"
#include "http/tickets.h"

#include <ctype.h>
#include <stdio.h>

#define HTML       "text/html; charset=utf-8"
#define ID_LETTERS 8 /* of an id; what follows was never looked at */
#define WAIT_MS    5000

#define AWAY       "设备不在线!"
#define NO_ANSWER  "发送指令未收到返回值,请重试!" /* behind the id */
#define NO_PAGE    "没找到对应页面,请检查网址!"
#define UNCLEAR    "设备状态不明,请检查设备"

/* Why a device that is not ready was not turned on. */
static const struct refusal_word {
    const char *state, *text;
} refusals[] = {
    {"on", "设备已经开启,请换一台设备!"},
    {"paused", "设备处于暂停状态,请按设备上开机键开启!"},
    {"cooling", "设备处于散热状态,请稍等后再开启!"},
    {"standby", "设备处于standby状态,直接按设备上的开机键即可!"},
};

/* What a device calls itself must not become a tag. */
static int append_escaped(struct buf *to, const char *text)
{
    char piece[8];
    int rc = OK;

    for (; *text && rc == OK; text++) {
        int n = snprintf(piece, sizeof(piece), strchr("<>&\"'", *text) ? "&#%d;" : "%c",
                         *text);

        rc = buf_try_append(to, slice_of(piece, (size_t)n));
    }
    return rc;
}

static void answer_text(struct api *a, http_handle h, unsigned status, const char *id,
                        const char *text)
{
    struct http_answer answer = {.status = status, .type = HTML};

    if (append_escaped(&answer.body, id) < 0 ||
        buf_try_append(&answer.body, slice_of(text, strlen(text))) < 0) {
        buf_fini(&answer.body);
        api_no_memory(a, h);
        return;
    }
    http_answer(a->server, h, &answer);
}

void legacy_not_found(struct api *a, const struct http_request *q)
{
    answer_text(a, q->handle, 404, "", NO_PAGE);
}

/* ---- what became of it ---- */

static const char *text_of_state(const struct api *a, const struct ticket_view *v)
{
    const void *conf;
    const struct dialect *dialect = ticket_dialect(a, v, &conf);
    const char *word = dialect && v->found_state >= 0
                           ? dialect->state_word(conf, (uint8_t)v->found_state)
                           : NULL;

    for (size_t i = 0; word && i < ARRAY_LEN(refusals); i++)
        if (strcmp(word, refusals[i].state) == 0)
            return refusals[i].text;
    return UNCLEAR;
}

static void answer_refused(struct call *c, const struct outcome *what)
{
    char id[ID_TEXT_MAX + 1];

    snprintf(id, sizeof(id), "%.*s", ID_ARGS(&c->order.ids[0]));
    if (strcmp(what->type, "offline") == 0)
        answer_text(c->api, c->handle, what->status, "", AWAY);
    else if (strcmp(what->type, "state") == 0)
        answer_text(c->api, c->handle, what->status, "",
                    text_of_state(c->api, &c->order.view));
    else if (strcmp(what->type, "no-state") == 0)
        answer_text(c->api, c->handle, what->status, "", UNCLEAR);
    else if (what->status == 404)
        answer_text(c->api, c->handle, what->status, "", NO_PAGE);
    else
        answer_text(c->api, c->handle, what->status, id, NO_ANSWER);
}

static struct outcome meaning_of(const struct call *c)
{
    if (c->order.rc == ERR_NOTFOUND && !*c->order.why)
        return (struct outcome){409, "offline", "no such device was ever here"};
    return outcome_of(&c->order);
}

/* `text`: if it went well. */
static void answer(struct call *c, const struct outcome *what, const char *text)
{
    if (c->wants_json)
        outcome_answer(c, what);
    else if (what->type)
        answer_refused(c, what);
    else
        answer_text(c->api, c->handle, what->status, "", text);
}

static int state_of(const struct api *a, const struct ticket_view *v)
{
    const void *conf;
    const struct dialect *dialect = ticket_dialect(a, v, &conf);

    return dialect ? dialect->state(conf, v->answer_message, buf_peek(&v->answer)) : -1;
}

static void on_status(struct call *c)
{
    struct outcome what = meaning_of(c);
    int state = what.type ? -1 : state_of(c->api, &c->order.view);
    char text[16];

    snprintf(text, sizeof(text), "0x%x", (unsigned)state);
    if (!what.type && state < 0)
        what = (struct outcome){502, "no-state", "the device's answer tells no state"};
    answer(c, &what, text);
}

static void on_turned_on(struct call *c)
{
    struct outcome what = meaning_of(c);

    answer(c, &what, "已经向设备发送开机指令");
}

static void on_restarted(struct call *c)
{
    struct outcome what = meaning_of(c);

    answer(c, &what, "已经向设备发送重启指令");
}

/* ---- asking ---- */

/* As the old server took it: upper-cased, at most so many characters. */
static int read_id(const char *text, struct id *out)
{
    size_t size = strnlen(text, ID_LETTERS);
    char id[ID_LETTERS];

    for (size_t i = 0; i < size; i++)
        id[i] = (char)toupper((unsigned char)text[i]);
    while (size > 0 && id[size - 1] == ' ')
        size--;
    return id_make(PROTOCOL_DEVICE, slice_of(id, size), out);
}

/* NULL: nothing. A browser may fetch beforehand what somebody is only typing. */
static const char *find_objection(const struct api *a, const struct http_request *q)
{
    const char *purpose = http_header(q, "Sec-Purpose");

    if (http_has_foreign_referer(a->server, q))
        return "a web page of elsewhere sent this (Referer)";
    if (purpose && strcasestr(purpose, "prefetch"))
        return "nobody has asked for this yet (Sec-Purpose)";
    return NULL;
}

static void ask_device(struct api *a, const struct http_request *q, const char *command,
                       const char *only_if, void (*on_back)(struct call *c))
{
    const char *objection = find_objection(a, q);
    struct call *c;

    if (objection) {
        http_problem(a->server, q->handle, 403, "forbidden-origin", NULL, "%s",
                     objection);
        return;
    }
    if (!(c = call_new(a, q->handle, on_back)))
        return;
    c->wants_json = api_accepts(q, "application/json");
    c->order.wait_ms = WAIT_MS;
    c->order.id_count = 1;
    strcpy(c->order.command.name, command);
    strcpy(c->order.only_if, only_if);
    if (read_id(http_segment(q, 1), &c->order.ids[0]) == OK) {
        call_send_order(c, ORDER_CREATE);
        return;
    }
    c->order.rc = ERR_NOTFOUND; /* nothing but blanks */
    on_back(c);
    call_free(c);
}

void legacy_status(struct api *a, const struct http_request *q, const struct params *p)
{
    (void)p;
    ask_device(a, q, "status", "", on_status);
}

void legacy_turn_on(struct api *a, const struct http_request *q, const struct params *p)
{
    (void)p;
    ask_device(a, q, "turn_on", "ready", on_turned_on);
}

void legacy_restart(struct api *a, const struct http_request *q, const struct params *p)
{
    (void)p;
    ask_device(a, q, "restart", "", on_restarted);
}
