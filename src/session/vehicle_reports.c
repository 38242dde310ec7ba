/* What terminals report becomes events. The answer waits until they are on the disk,
 * for all that came in one turn together. */
#include "session/vehicle_inside.h"
#include "base/log.h"
#include "session/recent.h"
#include "session/tracker.h"

/* In vehicles->due. */
struct due_answer {
    uint64_t mark;    /* of the feed: when this is settled */
    uint64_t session; /* whom to answer */
    uint64_t print;   /* recent.h */
    uint32_t ref;     /* of the credential */
    uint16_t message, serial;
    uint8_t result;
    bool is_repeated; /* another one here is the report itself */
};

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
    struct vehicles *all = vehicles_of(c);
    struct credential *p = vehicle_of(c)->credential;
    struct due_answer due = {
        .session = conn_handle(c),
        .print = recent_print(m->message, m->serial, m->body),
        .ref = credential_ref(p),
        .message = m->message,
        .serial = m->serial,
        .result = (uint8_t)result,
    };
    enum recent_found found = recent_note(credential_recent(p), due.print);

    due.is_repeated = found != RECENT_NEW;
    if (due.is_repeated)
        all->stats.repeated++;
    else
        tell(c, m);
    if (found == RECENT_SAFE) {
        vehicle_answer(c, m->serial, m->message, result);
        return;
    }
    due.mark = feed_expect(tracker_feed(all->relay));
    if (buf_try_append(&all->due, slice_of(&due, sizeof(due))) < 0)
        conn_close(c, CLOSE_NO_MEMORY); /* it sends it again */
}

/* A repetition counts for what became of the report itself, which was settled before
 * it. */
static bool is_safe(struct vehicles *all, const struct due_answer *due, int rc)
{
    struct recent **recent = credentials_recent(all->credentials, due->ref);

    if (due->is_repeated)
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

    if (safe && c && vehicle_of(c)->credential)
        vehicle_answer(c, due->serial, due->message, due->result);
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
