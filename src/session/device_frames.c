/* What devices in 7E frames have in common, whatever their messages mean: frames in and
 * out, what becomes of bad ones, and logging in. */
#include "session/device_inside.h"
#include "base/log.h"
#include "command/commands.h"
#include "relay/delivery.h"
#include "relay/tracker.h"
#include "session/login.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* A peer whose first bytes are no frame's may still be a device: after so many of them
 * it is not. */
#define JUNK_MAX 64

const char *device_describe(const struct conn *c, char *text, size_t size)
{
    return login_describe(device_session_of(c)->self, text, size);
}

const struct device *device_of(const struct conn *c)
{
    const struct terminal *self = device_session_of(c)->self;

    return self ? &self->device : NULL;
}

/* ---- in ---- */

static void on_bad_frame(struct conn *c, const char *why)
{
    struct device_session *s = device_session_of(c);
    char device[ID_SHOWN_MAX + sizeof("device=")] = "device=none";

    relay_of(c)->stats.bad_frames++;
    if (!s->warned_bad)
        LOG_THROTTLED(LOG_WARN, SESSION,
                      "session %" PRIx64 " sent bad_frame why=%s %s listener=%s",
                      conn_number(c), why, device_describe(c, device, sizeof(device)),
                      c->listener->name);
    s->warned_bad = true;
}

/* The engine used bytes and cut nothing. `left`: behind them. What is skipped in
 * several pieces, because it came in several, counts once. Bytes that begin nothing are
 * met only before a connection's first mark, and so before anything else that is bad.
 */
static void on_skipped(struct conn *c, int why, bool was_dropping, size_t left)
{
    bool goes_on =
        why == ERR_BAD_START ? device_session_of(c)->warned_bad : was_dropping;

    if (!goes_on)
        on_bad_frame(c, err_word(why));
    if (why == ERR_BAD_START && c->rx_bytes - left > JUNK_MAX)
        conn_close(c, CLOSE_BAD_START);
}

/* False: the frame was not used; the connection moved, or is closing. */
static bool on_cut(struct conn *c, struct slice body, struct slice in,
                   device_message *on_message)
{
    struct device_frame f;
    int rc = device_decode(device_settings_of(c)->form, body, &f);

    if (rc < 0) {
        on_bad_frame(c, err_word(rc));
        return true;
    }
    device_session_of(c)->head = f.head;
    if (!on_message(c, &f, in))
        return false;
    c->rx_frames++;
    return true;
}

size_t device_input(struct conn *c, struct slice in, bool more_waits,
                    device_message *on_message)
{
    const struct framing *framing = &device_settings_of(c)->framing;
    struct device_session *s = device_session_of(c);
    uint32_t heard_before = c->rx_frames;
    uint8_t scratch[DEVICE_FRAME_MAX];
    size_t size = in.size;

    while (in.size && !c->holds && !conn_is_closing(c)) {
        bool was_dropping = s->cut.is_dropping;
        struct frame cut;
        ssize_t used = framing_cut(framing, &s->cut, in, more_waits, scratch, &cut);

        if (used <= 0)
            break;
        if (cut.fault < 0)
            on_skipped(c, cut.fault, was_dropping, in.size - (size_t)used);
        else if (cut.bytes.size && !on_cut(c, cut.body, in, on_message))
            break;
        in = slice_from(in, (size_t)used);
    }
    if (c->rx_frames != heard_before && !c->moved && !conn_is_closing(c) && s->self &&
        presence_policy_of(c)->rule != PRESENCE_RULE_NONE)
        tracker_heard(relay_of(c), s->self);
    return size - in.size;
}

/* ---- packages ---- */

bool device_join(struct conn *c, const struct device_frame *f,
                 struct device_frame *whole)
{
    const char *why;

    *whole = *f;
    if (!(f->properties & DEVICE_PACKAGED))
        return true;
    whole->total = whole->number = 0;
    switch (packages_try_add(&device_session_of(c)->packages,
                             &device_settings_of(c)->packages, f, c->shard->loop.now_ms,
                             &whole->body, &whole->serial, &why)) {
    case PACKAGES_WHOLE:
        return true;
    case PACKAGES_REFUSED:
        on_bad_frame(c, why);
        break;
    case PACKAGES_MORE:
        break;
    }
    return false;
}

void device_age_packages(struct conn *c)
{
    struct device_session *s = device_session_of(c);
    struct packages_missing missing;
    uint32_t dropped;
    bool asks;

    if (!s->packages)
        return;
    if (packages_tick(s->packages, &device_settings_of(c)->packages,
                      c->shard->loop.now_ms, &missing, &asks, &dropped) == INT64_MAX)
        packages_free(&s->packages);
    relay_of(c)->stats.packages_dropped += dropped;
}

/* ---- who it is ---- */

void device_let_go(struct conn *c)
{
    struct device_session *s = device_session_of(c);

    login_leave(c, &s->self);
    packages_free(&s->packages);
    s->state = DEVICE_NO_STATE;
}

bool device_log_in(struct conn *c, const struct id *id, struct slice in)
{
    struct device_session *s = device_session_of(c);

    if (s->self && device_is_called(&s->self->device, id))
        return true;
    device_let_go(c);
    return !conn_is_closing(c) && login_as(c, id, in, "", &s->self);
}

void device_on_close(struct conn *c)
{
    struct device_session *s = device_session_of(c);

    packages_free(&s->packages);
    login_end(c, s->self);
}

/* ---- out ---- */

/* Who asks and never reads the answers is not read from either. */
static void bound_answers(struct conn *c)
{
    struct device_session *s = device_session_of(c);

    if (s->deaf || conn_output_size(c) < 2 * c->shard->conf.output_limit)
        return;
    s->deaf = true;
    conn_hold(c);
}

int device_write(struct conn *c, uint16_t message, uint16_t serial, uint16_t total,
                 uint16_t number, struct slice body, uint64_t ticket)
{
    /* No place in the mail; somebody waits to hear that it was delivered. */
    const struct frame_note note = {.session = ticket};
    struct buf *scratch = &relay_of(c)->scratch;
    struct slice bytes;
    uint8_t *to;
    int rc;

    assert(body.size <= DEVICE_BODY_MAX);
    if (conn_is_closing(c))
        return ERR_NOMEM;
    buf_clear(scratch);
    rc = device_encode(&device_session_of(c)->head, message, serial, total, number,
                       body, scratch);
    if (rc < 0) {
        conn_close(c, CLOSE_NO_MEMORY);
        return ERR_NOMEM;
    }
    bytes = buf_peek(scratch);
    if (!(to = conn_try_reserve(c, bytes.size)))
        return ERR_NOMEM;
    memcpy(to, bytes.data, bytes.size);
    conn_commit(c, bytes.size, &note);
    bound_answers(c);
    return OK;
}

static int send_package(struct conn *c, const struct wire_command *w, uint16_t serial,
                        uint16_t number, uint64_t ticket)
{
    struct slice body = buf_peek(&w->body);
    uint16_t total = device_packages(body.size);

    if (total == 1)
        return device_write(c, w->message, serial, 0, 0, body, ticket);
    body = slice_from(body, (size_t)(number - 1) * DEVICE_BODY_MAX);
    if (number < total)
        body.size = DEVICE_BODY_MAX;
    return device_write(c, w->message, (uint16_t)(serial + number - 1), total, number,
                        body, ticket);
}

int device_send(struct conn *c, const struct wire_command *w, uint16_t serial,
                uint64_t ticket)
{
    uint16_t total = device_packages(buf_used(&w->body));
    int rc = OK;

    for (uint16_t number = 1; number <= total && rc == OK; number++)
        rc = send_package(c, w, serial, number, number == total ? ticket : 0);
    return rc;
}

int device_send_again(struct conn *c, const struct wire_command *w, uint16_t serial,
                      const uint16_t *numbers, size_t count)
{
    uint16_t total = device_packages(buf_used(&w->body));
    int rc = OK;

    for (size_t i = 0; i < count && rc == OK; i++)
        if (numbers[i] >= 1 && numbers[i] <= total)
            rc = send_package(c, w, serial, numbers[i], 0);
    return rc;
}

/* ---- the connection's other calls ---- */

void device_on_delivered(void *user, const struct frame_note *note, struct slice bytes)
{
    struct conn *c = user;
    struct device_session *s = device_session_of(c);

    (void)bytes;
    if (!s->self)
        return;
    if (note->position)
        delivery_on_delivered(relay_of(c), s->self, note);
    else if (note->session)
        commands_delivered(relay_of(c), s->self, note->session);
}

void device_on_room(struct conn *c)
{
    struct device_session *s = device_session_of(c);

    if (s->deaf) {
        s->deaf = false;
        if (c->holds) /* a drain may have ended it */
            conn_release(c);
    }
    if (s->self)
        delivery_on_room(relay_of(c), s->self);
}
