/* vehicle.h - a simulated terminal of JT/T 808: what vehicle.c (its conversation) and
 * vehicle_answer.c (its obedience) share. */
#pragma once

#include "sim/devices/plant.h"
#include "base/reader.h"

enum vehicle_message {
    ANSWER = 0x0001,
    HEARTBEAT = 0x0002,
    REGISTER = 0x0100,
    AUTHENTICATE = 0x0102,
    PARAMETERS = 0x0104,
    ATTRIBUTES = 0x0107,
    LOCATION = 0x0200,
    LOCATION_ANSWER = 0x0201,
    PLATFORM_ANSWER = 0x8001,
    RESEND = 0x8003,
    REGISTERED = 0x8100,
    SET_PARAMETERS = 0x8103,
    QUERY_PARAMETERS = 0x8104,
    CONTROL = 0x8105,
    QUERY_SOME = 0x8106,
    QUERY_ATTRIBUTES = 0x8107,
    QUERY_LOCATION = 0x8201,
    LINK_CHECK = 0x8204,
    TEXT = 0x8300,
};

enum vehicle_result {
    RESULT_OK = 0,
    RESULT_REFUSED = 1,
    RESULT_UNSUPPORTED = 3,
    RESULT_ALARM
};

#define VEHICLE_MAKER    "HFSIM"
#define VEHICLE_MODEL    "simulated"
#define VEHICLE_TERMINAL "T000001"

static inline bool vehicle_is_2019(const struct machine *m)
{
    return m->id.size == WIRE_ID_MAX;
}

/* A text in a field of fixed size. */
void vehicle_put_text(uint8_t *to, size_t room, const char *text);

/* Where it is: the body of 0200. */
#define LOCATION_SIZE (28 + 6 + 3 + 3)
struct slice vehicle_locate(const struct machine *m, uint8_t body[LOCATION_SIZE]);

/* breed.answer */
void vehicle_answer(struct plant *p, struct machine *m, const struct plant_command *c,
                    uint16_t serial, enum how how, struct buf *to);
