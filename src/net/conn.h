/* conn.h - one TCP connection: a state machine, its input, its output.
 *
 *            names a peer          held (disk, slow target, answer)
 *   ACCEPT --------------> READ <-------------------------------> PROCESS
 *                           ^             released                   |
 *                           | peer reads again                       | released,
 *                           '----------> WRITE <---------------------' peer reads
 *                            peer is slow                              slowly
 *   CLOSING: from anywhere, once, with a reason; the memory goes at the turn's end.
 *
 * A connection belongs to one shard, whose thread alone touches it. It owns no buffer
 * while idle: input is read into the shard's buffer, and only an incomplete frame is
 * kept; an output exists while something is unacknowledged. What it means is the
 * session's business: conn_ops, and CONN_SESSION_SIZE bytes of state. */
#pragma once

#include "net/loop.h"
#include "net/output.h"

#include <netinet/in.h>

#define CONN_SESSION_SIZE 56

/* A connection's handle, for other threads: its number and its slot. */
#define CONN_NUMBER_BITS 40
#define CONN_NUMBER_MASK ((UINT64_C(1) << CONN_NUMBER_BITS) - 1)
#define CONN_SLOT_BITS   24
#define CONN_SLOT_MASK   ((1u << CONN_SLOT_BITS) - 1)

/* Why a connection ended: the enum, the word in logs and counters, the line in the
 * operator's manual. */
#define CLOSE_REASONS(X)                                                               \
    X(PEER_CLOSED, "peer_closed", "the peer ended the connection")                     \
    X(RESET, "reset", "the peer reset the connection")                                 \
    X(DEAD, "dead", "the peer's TCP does not answer any more")                         \
    X(IO_ERROR, "io_error", "the system reported another error on the socket")         \
    X(BAD_START, "bad_start", "the bytes do not begin as the protocol does")           \
    X(TOO_SHORT, "too_short", "a frame shorter than its fixed parts")                  \
    X(BAD_LENGTH, "bad_length", "a length field with an impossible value")             \
    X(TOO_LARGE, "too_large", "a frame longer than max_frame")                         \
    X(UNKNOWN_COMMAND, "unknown_command", "a command that the protocol does not have") \
    X(UNREGISTERED, "unregistered", "data before the peer had said who it is")         \
    X(REGISTER_TIMEOUT, "register_timeout", "nothing registered in time")              \
    X(READ_TIMEOUT, "read_timeout", "a frame stayed incomplete for too long")          \
    X(REPLACED, "replaced", "the same id came on another connection")                  \
    X(NO_MEMORY, "no_memory", "memory is out")                                         \
    X(LIMIT, "limit", "no more devices are allowed")                                   \
    X(BAD_MESSAGE, "bad_message", "the message does not say what it must")             \
    X(SILENT, "silent", "not heard for too long: presence closed it")                  \
    X(KICKED, "kicked", "an operator or application closed it")                        \
    X(LOGGED_OUT, "logged_out", "the device said that it leaves")                      \
    X(UNPROVED, "unproved", "it could not prove who it is")                            \
    X(UNANSWERED, "unanswered", "the service closed it instead of answering")          \
    X(DRAINED, "drained", "the gateway is stopping")

enum close_reason {
#define X(name, word, text) CLOSE_##name,
    CLOSE_REASONS(X)
#undef X
        CLOSE_REASON_COUNT
};

#define CONN_STATES(X)                                                                 \
    X(ACCEPT, "accept")                                                                \
    X(READ, "read") X(PROCESS, "process") X(WRITE, "write") X(CLOSING, "closing")

enum conn_state {
#define X(name, word) CONN_##name,
    CONN_STATES(X)
#undef X
        CONN_STATE_COUNT
};

struct conn;
struct shard;
struct listener;

/* What a kind of session does. All run on the connection's shard. */
struct conn_ops {
    /* Bytes arrived (`more_waits`: the peer has sent more than fits). Returns how many
     * it used; the rest comes again with what follows. It may close or hold the
     * connection; then what it did not use is kept (held) or dropped (closed). After
     * conn_move the result is ignored. */
    size_t (*on_input)(struct conn *c, struct slice in, bool more_waits);
    /* One frame of the output reached the peer's TCP. NULL: nobody wants to know, and
     * the connection sends by conn_try_answer(). */
    output_frame *on_delivered; /* user: the conn */
    /* The output shrank below half of the shard's output_limit. */
    void (*on_room)(struct conn *c);
    /* Last call: take back what is left in conn_output(), if there is one. */
    void (*on_close)(struct conn *c);
    /* How many bytes the incomplete frame `rest` will have; 0: that is not known yet.
     * May be NULL. */
    size_t (*wanted)(const struct conn *c, struct slice rest);
    /* For the log's closing line: "device=00000001", or nothing. Returns `text`. */
    const char *(*describe)(const struct conn *c, char *text, size_t size);
};

/* The output, with what acks.c needs. */
struct owed {
    struct output output;
    struct link link; /* on the list of `watched` */
    struct list *watched;
    struct conn *conn;
    bool eager;    /* somebody waits for the delivery of a frame in it */
    uint8_t tries; /* questions in vain, since it is watched */
};

/* What a peer that is not idle makes us wait for: that it says who it is, or the end of
 * an incomplete frame. */
struct rest {
    struct timer timer; /* register_timeout until registered, then read_timeout */
    struct conn *conn;
    struct buf bytes; /* of the incomplete frame */
    int64_t since_ms; /* when its first byte came; 0: there is none */
};

struct conn {
    struct source source;
    struct link link;      /* on the shard's list of its state */
    struct conn *next_due; /* on the shard's chain of those to be written or read on */
    struct shard *shard;
    const struct listener *listener;
    struct owed *owed; /* NULL while nothing is owed */
    struct rest *rest; /* what we wait for from it; NULL while it is idle */
    uint64_t rx_bytes, tx_bytes;
    uint32_t rx_frames, tx_frames; /* these may wrap */
    /* What logs call it, unique in the worker's life; its place in the table. */
    uint64_t number : CONN_NUMBER_BITS;
    uint64_t slot : CONN_SLOT_BITS;
    struct in6_addr peer_ip; /* IPv4 as ::ffff:a.b.c.d */
    int fd;
    uint16_t holds; /* reasons not to read on; 0: reads */
    uint8_t state;  /* enum conn_state */
    uint8_t reason; /* enum close_reason */
    int64_t opened_ms : 48;
    in_port_t peer_port; /* host order */
    /* When it sent something that was of use; opened_ms before that. */
    int64_t heard_ms : 48;
    bool registered : 1;
    bool moved : 1;      /* left for another shard */
    bool blocked : 1;    /* the peer's TCP takes no more for now */
    bool resumed : 1;    /* a hold ended in this turn: `rest` may hold whole frames */
    bool is_due : 1;     /* on the shard's chain */
    bool watches_in : 1; /* epoll does, for input */
    bool watches_out : 1;
    bool last_move : 1; /* arrived while everything ends: goes nowhere else */
    _Alignas(8) uint8_t session[CONN_SESSION_SIZE];
};

const char *close_reason_word(uint8_t reason);
const char *conn_state_word(uint8_t state);

/* What logs call it. */
static inline uint64_t conn_number(const struct conn *c)
{
    return c->number;
}

/* What came of an incomplete frame. */
static inline struct slice conn_rest(const struct conn *c)
{
    return c->rest && buf_used(&c->rest->bytes) ? buf_peek(&c->rest->bytes)
                                                : (struct slice){0};
}

/* How many bytes that frame will have; 0: not known, or there is none. */
size_t conn_wanted(const struct conn *c);

static inline bool conn_is_closing(const struct conn *c)
{
    return c->state == CONN_CLOSING;
}

/* Takes over an accepted socket. Returns NULL when memory or the descriptor table is
 * out; the socket is closed then. */
MUST_CHECK struct conn *conn_open(struct shard *s, const struct listener *l, int fd,
                                  const struct sockaddr_in6 *peer);

/* Closes at once with this reason, unless it is closing already. on_close runs inside.
 */
void conn_close(struct conn *c, enum close_reason reason);

/* The peer has said who it is: the register time-out ends. */
void conn_registered(struct conn *c);

/* Output: reserve room for a frame, fill it, commit. The bytes leave at the turn's end.
 * NULL: memory is out, and the connection is closing. */
MUST_CHECK uint8_t *conn_try_reserve(struct conn *c, size_t size);
void conn_commit(struct conn *c, size_t size, const struct frame_note *note);

/* Answers, for ops without on_delivered: bytes leave as soon as the input is used up,
 * and what is written is forgotten. Append whole frames to the buf, then tell. NULL:
 * memory is out, and the connection is closing. */
MUST_CHECK struct buf *conn_try_answer(struct conn *c);
void conn_answered(struct conn *c);

/* A large answer in pieces, written at once from where it is: only what the kernel does
 * not take is copied. False: memory is out, and the connection is closing. */
MUST_CHECK bool conn_try_answer_large(struct conn *c, const struct slice *pieces,
                                      size_t count);

static inline struct output *conn_output(const struct conn *c)
{
    return c->owed ? &c->owed->output : NULL;
}

static inline size_t conn_output_size(const struct conn *c)
{
    return c->owed ? output_size(&c->owed->output) : 0;
}

/* Asks the kernel now what the peer acknowledged, and calls on_delivered. */
void conn_acknowledge(struct conn *c);

/* Do not read from this peer until as many releases. What was read already waits too.
 */
void conn_hold(struct conn *c);
void conn_release(struct conn *c);

/* Gives the connection to another shard, with `in` as the input that nobody has used
 * yet. Call from on_input only; the connection is gone for this shard afterwards. */
void conn_move(struct conn *c, struct shard *to, struct slice in);
