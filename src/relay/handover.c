/* A terminal's connections come and go: what one still owed it goes to its successor,
 * or back to the mailbox, in the place that it had. */
#include "relay/delivery_inside.h"
#include "relay/holds.h"
#include "relay/part.h"
#include "relay/tracker.h"

struct handing_back {
    struct relay *relay;
    struct terminal *terminal;
    struct conn *heir; /* or NULL: to the mailbox */
};

static void to_heir_or_mailbox(void *user, const struct frame_note *note,
                               struct slice bytes)
{
    struct handing_back *h = user;
    struct relay *r = h->relay;
    struct id id = device_id(&h->terminal->device);
    struct mail_receipt receipt = {
        .session = note->session,
        .number = note->number,
        .shard = note->shard,
    };
    uint8_t *to;

    if (note->position == 0)
        return; /* the gateway's own words to that connection */
    if (h->heir && !conn_is_closing(h->heir) &&
        (to = conn_try_reserve(h->heir, bytes.size))) {
        memcpy(to, bytes.data, bytes.size);
        conn_commit(h->heir, bytes.size, note);
        return;
    }
    r->stats.frames_returned++;
    if (note->stored)
        return; /* mailbox_unload brings it back */
    if (mailbox_append(r->mailbox, &h->terminal->mail, &id, note->position, bytes,
                       MAIL_RETURNED, receipt) < 0) {
        struct envelope e = {.session = note->session,
                             .number = note->number,
                             .shard = note->shard};

        delivery_refuse(r, h->terminal, &e, ERR_NOMEM);
    }
}

void delivery_attach(struct relay *r, struct terminal *t, struct conn *c)
{
    struct conn *old = t->conn;

    if (old) {
        parts_detached(r, t);
    } else {
        t->waiters = NULL;
        t->watch = NULL;
    }
    t->conn = c;
    t->delivered_ms = (uint32_t)r->shard->loop.now_ms;
    tracker_attached(r, t, old);
    parts_attached(r, t);
    if (!old) {
        delivery_enter(r, t, DELIVERY_DRAINING);
        delivery_catch_up(r, t);
        return;
    }
    r->stats.takeovers++;
    conn_acknowledge(old);
    if (conn_output(old)) {
        struct handing_back h = {.relay = r, .terminal = t, .heir = c};

        output_give_back(conn_output(old), to_heir_or_mailbox, &h);
    }
    conn_close(old, CLOSE_REPLACED);
}

void delivery_detach(struct relay *r, struct terminal *t, bool stays)
{
    struct handing_back h = {.relay = r, .terminal = t};
    struct output *owed = conn_output(t->conn);

    parts_detached(r, t);
    holds_release(r, &t->waiters);
    tracker_detached(r, t, stays ? "renamed" : close_reason_word(t->conn->reason));
    t->conn = NULL;
    if (owed && stays)
        output_disown(owed, to_heir_or_mailbox, &h);
    else if (owed)
        output_give_back(owed, to_heir_or_mailbox, &h);
    mailbox_unload(r->mailbox, &t->mail);
    delivery_enter(r, t, DELIVERY_OFFLINE);
}
