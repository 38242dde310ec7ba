/* Redis: a list for each terminal. */
#include "mailing.h"

#include <stdlib.h>

#define RESP_ASKS 1000

static int resp_ask(struct mail_peer *p, struct buf *out)
{
    return mail_say(out, "LRANGE mail:%05u 0 %d\r\n", p->number, RESP_ASKS - 1);
}

static int resp_greet(struct mail_peer *p, struct buf *out)
{
    int rc = mail_say(out, "PING\r\n");

    return rc < 0 || p->role != MAIL_TERMINAL ? rc : resp_ask(p, out);
}

static int resp_put(struct mail_peer *p, unsigned terminal, const uint8_t *body,
                    struct buf *out)
{
    int rc = mail_say(out, "*3\r\n$5\r\nRPUSH\r\n$10\r\nmail:%05u\r\n$%d\r\n", terminal,
                      MAIL_BODY);

    (void)p;
    return rc < 0 ? rc : mail_say_body(out, body);
}

/* Removes what has come, and asks for more. */
static int resp_next(struct mail_peer *p, struct buf *out)
{
    int rc = mail_say(out, "LTRIM mail:%05u %u -1\r\n", p->number, p->count);

    p->count = 0;
    return rc < 0 ? rc : resp_ask(p, out);
}

static ssize_t resp_hear(struct mail_peer *p, struct slice in, struct mail_news *news,
                         struct buf *out)
{
    size_t line = mail_line(in);

    if (line == 0)
        return 0;
    if (in.data[0] == '+') {
        news->is_ready = mail_begins(in, "+PONG");
    } else if (in.data[0] == ':') {
        news->safe = 1;
    } else if (in.data[0] == '*') {
        p->left = (unsigned)strtoul((const char *)in.data + 1, NULL, 10);
    } else if (in.data[0] == '$') {
        if (in.size < line + MAIL_BODY + 2)
            return 0;
        news->body = in.data + line;
        p->count++;
        if (--p->left == 0 && resp_next(p, out) < 0)
            return -1;
        return (ssize_t)(line + MAIL_BODY + 2);
    } else {
        return -1;
    }
    return (ssize_t)line;
}

const struct mail_wire mail_wire_resp = {
    .name = "resp",
    .greet = resp_greet,
    .put = resp_put,
    .hear = resp_hear,
};
