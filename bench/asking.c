#include "asking.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

PRINTF(2, 3) static int say(struct buf *out, const char *format, ...)
{
    char text[512];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return buf_try_append(out, slice_of(text, (size_t)n));
}

static int say_nothing(enum asking_role role, unsigned number, struct buf *out)
{
    (void)role, (void)number, (void)out;
    return OK;
}

/* Where `mark` ends in `in`; 0: it is not there. */
static size_t end_of(struct slice in, const char *mark)
{
    const uint8_t *at = memmem(in.data, in.size, mark, strlen(mark));

    return at ? (size_t)(at - in.data) + strlen(mark) : 0;
}

/* ---- raw: a server that answers itself, ten digits and a body ---- */

static int raw_ask(unsigned number, uint32_t question, struct buf *out)
{
    return say(out, "0000000016%08x%08x", number, question);
}

static ssize_t raw_hear(enum asking_role role, unsigned number, struct slice in,
                        enum asking_news *news, struct buf *out)
{
    (void)role, (void)number, (void)out;
    if (in.size < 26)
        return 0;
    *news = ASKING_ANSWER;
    return 26;
}

/* ---- relay: frames passed on by a bare relay, there and back ---- */

#define TTMS_SIZE 17

static uint32_t ttms_id(enum asking_role role, unsigned number)
{
    return 0x10000000u + 2 * number + (role == ASKING_DEVICE);
}

static int ttms_say(struct buf *out, uint32_t address, uint8_t command,
                    uint32_t content)
{
    uint8_t f[TTMS_SIZE] = "$TTMS";

    f[6] = TTMS_SIZE;
    f[11] = command;
    for (int i = 0; i < 4; i++) {
        f[7 + i] = (uint8_t)(address >> (24 - 8 * i));
        f[12 + i] = (uint8_t)(content >> (24 - 8 * i));
    }
    for (int i = 0; i < TTMS_SIZE - 1; i++)
        f[TTMS_SIZE - 1] ^= f[i];
    return buf_try_append(out, slice_of(f, sizeof(f)));
}

/* A message to itself comes back when it is registered. */
static int relay_greet(enum asking_role role, unsigned number, struct buf *out)
{
    uint32_t id = ttms_id(role, number);
    int rc = ttms_say(out, id, 0x01, 0);

    return rc < 0 ? rc : ttms_say(out, id, 0xaa, 0);
}

static int relay_ask(unsigned number, uint32_t question, struct buf *out)
{
    return ttms_say(out, ttms_id(ASKING_DEVICE, number), 0xaa, question | 1u << 31);
}

static ssize_t relay_hear(enum asking_role role, unsigned number, struct slice in,
                          enum asking_news *news, struct buf *out)
{
    if (in.size < TTMS_SIZE)
        return 0;
    if (memcmp(in.data, "$TTMX", 5) != 0)
        return -1;
    if (!(in.data[12] & 0x80))
        *news = ASKING_READY;
    else
        *news = role == ASKING_DEVICE ? ASKING_QUESTION : ASKING_ANSWER;
    if (*news == ASKING_QUESTION &&
        ttms_say(out, ttms_id(ASKING_CALLER, number), 0xaa, 1u << 31) < 0)
        return -1;
    return TTMS_SIZE;
}

/* ---- nats: request and reply by an inbox for each caller ---- */

static int nats_greet(enum asking_role role, unsigned number, struct buf *out)
{
    return say(out, "CONNECT {\"verbose\":false}\r\nSUB %s.%u 1\r\nPING\r\n",
               role == ASKING_DEVICE ? "device" : "inbox", number);
}

static int nats_ask(unsigned number, uint32_t question, struct buf *out)
{
    return say(out, "PUB device.%u inbox.%u 8\r\n%08x\r\n", number, number, question);
}

static ssize_t nats_hear(enum asking_role role, unsigned number, struct slice in,
                         enum asking_news *news, struct buf *out)
{
    size_t line = end_of(in, "\r\n");

    if (line == 0)
        return 0;
    if (memcmp(in.data, "MSG ", 4) == 0) {
        size_t payload = role == ASKING_DEVICE ? 8 : 4;

        if (in.size < line + payload + 2)
            return 0;
        *news = role == ASKING_DEVICE ? ASKING_QUESTION : ASKING_ANSWER;
        if (role == ASKING_DEVICE && say(out, "PUB inbox.%u 4\r\nfine\r\n", number) < 0)
            return -1;
        return (ssize_t)(line + payload + 2);
    }
    if (memcmp(in.data, "PONG", 4) == 0)
        *news = ASKING_READY;
    else if (memcmp(in.data, "PING", 4) == 0 && say(out, "PONG\r\n") < 0)
        return -1;
    else if (memcmp(in.data, "-ERR", 4) == 0)
        return -1;
    return (ssize_t)line;
}

/* ---- http: a command over HTTP, a device that speaks in 7E frames ---- */

#define FRAME_MAX 64

static int device_say(struct buf *out, unsigned message, unsigned number,
                      unsigned serial, struct slice body)
{
    uint8_t plain[FRAME_MAX] = {(uint8_t)(message >> 8), (uint8_t)message, 0,
                                (uint8_t)body.size},
            wire[2 * FRAME_MAX], sum = 0;
    size_t n = 14 + body.size, w = 0;
    char id[9];

    snprintf(id, sizeof(id), "B%07u", number % 10000000);
    memcpy(plain + 4, id, 8);
    plain[12] = (uint8_t)(serial >> 8);
    plain[13] = (uint8_t)serial;
    if (body.size)
        memcpy(plain + 14, body.data, body.size);
    for (size_t i = 0; i < n; i++)
        sum ^= plain[i];
    plain[n++] = sum;
    wire[w++] = 0x7e;
    for (size_t i = 0; i < n; i++) {
        bool escaped = plain[i] == 0x7d || plain[i] == 0x7e;

        wire[w++] = escaped ? 0x7d : plain[i];
        if (escaped)
            wire[w++] = (uint8_t)(plain[i] - 0x7c);
    }
    wire[w++] = 0x7e;
    return buf_try_append(out, slice_of(wire, w));
}

static ssize_t device_hear(unsigned number, struct slice in, enum asking_news *news,
                           struct buf *out)
{
    static const uint8_t ready[] = {0, 0, 0, 5};
    const uint8_t *end = in.size ? memchr(in.data + 1, 0x7e, in.size - 1) : NULL;
    uint8_t plain[FRAME_MAX];
    size_t n = 0;

    if (!end)
        return 0;
    for (const uint8_t *p = in.data + 1; p < end && n < sizeof(plain); p++)
        plain[n++] = *p == 0x7d ? (uint8_t)(*++p + 0x7c) : *p;
    if (n < 15)
        return -1;
    if (plain[0] == 0x10 && plain[1] == 0x01) {
        *news = ASKING_READY;
    } else {
        *news = ASKING_QUESTION;
        if (device_say(out, 0x1005, number, (unsigned)plain[12] << 8 | plain[13],
                       slice_of(ready, sizeof(ready))) < 0)
            return -1;
    }
    return end - in.data + 1;
}

static int http_greet(enum asking_role role, unsigned number, struct buf *out)
{
    return role == ASKING_CALLER
               ? OK
               : device_say(out, 0x1001, number, 1, (struct slice){0});
}

static int http_ask(unsigned number, uint32_t question, struct buf *out)
{
    (void)question;
    return say(out,
               "POST /api/v1/devices/B%07u/commands?wait=10s HTTP/1.1\r\n"
               "Host: 127.0.0.1\r\nContent-Type: application/json\r\n"
               "Content-Length: 20\r\n\r\n{\"command\":\"status\"}",
               number % 10000000);
}

/* A good answer that has `mark` in its body. */
static ssize_t http_answer(struct slice in, const char *mark, enum asking_news *news)
{
    static const char field[] = "\r\nContent-Length:";
    size_t head, body = 0;

    if ((head = end_of(in, "\r\n\r\n")) == 0)
        return 0;
    for (size_t i = 0; i + sizeof(field) < head; i++)
        if (strncasecmp((const char *)in.data + i, field, sizeof(field) - 1) == 0)
            body = strtoul((const char *)in.data + i + sizeof(field) - 1, NULL, 10);
    if (in.size < head + body)
        return 0;
    if (memcmp(in.data, "HTTP/1.1 200", 12) != 0 ||
        !end_of(slice_of(in.data + head, body), mark))
        return -1;
    *news = ASKING_ANSWER;
    return (ssize_t)(head + body);
}

static ssize_t http_hear(enum asking_role role, unsigned number, struct slice in,
                         enum asking_news *news, struct buf *out)
{
    if (role == ASKING_DEVICE)
        return device_hear(number, in, news, out);
    return http_answer(in, "00000005", news);
}

/* ---- list: a page of devices over HTTP ---- */

static int list_ask(unsigned number, uint32_t question, struct buf *out)
{
    (void)number, (void)question;
    return say(out, "GET /api/v1/devices HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
}

static ssize_t list_hear(enum asking_role role, unsigned number, struct slice in,
                         enum asking_news *news, struct buf *out)
{
    (void)role, (void)number, (void)out;
    return http_answer(in, "\"next\":", news);
}

const struct asking_wire *asking_find(const char *name)
{
    static const struct asking_wire wires[] = {
        {"raw", false, say_nothing, raw_ask, raw_hear},
        {"relay", true, relay_greet, relay_ask, relay_hear},
        {"nats", true, nats_greet, nats_ask, nats_hear},
        {"http", true, http_greet, http_ask, http_hear},
        {"list", false, say_nothing, list_ask, list_hear},
    };

    for (size_t i = 0; i < ARRAY_LEN(wires); i++)
        if (strcmp(wires[i].name, name) == 0)
            return &wires[i];
    return NULL;
}
