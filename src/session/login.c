#include "session/login.h"
#include "base/log.h"
#include "relay/delivery.h"

#include <inttypes.h>
#include <stdio.h>

static bool move(struct conn *c, uint64_t hash, struct slice in)
{
    struct relay *r = relay_of(c);
    unsigned home = relay_shard_of(r->group, hash);

    if (home == relay_index(r))
        return true;
    conn_move(c, r->group->relays[home].shard, in);
    return false;
}

bool login_move(struct conn *c, const struct id *id, struct slice in)
{
    return move(c, relay_hash(relay_of(c)->group, id), in);
}

bool login_as(struct conn *c, const struct id *id, struct slice in, const char *facts,
              struct terminal **self)
{
    struct relay *r = relay_of(c);
    uint64_t hash = relay_hash(r->group, id);
    char name[ID_SHOWN_MAX];

    if (!move(c, hash, in))
        return false;
    if (!(*self = relay_terminal(r, id, hash))) {
        conn_close(c, CLOSE_LIMIT);
        return false;
    }
    LOG_SESSION(LOG_INFO, "session %" PRIx64 " login device=%s proto=%s%s",
                conn_number(c), id_show(id, name, sizeof(name)),
                protocol_word(id->protocol), facts);
    conn_registered(c);
    if (!conn_is_closing(c))
        delivery_attach(r, *self, c);
    return !conn_is_closing(c);
}

void login_leave(struct conn *c, struct terminal **self)
{
    if (*self && !conn_is_closing(c))
        conn_acknowledge(c); /* or its own old mail would come to it again */
    if (*self && !conn_is_closing(c))
        delivery_detach(relay_of(c), *self, true);
    *self = NULL;
}

void login_end(struct conn *c, struct terminal *self)
{
    if (self && self->conn == c) /* else a newer connection speaks for it */
        delivery_detach(relay_of(c), self, false);
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
