/* What a relay terminal is told by the gateway itself: echoes of its heartbeats, and
 * the fate of its frames. */
#include "session/ttms_inside.h"
#include "relay/receipts.h"

/* Who asks and never reads the answers is not read from either. Messages alone do not
 * fill its output so far: they stop at the limit. */
static void commit_answer(struct conn *c, size_t size)
{
    const struct frame_note nobody = {0};

    conn_commit(c, size, &nobody);
    if (ttms_session_of(c)->deaf ||
        conn_output_size(c) < 2 * c->shard->conf.output_limit)
        return;
    ttms_session_of(c)->deaf = true;
    conn_hold(c);
}

void ttms_answer(struct conn *c, const struct ttms_frame *f)
{
    uint8_t *to = conn_try_reserve(c, f->bytes.size);

    if (!to)
        return;
    ttms_echo(f, to);
    commit_answer(c, f->bytes.size);
}

/* ---- receipts ---- */

uint32_t ttms_next_number(struct conn *c)
{
    struct ttms_session *s = ttms_session_of(c);
    uint32_t number = 0;

    if (s->receipts || receipts_new(conn_handle(c), &s->receipts) == OK)
        number = receipts_number(s->receipts);
    if (number == 0)
        conn_close(c, CLOSE_NO_MEMORY);
    return number;
}

void ttms_on_decided(struct conn *c, uint32_t number, bool safe)
{
    struct ttms_session *s = ttms_session_of(c);

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
    size = ttms_form_receipt(kind, number, ttms_session_of(c)->dialect.length, to);
    commit_answer(c, size);
}

void ttms_tell_receipts(struct conn *c)
{
    struct receipts *r = ttms_session_of(c)->receipts;
    uint32_t number;

    while (buf_used(&r->refused)) {
        memcpy(&number, buf_peek(&r->refused).data, sizeof(number));
        buf_consume(&r->refused, sizeof(number));
        tell(c, TTMS_REFUSAL, number);
    }
    tell(c, TTMS_RECEIPT, r->done);
}
