#include "session/login.h"

enum login login_find(struct conn *c, const struct id *id, struct slice in,
                      struct terminal **out)
{
    struct relay *r = relay_of(c);
    uint64_t hash = relay_hash(r->group, id);
    unsigned home = relay_shard_of(r->group, hash);

    if (home != relay_index(r)) {
        conn_move(c, r->group->relays[home].shard, in);
        return LOGIN_MOVED;
    }
    if (!(*out = relay_terminal(r, id, hash))) {
        conn_close(c, CLOSE_LIMIT);
        return LOGIN_CLOSED;
    }
    return LOGIN_HERE;
}
