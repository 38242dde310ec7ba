/* A JetStream work queue for each terminal, with a durable consumer. */
#include "mailing.h"

#include <stdio.h>
#include <stdlib.h>

#define NATS_ASKS 1000 /* messages at a time */

/* Subjects are everybody's, so each peer has its own for what it is told. */
static char nats_letter(const struct mail_peer *p)
{
    return p->role == MAIL_SENDER ? 's' : 't';
}

static int nats_request(const struct mail_peer *p, const char *verb, const char *suffix,
                        const char *json, struct buf *out)
{
    return mail_say(out, "PUB $JS.API.%s.T%05u%s made.t%u %zu\r\n%s\r\n", verb,
                    p->number, suffix, p->number, strlen(json), json);
}

static int nats_ask(struct mail_peer *p, struct buf *out)
{
    p->left = NATS_ASKS;
    return mail_say(out, "PUB $JS.API.CONSUMER.MSG.NEXT.T%05u.c inbox.t%u 4\r\n%4u\r\n",
                    p->number, p->number, NATS_ASKS);
}

static int nats_make_stream(struct mail_peer *p, struct buf *out)
{
    char json[200];

    snprintf(json, sizeof(json),
             "{\"name\":\"T%05u\",\"subjects\":[\"mail.%05u\"],\"storage\":\"file\","
             "\"retention\":\"workqueue\",\"num_replicas\":1}",
             p->number, p->number);
    return nats_request(p, "STREAM.CREATE", "", json, out);
}

static int nats_make_consumer(struct mail_peer *p, struct buf *out)
{
    char json[300];

    snprintf(json, sizeof(json),
             "{\"stream_name\":\"T%05u\",\"config\":{\"durable_name\":\"c\","
             "\"deliver_policy\":\"all\",\"ack_policy\":\"explicit\","
             "\"ack_wait\":300000000000,\"max_ack_pending\":-1,"
             "\"replay_policy\":\"instant\"}}",
             p->number);
    return nats_request(p, "CONSUMER.DURABLE.CREATE", ".c", json, out);
}

/* A newcomer's stream is made, then its consumer; others write to themselves. */
static int nats_greet(struct mail_peer *p, struct buf *out)
{
    char letter = nats_letter(p);
    int rc = mail_say(out,
                      "CONNECT {\"verbose\":false}\r\n"
                      "SUB made.%c%u 1\r\nSUB inbox.%c%u 2\r\n",
                      letter, p->number, letter, p->number);

    if (rc == OK && p->role == MAIL_NEWCOMER)
        return nats_make_stream(p, out);
    return rc < 0 ? rc : mail_say(out, "PUB made.%c%u 2\r\n{}\r\n", letter, p->number);
}

/* What it asked for is made. */
static int nats_go_on(struct mail_peer *p, struct mail_news *news, struct buf *out)
{
    if (p->role == MAIL_NEWCOMER && p->count++ == 0)
        return nats_make_consumer(p, out);
    news->is_ready = true;
    return p->role == MAIL_TERMINAL ? nats_ask(p, out) : OK;
}

static int nats_put(struct mail_peer *p, unsigned terminal, const uint8_t *body,
                    struct buf *out)
{
    int rc =
        mail_say(out, "PUB mail.%05u inbox.s%u %d\r\n", terminal, p->number, MAIL_BODY);

    return rc < 0 ? rc : mail_say_body(out, body);
}

/* "MSG mail.00007 2 REPLY 51": acknowledges it, and asks for more when all came. */
static int nats_take(struct mail_peer *p, const char *head, struct buf *out)
{
    char reply[128];
    int rc;

    if (sscanf(head, "MSG %*s %*s %127s", reply) != 1)
        return ERR_MALFORMED;
    if ((rc = mail_say(out, "PUB %s 4\r\n+ACK\r\n", reply)) < 0 || --p->left > 0)
        return rc;
    return nats_ask(p, out);
}

static ssize_t nats_hear_message(struct mail_peer *p, struct slice in, size_t line,
                                 struct mail_news *news, struct buf *out)
{
    char head[256] = {0};
    const char *size_at;
    size_t size;
    struct slice body;

    if (line >= sizeof(head))
        return -1;
    memcpy(head, in.data, line - 2);
    size_at = strrchr(head, ' ');
    size = size_at ? strtoul(size_at, NULL, 10) : 0;
    if (in.size < line + size + 2)
        return 0;
    body = slice_of(in.data + line, size);
    if (mail_begins(in, "MSG mail.")) {
        news->body = body.data;
        if (size != MAIL_BODY || nats_take(p, head, out) < 0)
            return -1;
    } else if (memmem(body.data, body.size, "\"error\"", 7)) {
        return -1;
    } else if (mail_begins(in, "MSG made.")) {
        if (nats_go_on(p, news, out) < 0)
            return -1;
    } else if (mail_begins(body, "{")) { /* a published message's acknowledgement */
        news->safe = 1;
    }
    return (ssize_t)(line + size + 2);
}

static ssize_t nats_hear(struct mail_peer *p, struct slice in, struct mail_news *news,
                         struct buf *out)
{
    size_t line = mail_line(in);

    if (line == 0)
        return 0;
    if (mail_begins(in, "MSG "))
        return nats_hear_message(p, in, line, news, out);
    if (mail_begins(in, "PING") && mail_say(out, "PONG\r\n") < 0)
        return -1;
    return mail_begins(in, "-ERR") ? -1 : (ssize_t)line;
}

const struct mail_wire mail_wire_nats = {
    .name = "nats",
    .greet = nats_greet,
    .put = nats_put,
    .hear = nats_hear,
};
