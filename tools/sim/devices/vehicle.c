/* vehicle.c - terminals of JT/T 808: they register once, and prove with the token that
 * they get who they are. */
#include "sim/devices/vehicle.h"
#include "sim/devices/parameters.h"

#include <stdlib.h>

#define PHONE_BYTES 6
#define RECENT      1000 /* messages: an answer quotes one of them */

static void identify(const struct plant_settings *s, struct machine *m)
{
    uint64_t phone = strtoull(s->first_id, NULL, 10) + m->place;
    bool newer = s->version == VERSION_2019 ||
                 (s->version == VERSION_MIXED && m->place % 2 == 1);

    m->id.size = newer ? WIRE_ID_MAX : PHONE_BYTES;
    for (size_t i = m->id.size; i-- > 0; phone /= 100)
        m->id.bytes[i] = (uint8_t)(phone / 10 % 10 << 4 | phone % 10);
}

/* ---- what it says ---- */

void vehicle_put_text(uint8_t *to, size_t room, const char *text)
{
    size_t size = strlen(text);

    memset(to, 0, room);
    memcpy(to, text, size < room ? size : room);
}

static void do_register(struct plant *p, struct machine *m)
{
    size_t maker = vehicle_is_2019(m) ? 11 : 5, model = vehicle_is_2019(m) ? 30 : 20;
    size_t terminal = vehicle_is_2019(m) ? 30 : 7, at = 4;
    uint8_t body[128];

    put_u16(body, 44);
    put_u16(body + 2, 300);
    vehicle_put_text(body + at, maker, "HFSIM");
    vehicle_put_text(body + (at += maker), model, "simulated");
    vehicle_put_text(body + (at += model), terminal, "T000001");
    at += terminal;
    body[at++] = 1;
    vehicle_put_text(body + at, 9, PARAMETERS_PLATE);
    plant_say(p, m, REGISTER, slice_of(body, at + 9), true);
}

static void authenticate(struct plant *p, struct machine *m)
{
    uint8_t body[1 + TOKEN_MAX + 15 + 20];
    size_t size = m->token_size;

    if (!vehicle_is_2019(m)) {
        plant_say(p, m, AUTHENTICATE, slice_of(m->token, size), true);
        return;
    }
    body[0] = m->token_size;
    memcpy(body + 1, m->token, size);
    vehicle_put_text(body + 1 + size, 15, "860000000000000");
    vehicle_put_text(body + 1 + size + 15, 20, "1.0");
    plant_say(p, m, AUTHENTICATE, slice_of(body, 1 + size + 15 + 20), true);
}

static void introduce(struct plant *p, struct machine *m)
{
    if (m->token_size)
        authenticate(p, m);
    else
        do_register(p, m);
}

static void beat(struct plant *p, struct machine *m)
{
    plant_say(p, m, HEARTBEAT, slice_of("", 0), true);
}

/* A drive along a meridian, from south to north. */
struct slice vehicle_locate(const struct machine *m, uint8_t body[LOCATION_SIZE])
{
    static const uint8_t time[6] = {0x26, 0x11, 0x21, 0x12, 0x00, 0x00};

    memset(body, 0, LOCATION_SIZE);
    put_u32(body + 4, 0x00040003); /* ACC on, fixed, by GPS */
    put_u32(body + 8, 22000000 + m->serial * 100u);
    put_u32(body + 12, 114000000 + m->place);
    put_u16(body + 16, 30);
    put_u16(body + 18, 600);
    memcpy(body + 22, time, sizeof(time));
    body[28] = 0x01;
    body[29] = 4;
    put_u32(body + 30, m->serial);
    memcpy(body + 34, "\x30\x01\x1f\x31\x01\x0c", 6);
    return slice_of(body, LOCATION_SIZE);
}

static void report(struct plant *p, struct machine *m)
{
    uint8_t body[LOCATION_SIZE];

    plant_say(p, m, LOCATION, vehicle_locate(m, body), true);
}

/* ---- what it is told ---- */

static void on_answer(struct plant *p, struct machine *m, struct slice body)
{
    struct reader r = reader_of(body);
    uint16_t serial = read_u16(&r), message = read_u16(&r);
    uint8_t result = read_u8(&r);

    if (r.bad || (uint16_t)(m->serial - 1 - serial) > RECENT) {
        p->tally[PLANT_STRANGE]++;
    } else if (message == AUTHENTICATE) {
        if (result == RESULT_OK) {
            plant_accepted(p, m);
            return;
        }
        m->token_size = 0; /* it is to register again */
        plant_refused(p, m);
    } else {
        plant_acknowledged(p, m);
        p->tally[PLANT_REFUSED] += result != RESULT_OK && result != RESULT_ALARM;
    }
}

static void on_registered(struct plant *p, struct machine *m, struct slice body)
{
    if (body.size < 3 || body.size - 3 > TOKEN_MAX || body.data[2] != RESULT_OK) {
        plant_refused(p, m);
        return;
    }
    m->token_size = (uint8_t)(body.size - 3);
    memcpy(m->token, body.data + 3, m->token_size);
    plant_acknowledged(p, m);
    authenticate(p, m);
}

/* Its last long message stands in `packages`, each frame behind its size. What is asked
 * of the one before is gone: the gateway may have repeated its command meanwhile. */
static void on_resend(struct plant *p, struct machine *m, struct slice body)
{
    struct reader r = reader_of(body);
    uint16_t first = read_u16(&r);
    size_t count = vehicle_is_2019(m) ? read_u16(&r) : read_u8(&r);

    if (buf_used(&m->packages) == 0)
        p->tally[PLANT_STRANGE]++;
    for (; count > 0 && first == m->packages_first; count--) {
        struct reader all = reader_of(buf_peek(&m->packages));
        uint16_t number = read_u16(&r);
        struct slice frame = {0};

        for (uint16_t i = 0; i < number; i++)
            frame = read_bytes(&all, read_u16(&all));
        if (r.bad || all.bad || number == 0) {
            p->tally[PLANT_STRANGE]++;
            return;
        }
        p->tally[PLANT_RESENT]++;
        plant_send(p, m, frame);
    }
}

static void take(struct plant *p, struct machine *m, const struct wire_frame *f)
{
    struct plant_command c = {f->message, f->serial, f->body};

    if (f->message == PLATFORM_ANSWER) {
        on_answer(p, m, f->body);
    } else if (f->message == REGISTERED) {
        on_registered(p, m, f->body);
    } else if (f->message == RESEND) {
        on_resend(p, m, f->body);
    } else if (f->message < REGISTERED) {
        p->tally[PLANT_STRANGE]++;
    } else if (f->number ==
               f->total) { /* it is answered with the serial of the first */
        if (f->total)
            c.serial = (uint16_t)(c.serial - f->total + 1);
        plant_obey(p, m, &c);
    }
}

const struct breed vehicle_breed = {identify, introduce, beat,
                                    report,   take,      vehicle_answer};
