/* device_inside.h - what both kinds of devices share (device_frames.c): cutting,
 * answering, and who it is. */
#pragma once

#include "session/device.h"
#include "command/dialect.h"
#include "relay/relay.h"

struct vehicle; /* vehicle.c: what a terminal of JT/T 808 needs beyond this */

#define DEVICE_NO_STATE 0

/* Moves with the connection to another shard, without `self`. */
struct device_session {
    struct terminal *self; /* whom it speaks for; NULL: nobody yet */
    struct vehicle *vehicle;
    struct packages *packages; /* that came, and are not whole yet; or NULL */
    struct framing_state cut;
    struct device_head head; /* of its newest good frame: answers have it, too */
    uint16_t serial;         /* of our next message that is not a command */
    uint16_t state;  /* that it told last, plus 1 (a new session is all zeros) */
    bool warned_bad; /* of a bad frame */
    bool deaf;       /* held until it takes our answers */
};

static_assert(sizeof(struct device_session) <= CONN_SESSION_SIZE,
              "must fit a connection");

static inline struct device_session *device_session_of(const struct conn *c)
{
    return (void *)c->session;
}

static inline const struct device_settings *device_settings_of(const struct conn *c)
{
    return c->listener->conf;
}

/* One good frame. `in` is the input from this frame on, for login_as. False: it was
 * not used; the connection moved, or is closing. */
typedef bool device_message(struct conn *c, const struct device_frame *f,
                            struct slice in);

/* conn_ops.on_input: cuts, decodes, skips bad frames (counted, logged once for each
 * connection), and tells tracker_heard once. */
size_t device_input(struct conn *c, struct slice in, bool more_waits,
                    device_message *on_message);

/* Logs in as this id, if it is not yet. From on_message only. False as above. */
bool device_log_in(struct conn *c, const struct id *id, struct slice in);

/* It speaks for nobody any more; the connection goes on, unless it is closing now. */
void device_let_go(struct conn *c);

/* Writes one message with the session's head. `ticket`: whose command it is, told to
 * commands_delivered(); 0: none. `total` 0: not packaged. `body` has at most
 * DEVICE_BODY_MAX bytes, and is not in the relay's scratch. OK, or ERR_NOMEM: the
 * connection is closing. */
MUST_CHECK int device_write(struct conn *c, uint16_t message, uint16_t serial,
                            uint16_t total, uint16_t number, struct slice body,
                            uint64_t ticket);

/* True: *whole is the message; a package may have completed it. False: others are to
 * come, or this one was refused (counted, logged once for each connection). What
 * *whole borrows is valid until the next call, or until the connection is closed. */
bool device_join(struct conn *c, const struct device_frame *f,
                 struct device_frame *whole);

/* Gives up packages whose others did not come, without asking for them. */
void device_age_packages(struct conn *c);

/* In how many frames a body goes, each with a serial of its own. */
static inline uint16_t device_packages(size_t body)
{
    return body ? (uint16_t)((body + DEVICE_BODY_MAX - 1) / DEVICE_BODY_MAX) : 1;
}

/* dialect.send of both: in packages, if the body is too long for one frame. */
MUST_CHECK int device_send(struct conn *c, const struct wire_command *w,
                           uint16_t serial, uint64_t ticket);
/* dialect.send_again: impossible numbers are passed over. */
MUST_CHECK int device_send_again(struct conn *c, const struct wire_command *w,
                                 uint16_t serial, const uint16_t *numbers,
                                 size_t count);

/* The other calls of conn_ops and session_ops that both have. */
void device_on_delivered(void *user, const struct frame_note *note, struct slice bytes);
void device_on_room(struct conn *c);
void device_on_close(struct conn *c);
const char *device_describe(const struct conn *c, char *text, size_t size);
const struct device *device_of(const struct conn *c);
