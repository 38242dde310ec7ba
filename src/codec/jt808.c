/* jt808.c - which message is which, and the small bodies that the conversation itself
 * needs: answers, tokens, what is missing. */
#include "codec/jt808.h"
#include "base/reader.h"

#include <time.h>

const char *jt808_message_word(uint16_t message)
{
    switch (message) {
#define X(name, number, word)                                                          \
    case number:                                                                       \
        return word;
        JT808_MESSAGES(X)
#undef X
    default:
        return NULL;
    }
}

const char *jt808_result_word(uint8_t result)
{
    static const char *const words[] = {
#define X(name, word) word,
        JT808_RESULTS(X)
#undef X
    };

    return result < ARRAY_LEN(words) ? words[result] : NULL;
}

/* Those without a name in JT808_MESSAGES are known only so far: reports of other parts
 * of the standard, which are passed on as they are. 0801 is none of them: its answer
 * says that a picture is stored, and nobody here stores it. */
enum jt808_reply jt808_reply_to(uint16_t message)
{
    switch (message) {
    case JT808_HEARTBEAT:
    case JT808_LOG_OUT:
    case JT808_AUTHENTICATE:
    case JT808_LOCATION:
    case JT808_BATCH:
    case 0x0108: /* what came of an upgrade */
    case 0x0301: /* an event */
    case 0x0303: /* information is wanted, or not any more */
    case 0x0701: /* a waybill */
    case 0x0702: /* who drives */
    case 0x0705: /* of the CAN bus */
    case 0x0800: /* there is a picture, sound, film */
    case 0x0900: /* passed through */
    case 0x0901: /* compressed */
        return JT808_REPLY_GENERAL;
    case JT808_REGISTER:
    case JT808_ASK_TIME:
    case JT808_ASK_PACKAGES:
        return JT808_REPLY_OWN;
    case JT808_TERMINAL_ANSWER:
    case JT808_PARAMETERS:
    case JT808_ATTRIBUTES:
    case JT808_LOCATION_ANSWER:
    case 0x0302: /* to a question */
    case 0x0500: /* where it is, to control of the vehicle */
    case 0x0608: /* areas and routes */
    case 0x0700: /* the driving recorder's */
    case 0x0802: /* which pictures it has */
    case 0x0805: /* a picture was taken */
    case 0x0a00: /* its public key */
        return JT808_REPLY_NONE;
    default:
        return JT808_REPLY_UNKNOWN;
    }
}

uint16_t jt808_answer_to(uint16_t message)
{
    switch (message) {
    case JT808_QUERY_PARAMETERS:
    case JT808_QUERY_SOME:
        return JT808_PARAMETERS;
    case JT808_QUERY_ATTRIBUTES:
        return JT808_ATTRIBUTES;
    case JT808_QUERY_LOCATION:
        return JT808_LOCATION_ANSWER;
    case 0x8500:
    case 0x8608:
    case 0x8700:
    case 0x8702:
    case 0x8802:
        return message & 0x7fff;
    case 0x8801:
        return 0x0805;
    default:
        return JT808_TERMINAL_ANSWER;
    }
}

bool jt808_answer_has_serial(uint16_t message)
{
    switch (message) {
    case JT808_TERMINAL_ANSWER:
    case JT808_PARAMETERS:
    case JT808_LOCATION_ANSWER:
    case 0x0302:
    case 0x0500:
    case 0x0700:
    case 0x0802:
    case 0x0805:
        return true;
    default:
        return false;
    }
}

int jt808_read_answer(struct slice body, struct jt808_answer *out)
{
    struct reader r = reader_of(body);

    out->serial = read_u16(&r);
    out->message = read_u16(&r);
    out->result = read_u8(&r);
    return r.bad ? ERR_TOO_SHORT : OK;
}

int jt808_read_token(struct slice body, bool is_2019, struct slice *token)
{
    struct reader r = reader_of(body);

    if (is_2019) {
        uint8_t size = read_u8(&r);

        *token = read_bytes(&r, size);
        return r.bad ? ERR_TOO_SHORT : OK;
    }
    *token = body; /* some end it as C does */
    if (token->size && token->data[token->size - 1] == 0)
        token->size--;
    return OK;
}

int jt808_read_missing(struct slice body, bool is_2019, uint16_t *first,
                       uint16_t *numbers, size_t room, size_t *count)
{
    struct reader r = reader_of(body);
    size_t announced;

    *count = 0;
    *first = read_u16(&r);
    announced = is_2019 ? read_u16(&r) : read_u8(&r);
    if (r.bad || r.rest.size < announced * 2)
        return ERR_TOO_SHORT;
    while (*count < announced && *count < room)
        numbers[(*count)++] = read_u16(&r);
    return OK;
}

int jt808_write_answer(struct buf *to, const struct jt808_answer *a)
{
    uint8_t body[5] = {[4] = a->result};

    put_u16(body, a->serial);
    put_u16(body + 2, a->message);
    return buf_try_append(to, slice_of(body, sizeof(body)));
}

int jt808_write_registered(struct buf *to, uint16_t serial, uint8_t result,
                           struct slice token)
{
    uint8_t *at = buf_try_reserve(to, 3 + token.size);

    if (!at)
        return ERR_NOMEM;
    put_u16(at, serial);
    at[2] = result;
    if (result != 0) /* then nothing follows */
        token.size = 0;
    if (token.size)
        memcpy(at + 3, token.data, token.size);
    buf_commit(to, 3 + token.size);
    return OK;
}

static uint8_t bcd(int n)
{
    return (uint8_t)(n / 10 % 10 << 4 | n % 10);
}

int jt808_write_time(struct buf *to, int64_t wall_ms)
{
    time_t seconds = wall_ms / 1000;
    struct tm t = {0};
    uint8_t body[6];

    gmtime_r(&seconds, &t);
    body[0] = bcd(t.tm_year % 100);
    body[1] = bcd(t.tm_mon + 1);
    body[2] = bcd(t.tm_mday);
    body[3] = bcd(t.tm_hour);
    body[4] = bcd(t.tm_min);
    body[5] = bcd(t.tm_sec);
    return buf_try_append(to, slice_of(body, sizeof(body)));
}

int jt808_write_missing(struct buf *to, bool is_2019, uint16_t first,
                        const uint16_t *numbers, size_t count)
{
    size_t head = is_2019 ? 4 : 3;
    uint8_t *at;

    if (count > (is_2019 ? UINT16_MAX : UINT8_MAX))
        return ERR_TOO_LARGE;
    if (!(at = buf_try_reserve(to, head + 2 * count)))
        return ERR_NOMEM;
    put_u16(at, first);
    if (is_2019)
        put_u16(at + 2, (uint16_t)count);
    else
        at[2] = (uint8_t)count;
    for (size_t i = 0; i < count; i++)
        put_u16(at + head + 2 * i, numbers[i]);
    buf_commit(to, head + 2 * count);
    return OK;
}
