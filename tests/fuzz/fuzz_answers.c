/* Clients that ask anything, in any pieces, over any sound declaration, while others
 * come and go and answers come at once or later. The input: 1 byte (bit 0: answers may
 * come later; the others: one of the declarations below, or the first byte of a whole
 * one), then commands: who and what, and for "send" how many of the following bytes.
 *
 * Whatever is asked, the answers are whole frames; with a plain declaration an echo is
 * what was sent, byte for byte; and a look at a connection never contradicts itself. */
#include "../unit/answersrig.h"
#include "base/log.h"
#include "declaring.h"
#include "relay/view.h"

#include <stdlib.h>

#define CLIENTS 4
#define LATERS  16
#define LARGEST 2000

enum { SEND, READ, DROP, TURN, LATER, LOOK, SHUT, ACTIONS };

struct client {
    int fd; /* -1: not connected */
    struct buf sent, heard;
};

static struct client clients[CLIENTS];
static struct hf_later *laters[LATERS];
static struct buf bodies[LATERS];
static bool may_wait;

static const struct framing known[] = {
    {.length = {.form = FRAMING_DIGITS, .digits = 10, .adjust = 10, .min = 1},
     .min_frame = 10,
     .max_frame = LARGEST},
    {.length = {.form = FRAMING_U16_BE, .adjust = 2},
     .min_frame = 2,
     .max_frame = LARGEST},
    {.length = {.form = FRAMING_U32_LE}, .min_frame = 4, .max_frame = LARGEST},
    {.end = {2, "\r\n"}, .min_frame = 2, .max_frame = 30, .resyncs = true},
    {.start = {1, {0x7e}},
     .end = {1, {0x7e}},
     .escape = {0x7d, 2, {{0x01, 0x7d}, {0x02, 0x7e}}},
     .checksum = {.kind = CHECKSUM_XOR, .from = 1},
     .resyncs = true,
     .min_frame = 4,
     .max_frame = LARGEST},
};

static void must(bool done)
{
    if (!done)
        abort();
}

/* ---- the service: an echo, of some requests a late one ---- */

static bool keep(struct hf_request *q, struct slice body)
{
    for (int i = 0; i < LATERS; i++) {
        if (laters[i])
            continue;
        buf_clear(&bodies[i]);
        must(buf_try_append(&bodies[i], body) == OK);
        must((laters[i] = hf_answer_later(q)) != NULL);
        return true;
    }
    return false;
}

static void logic(void *state, struct hf_request *q)
{
    size_t size;
    const uint8_t *bytes = hf_request_body(q, &size);
    uint8_t *room;

    (void)state;
    if (may_wait && size % 3 == 1 && keep(q, slice_of(bytes, size)))
        return;
    if (size % 2)
        (void)!hf_answer(q, bytes, size);
    else if ((room = hf_answer_room(q, size)) && size)
        memcpy(room, bytes, size);
}

static void answer_late(uint8_t which)
{
    struct hf_later *later = laters[which % LATERS];
    struct slice body = buf_peek(&bodies[which % LATERS]);

    if (!later)
        return;
    laters[which % LATERS] = NULL;
    if (which >= 240)
        hf_later_close(later);
    else
        (void)!hf_later_answer(later, body.data, body.size);
}

/* ---- the clients ---- */

static bool is_transparent(const struct framing *f)
{
    return framing_is_plain(f) && !f->resyncs && !f->end.size && !f->start.size;
}

static void hear(struct client *c, size_t most)
{
    uint8_t bytes[4096];
    ssize_t n = recv(c->fd, bytes, most < sizeof(bytes) ? most : sizeof(bytes), 0);

    if (n > 0)
        must(buf_try_append(&c->heard, slice_of(bytes, (size_t)n)) == OK);
}

static void check_heard(const struct client *c)
{
    struct slice heard = buf_peek(&c->heard), sent = buf_peek(&c->sent);

    if (!is_transparent(&answers_rig.answers.requests))
        return;
    assert(heard.size <= sent.size);
    assert(!heard.size || memcmp(heard.data, sent.data, heard.size) == 0);
}

static void drop(struct client *c)
{
    if (c->fd < 0)
        return;
    check_heard(c);
    close(c->fd);
    c->fd = -1;
    buf_clear(&c->sent);
    buf_clear(&c->heard);
}

static void say(struct client *c, struct slice bytes)
{
    ssize_t n = send(c->fd, bytes.data, bytes.size, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n > 0)
        must(buf_try_append(&c->sent, slice_of(bytes.data, (size_t)n)) == OK);
}

static void check_views(void)
{
    static const struct view_filter any;
    struct conn_view views[CLIENTS * 2];
    uint32_t slots[CLIENTS * 2], at = 0;
    bool ended = false;
    unsigned n =
        view_collect(&answers_rig.shard, &any, &at, views, slots, CLIENTS * 2, &ended);

    for (unsigned i = 0; i < n; i++) {
        const struct conn_view *v = &views[i];

        assert(v->wanted == 0 || v->holds || v->wanted > v->rest);
        assert(v->rest <= v->rx_bytes);
        assert((v->state == CONN_PROCESS) == (v->holds > 0));
        assert(strstr(v->extra, "\"requests\":"));
    }
}

/* Returns how many bytes of the input it used. */
static size_t act(const uint8_t *data, size_t size)
{
    struct client *c = &clients[data[0] % CLIENTS];
    uint8_t count = data[1];

    if (c->fd < 0)
        c->fd = answers_rig_connect();
    switch (data[0] / CLIENTS % ACTIONS) {
    case SEND:
        if (count > size - 2)
            count = (uint8_t)(size - 2);
        say(c, slice_of(data + 2, count));
        return 2u + count;
    case READ:
        hear(c, count);
        break;
    case DROP:
        drop(c);
        break;
    case TURN:
        answers_rig_turn();
        break;
    case LATER:
        answer_late(count);
        break;
    case LOOK:
        check_views();
        break;
    case SHUT:
        shutdown(c->fd, SHUT_WR);
        break;
    }
    return 2;
}

/* Returns how many bytes it used; 0: that is no sound declaration. */
static size_t read_declaration(const uint8_t *b, size_t size, struct framing *f)
{
    if (b[0] >> 1 < ARRAY_LEN(known)) {
        *f = known[b[0] >> 1];
        return 1;
    }
    if (size < DECLARED_BY)
        return 0;
    *f = declared(b, b[0] >> 1);
    return framing_check(f) ? 0 : DECLARED_BY;
}

static void finish(void)
{
    do { /* an answer lets the next request be read, which may wait, too */
        for (unsigned i = 0; i < LATERS; i++)
            answer_late((uint8_t)i);
        answers_rig_turn();
    } while (answers_rig.answers.open_later > 0);
    check_views();
    for (int i = 0; i < CLIENTS; i++) {
        if (clients[i].fd >= 0)
            hear(&clients[i], SIZE_MAX);
        drop(&clients[i]);
        buf_fini(&clients[i].sent);
        buf_fini(&clients[i].heard);
    }
    answers_rig_turn();
    answers_rig_close();
    for (int i = 0; i < LATERS; i++)
        buf_fini(&bodies[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hf_service service = {HF_SERVICE_HEAD, .name = "fuzz",
                                              .logic = logic};
    struct framing framing;
    size_t at;

    log_setup(LOG_ERROR, 0);
    log_redirect(-1);
    if (size < 1 || (at = read_declaration(data, size, &framing)) == 0)
        return 0;
    may_wait = data[0] & 1;
    answers_rig_open(&service, &framing);
    for (int i = 0; i < CLIENTS; i++)
        clients[i].fd = -1;
    while (at + 2 <= size)
        at += act(data + at, size - at);
    finish();
    return 0;
}
