/* The conversation with a heartbeat client, who alone talks. Its name is the address
 * that it reports and the port that it comes from. */
#include "session/heartbeat.h"
#include "base/log.h"
#include "relay/tracker.h"
#include "session/login.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

#define EXCERPT 60 /* bytes of a bad text that are logged */

/* Moves with the connection to another shard, without `self`. */
struct heartbeat_session {
    struct terminal *self; /* whom it speaks for; NULL: nobody yet */
    uint64_t last;         /* hash of the text that says what follows */
    int64_t pid;
    bool has_pid;
    uint8_t claims;    /* enum heartbeat_status */
    bool warned_empty; /* of a frame without text */
};

static_assert(sizeof(struct heartbeat_session) <= CONN_SESSION_SIZE,
              "must fit a connection");

static struct heartbeat_session *session_of(const struct conn *c)
{
    return (void *)c->session;
}

static const struct heartbeat_settings *settings_of(const struct conn *c)
{
    return c->listener->conf;
}

static struct id id_of(const struct conn *c, const struct heartbeat *beat)
{
    struct id id = {.protocol = PROTOCOL_HEARTBEAT};
    char text[HEARTBEAT_IP_MAX + sizeof(":65535")];
    int size = snprintf(text, sizeof(text), "%.*s:%u", (int)beat->ip_size, beat->ip,
                        c->peer_port);

    static_assert(sizeof(text) - 1 <= ID_TEXT_MAX, "must fit an id");
    memcpy(id.text, text, (size_t)size);
    id.length = (uint8_t)size;
    return id;
}

/* ---- who it is ---- */

/* False: the connection moved, or is closing. */
static bool log_in(struct conn *c, const struct id *id, struct slice in)
{
    struct heartbeat_session *s = session_of(c);

    login_leave(c, &s->self);
    return !conn_is_closing(c) && login_as(c, id, in, "", &s->self);
}

/* ---- input ---- */

static void on_empty(struct conn *c)
{
    relay_of(c)->stats.empty_frames++;
    if (!session_of(c)->warned_empty)
        LOG_THROTTLED(LOG_WARN, SESSION,
                      "session %" PRIx64 " sent an empty frame listener=%s",
                      conn_number(c), c->listener->name);
    session_of(c)->warned_empty = true;
}

static void refuse(struct conn *c, struct slice text, const char *why)
{
    char excerpt[EXCERPT + 1];

    LOG_THROTTLED(LOG_WARN, SESSION,
                  "session %" PRIx64 " sent a bad message why=%s listener=%s text=%s",
                  conn_number(c), why, c->listener->name,
                  log_escape(text, excerpt, sizeof(excerpt)));
    conn_close(c, CLOSE_BAD_MESSAGE);
}

/* False: the text was not used; the connection moved, or is closing. */
static bool on_news(struct conn *c, struct slice text, struct slice in)
{
    struct heartbeat_session *s = session_of(c);
    struct heartbeat beat;
    const char *why;
    struct id id;
    int rc = heartbeat_decode(text, &beat, &why);

    if (rc == ERR_NOMEM)
        conn_close(c, CLOSE_NO_MEMORY);
    else if (rc < 0)
        refuse(c, text, why);
    if (rc < 0)
        return false;
    id = id_of(c, &beat);
    if ((!s->self || !device_is_called(&s->self->device, &id)) && !log_in(c, &id, in))
        return false;
    s->pid = beat.pid;
    s->has_pid = beat.has_pid;
    s->claims = beat.status;
    return true;
}

/* Deployed clients send the same bytes each time: what was understood once is not read
 * again. */
static bool on_text(struct conn *c, struct slice text, struct slice in)
{
    struct heartbeat_session *s = session_of(c);
    uint64_t hash = XXH3_64bits(text.data, text.size);

    if (s->self && s->last == hash)
        return true;
    if (!on_news(c, text, in))
        return false;
    s->last = hash;
    return true;
}

static size_t on_input(struct conn *c, struct slice in, bool more_waits)
{
    const struct framing *framing = &settings_of(c)->framing;
    uint32_t heard_before = c->rx_frames;
    size_t size = in.size;

    while (in.size) {
        struct framing_state state = {0}; /* a length field needs none */
        struct frame frame;
        ssize_t used = framing_cut(framing, &state, in, more_waits, NULL, &frame);

        if (used < 0)
            conn_close(c, CLOSE_TOO_LARGE);
        if (used <= 0)
            break;
        if (frame.body.size == 0)
            on_empty(c);
        else if (on_text(c, frame.body, in))
            c->rx_frames++;
        else
            break;
        in = slice_from(in, (size_t)used);
    }
    if (c->rx_frames != heard_before && !c->moved && !conn_is_closing(c))
        tracker_heard(relay_of(c), session_of(c)->self);
    return size - in.size;
}

/* ---- the connection's other calls ---- */

static void on_delivered(void *user, const struct frame_note *note, struct slice bytes)
{
    (void)user;
    (void)note;
    (void)bytes;
    assert(false && "a heartbeat client is never sent anything");
}

static void on_room(struct conn *c)
{
    (void)c;
}

static void on_close(struct conn *c)
{
    login_end(c, session_of(c)->self);
}

static const char *describe(const struct conn *c, char *text, size_t size)
{
    return login_describe(session_of(c)->self, text, size);
}

static void show(const struct conn *c, struct json *j)
{
    const struct heartbeat_session *s = session_of(c);

    if (!s->self)
        return;
    json_key(j, "claims");
    json_word(j, heartbeat_status_word(s->claims));
    if (s->has_pid) {
        json_key(j, "pid");
        json_int(j, s->pid);
    }
}

static size_t wanted(const struct conn *c, struct slice rest)
{
    return framing_size(&settings_of(c)->framing, rest);
}

static const struct device *device(const struct conn *c)
{
    const struct terminal *self = session_of(c)->self;

    return self ? &self->device : NULL;
}

const struct session_ops heartbeat_ops = {
    .conn = {.on_input = on_input,
             .on_delivered = on_delivered,
             .on_room = on_room,
             .on_close = on_close,
             .wanted = wanted,
             .describe = describe},
    .show = show,
    .device = device,
};
