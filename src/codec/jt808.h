/* jt808.h - the bodies of JT/T 808-2013 and -2019 messages (sections 8.x of the
 * standard): what terminals send, read; what they are sent, written.
 *
 * Readers never trust a length: what is there is read, what is not is left out. Pure
 * functions, any thread, once jt808_init() was called. Text on the wire is GBK, here it
 * is UTF-8. */
#pragma once

#include "base/json.h"
#include "codec/device.h"

#define JT808_MESSAGES(X)                                                              \
    X(TERMINAL_ANSWER, 0x0001, "terminal_answer")                                      \
    X(HEARTBEAT, 0x0002, "heartbeat")                                                  \
    X(LOG_OUT, 0x0003, "log_out")                                                      \
    X(ASK_TIME, 0x0004, "ask_time")                                                    \
    X(ASK_PACKAGES, 0x0005, "ask_packages")                                            \
    X(REGISTER, 0x0100, "register")                                                    \
    X(AUTHENTICATE, 0x0102, "authenticate")                                            \
    X(PARAMETERS, 0x0104, "parameters")                                                \
    X(ATTRIBUTES, 0x0107, "attributes")                                                \
    X(LOCATION, 0x0200, "location")                                                    \
    X(LOCATION_ANSWER, 0x0201, "location_answer")                                      \
    X(BATCH, 0x0704, "location_batch")                                                 \
    X(PLATFORM_ANSWER, 0x8001, "platform_answer")                                      \
    X(RESEND_PACKAGES, 0x8003, "resend_packages")                                      \
    X(TIME, 0x8004, "time")                                                            \
    X(REGISTER_ANSWER, 0x8100, "register_answer")                                      \
    X(SET_PARAMETERS, 0x8103, "set_parameters")                                        \
    X(QUERY_PARAMETERS, 0x8104, "query_parameters")                                    \
    X(CONTROL, 0x8105, "control")                                                      \
    X(QUERY_SOME, 0x8106, "query_some_parameters")                                     \
    X(QUERY_ATTRIBUTES, 0x8107, "query_attributes")                                    \
    X(QUERY_LOCATION, 0x8201, "query_location")                                        \
    X(LINK_CHECK, 0x8204, "link_check")                                                \
    X(TEXT, 0x8300, "text")

enum jt808_message {
#define X(name, number, word) JT808_##name = number,
    JT808_MESSAGES(X)
#undef X
};

#define JT808_RESULTS(X)                                                               \
    X(OK, "ok")                                                                        \
    X(FAILED, "failed")                                                                \
    X(BAD, "bad_message") X(UNSUPPORTED, "unsupported") X(ALARM, "alarm_acknowledged")

enum jt808_result {
#define X(name, word) JT808_RESULT_##name,
    JT808_RESULTS(X)
#undef X
};

/* Learns GBK from the system, while the process may still load files; before threads.
 * OK, or ERR_INVALID: the system does not know it. What is not ASCII is then shown as
 * U+FFFD, and refused in commands. */
MUST_CHECK int jt808_init(void);

const char *jt808_message_word(uint16_t message); /* NULL: it has no name here */
const char *jt808_result_word(uint8_t result);    /* NULL, likewise */

/* What is to be done with a message that a terminal sent, by its id (JT808, section on
 * which answer to what). */
enum jt808_reply {
    JT808_REPLY_GENERAL, /* 8001 */
    JT808_REPLY_OWN,     /* a dedicated one: register, ask time, ask packages */
    JT808_REPLY_NONE,    /* it is an answer itself */
    JT808_REPLY_UNKNOWN, /* 8001 with JT808_RESULT_UNSUPPORTED */
};
enum jt808_reply jt808_reply_to(uint16_t message);

/* The message that completes a platform's: 8104 -> 0104; else 0001. */
uint16_t jt808_answer_to(uint16_t message);
/* Does that answer begin with the serial of what it answers? */
bool jt808_answer_has_serial(uint16_t message);

/* ---- read ---- */

struct jt808_answer { /* 0001, 8001 */
    uint16_t serial, message;
    uint8_t result;
};
MUST_CHECK int jt808_read_answer(struct slice body, struct jt808_answer *out);

/* 0102: the token, borrowed from the body. */
MUST_CHECK int jt808_read_token(struct slice body, bool is_2019, struct slice *token);

/* 0005: serial of the first package, and the numbers asked for, at most `room`. */
MUST_CHECK int jt808_read_missing(struct slice body, bool is_2019, uint16_t *first,
                                  uint16_t *numbers, size_t room, size_t *count);

/* Writes one JSON value: what the body of this message says, as far as it can be read.
 * `null` for a message of which nothing is known. docs/protocol-jt808.md lists the
 * members. */
void jt808_show(struct json *j, uint16_t message, bool is_2019, struct slice body);

/* ---- write; OK or ERR_NOMEM, ERR_TOO_LARGE ---- */

MUST_CHECK int jt808_write_answer(struct buf *to, const struct jt808_answer *a);
MUST_CHECK int jt808_write_registered(struct buf *to, uint16_t serial, uint8_t result,
                                      struct slice token);
MUST_CHECK int jt808_write_time(struct buf *to, int64_t wall_ms); /* 8004, UTC */
MUST_CHECK int jt808_write_missing(struct buf *to, bool is_2019, uint16_t first,
                                   const uint16_t *numbers, size_t count);

/* ---- commands by name ---- */

#define JT808_WHY_SIZE 160

/* {"flags": ["urgent"], "text": "..."} and the like (docs/protocol-jt808.md) becomes
 * the message and its body, which is empty before. `args` is a JSON object, or empty:
 * none given. OK; ERR_NOTFOUND: there is no command of that name; ERR_INVALID: an
 * argument is wrong; ERR_NOMEM. `why` is a sentence for the client. */
MUST_CHECK int jt808_command(const char *name, struct slice args, bool is_2019,
                             uint16_t *message, struct buf *body,
                             char why[JT808_WHY_SIZE]);

/* The names, in the order of the manual; NULL ends. */
extern const char *const jt808_commands[];
