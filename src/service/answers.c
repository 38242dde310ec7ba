/* The request/answer conversation: cuts requests, calls the service, sends what it
 * answered. What is answered from elsewhere is answers_later.c's business. */
#include "service/answers_inside.h"
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* From here on a copy costs more than a system call. */
#define LARGE_ANSWER (64 * 1024)

static_assert(sizeof(struct answering) <= CONN_SESSION_SIZE, "must fit a connection");

/* ---- one request ---- */

static void fail(struct hf_request *q, int why)
{
    LOG_THROTTLED(LOG_WARN, SESSION, "session %" PRIx64 " misses an answer reason=%s",
                  conn_number(q->conn), err_word(why));
    q->fate = REQUEST_CLOSED;
}

const void *hf_request_body(const struct hf_request *q, size_t *size)
{
    *size = q->body.size;
    return q->body.data;
}

const char *hf_request_peer(struct hf_request *q)
{
    return address_text(&q->conn->peer_ip, q->conn->peer_port, q->peer);
}

uint64_t hf_request_connection(const struct hf_request *q)
{
    return conn_number(q->conn);
}

void hf_close(struct hf_request *q)
{
    q->fate = REQUEST_CLOSED;
}

static int answer_large(struct hf_request *q, struct slice body)
{
    const struct framing *f = &answers_of(q->conn)->replies;
    uint8_t before[FRAMING_AROUND_MAX], behind[MARK_MAX];
    const struct slice pieces[] = {
        slice_of(before, framing_head(f)),
        body,
        slice_of(behind, framing_trailer(f)),
    };
    int rc = framing_around(f, body.size, before, behind);

    if (rc < 0)
        return rc;
    return conn_try_answer_large(q->conn, pieces, ARRAY_LEN(pieces)) ? OK : ERR_NOMEM;
}

static int answer(struct hf_request *q, struct slice body)
{
    const struct framing *f = &answers_of(q->conn)->replies;
    struct buf *out;

    if (q->fate != REQUEST_OPEN)
        return ERR_EXISTS;
    if (body.size >= LARGE_ANSWER && framing_is_plain(f))
        return answer_large(q, body);
    if (!(out = conn_try_answer(q->conn)))
        return ERR_NOMEM;
    return framing_wrap(f, body, out);
}

int hf_answer(struct hf_request *q, const void *bytes, size_t size)
{
    int rc = answer(q, slice_of(bytes, size));

    if (rc < 0) {
        fail(q, rc);
        return -1;
    }
    q->fate = REQUEST_ANSWERED;
    return 0;
}

static int make_room(struct hf_request *q, size_t size, uint8_t **room)
{
    struct answers *a = answers_of(q->conn);
    struct buf *out;

    if (q->fate != REQUEST_OPEN)
        return ERR_EXISTS;
    if (framing_is_plain(&a->replies)) {
        if (!(out = conn_try_answer(q->conn)))
            return ERR_NOMEM;
        return framing_wrap_room(&a->replies, size, out, room);
    }
    buf_clear(&a->room);
    if (!(*room = buf_try_reserve(&a->room, size)))
        return ERR_NOMEM;
    buf_commit(&a->room, size);
    q->in_room = true;
    return OK;
}

void *hf_answer_room(struct hf_request *q, size_t size)
{
    uint8_t *room;
    int rc = make_room(q, size, &room);

    if (rc < 0) {
        fail(q, rc);
        return NULL;
    }
    q->fate = REQUEST_ANSWERED;
    return room;
}

static void wrap_room(struct hf_request *q)
{
    struct answers *a = answers_of(q->conn);
    struct buf *out = conn_try_answer(q->conn);
    int rc = out ? framing_wrap(&a->replies, buf_peek(&a->room), out) : ERR_NOMEM;

    if (rc < 0)
        fail(q, rc);
}

void answers_after_answer(struct conn *c)
{
    struct answering *s = answering_of(c);

    answers_of(c)->answered++;
    conn_answered(c);
    /* Who asks and never reads the answers is not read from either. */
    if (s->deaf || conn_output_size(c) < c->shard->conf.output_limit)
        return;
    s->deaf = true;
    conn_hold(c);
}

static void serve(struct conn *c, struct slice body)
{
    struct hf_request q = {.conn = c, .body = body};
    struct answers *a = answers_of(c);

    answering_of(c)->requests++;
    a->service->logic(a->state, &q);
    if (q.fate == REQUEST_ANSWERED && q.in_room)
        wrap_room(&q);
    if (conn_is_closing(c))
        return; /* memory ran out */
    if (q.fate == REQUEST_ANSWERED) {
        answers_after_answer(c);
    } else if (q.fate == REQUEST_LATER) {
        answering_of(c)->awaits = true;
        conn_hold(c);
    } else {
        a->refused++;
        conn_close(c, CLOSE_UNANSWERED);
    }
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
    case ERR_BAD_CHECKSUM:
    case ERR_BAD_ESCAPE:
        return CLOSE_BAD_MESSAGE;
    default:
        return CLOSE_BAD_LENGTH;
    }
}

static void log_skipped(const struct conn *c, const struct frame *f)
{
    if (f->fault)
        LOG_THROTTLED(LOG_WARN, SESSION, "session %" PRIx64 " sent junk reason=%s",
                      conn_number(c), err_word(f->fault));
}

static size_t on_input(struct conn *c, struct slice in, bool more_waits)
{
    struct answers *a = answers_of(c);
    size_t size = in.size;

    while (in.size && !c->holds && !conn_is_closing(c)) {
        struct frame frame;
        ssize_t used = framing_cut(&a->requests, &answering_of(c)->framing, in,
                                   more_waits, a->scratch, &frame);

        if (used < 0)
            conn_close(c, reason_for(used));
        if (used <= 0)
            break;
        in = slice_from(in, (size_t)used);
        if (!frame.bytes.size) {
            log_skipped(c, &frame);
            continue;
        }
        c->rx_frames++;
        if (!c->registered)
            conn_registered(c);
        serve(c, frame.body);
    }
    return size - in.size;
}

static void on_room(struct conn *c)
{
    if (!answering_of(c)->deaf)
        return;
    answering_of(c)->deaf = false;
    if (c->holds) /* the end of everything may have lifted it */
        conn_release(c);
}

static void on_close(struct conn *c)
{
    (void)c; /* an answer that comes too late finds nobody */
}

static const char *describe(const struct conn *c, char *text, size_t size)
{
    snprintf(text, size, "requests=%u", answering_of(c)->requests);
    return text;
}

static size_t wanted(const struct conn *c, struct slice rest)
{
    return framing_size(&answers_of(c)->requests, rest);
}

static void show(const struct conn *c, struct json *j)
{
    json_key(j, "requests");
    json_uint(j, answering_of(c)->requests);
    json_key(j, "answering"); /* elsewhere: the answer comes from another thread */
    json_bool(j, answering_of(c)->awaits);
}

const struct session_ops answers_ops = {
    .conn = {.on_input = on_input,
             .on_room = on_room,
             .on_close = on_close,
             .wanted = wanted,
             .describe = describe},
    .show = show,
};

/* ---- life ---- */

const char *answers_check(const struct hf_service *service)
{
    if (service->version != HF_SERVICE_VERSION || service->size < sizeof(*service))
        return "it was built for another version of holdfast/service.h: compile it "
               "again";
    if (!service->name || !service->logic)
        return "its name or its logic is NULL";
    return NULL;
}

int answers_init(struct answers *a, struct shard *shard, const struct framing *requests,
                 const struct hf_service *service, void *state)
{
    size_t scratch = framing_scratch_size(requests);

    *a = (struct answers){
        .service = service,
        .state = state,
        .shard = shard,
        .requests = *requests,
        .replies = *requests,
    };
    a->replies.max_frame = FRAMING_SIZE_MAX;
    a->replies.length.max = 0;
    shard->app = a;
    if (scratch && !(a->scratch = malloc(scratch)))
        return ERR_NOMEM;
    return OK;
}

void answers_fini(struct answers *a)
{
    answers_drop_late(a);
    free(a->scratch);
    buf_fini(&a->room);
}
