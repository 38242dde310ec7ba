/* Tickets in the ledger: those with a ttl are there before they are sent, and their
 * ends before anybody is told. */
#include "command/commands_inside.h"
#include "base/clock.h"
#include "base/log.h"
#include "command/ticket_record.h"
#include "relay/tracker.h"

#include <inttypes.h>
#include <stdio.h>

/* After the store failed, the end of a ticket is handed over once more. */
#define WRITE_AGAIN_MS 1000

static struct slice text_of(const char *text)
{
    return slice_of(text, text ? strlen(text) : 0);
}

static int write_record(struct commands *k, const struct ticket *t)
{
    struct ticket_record record = {
        .device = device_id(&t->errands->terminal->device),
        .state = t->state,
        .reason = t->reason,
#define X(how, what) .what = t->what,
        TICKET_FACTS(X)
#undef X
#define X(what, bit) .what = t->what,
            TICKET_FLAGS(X)
#undef X
                .listener = text_of(tracker_listener_name(k->relay, t->listener)),
        .name = text_of(t->name),
        .only_if = text_of(t->only_if),
        .key = text_of(t->key),
        .args = buf_peek(&t->args),
        .answer = buf_peek(&t->answer),
    };

    if (!t->is_accepted)
        record.state = TICKET_QUEUED;
    if (t->place == PLACE_ENDING) {
        record.state = t->next_state;
        record.reason = t->next_reason;
        record.args.size = 0;
    }
    buf_clear(&k->scratch);
    return ticket_record_write(&record, &k->scratch);
}

/* `tag` 0: nobody waits for it. */
static int hand_over(struct commands *k, struct ticket *t, bool is_new, uint64_t tag)
{
    int rc = write_record(k, t);

    if (rc == OK)
        rc = book_write(k->book, t->record, LEDGER_TICKET, buf_peek(&k->scratch),
                        is_new, tag);
    if (rc == OK && tag)
        k->unwritten++;
    return rc;
}

int keep_new(struct commands *k, struct ticket *t)
{
    int rc = ERR_NOMEM;

    if (!k->book)
        return ERR_IO;
    if ((t->record = book_new_number(k->book)))
        rc = hand_over(k, t, true, t->number);
    if (rc < 0)
        t->record = 0;
    return rc;
}

void keep_note(struct commands *k, struct ticket *t)
{
    if (t->record)
        (void)hand_over(k, t, false, 0); /* its end says it again */
}

void keep_end(struct commands *k, struct ticket *t)
{
    t->again_at_ms = NEVER;
    if (hand_over(k, t, false, t->number) < 0) {
        t->again_at_ms = commands_now(k) + WRITE_AGAIN_MS;
        orders_reply_cancels(t, ERR_NOMEM);
    }
    ticket_arm(k, t);
}

void keep_drop(struct commands *k, struct ticket *t)
{
    if (t->record)
        book_drop(k->book, t->record);
}

/* ---- the ledger's word ---- */

static void on_accepted(struct commands *k, struct ticket *t, int rc)
{
    struct errands *e = t->errands;

    if (rc == OK) {
        ticket_accept(k, t);
        orders_reply_due(t);
        return;
    }
    k->stats.refused++;
    orders_reply(t, rc);
    ticket_free(k, t);
    errands_free_if_empty(k, e);
}

static void on_ended(struct commands *k, struct ticket *t, int rc)
{
    struct errands *e = t->errands;

    if (rc == OK) {
        ticket_finish(k, t, t->next_state, t->next_reason);
        errands_advance(k, e);
        return;
    }
    /* It is written when the store works again; that we hear only if we ask again. */
    orders_reply_cancels(t, rc);
    if (k->is_ending)
        orders_reply(t, OK);
    t->again_at_ms = commands_now(k) + WRITE_AGAIN_MS;
    ticket_arm(k, t);
}

static void on_written(void *user, uint64_t tag, int rc)
{
    struct relay *r = user;
    struct commands *k = r->commands;
    struct ticket *t = ticket_find(k, tag);

    k->unwritten--;
    if (!t->is_accepted)
        on_accepted(k, t, rc);
    else
        on_ended(k, t, rc);
}

int keep_open(struct commands *k)
{
    struct book_conf conf = {
        .inbox = &k->relay->shard->loop.inbox,
        .written = on_written,
        .user = k->relay,
    };

    return k->group->conf.ledger ? book_new(k->group->conf.ledger, &conf, &k->book)
                                 : OK;
}

void keep_flush(struct commands *k)
{
    if (k->book)
        book_flush(k->book);
}

bool keep_is_settled(const struct commands *k)
{
    return k->unwritten == 0 && (!k->book || book_is_settled(k->book));
}

/* ---- from before the start ---- */

static void copy_text(char *to, size_t size, struct slice text)
{
    snprintf(to, size, "%.*s", (int)text.size, (const char *)text.data);
}

static int fill(struct commands *k, struct ticket *t, const struct ticket_record *from)
{
    int listener = tracker_listener_named(k->relay->group, from->listener), rc;

    if (listener < 0)
        return ERR_NOMEM;
    t->listener = (uint16_t)listener;
    t->state = from->state;
    t->reason = from->reason;
#define X(how, what) t->what = from->what;
    TICKET_FACTS(X)
#undef X
#define X(what, bit) t->what = from->what;
    TICKET_FLAGS(X)
#undef X
    t->is_durable = true;
    t->errands->has_superseding |= t->supersedes;
    t->is_accepted = ticket_is_over(t->state);
    copy_text(t->name, sizeof(t->name), from->name);
    copy_text(t->only_if, sizeof(t->only_if), from->only_if);
    if ((rc = ticket_set_args(k, t, from->args)) < 0)
        return rc;
    return ticket_set_answer(k, t, from->answer);
}

/* One that is not over is looked at in the first turn. */
static int adopt(struct commands *k, struct terminal *terminal, uint32_t number,
                 const struct ticket_record *record)
{
    char key[IDEMPOTENCY_KEY_MAX + 1];
    struct errands *e = errands_try_get(k, terminal);
    struct ticket *t;
    int rc;

    copy_text(key, sizeof(key), record->key);
    if (!e || !(t = ticket_try_new(k, e, record->number, key)))
        return ERR_NOMEM;
    t->record = number;
    if ((rc = fill(k, t, record)) < 0) {
        ticket_free(k, t);
        return rc;
    }
    if (t->position > k->position)
        k->position = t->position;
    if (t->is_accepted)
        ticket_remember(k, t);
    else
        ticket_take_up_later(k, t);
    return OK;
}

int commands_adopt(struct relay_group *g, uint32_t number, struct slice record)
{
    struct ticket_record ticket;
    struct terminal *t;
    struct relay *r;
    int rc = ticket_record_read(record, &ticket);

    if (rc == ERR_DAMAGED) { /* though its sum fits: it was never sound */
        log_error(SESSION, "ticket left_out record=%u reason=%s", number, err_word(rc));
        return OK;
    }
    if (rc < 0)
        return rc;
    if (!(t = relay_remember(g, &ticket.device, &r)))
        return ERR_NOMEM;
    return adopt(r->commands, t, number, &ticket);
}
