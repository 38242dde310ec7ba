/* The conversation with a relay terminal: heartbeats register it, data goes to others.
 */
#include "session/ttms_inside.h"
#include "base/log.h"
#include "relay/delivery.h"
#include "relay/receipts.h"
#include "relay/tracker.h"
#include "session/login.h"

#include <inttypes.h>
#include <stdio.h>

uint8_t ttms_length_of(const struct conn *c)
{
    return ttms_session_of(c)->dialect.length;
}

static struct id id_of(uint32_t address)
{
    struct id id = {.protocol = PROTOCOL_TTMS, .length = 8};

    ttms_id_text(address, id.text);
    return id;
}

/* ---- heartbeats ---- */

/* A change of name while frames under the old one are undecided would mix their
 * receipts: it waits, unread, until they are settled. */
static bool must_settle_first(struct conn *c)
{
    struct ttms_session *s = ttms_session_of(c);

    if (!s->receipts || !receipts_are_open(s->receipts))
        return false;
    s->renaming = true;
    conn_hold(c);
    return true;
}

static void let_go(struct conn *c)
{
    struct ttms_session *s = ttms_session_of(c);

    if (s->receipts && link_is_on_list(&s->receipts->due)) {
        list_remove(&relay_of(c)->receipts_due, &s->receipts->due);
        ttms_tell_receipts(c);
    }
    login_leave(c, &s->self);
}

/* False: the connection closed, moved, or waits. */
static bool log_in(struct conn *c, uint32_t address, struct slice in)
{
    struct ttms_session *s = ttms_session_of(c);
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
    struct ttms_session *s = ttms_session_of(c);

    if ((!s->self || s->address != f->address) && !log_in(c, f->address, in))
        return false;
    if (ttms_settings_of(c)->reply_heartbeats && !conn_is_closing(c))
        ttms_answer(c, f);
    return true;
}

/* ---- data ---- */

/* True: the frame goes on. */
static bool check_passes(struct conn *c, const struct ttms_frame *f)
{
    struct ttms_session *s = ttms_session_of(c);
    enum ttms_check rule = ttms_settings_of(c)->checksum;

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
    struct ttms_session *s = ttms_session_of(c);
    struct relay *r = relay_of(c);
    struct id id; /* made only for a target that is new, or elsewhere */
    struct sending sending = {
        .route = &s->route,
        .id = &id,
        .size = f->bytes.size,
        .from = {.session = conn_handle(c),
                 .number = ttms_settings_of(c)->receipts ? ttms_next_number(c) : 0,
                 .shard = (uint16_t)c->shard->conf.index,
                 .durable = ttms_settings_of(c)->durable},
    };
    uint8_t *to;

    if (conn_is_closing(c))
        return;
    if (UNLIKELY(!check_passes(c, f))) {
        if (sending.from.number)
            ttms_on_decided(c, sending.from.number, false);
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
    if (ttms_settings_of(c)->checksum == TTMS_CHECK_STRICT && !check_passes(c, f))
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
    else if (!ttms_session_of(c)->self)
        conn_close(c, CLOSE_UNREGISTERED);
    else
        on_data(c, f);
    return !conn_is_closing(c);
}

static size_t on_input(struct conn *c, struct slice in, bool more_waits)
{
    struct ttms_session *s = ttms_session_of(c);
    const struct ttms_conf *codec = &ttms_settings_of(c)->codec;
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
    if (ttms_session_of(c)->self)
        delivery_on_delivered(relay_of(c), ttms_session_of(c)->self, note);
}

static void on_room(struct conn *c)
{
    if (ttms_session_of(c)->deaf) {
        ttms_session_of(c)->deaf = false;
        if (c->holds) /* a drain may have ended it */
            conn_release(c);
    }
    if (ttms_session_of(c)->self)
        delivery_on_room(relay_of(c), ttms_session_of(c)->self);
}

static void on_close(struct conn *c)
{
    struct ttms_session *s = ttms_session_of(c);

    if (s->receipts && link_is_on_list(&s->receipts->due))
        list_remove(&relay_of(c)->receipts_due, &s->receipts->due);
    receipts_free(&s->receipts);
    login_end(c, s->self);
}

static const char *describe(const struct conn *c, char *text, size_t size)
{
    if (c->registered)
        snprintf(text, size, "device=%08x length=%s", ttms_session_of(c)->address,
                 ttms_length_word(ttms_session_of(c)->dialect.length));
    return text;
}

static void show(const struct conn *c, struct json *j)
{
    if (!c->registered)
        return;
    json_key(j, "length");
    json_word(j, ttms_length_word(ttms_session_of(c)->dialect.length));
}

static size_t wanted(const struct conn *c, struct slice rest)
{
    return ttms_size(&ttms_session_of(c)->dialect, rest);
}

static const struct device *device(const struct conn *c)
{
    const struct terminal *t = ttms_session_of(c)->self;

    return t ? &t->device : NULL;
}

const struct session_ops ttms_ops = {
    .conn = {.on_input = on_input,
             .on_delivered = on_delivered,
             .on_room = on_room,
             .on_close = on_close,
             .wanted = wanted,
             .describe = describe},
    .on_decided = ttms_on_decided,
    .tell_receipts = ttms_tell_receipts,
    .device = device,
    .show = show,
};
