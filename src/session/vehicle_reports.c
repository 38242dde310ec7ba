/* What terminals report becomes events. The answer waits until they are on the disk,
 * for all that came in one turn together; answers to what came later wait behind it. */
#include "session/vehicle_inside.h"
#include "base/log.h"
#include "relay/tracker.h"
#include "session/recent.h"

/* A connection that has so many due is not read from until half of them were sent. */
#define DUE_MAX 512

enum due_kind {
    DUE_REPORT,
    DUE_REPEATED, /* the report itself is due, too, or was */
    DUE_OTHER,    /* waits for its turn alone */
    DUE_LAST,     /* ... and then the connection ends */
};

/* In vehicles->due. */
struct due_answer {
    uint64_t mark;    /* of the feed: when this is settled */
    uint64_t session; /* whom to answer */
    uint64_t print;   /* of a report: recent.h */
    uint32_t ref;     /* ... of the credential */
    uint16_t message, serial;
    uint8_t result;
    uint8_t kind;  /* enum due_kind */
    uint8_t proof; /* it is meant for who had proved it then */
};

static void append(struct conn *c, struct due_answer *due)
{
    struct vehicles *all = vehicles_of(c);
    struct vehicle *v = vehicle_of(c);

    due->session = conn_handle(c);
    due->proof = v->proof;
    due->mark = feed_expect(tracker_feed(all->relay));
    if (buf_try_append(&all->due, slice_of(due, sizeof(*due))) < 0) {
        conn_close(c, CLOSE_NO_MEMORY); /* it sends it again */
        return;
    }
    v->due++;
    if ((v->due < DUE_MAX && due->kind != DUE_LAST) || v->is_full)
        return;
    v->is_full = true;
    conn_hold(c);
}

void vehicle_answer_in_turn(struct conn *c, uint16_t serial, uint16_t message,
                            enum jt808_result result, bool is_last)
{
    struct due_answer due = {
        .message = message,
        .serial = serial,
        .result = (uint8_t)result,
        .kind = is_last ? DUE_LAST : DUE_OTHER,
    };

    append(c, &due);
}

static void tell(struct conn *c, const struct vehicle_message *m)
{
    const struct report report = {
        .message = m->message,
        .serial = m->serial,
        .version = vehicle_version(&vehicle_of(c)->head),
        .body = m->body,
    };

    tracker_reported(relay_of(c), device_session_of(c)->self, &report);
}

void vehicle_report(struct conn *c, const struct vehicle_message *m,
                    enum jt808_result result)
{
    struct credential *p = vehicle_of(c)->credential;
    struct due_answer due = {
        .print = recent_print(m->message, m->serial, m->body),
        .ref = credential_ref(p),
        .message = m->message,
        .serial = m->serial,
        .result = (uint8_t)result,
    };
    enum recent_found found = recent_note(credential_recent(p), due.print);

    if (found == RECENT_NEW) {
        tell(c, m);
    } else {
        due.kind = DUE_REPEATED;
        vehicles_of(c)->stats.repeated++;
    }
    if (found == RECENT_SAFE)
        vehicle_answer(c, m->serial, m->message, result);
    else
        append(c, &due);
}

/* May it be answered? A repetition as the report itself may, which was settled before.
 */
static bool is_safe(struct vehicles *all, const struct due_answer *due, int rc)
{
    struct recent **recent;

    if (due->kind == DUE_OTHER || due->kind == DUE_LAST)
        return true;
    recent = credentials_recent(all->credentials, due->ref);
    if (due->kind == DUE_REPEATED)
        return recent && recent_is_safe(*recent, due->print);
    if (recent)
        (void)recent_settle(*recent, due->print, rc == OK);
    if (rc < 0)
        all->stats.unsafe++;
    return rc == OK;
}

static void settle(struct vehicles *all, const struct due_answer *due, int rc)
{
    bool safe = is_safe(all, due, rc);
    struct conn *c = shard_find_conn(all->relay->shard, due->session);
    struct vehicle *v = c ? vehicle_of(c) : NULL;

    if (!v || !v->credential || v->proof != due->proof)
        return;
    v->due--;
    if (safe)
        vehicle_answer_now(c, due->serial, due->message, due->result);
    if (due->kind == DUE_LAST)
        conn_close(c, CLOSE_LOGGED_OUT);
    if (conn_is_closing(c) || !v->is_full || v->due > DUE_MAX / 2)
        return;
    v->is_full = false;
    if (c->holds) /* a drain may have ended it */
        conn_release(c);
}

void vehicle_settled(void *user, uint64_t mark, int rc)
{
    struct vehicles *all = user;
    struct due_answer due;

    if (rc < 0)
        LOG_THROTTLED(LOG_ERROR, SESSION,
                      "reports left unanswered reason=%s: they are not on the disk",
                      err_word(rc));
    while (buf_used(&all->due) >= sizeof(due)) {
        memcpy(&due, buf_peek(&all->due).data, sizeof(due));
        if (due.mark > mark)
            return;
        buf_consume(&all->due, sizeof(due));
        settle(all, &due, rc);
    }
}
