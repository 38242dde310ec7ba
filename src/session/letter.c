#include "session/letter.h"
#include "relay/delivery.h"
#include "relay/tracker_inside.h"
#include "session/ttms.h"

static void give_back(struct letter *l, int rc)
{
    l->rc = rc;
    trip_end(&l->trip);
}

static void on_decided(struct relay *r, struct outsider *o, bool safe)
{
    struct letter *l = CONTAINER_OF(o, struct letter, outside);
    int health = mailbox_health(r->mailbox);

    l->stored = safe;
    give_back(l, safe ? OK : health < 0 ? health : ERR_FULL);
}

/* The settings under which the terminal was here last; NULL: it never was. */
static const struct ttms_settings *settings_of(const struct relay *r,
                                               const struct terminal *t)
{
    const struct tracker_conf *conf = &r->group->tracker->conf;

    if (t->epoch == 0 || t->listener >= conf->listener_count ||
        conf->listeners[t->listener].ops != &ttms_ops.conn)
        return NULL;
    return conf->listeners[t->listener].conf;
}

/* How its frames count their length: as its own do. One that is away may be of any
 * kind, and gets what its listener says. */
static uint8_t length_for(const struct terminal *t, const struct ttms_settings *s)
{
    uint8_t length = t->conn ? ttms_length_of(t->conn)
                     : s     ? (uint8_t)s->codec.length
                             : TTMS_LENGTH_AUTO;

    return length == TTMS_LENGTH_AUTO || length == TTMS_LENGTH_IGNORE
               ? TTMS_LENGTH_TOTAL
               : length;
}

static void deliver(struct relay *r, struct terminal *t, struct letter *l)
{
    const struct ttms_settings *s = settings_of(r, t);
    uint8_t length = length_for(t, s);
    size_t size = ttms_formed_size(buf_used(&l->body), length);
    struct envelope e = {
        .session = (uintptr_t)&l->outside,
        .shard = SHARD_OUTSIDE,
        .durable = s && s->durable,
    };
    uint8_t *to;
    bool direct;

    if (size > UINT16_MAX || (s && size > s->codec.max_frame)) {
        give_back(l, ERR_TOO_LARGE);
        return;
    }
    l->outside.decided = on_decided;
    if (!(to = delivery_begin(r, t, &e, size, &direct))) {
        give_back(l, ERR_NOMEM);
        return;
    }
    ttms_form_message(l->sender, buf_peek(&l->body), length, to);
    e.number = !direct; /* then its fate will be told */
    delivery_commit(r, t, &e, size, direct);
    if (direct)
        give_back(l, OK);
}

static void on_shard(struct parcel *parcel, void *receiver)
{
    struct letter *l = CONTAINER_OF(parcel, struct letter, trip.parcel);
    struct shard *s = receiver;
    struct relay *r = s->app;
    struct device *d =
        registry_find(&r->terminals, &l->to, relay_hash(r->group, &l->to));

    if (d)
        deliver(r, terminal_of(d), l);
    else
        give_back(l, ERR_NOTFOUND);
}

void letter_send(struct relay_group *g, struct letter *l)
{
    trip_begin(g, &l->trip, &l->to, on_shard);
}
