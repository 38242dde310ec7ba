/* Answers that come from elsewhere: from another thread of the service, as a parcel.
 * The connection is held until then, so its answers keep the order of its requests. */
#include "service/answers_inside.h"
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

struct hf_later {
    struct parcel parcel;
    struct answers *answers;
    uint64_t session; /* the connection's handle */
    uint32_t request; /* of that connection */
    bool closes;
    struct buf bytes; /* the whole answer */
};

static void free_later(struct hf_later *later)
{
    buf_fini(&later->bytes);
    free(later);
}

static void deliver(struct conn *c, const struct hf_later *later)
{
    struct answering *s = answering_of(c);
    struct buf *out;

    assert(s->awaits && s->requests == later->request);
    s->awaits = false;
    if (later->closes) {
        later->answers->refused++;
        conn_close(c, CLOSE_UNANSWERED);
        return;
    }
    if (!(out = conn_try_answer(c)))
        return;
    if (buf_try_append(out, buf_peek(&later->bytes)) < 0) {
        conn_close(c, CLOSE_NO_MEMORY);
        return;
    }
    answers_after_answer(c);
    if (c->holds) /* the end of everything may have lifted it */
        conn_release(c);
}

static void on_arrival(struct parcel *parcel, void *receiver)
{
    struct hf_later *later = CONTAINER_OF(parcel, struct hf_later, parcel);
    struct shard *shard = receiver;
    struct conn *c = shard_find_conn(shard, later->session);

    later->answers->open_later--;
    if (c && !conn_is_closing(c))
        deliver(c, later);
    free_later(later);
}

struct hf_later *hf_answer_later(struct hf_request *q)
{
    struct answers *a = answers_of(q->conn);
    struct hf_later *later;

    if (q->fate != REQUEST_OPEN || !(later = calloc(1, sizeof(*later)))) {
        q->fate = REQUEST_CLOSED;
        return NULL;
    }
    *later = (struct hf_later){
        .parcel.open = on_arrival,
        .answers = a,
        .session = conn_handle(q->conn),
        .request = answering_of(q->conn)->requests,
    };
    a->open_later++;
    q->fate = REQUEST_LATER;
    return later;
}

int hf_later_answer(struct hf_later *later, const void *bytes, size_t size)
{
    struct answers *a = later->answers;
    int rc = framing_wrap(&a->replies, slice_of(bytes, size), &later->bytes);

    later->closes = rc < 0;
    shard_post(a->shard, &later->parcel);
    return rc < 0 ? -1 : 0;
}

void hf_later_close(struct hf_later *later)
{
    later->closes = true;
    shard_post(later->answers->shard, &later->parcel);
}

/* The loop has ended: nobody opens these any more. */
void answers_drop_late(struct answers *a)
{
    struct parcel *p = inbox_take(&a->shard->loop.inbox);

    while (p) {
        struct hf_later *later = CONTAINER_OF(p, struct hf_later, parcel);

        p = p->next;
        assert(later->parcel.open == on_arrival);
        a->open_later--;
        free_later(later);
    }
}
