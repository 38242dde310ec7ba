/* jt808_parameters.c - a terminal's settings: 0104 shows them, 8103 sets them, 8106
 * asks for some.
 *
 *   | count | { id u32 | size u8 | value }* |
 *
 * They have names here; one without a name is four or eight hex digits. */
#include "codec/jt808_inside.h"
#include "base/hex.h"

enum type { BYTES, BYTE = 1, WORD = 2, TEXT = 3, DWORD = 4 };

#define PARAMETERS(X)                                                                  \
    X(0x0001, DWORD, "heartbeat_s")                                                    \
    X(0x0002, DWORD, "tcp_answer_timeout_s")                                           \
    X(0x0003, DWORD, "tcp_retries")                                                    \
    X(0x0004, DWORD, "udp_answer_timeout_s")                                           \
    X(0x0005, DWORD, "udp_retries")                                                    \
    X(0x0006, DWORD, "sms_answer_timeout_s")                                           \
    X(0x0007, DWORD, "sms_retries")                                                    \
    X(0x0010, TEXT, "apn")                                                             \
    X(0x0011, TEXT, "apn_user")                                                        \
    X(0x0012, TEXT, "apn_password")                                                    \
    X(0x0013, TEXT, "server")                                                          \
    X(0x0014, TEXT, "backup_apn")                                                      \
    X(0x0015, TEXT, "backup_apn_user")                                                 \
    X(0x0016, TEXT, "backup_apn_password")                                             \
    X(0x0017, TEXT, "backup_server")                                                   \
    X(0x0018, DWORD, "tcp_port")                                                       \
    X(0x0019, DWORD, "udp_port")                                                       \
    X(0x0020, DWORD, "report_strategy")                                                \
    X(0x0021, DWORD, "report_scheme")                                                  \
    X(0x0022, DWORD, "report_logged_out_s")                                            \
    X(0x0027, DWORD, "report_sleeping_s")                                              \
    X(0x0028, DWORD, "report_emergency_s")                                             \
    X(0x0029, DWORD, "report_s")                                                       \
    X(0x002c, DWORD, "report_m")                                                       \
    X(0x002d, DWORD, "report_logged_out_m")                                            \
    X(0x002e, DWORD, "report_sleeping_m")                                              \
    X(0x002f, DWORD, "report_emergency_m")                                             \
    X(0x0030, DWORD, "report_turn_degrees")                                            \
    X(0x0031, WORD, "fence_radius_m")                                                  \
    X(0x0040, TEXT, "platform_phone")                                                  \
    X(0x0041, TEXT, "reset_phone")                                                     \
    X(0x0042, TEXT, "factory_reset_phone")                                             \
    X(0x0043, TEXT, "platform_sms_phone")                                              \
    X(0x0044, TEXT, "alarm_sms_phone")                                                 \
    X(0x0045, DWORD, "call_answering")                                                 \
    X(0x0046, DWORD, "call_max_s")                                                     \
    X(0x0047, DWORD, "call_max_month_s")                                               \
    X(0x0048, TEXT, "monitor_phone")                                                   \
    X(0x0049, TEXT, "privileged_sms_phone")                                            \
    X(0x0050, DWORD, "alarm_mask")                                                     \
    X(0x0051, DWORD, "alarm_sms_mask")                                                 \
    X(0x0052, DWORD, "alarm_photo_mask")                                               \
    X(0x0053, DWORD, "alarm_photo_keep_mask")                                          \
    X(0x0054, DWORD, "alarm_key_mask")                                                 \
    X(0x0055, DWORD, "top_speed_kmh")                                                  \
    X(0x0056, DWORD, "overspeed_s")                                                    \
    X(0x0057, DWORD, "driving_max_s")                                                  \
    X(0x0058, DWORD, "driving_max_day_s")                                              \
    X(0x0059, DWORD, "rest_min_s")                                                     \
    X(0x005a, DWORD, "parking_max_s")                                                  \
    X(0x0070, DWORD, "picture_quality")                                                \
    X(0x0071, DWORD, "picture_brightness")                                             \
    X(0x0072, DWORD, "picture_contrast")                                               \
    X(0x0073, DWORD, "picture_saturation")                                             \
    X(0x0074, DWORD, "picture_chroma")                                                 \
    X(0x0080, DWORD, "odometer")                                                       \
    X(0x0081, WORD, "province")                                                        \
    X(0x0082, WORD, "city")                                                            \
    X(0x0083, TEXT, "plate")                                                           \
    X(0x0084, BYTE, "plate_colour")

struct parameter {
    uint16_t id;
    uint8_t type;
    const char *name;
};

static const struct parameter parameters[] = {
#define X(id, type, name) {id, type, name},
    PARAMETERS(X)
#undef X
};

static const struct parameter *known_by_id(uint32_t id)
{
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        if (parameters[i].id == id)
            return &parameters[i];
    }
    return NULL;
}

/* ---- shown ---- */

static void show_parameter(struct json *j, uint32_t id, struct slice value)
{
    const struct parameter *p = known_by_id(id);
    uint8_t type = p ? p->type : BYTES;
    uint8_t bytes[4];

    put_u32(bytes, id);
    json_open(j, '{');
    json_key(j, "id");
    json_hex(j, id > UINT16_MAX ? slice_of(bytes, 4) : slice_of(bytes + 2, 2));
    if (p) {
        json_key(j, "name");
        json_word(j, p->name);
    }
    if (type == TEXT) {
        json_key(j, "value");
        jt808_show_text(j, value);
    } else if (type != BYTES && value.size > 0 && value.size <= 4) {
        json_key(j, "value"); /* some say it in fewer bytes */
        json_uint(j, jt808_number(value));
    } else {
        json_key(j, "hex");
        json_hex(j, value);
    }
    json_close(j, '}');
}

void jt808_show_parameters(struct json *j, struct slice body)
{
    struct reader r = reader_of(body);
    uint16_t serial = read_u16(&r);
    uint8_t count = read_u8(&r);

    json_open(j, '{');
    if (!r.bad) {
        json_key(j, "serial");
        json_uint(j, serial);
        json_key(j, "count");
        json_uint(j, count);
        json_key(j, "parameters");
        json_open(j, '[');
        while (r.rest.size >= 5 && r.rest.size - 5 >= r.rest.data[4]) {
            uint32_t id = read_u32(&r);
            uint8_t size = read_u8(&r);

            show_parameter(j, id, read_bytes(&r, size));
        }
        json_close(j, ']');
    }
    jt808_show_rest(j, r.bad ? body : r.rest);
    json_close(j, '}');
}

/* ---- commands ---- */

/* A name, or four or eight hex digits. */
static bool id_of(const char *text, uint32_t *id)
{
    size_t size = strlen(text);

    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        if (strcmp(parameters[i].name, text) == 0) {
            *id = parameters[i].id;
            return true;
        }
    }
    *id = 0;
    for (size_t i = 0; i < size; i++) {
        int digit = hex_digit(text[i]);

        if (digit < 0 || size > 8)
            return false;
        *id = *id << 4 | (uint32_t)digit;
    }
    return size == 4 || size == 8;
}

static int refuse_name(const struct jt808_making *m, const char *name)
{
    return jt808_refuse(m, "`%.40s` is no parameter: its name or 4 or 8 hex digits",
                        name);
}

static int append_id(struct buf *body, uint32_t id)
{
    uint8_t bytes[4];

    put_u32(bytes, id);
    return buf_try_append(body, slice_of(bytes, sizeof(bytes)));
}

static int make_number(const struct jt808_making *m, const char *name, uint8_t size,
                       const json_t *value)
{
    uint64_t most = size == DWORD ? UINT32_MAX : BIT(8 * size) - 1;
    json_int_t number = json_integer_value(value);
    uint8_t bytes[4];

    if (number < 0 || (uint64_t)number > most)
        return jt808_refuse(m, "`%.40s` is a number from 0 to %llu", name,
                            (unsigned long long)most);
    put_u32(bytes, (uint32_t)number);
    return buf_try_append(m->body, slice_of(bytes + 4 - size, size));
}

static int make_value(const struct jt808_making *m, const char *name, uint32_t id,
                      const json_t *value)
{
    const struct parameter *p = known_by_id(id);
    uint8_t type = p ? p->type : BYTES;

    if (json_is_object(value) || (json_is_string(value) && type == TEXT))
        return jt808_make_bytes(m, name, value);
    if (json_is_integer(value) && type != TEXT && type != BYTES)
        return make_number(m, name, type, value);
    return jt808_refuse(m, "`%.40s` is %s{\"hex\": \"...\"}", name,
                        type == BYTES  ? ""
                        : type == TEXT ? "a text, or "
                                       : "a number, or ");
}

/* The size stands before the value, which is written first. */
static int make_parameter(const struct jt808_making *m, const char *name,
                          const json_t *value)
{
    size_t before, size;
    uint32_t id;
    int rc;

    if (!id_of(name, &id))
        return refuse_name(m, name);
    if ((rc = append_id(m->body, id)) < 0 ||
        (rc = buf_try_append(m->body, slice_of("", 1))) < 0)
        return rc;
    before = buf_used(m->body);
    if ((rc = make_value(m, name, id, value)) < 0)
        return rc;
    size = buf_used(m->body) - before;
    if (size > UINT8_MAX)
        return jt808_refuse(m, "`%.40s` is longer than 255 bytes", name);
    m->body->mem[m->body->head + before - 1] = (uint8_t)size;
    return OK;
}

static int make_count(const struct jt808_making *m, size_t count)
{
    uint8_t byte = (uint8_t)count;

    if (count == 0 || count > UINT8_MAX)
        return jt808_refuse(m, "`parameters` are 1 to 255");
    return buf_try_append(m->body, slice_of(&byte, 1));
}

int jt808_make_set(const struct jt808_making *m)
{
    json_t *given = json_object_get(m->args, "parameters"), *value;
    const char *name;
    int rc;

    if (!json_is_object(given))
        return jt808_refuse(m, "`parameters` is wanted: an object, name and value");
    rc = make_count(m, json_object_size(given));
    json_object_foreach(given, name, value)
    {
        if (rc < 0)
            return rc;
        rc = make_parameter(m, name, value);
    }
    return rc;
}

int jt808_make_some(const struct jt808_making *m)
{
    const json_t *given = json_object_get(m->args, "parameters");
    int rc;

    if (!json_is_array(given))
        return jt808_refuse(m, "`parameters` is wanted: an array of names");
    rc = make_count(m, json_array_size(given));
    for (size_t i = 0; rc == OK && i < json_array_size(given); i++) {
        const char *name = json_string_value(json_array_get(given, i));
        uint32_t id;

        if (!name || !id_of(name, &id))
            return refuse_name(m, name ? name : "that");
        rc = append_id(m->body, id);
    }
    return rc;
}
