/* Getting messages to one terminal: straight to its connection while nothing waits,
 * else through its mailbox, always in the order of their positions. */
#include "relay/delivery_inside.h"
#include "base/log.h"
#include "relay/holds.h"
#include "relay/part.h"

#include <assert.h>

static const uint8_t may_become[DELIVERY_COUNT] = {
    [DELIVERY_OFFLINE] = BIT(DELIVERY_DRAINING),
    [DELIVERY_DRAINING] = BIT(DELIVERY_DIRECT) | BIT(DELIVERY_OFFLINE),
    [DELIVERY_DIRECT] = BIT(DELIVERY_DRAINING) | BIT(DELIVERY_OFFLINE),
};

static void is_needed(struct relay *r, struct terminal *t)
{
    if (t->is_idle)
        r->idle--;
    t->is_idle = false;
}

void delivery_enter(struct relay *r, struct terminal *t, enum delivery next)
{
    if (t->delivery == next)
        return;
    assert(may_become[t->delivery] & BIT(next));
    is_needed(r, t);
    list_remove(&r->in[t->delivery], &t->link);
    t->delivery = (uint8_t)next;
    list_append(&r->in[next], &t->link);
}

static size_t output_limit(const struct relay *r)
{
    return r->shard->conf.output_limit;
}

/* A frame larger than the limit still passes when nothing is before it. */
static bool has_room(const struct relay *r, const struct terminal *t, size_t size)
{
    size_t used = conn_output_size(t->conn);

    return used == 0 || used + size <= output_limit(r);
}

/* One that never was more than the address of some mail. They stand at the front of the
 * offline ones; of those that were connected the tracker takes care. */
static void may_be_forgotten(struct relay *r, struct terminal *t)
{
    struct list *offline = &r->in[DELIVERY_OFFLINE];

    if (t->delivery != DELIVERY_OFFLINE || t->is_idle || t->epoch > 0 ||
        !mailqueue_is_idle(&t->mail) || parts_need(r, t))
        return;
    t->is_idle = true;
    r->idle++;
    list_remove(offline, &t->link);
    list_prepend(offline, &t->link);
}

void delivery_forget_idle(struct relay *r)
{
    struct list *offline = &r->in[DELIVERY_OFFLINE];

    while (r->idle) {
        struct terminal *t = CONTAINER_OF(list_first(offline), struct terminal, link);

        is_needed(r, t);
        if (mailqueue_is_idle(&t->mail) && !parts_need(r, t)) {
            relay_forget(r, t);
        } else {
            list_remove(offline, &t->link);
            list_append(offline, &t->link);
        }
    }
}

void delivery_catch_up(struct relay *r, struct terminal *t)
{
    size_t used;

    if (t->delivery != DELIVERY_DRAINING || mailqueue_is_loading(&t->mail))
        return;
    if (mailqueue_waiting(&t->mail) == 0) {
        delivery_enter(r, t, DELIVERY_DIRECT);
        return;
    }
    used = conn_output_size(t->conn);
    if (used < output_limit(r) / 2 && mailqueue_has_loadable(&t->mail))
        mailbox_load(r->mailbox, &t->mail, output_limit(r) - used);
}

void delivery_refuse(struct relay *r, const struct terminal *t,
                     const struct envelope *e, int why)
{
    struct id id = device_id(&t->device);
    char text[ID_SHOWN_MAX];

    r->stats.frames_refused++;
    LOG_THROTTLED(LOG_WARN, SESSION, "device %s refused a message reason=%s",
                  id_show(&id, text, sizeof(text)), err_word(why));
    if (e->number)
        relay_decide(r, e->shard, e->session, e->number, false);
}

static void to_mailbox(struct relay *r, struct terminal *t, const struct envelope *e,
                       struct slice bytes)
{
    struct mail_receipt receipt = {
        .session = e->number ? e->session : 0,
        .number = e->number,
        .shard = e->shard,
    };
    struct id id = device_id(&t->device);
    int rc;

    if (t->delivery == DELIVERY_DIRECT)
        delivery_enter(r, t, DELIVERY_DRAINING);
    rc = mailbox_append(r->mailbox, &t->mail, &id, ++r->last_position, bytes, MAIL_NEW,
                        receipt);
    if (rc < 0) {
        delivery_refuse(r, t, e, rc);
        delivery_catch_up(r, t);
        may_be_forgotten(r, t);
        return;
    }
    r->stats.frames_mailed++;
    holds_after_mail(r, t, e->shard, e->session);
}

/* Straight to the output: also somewhat above the limit, when holding the senders will
 * soon bring it down again. */
static bool goes_direct(const struct relay *r, const struct terminal *t, size_t size,
                        const struct envelope *e)
{
    if (UNLIKELY(t->delivery != DELIVERY_DIRECT || e->durable))
        return false;
    return LIKELY(has_room(r, t, size)) ||
           (!t->slow && conn_output_size(t->conn) + size <= 2 * output_limit(r));
}

uint8_t *delivery_begin(struct relay *r, struct terminal *t, const struct envelope *e,
                        size_t size, bool *direct)
{
    uint8_t *room;

    *direct = goes_direct(r, t, size, e);
    if (LIKELY(*direct) && (room = conn_try_reserve(t->conn, size)))
        return room;
    *direct = false; /* out of memory closed the connection */
    buf_clear(&r->scratch);
    if ((room = buf_try_reserve(&r->scratch, size)))
        return room;
    delivery_refuse(r, t, e, ERR_NOMEM);
    return NULL;
}

static void to_output(struct relay *r, struct terminal *t, const struct envelope *e,
                      size_t size)
{
    struct frame_note note = {
        .position = ++r->last_position,
        .session = e->number ? e->session : 0,
        .number = e->number,
        .shard = e->shard,
    };

    conn_commit(t->conn, size, &note);
    r->stats.frames_direct++;
    if (UNLIKELY(conn_output_size(t->conn) > output_limit(r)))
        holds_after_frame(r, t, e->shard, e->session);
}

void delivery_commit(struct relay *r, struct terminal *t, const struct envelope *e,
                     size_t size, bool direct)
{
    if (LIKELY(direct)) {
        to_output(r, t, e, size);
        return;
    }
    buf_commit(&r->scratch, size);
    to_mailbox(r, t, e, buf_peek(&r->scratch));
}

/* ---- from the mailbox to the output ---- */

static struct terminal *terminal_with(struct mailqueue *queue)
{
    return CONTAINER_OF(queue, struct terminal, mail);
}

/* False: the connection died of it. */
static bool put_stored(struct terminal *t, uint64_t position, struct slice body)
{
    struct frame_note note = {.position = position, .stored = true};
    uint8_t *to = conn_try_reserve(t->conn, body.size);

    if (!to)
        return false;
    memcpy(to, body.data, body.size);
    conn_commit(t->conn, body.size, &note);
    return true;
}

static void on_mail(void *user, struct mailqueue *queue, uint64_t position,
                    struct slice body)
{
    struct terminal *t = terminal_with(queue);

    (void)user;
    assert(t->conn); /* an ended connection forgot its load */
    (void)put_stored(t, position, body);
}

static void on_loaded(void *user, struct mailqueue *queue)
{
    delivery_catch_up(user, terminal_with(queue));
}

static void on_fate(void *user, struct mailqueue *queue, uint64_t position,
                    struct slice body, struct mail_receipt receipt, int rc)
{
    struct relay *r = user;
    struct terminal *t = terminal_with(queue);

    if (receipt.session)
        relay_decide(r, receipt.shard, receipt.session, receipt.number, rc == OK);
    if (rc < 0)
        r->stats.frames_refused++; /* the mailbox has logged why */
    else if (t->delivery == DELIVERY_DRAINING && has_room(r, t, body.size) &&
             mailbox_take(r->mailbox, queue, position))
        (void)put_stored(t, position, body);
    delivery_catch_up(r, t);
    may_be_forgotten(r, t);
}

static void on_lost(void *user, struct mailqueue *queue, uint64_t position, int why)
{
    struct terminal *t = terminal_with(queue);

    (void)position;
    (void)why; /* the mailbox has logged and counted it */
    delivery_catch_up(user, t);
    may_be_forgotten(user, t);
}

static void on_room(void *user)
{
    struct relay *r = user;

    holds_release(r, &r->store_waiters);
}

const struct mailbox_events relay_mailbox_events = {
    .on_fate = on_fate,
    .on_mail = on_mail,
    .on_loaded = on_loaded,
    .on_lost = on_lost,
    .on_room = on_room,
};

void delivery_on_delivered(struct relay *r, struct terminal *t,
                           const struct frame_note *note)
{
    if (note->position == 0)
        return;
    r->stats.frames_delivered++;
    t->delivered_ms = (uint32_t)r->shard->loop.now_ms;
    t->messages_out++;
    if (note->stored)
        mailbox_remove(r->mailbox, &t->mail, note->position);
    if (note->session)
        relay_decide(r, note->shard, note->session, note->number, true);
}

void delivery_on_room(struct relay *r, struct terminal *t)
{
    delivery_catch_up(r, t);
    if (t->delivery == DELIVERY_DIRECT)
        t->slow = false;
    if (t->waiters)
        holds_review(r, t);
}

uint64_t delivery_purge(struct relay *r, struct terminal *t)
{
    uint64_t purged = mailbox_purge(r->mailbox, &t->mail);

    delivery_catch_up(r, t);
    if (t->conn && t->waiters)
        holds_review(r, t);
    may_be_forgotten(r, t);
    return purged;
}
