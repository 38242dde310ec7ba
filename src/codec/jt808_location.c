/* jt808_location.c - where a vehicle was: 0200, and what is made of it. */
#include "codec/jt808_inside.h"

#include <stdio.h>

#define ALARMS(X)                                                                      \
    X(0, "emergency")                                                                  \
    X(1, "overspeed")                                                                  \
    X(2, "fatigue")                                                                    \
    X(3, "danger")                                                                     \
    X(4, "gnss_fault")                                                                 \
    X(5, "gnss_antenna_open")                                                          \
    X(6, "gnss_antenna_short")                                                         \
    X(7, "power_low")                                                                  \
    X(8, "power_cut")                                                                  \
    X(9, "display_fault")                                                              \
    X(10, "speech_fault")                                                              \
    X(11, "camera_fault")                                                              \
    X(12, "card_fault")                                                                \
    X(13, "overspeed_warning")                                                         \
    X(14, "fatigue_warning")                                                           \
    X(18, "driving_too_long_today")                                                    \
    X(19, "parked_too_long")                                                           \
    X(20, "area_passed")                                                               \
    X(21, "route_passed")                                                              \
    X(22, "route_time")                                                                \
    X(23, "off_route")                                                                 \
    X(24, "speedometer_fault")                                                         \
    X(25, "fuel_abnormal")                                                             \
    X(26, "stolen")                                                                    \
    X(27, "illegal_ignition")                                                          \
    X(28, "illegal_move")                                                              \
    X(29, "collision_warning")                                                         \
    X(30, "rollover_warning")                                                          \
    X(31, "illegal_door")

#define STATUSES(X)                                                                    \
    X(0, "acc_on")                                                                     \
    X(1, "fixed")                                                                      \
    X(2, "south")                                                                      \
    X(3, "west")                                                                       \
    X(4, "out_of_service")                                                             \
    X(5, "position_encrypted")                                                         \
    X(10, "fuel_cut")                                                                  \
    X(11, "power_circuit_cut")                                                         \
    X(12, "doors_locked")                                                              \
    X(13, "door1_open")                                                                \
    X(14, "door2_open")                                                                \
    X(15, "door3_open")                                                                \
    X(16, "door4_open")                                                                \
    X(17, "door5_open")                                                                \
    X(18, "gps")                                                                       \
    X(19, "beidou")                                                                    \
    X(20, "glonass")                                                                   \
    X(21, "galileo")

#define SOUTH BIT(2)
#define WEST  BIT(3)

/* What may follow: id, name, how it is shown, its size. */
#define EXTRAS(X)                                                                      \
    X(0x01, "mileage_km", TENTHS, 4)                                                   \
    X(0x02, "fuel_l", TENTHS, 2)                                                       \
    X(0x03, "recorder_speed_kmh", TENTHS, 2)                                           \
    X(0x04, "alarm_event", NUMBER, 2)                                                  \
    X(0x11, "overspeed_place", BYTES, 0)                                               \
    X(0x12, "area_or_route", BYTES, 0)                                                 \
    X(0x13, "route_time", BYTES, 0)                                                    \
    X(0x25, "signals", NUMBER, 4)                                                      \
    X(0x2a, "io", NUMBER, 2)                                                           \
    X(0x2b, "analog", NUMBER, 4)                                                       \
    X(0x30, "network_strength", NUMBER, 1)                                             \
    X(0x31, "satellites", NUMBER, 1)

enum form { BYTES, NUMBER, TENTHS };

struct extra {
    const char *name;
    uint8_t id, form, size;
};

static const char *const alarms[32] = {
#define X(bit, word) [bit] = word,
    ALARMS(X)
#undef X
};

static const char *const statuses[32] = {
#define X(bit, word) [bit] = word,
    STATUSES(X)
#undef X
};

static const struct extra extras[] = {
#define X(id, name, form, size) {name, id, form, size},
    EXTRAS(X)
#undef X
};

void jt808_show_bits(struct json *j, const char *key, uint32_t bits,
                     const char *const *words, size_t count)
{
    json_key(j, key);
    json_open(j, '[');
    for (unsigned i = 0; i < 32; i++) {
        char number[8];

        if (!(bits >> i & 1))
            continue;
        snprintf(number, sizeof(number), "bit%u", i);
        json_word(j, i < count && words[i] ? words[i] : number);
    }
    json_close(j, ']');
}

static void show_digits(struct json *j, const char *sign, uint32_t value, uint32_t unit,
                        int places)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%s%u.%0*u", sign, value / unit, places,
                     value % unit);

    json_raw(j, slice_of(text, (size_t)n));
}

static void show_tenths(struct json *j, uint32_t tenths)
{
    show_digits(j, "", tenths, 10, 1);
}

static void show_degrees(struct json *j, const char *key, uint32_t value, bool negative)
{
    json_key(j, key);
    show_digits(j, negative && value ? "-" : "", value, 1000000, 6);
}

/* Two decimal digits, or 100: it is none. */
static unsigned bcd(uint8_t byte)
{
    return byte >> 4 > 9 || (byte & 15) > 9 ? 100 : (byte >> 4) * 10u + (byte & 15);
}

/* yyMMddHHmmss of China, in this century, which has a leap year in each fourth. 0: no
 * such time. */
static int64_t wall_of(const uint8_t at[6])
{
    static const uint16_t before[] = {0,   31,  59,  90,  120, 151, 181,
                                      212, 243, 273, 304, 334, 365};
    unsigned year = bcd(at[0]), month = bcd(at[1]), day = bcd(at[2]);
    unsigned hour = bcd(at[3]), minute = bcd(at[4]), second = bcd(at[5]);
    bool leaps = year % 4 == 0;
    int64_t days;

    if (year > 99 || month < 1 || month > 12 || hour > 23 || minute > 59 ||
        second > 59 || day < 1 ||
        day > before[month] - before[month - 1] + (month == 2 && leaps ? 1u : 0u))
        return 0;
    days = 10957 + 365 * (int64_t)year + (year + 3) / 4 + before[month - 1] +
           (month > 2 && leaps) + day - 1;
    return (((days * 24 + hour - 8) * 60 + minute) * 60 + second) * 1000;
}

static void show_extra(struct json *j, uint8_t id, struct slice bytes)
{
    const struct extra *known = NULL;

    for (size_t i = 0; i < ARRAY_LEN(extras) && !known; i++)
        known = extras[i].id == id ? &extras[i] : NULL;
    json_open(j, '{');
    json_key(j, "id");
    json_hex(j, slice_of(&id, 1));
    if (known) {
        json_key(j, "name");
        json_word(j, known->name);
    }
    if (!known || known->form == BYTES || known->size != bytes.size) {
        json_key(j, "hex");
        json_hex(j, bytes);
    } else {
        json_key(j, "value");
        if (known->form == TENTHS)
            show_tenths(j, jt808_number(bytes));
        else
            json_uint(j, jt808_number(bytes));
    }
    json_close(j, '}');
}

/* The tail of a published report is not always what it should be: what stands before
 * the flaw is shown, and the rest as it is. */
static void show_extras(struct json *j, struct slice tail)
{
    json_key(j, "extras");
    json_open(j, '[');
    while (tail.size >= 2 && tail.size - 2 >= tail.data[1]) {
        show_extra(j, tail.data[0], slice_of(tail.data + 2, tail.data[1]));
        tail = slice_from(tail, 2u + tail.data[1]);
    }
    json_close(j, ']');
    jt808_show_rest(j, tail);
}

void jt808_show_location(struct json *j, struct slice body)
{
    struct reader r = reader_of(body);
    uint32_t alarm = read_u32(&r), status = read_u32(&r);
    uint32_t latitude = read_u32(&r), longitude = read_u32(&r);
    int16_t altitude = (int16_t)read_u16(&r);
    uint16_t speed = read_u16(&r), direction = read_u16(&r);
    struct slice time = read_bytes(&r, 6);

    json_open(j, '{');
    if (r.bad) {
        jt808_show_rest(j, body);
        json_close(j, '}');
        return;
    }
    json_key(j, "time");
    json_time(j, wall_of(time.data));
    show_degrees(j, "latitude", latitude, status & SOUTH);
    show_degrees(j, "longitude", longitude, status & WEST);
    json_key(j, "altitude_m");
    json_int(j, altitude);
    json_key(j, "speed_kmh");
    show_tenths(j, speed);
    json_key(j, "direction");
    json_uint(j, direction);
    jt808_show_bits(j, "alarms", alarm, alarms, ARRAY_LEN(alarms));
    jt808_show_bits(j, "status", status, statuses, ARRAY_LEN(statuses));
    show_extras(j, r.rest);
    json_close(j, '}');
}

void jt808_show_batch(struct json *j, struct slice body)
{
    struct reader r = reader_of(body);
    uint16_t announced = read_u16(&r), size;
    uint8_t kind = read_u8(&r);

    json_open(j, '{');
    if (!r.bad) {
        json_key(j, "stored");
        json_bool(j, kind == 1);
        json_key(j, "count");
        json_uint(j, announced);
        json_key(j, "locations");
        json_open(j, '[');
        while (r.rest.size >= 2) {
            size = (uint16_t)(r.rest.data[0] << 8 | r.rest.data[1]);
            if (size > r.rest.size - 2)
                break;
            jt808_show_location(j, slice_of(r.rest.data + 2, size));
            r.rest = slice_from(r.rest, 2u + size);
        }
        json_close(j, ']');
    }
    jt808_show_rest(j, r.bad ? body : r.rest);
    json_close(j, '}');
}
