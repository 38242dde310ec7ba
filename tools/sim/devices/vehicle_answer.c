/* vehicle_answer.c - what a vehicle terminal does and says when it is asked to. */
#include "sim/devices/vehicle.h"
#include "sim/devices/parameters.h"

#define CONTROL_POWER_OFF 3
#define CONTROL_RESET     4
#define BODY_MAX          16384

static void form_packages(struct plant *p, struct machine *m, struct wire_frame *f,
                          struct buf *to)
{
    struct slice rest = f->body;

    f->total = (uint16_t)((rest.size + WIRE_BODY_MAX - 1) / WIRE_BODY_MAX);
    m->packages_first = m->serial;
    buf_clear(&m->packages);
    for (f->number = 1; f->number <= f->total; f->number++) {
        struct buf one = {0};
        uint8_t size[2];
        bool is_lost = f->number == f->total && p->settings->loses_packages;

        f->body = rest;
        if (f->body.size > WIRE_BODY_MAX)
            f->body.size = WIRE_BODY_MAX;
        rest = slice_from(rest, f->body.size);
        f->serial = m->serial++;
        plant_form(p, m, f, &one);
        put_u16(size, (uint16_t)buf_used(&one));
        if (buf_try_append(&m->packages, slice_of(size, 2)) < 0 ||
            buf_try_append(&m->packages, buf_peek(&one)) < 0 ||
            (!is_lost && buf_try_append(to, buf_peek(&one)) < 0))
            buf_clear(&m->packages);
        buf_fini(&one);
    }
}

static void form(struct plant *p, struct machine *m, uint16_t message,
                 struct slice body, struct buf *to)
{
    struct wire_frame f = {.message = message, .body = body};

    if (body.size > WIRE_BODY_MAX) {
        form_packages(p, m, &f, to);
        return;
    }
    f.serial = m->serial++;
    plant_form(p, m, &f, to);
}

static void form_result(struct plant *p, struct machine *m,
                        const struct plant_command *c, uint16_t serial,
                        enum vehicle_result result, struct buf *to)
{
    uint8_t body[5] = {[4] = (uint8_t)result};

    put_u16(body, serial);
    put_u16(body + 2, c->message);
    form(p, m, ANSWER, slice_of(body, sizeof(body)), to);
}

static void form_parameters(struct plant *p, struct machine *m,
                            const struct plant_command *c, uint16_t serial,
                            struct buf *to)
{
    static uint8_t body[BODY_MAX];
    struct slice wanted = c->message == QUERY_SOME ? c->body : slice_of(NULL, 0);
    size_t size = parameters_list(p->settings, &m->parameters, wanted, body + 2,
                                  sizeof(body) - 2);

    put_u16(body, serial);
    form(p, m, PARAMETERS, slice_of(body, 2 + size), to);
}

static void form_attributes(struct plant *p, struct machine *m, struct buf *to)
{
    size_t model = vehicle_is_2019(m) ? 30 : 20, terminal = vehicle_is_2019(m) ? 30 : 7,
           at = 2;
    uint8_t body[128] = {0, 4};

    vehicle_put_text(body + at, 5, "HFSIM");
    vehicle_put_text(body + (at += 5), model, "simulated");
    vehicle_put_text(body + (at += model), terminal, "T000001");
    memset(body + (at += terminal), 0x89, 10);
    at += 10;
    memcpy(body + at,
           "\x03"
           "1.0"
           "\x03"
           "2.1"
           "\x03"
           "\x01",
           10);
    form(p, m, ATTRIBUTES, slice_of(body, at + 10), to);
}

static void form_location(struct plant *p, struct machine *m, uint16_t serial,
                          struct buf *to)
{
    uint8_t body[2 + LOCATION_SIZE];

    put_u16(body, serial);
    vehicle_locate(m, body + 2);
    form(p, m, LOCATION_ANSWER, slice_of(body, sizeof(body)), to);
}

/* Does it, and says how that went. */
static enum vehicle_result obey(struct plant *p, struct machine *m,
                                const struct plant_command *c)
{
    uint8_t action = c->body.size ? c->body.data[0] : 0;

    switch (c->message) {
    case SET_PARAMETERS:
        return parameters_set(p->settings, &m->parameters, c->body) ? RESULT_OK
                                                                    : RESULT_REFUSED;
    case CONTROL:
        m->restarts = p->settings->away_ns &&
                      (action == CONTROL_POWER_OFF || action == CONTROL_RESET);
        return action ? RESULT_OK : RESULT_REFUSED;
    case LINK_CHECK:
    case TEXT:
        return RESULT_OK;
    default:
        return RESULT_UNSUPPORTED;
    }
}

void vehicle_answer(struct plant *p, struct machine *m, const struct plant_command *c,
                    uint16_t serial, enum how how, struct buf *to)
{
    if (how == HOW_REFUSE || how == HOW_UNSUPPORTED)
        form_result(p, m, c, serial,
                    how == HOW_REFUSE ? RESULT_REFUSED : RESULT_UNSUPPORTED, to);
    else if (c->message == QUERY_PARAMETERS || c->message == QUERY_SOME)
        form_parameters(p, m, c, serial, to);
    else if (c->message == QUERY_ATTRIBUTES)
        form_attributes(p, m, to);
    else if (c->message == QUERY_LOCATION)
        form_location(p, m, serial, to);
    else
        form_result(p, m, c, serial, obey(p, m, c), to);
}
