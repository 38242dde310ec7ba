#include "session/login.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

static enum login move(struct conn *c, uint64_t hash, struct slice in)
{
    struct relay *r = relay_of(c);
    unsigned home = relay_shard_of(r->group, hash);

    if (home == relay_index(r))
        return LOGIN_HERE;
    conn_move(c, r->group->relays[home].shard, in);
    return LOGIN_MOVED;
}

enum login login_move(struct conn *c, const struct id *id, struct slice in)
{
    return move(c, relay_hash(relay_of(c)->group, id), in);
}

enum login login_find(struct conn *c, const struct id *id, struct slice in,
                      struct terminal **out)
{
    struct relay *r = relay_of(c);
    uint64_t hash = relay_hash(r->group, id);

    if (move(c, hash, in) == LOGIN_MOVED)
        return LOGIN_MOVED;
    if (!(*out = relay_terminal(r, id, hash))) {
        conn_close(c, CLOSE_LIMIT);
        return LOGIN_CLOSED;
    }
    return LOGIN_HERE;
}

bool login_as(struct conn *c, const struct id *id, struct slice in,
              struct terminal **self)
{
    char name[ID_SHOWN_MAX];
    struct terminal *t;

    if (login_find(c, id, in, &t) != LOGIN_HERE)
        return false;
    *self = t;
    LOG_SESSION(LOG_INFO, "session %" PRIx64 " login device=%s proto=%s",
                conn_number(c), id_show(id, name, sizeof(name)),
                protocol_word(id->protocol));
    conn_registered(c);
    return !conn_is_closing(c);
}

const char *login_describe(const struct terminal *self, char *text, size_t size)
{
    char name[ID_SHOWN_MAX];
    struct id id;

    if (self) {
        id = device_id(&self->device);
        snprintf(text, size, "device=%s", id_show(&id, name, sizeof(name)));
    }
    return text;
}
