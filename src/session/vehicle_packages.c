/* A terminal's messages that come in several packages; and those of them that do not
 * come. */
#include "session/vehicle_inside.h"
#include "base/log.h"

#include <inttypes.h>

/* Who has not proved who it is may send its registration in packages, no more. */
static const struct packages_limits for_strangers = {.max_groups = 1,
                                                     .max_bytes = 4096,
                                                     .max_age_ms = 30000};

static const struct packages_limits *limits_of(const struct conn *c)
{
    return vehicle_of(c)->credential ? &device_settings_of(c)->packages
                                     : &for_strangers;
}

static void refuse(struct conn *c, const struct device_frame *f, const char *why)
{
    struct vehicle *v = vehicle_of(c);

    relay_of(c)->stats.bad_frames++;
    if (!v->warned_packages)
        LOG_THROTTLED(LOG_WARN, SESSION,
                      "session %" PRIx64
                      " sent a package that is refused why=%s message=%04x "
                      "number=%u total=%u listener=%s",
                      conn_number(c), why, f->message, f->number, f->total,
                      c->listener->name);
    v->warned_packages = true;
    vehicle_refuse(c, f->serial, f->message, JT808_RESULT_BAD);
}

bool vehicle_join(struct conn *c, const struct device_frame *f,
                  struct vehicle_message *m)
{
    const char *why = "";
    enum packages_result joined;

    *m = (struct vehicle_message){
        .message = f->message,
        .serial = f->serial,
        .is_2019 = f->head.form == DEVICE_ID_BCD10,
        .body = f->body,
    };
    if (!(f->properties & DEVICE_PACKAGED))
        return true;
    joined = packages_try_add(&device_session_of(c)->packages, limits_of(c), f,
                              c->shard->loop.now_ms, &m->body, &m->serial, &why);
    if (joined == PACKAGES_WHOLE) {
        vehicle_arm(vehicle_of(c), c->shard->loop.now_ms); /* its memory goes then */
        return true;
    }
    if (joined == PACKAGES_REFUSED)
        refuse(c, f, why);
    if (!conn_is_closing(c))
        vehicle_arm(vehicle_of(c), vehicle_ask(c));
    return false;
}

static void ask_for(struct conn *c, const struct packages_missing *p)
{
    struct vehicles *all = vehicles_of(c);

    buf_clear(&all->body);
    if (jt808_write_missing(&all->body, p->head.form == DEVICE_ID_BCD10, p->first,
                            p->numbers, p->count) == OK)
        vehicle_say(c, JT808_RESEND_PACKAGES);
}

int64_t vehicle_ask(struct conn *c)
{
    struct device_session *s = device_session_of(c);
    int64_t now_ms = c->shard->loop.now_ms, next_ms = INT64_MAX;
    struct packages_missing missing;
    uint32_t dropped;
    bool asks = true;

    while (asks && s->packages && !conn_is_closing(c)) {
        dropped = 0;
        next_ms =
            packages_tick(s->packages, limits_of(c), now_ms, &missing, &asks, &dropped);
        relay_of(c)->stats.packages_dropped += dropped;
        if (asks && vehicle_of(c)->credential)
            ask_for(c, &missing);
    }
    if (next_ms == INT64_MAX)
        packages_free(&s->packages);
    return next_ms;
}
