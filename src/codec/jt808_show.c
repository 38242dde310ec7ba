/* jt808_show.c - the bodies of terminals' messages as JSON: members as far as the bytes
 * go, and a `rest` if something is left. */
#include "codec/jt808_inside.h"

#define GNSS(X) X(0, "gps") X(1, "beidou") X(2, "glonass") X(3, "galileo")
#define RADIO(X)                                                                       \
    X(0, "gprs")                                                                       \
    X(1, "cdma")                                                                       \
    X(2, "td_scdma") X(3, "wcdma") X(4, "cdma2000") X(5, "td_lte") X(7, "other")
#define KIND(X)                                                                        \
    X(0, "passengers")                                                                 \
    X(1, "dangerous_goods")                                                            \
    X(2, "goods") X(3, "taxi") X(6, "disk_recording") X(7, "separate_parts")

#define X(bit, word) [bit] = word,
static const char *const gnss[] = {GNSS(X)};
static const char *const radio[] = {RADIO(X)};
static const char *const kinds[] = {KIND(X)};
#undef X

void jt808_show_rest(struct json *j, struct slice rest)
{
    if (rest.size == 0)
        return;
    json_key(j, "rest");
    json_hex(j, rest);
}

static void show_number(struct json *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_uint(j, value);
}

static void show_u16(struct json *j, struct reader *r, const char *key)
{
    uint16_t value = read_u16(r);

    if (!r->bad)
        show_number(j, key, value);
}

static void show_field(struct json *j, struct reader *r, const char *key, size_t size)
{
    struct slice text = read_bytes(r, size);

    if (r->bad)
        return;
    json_key(j, key);
    jt808_show_text(j, text);
}

static void show_word(struct json *j, const char *key, const char *word)
{
    json_key(j, key);
    if (word)
        json_word(j, word);
    else
        json_none(j);
}

static void show_answer(struct json *j, struct slice body)
{
    struct jt808_answer a;
    uint8_t id[2];

    json_open(j, '{');
    if (jt808_read_answer(body, &a) < 0) {
        jt808_show_rest(j, body);
        json_close(j, '}');
        return;
    }
    put_u16(id, a.message);
    show_number(j, "serial", a.serial);
    json_key(j, "message");
    json_hex(j, slice_of(id, sizeof(id)));
    show_word(j, "name", jt808_message_word(a.message));
    show_word(j, "result", jt808_result_word(a.result));
    show_number(j, "code", a.result);
    jt808_show_rest(j, slice_from(body, 5));
    json_close(j, '}');
}

static void show_missing(struct json *j, bool is_2019, struct slice body)
{
    struct reader r = reader_of(body);
    uint16_t first = read_u16(&r);
    size_t count = is_2019 ? read_u16(&r) : read_u8(&r);

    json_open(j, '{');
    if (!r.bad) {
        show_number(j, "first", first);
        json_key(j, "packages");
        json_open(j, '[');
        for (; count > 0 && r.rest.size >= 2; count--)
            json_uint(j, read_u16(&r));
        json_close(j, ']');
    }
    jt808_show_rest(j, r.bad ? body : r.rest);
    json_close(j, '}');
}

static void show_register(struct json *j, bool is_2019, struct slice body)
{
    bool is_2011 = !is_2019 && body.size < 37; /* it has shorter fields */
    struct reader r = reader_of(body);
    uint8_t colour;

    json_open(j, '{');
    show_u16(j, &r, "province");
    show_u16(j, &r, "city");
    show_field(j, &r, "maker", is_2019 ? 11 : 5);
    show_field(j, &r, "model", is_2019 ? 30 : is_2011 ? 8 : 20);
    show_field(j, &r, "terminal", is_2019 ? 30 : 7);
    colour = read_u8(&r);
    if (!r.bad) {
        show_number(j, "plate_colour", colour);
        show_field(j, &r, colour ? "plate" : "vin", r.rest.size);
    }
    jt808_show_rest(j, r.rest);
    json_close(j, '}');
}

/* Not the token: it is a secret. */
static void show_authenticate(struct json *j, bool is_2019, struct slice body)
{
    struct slice token;

    json_open(j, '{');
    if (is_2019 && jt808_read_token(body, is_2019, &token) == OK) {
        struct reader r = reader_of(slice_from(body, 1 + token.size));

        show_field(j, &r, "imei", 15);
        show_field(j, &r, "software", 20);
        jt808_show_rest(j, r.rest);
    }
    json_close(j, '}');
}

struct attributes {
    uint16_t kind;
    struct slice maker, model, terminal, iccid, hardware, firmware;
    uint8_t gnss, radio;
};

static struct reader read_attributes(struct slice body, bool is_2019, size_t maker,
                                     struct attributes *a)
{
    struct reader r = reader_of(body);

    a->kind = read_u16(&r);
    a->maker = read_bytes(&r, maker);
    a->model = read_bytes(&r, is_2019 ? 30 : 20);
    a->terminal = read_bytes(&r, is_2019 ? 30 : 7);
    a->iccid = read_bytes(&r, 10);
    a->hardware = read_bytes(&r, read_u8(&r));
    a->firmware = read_bytes(&r, read_u8(&r));
    a->gnss = read_u8(&r);
    a->radio = read_u8(&r);
    return r;
}

static void show_text(struct json *j, const char *key, struct slice text)
{
    json_key(j, key);
    jt808_show_text(j, text);
}

/* The maker has 5 bytes, in 2019, too, say most; 11 say some. */
static void show_attributes(struct json *j, bool is_2019, struct slice body)
{
    struct attributes a, other;
    struct reader r = read_attributes(body, is_2019, 5, &a), longer;

    if (r.bad || r.rest.size > 0) {
        longer = read_attributes(body, is_2019, 11, &other);
        if (!longer.bad && longer.rest.size == 0) {
            r = longer;
            a = other;
        }
    }
    json_open(j, '{');
    if (!r.bad) {
        jt808_show_bits(j, "type", a.kind, kinds, ARRAY_LEN(kinds));
        show_text(j, "maker", a.maker);
        show_text(j, "model", a.model);
        show_text(j, "terminal", a.terminal);
        json_key(j, "iccid");
        json_hex(j, a.iccid);
        show_text(j, "hardware", a.hardware);
        show_text(j, "firmware", a.firmware);
        jt808_show_bits(j, "gnss", a.gnss, gnss, ARRAY_LEN(gnss));
        jt808_show_bits(j, "radio", a.radio, radio, ARRAY_LEN(radio));
    }
    jt808_show_rest(j, r.bad ? body : r.rest);
    json_close(j, '}');
}

static void show_location_answer(struct json *j, struct slice body)
{
    struct reader r = reader_of(body);

    json_open(j, '{');
    show_u16(j, &r, "serial");
    if (!r.bad) {
        json_key(j, "location");
        jt808_show_location(j, r.rest);
    }
    json_close(j, '}');
}

static void show_nothing(struct json *j, struct slice body)
{
    json_open(j, '{');
    jt808_show_rest(j, body);
    json_close(j, '}');
}

void jt808_show(struct json *j, uint16_t message, bool is_2019, struct slice body)
{
    switch (message) {
    case JT808_TERMINAL_ANSWER:
    case JT808_PLATFORM_ANSWER:
        show_answer(j, body);
        return;
    case JT808_HEARTBEAT:
    case JT808_LOG_OUT:
    case JT808_ASK_TIME:
        show_nothing(j, body);
        return;
    case JT808_ASK_PACKAGES:
    case JT808_RESEND_PACKAGES:
        show_missing(j, is_2019, body);
        return;
    case JT808_REGISTER:
        show_register(j, is_2019, body);
        return;
    case JT808_AUTHENTICATE:
        show_authenticate(j, is_2019, body);
        return;
    case JT808_PARAMETERS:
        jt808_show_parameters(j, body);
        return;
    case JT808_ATTRIBUTES:
        show_attributes(j, is_2019, body);
        return;
    case JT808_LOCATION:
        jt808_show_location(j, body);
        return;
    case JT808_LOCATION_ANSWER:
        show_location_answer(j, body);
        return;
    case JT808_BATCH:
        jt808_show_batch(j, body);
        return;
    default:
        json_none(j);
    }
}
