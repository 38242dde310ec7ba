/* The conversation with a relay terminal: heartbeats register it, data goes to others.
 */
#include "session/ttms.h"
#include "base/log.h"
#include "relay/delivery.h"
#include "relay/receipts.h"
#include "relay/tracker.h"
#include "session/login.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* A connection's part of it. Moves with the connection to another shard; the pointers
 * then: `self` is let go before, `receipts` is not on a list, the route is forgotten.
 */
struct ttms_session {
    struct terminal *self; /* whom it speaks for; NULL: nobody yet */
    struct receipts
        *receipts;      /* from its first data frame on, if the listener gives them */
    struct route route; /* to the target of its last data frame */
    struct ttms_dialect dialect;
    uint32_t address; /* its own */
    uint32_t target;  /* of its last data frame */
    bool warned;      /* of a wrong check byte */
    bool renaming;    /* held until its receipts are settled */
    bool deaf;        /* held until it takes our answers */
};

static_assert(sizeof(struct ttms_session) <= CONN_SESSION_SIZE,
              "must fit a connection");

static struct ttms_session *session_of(const struct conn *c)
{
    return (void *)c->session;
}

static const struct ttms_settings *settings_of(const struct conn *c)
{
    return c->listener->conf;
}

uint8_t ttms_length_of(const struct conn *c)
{
    return session_of(c)->dialect.length;
}

static struct id id_of(uint32_t address)
{
    struct id id = {.protocol = PROTOCOL_TTMS, .length = 8};

    ttms_id_text(address, id.text);
    return id;
}

/* ---- answers ---- */

/* Who asks and never reads the answers is not read from either. Messages alone do not
 * fill its output so far: they stop at the limit. */
static void commit_answer(struct conn *c, size_t size)
{
    const struct frame_note nobody = {0};

    conn_commit(c, size, &nobody);
    if (session_of(c)->deaf || conn_output_size(c) < 2 * c->shard->conf.output_limit)
        return;
    session_of(c)->deaf = true;
    conn_hold(c);
}

static void on_decided(struct conn *c, uint32_t number, bool safe)
{
    struct ttms_session *s = session_of(c);

    if (!receipts_decide(s->receipts, number, safe))
        return;
    if (!link_is_on_list(&s->receipts->due))
        list_append(&relay_of(c)->receipts_due, &s->receipts->due);
    if (s->renaming && !receipts_are_open(s->receipts)) {
        s->renaming = false;
        conn_release(c);
    }
}

static void tell(struct conn *c, enum ttms_command kind, uint32_t number)
{
    uint8_t *to;
    size_t size;

    if (conn_is_closing(c) || !(to = conn_try_reserve(c, TTMS_MAX_FORMED)))
        return;
    size = ttms_form_receipt(kind, number, session_of(c)->dialect.length, to);
    commit_answer(c, size);
}

static void tell_receipts(struct conn *c)
{
    struct receipts *r = session_of(c)->receipts;
    uint32_t number;

    while (buf_used(&r->refused)) {
        memcpy(&number, buf_peek(&r->refused).data, sizeof(number));
        buf_consume(&r->refused, sizeof(number));
        tell(c, TTMS_REFUSAL, number);
    }
    tell(c, TTMS_RECEIPT, r->done);
}

/* ---- heartbeats ---- */

static void echo(struct conn *c, const struct ttms_frame *f)
{
    uint8_t *to = conn_try_reserve(c, f->bytes.size);

    if (!to)
        return;
    ttms_echo(f, to);
    commit_answer(c, f->bytes.size);
}

/* A change of name while frames under the old one are undecided would mix their
 * receipts: it waits, unread, until they are settled. */
static bool must_settle_first(struct conn *c)
{
    struct ttms_session *s = session_of(c);

    if (!s->receipts || !receipts_are_open(s->receipts))
        return false;
    s->renaming = true;
    conn_hold(c);
    return true;
}

static void let_go(struct conn *c)
{
    struct ttms_session *s = session_of(c);

    if (s->receipts && link_is_on_list(&s->receipts->due)) {
        list_remove(&relay_of(c)->receipts_due, &s->receipts->due);
        tell_receipts(c);
    }
    login_leave(c, &s->self);
}

/* False: the connection closed, moved, or waits. */
static bool log_in(struct conn *c, uint32_t address, struct slice in)
{
    struct ttms_session *s = session_of(c);
    struct id id = id_of(address);
    char facts[32];

    if (must_settle_first(c))
        return false;
    let_go(c);
    s->address = address;
    s->route = (struct route){0};
    if (s->receipts) /* it may have moved */
        s->receipts->session = conn_handle(c);
    snprintf(facts, sizeof(facts), " length=%s", ttms_length_word(s->dialect.length));
    return !conn_is_closing(c) && login_as(c, &id, in, facts, &s->self);
}

/* False: the frame was not used; the connection closed, moved, or waits. */
static bool on_heartbeat(struct conn *c, const struct ttms_frame *f, struct slice in)
{
    struct ttms_session *s = session_of(c);

    if ((!s->self || s->address != f->address) && !log_in(c, f->address, in))
        return false;
    if (settings_of(c)->reply_heartbeats && !conn_is_closing(c))
        echo(c, f);
    return true;
}

/* ---- data ---- */

static uint32_t number_of_next(struct conn *c)
{
    struct ttms_session *s = session_of(c);

    if (!settings_of(c)->receipts)
        return 0;
    if (!s->receipts && receipts_new(conn_handle(c), &s->receipts) < 0)
        goto fail;
    {
        uint32_t number = receipts_number(s->receipts);

        if (number)
            return number;
    }
fail:
    conn_close(c, CLOSE_NO_MEMORY);
    return 0;
}

/* True: the frame goes on. */
static bool check_passes(struct conn *c, const struct ttms_frame *f)
{
    struct ttms_session *s = session_of(c);
    enum ttms_check rule = settings_of(c)->checksum;

    if (LIKELY(ttms_check_fits(f)) || rule == TTMS_CHECK_IGNORE)
        return true;
    relay_of(c)->stats.bad_checksums++;
    if (!s->warned)
        LOG_SESSION(LOG_WARN,
                    "session %" PRIx64 " sent bad_checksum device=%08x policy=%s",
                    conn_number(c), s->address,
                    rule == TTMS_CHECK_STRICT ? "strict" : "warn");
    s->warned = true;
    return rule != TTMS_CHECK_STRICT;
}

static void on_data(struct conn *c, const struct ttms_frame *f)
{
    struct ttms_session *s = session_of(c);
    struct relay *r = relay_of(c);
    struct id id; /* made only for a target that is new, or elsewhere */
    struct sending sending = {
        .route = &s->route,
        .id = &id,
        .size = f->bytes.size,
        .from = {.session = conn_handle(c),
                 .number = number_of_next(c),
                 .shard = (uint16_t)c->shard->conf.index,
                 .durable = settings_of(c)->durable},
    };
    uint8_t *to;

    if (conn_is_closing(c))
        return;
    if (UNLIKELY(!check_passes(c, f))) {
        if (sending.from.number)
            on_decided(c, sending.from.number, false);
        return;
    }
    if (s->target != f->address)
        s->route.known = false;
    s->target = f->address;
    if (!relay_knows(r, &s->route))
        id = id_of(f->address);
    if (!(to = relay_begin(r, &sending)))
        return;
    ttms_forward(f, s->address, to);
    relay_commit(r, &sending);
}

/* ---- input ---- */

static enum close_reason reason_for(ssize_t err)
{
    switch (err) {
    case ERR_BAD_START:
        return CLOSE_BAD_START;
    case ERR_TOO_SHORT:
        return CLOSE_TOO_SHORT;
    case ERR_TOO_LARGE:
        return CLOSE_TOO_LARGE;
    default:
        return CLOSE_BAD_LENGTH;
    }
}

/* A wrong check byte is noted once the terminal is known, so that the log can name it,
 * unless it makes the frame worthless. */
static bool on_checked_heartbeat(struct conn *c, const struct ttms_frame *f,
                                 struct slice in)
{
    if (settings_of(c)->checksum == TTMS_CHECK_STRICT && !check_passes(c, f))
        return true;
    if (!on_heartbeat(c, f, in))
        return false;
    (void)check_passes(c, f);
    return true;
}

static bool on_frame(struct conn *c, const struct ttms_frame *f, struct slice in)
{
    if (f->command == TTMS_HEARTBEAT)
        return on_checked_heartbeat(c, f, in);
    if (f->command != TTMS_DATA)
        conn_close(c, CLOSE_UNKNOWN_COMMAND);
    else if (!session_of(c)->self)
        conn_close(c, CLOSE_UNREGISTERED);
    else
        on_data(c, f);
    return !conn_is_closing(c);
}

static size_t on_input(struct conn *c, struct slice in, bool more_waits)
{
    struct ttms_session *s = session_of(c);
    const struct ttms_conf *codec = &settings_of(c)->codec;
    size_t size = in.size;

    while (in.size && !c->holds) {
        struct ttms_frame frame;
        ssize_t used = ttms_cut(codec, &s->dialect, in, more_waits, &frame);

        if (used < 0)
            conn_close(c, reason_for(used));
        if (used <= 0 || !on_frame(c, &frame, in))
            break;
        c->rx_frames++;
        in = slice_from(in, (size_t)used);
    }
    if (in.size < size && s->self && presence_policy_of(c)->rule != PRESENCE_RULE_NONE)
        tracker_heard(relay_of(c), s->self);
    return size - in.size;
}

/* ---- the connection's other calls ---- */

static void on_delivered(void *user, const struct frame_note *note, struct slice bytes)
{
    struct conn *c = user;

    (void)bytes;
    if (session_of(c)->self)
        delivery_on_delivered(relay_of(c), session_of(c)->self, note);
}

static void on_room(struct conn *c)
{
    if (session_of(c)->deaf) {
        session_of(c)->deaf = false;
        if (c->holds) /* a drain may have ended it */
            conn_release(c);
    }
    if (session_of(c)->self)
        delivery_on_room(relay_of(c), session_of(c)->self);
}

static void on_close(struct conn *c)
{
    struct ttms_session *s = session_of(c);

    if (s->receipts && link_is_on_list(&s->receipts->due))
        list_remove(&relay_of(c)->receipts_due, &s->receipts->due);
    receipts_free(&s->receipts);
    login_end(c, s->self);
}

static const char *describe(const struct conn *c, char *text, size_t size)
{
    if (c->registered)
        snprintf(text, size, "device=%08x length=%s", session_of(c)->address,
                 ttms_length_word(session_of(c)->dialect.length));
    return text;
}

static void show(const struct conn *c, struct json *j)
{
    if (!c->registered)
        return;
    json_key(j, "length");
    json_word(j, ttms_length_word(session_of(c)->dialect.length));
}

static size_t wanted(const struct conn *c, struct slice rest)
{
    return ttms_size(&session_of(c)->dialect, rest);
}

static const struct device *device(const struct conn *c)
{
    const struct terminal *t = session_of(c)->self;

    return t ? &t->device : NULL;
}

const struct session_ops ttms_ops = {
    .conn = {.on_input = on_input,
             .on_delivered = on_delivered,
             .on_room = on_room,
             .on_close = on_close,
             .wanted = wanted,
             .describe = describe},
    .on_decided = on_decided,
    .tell_receipts = tell_receipts,
    .device = device,
    .show = show,
};
