#include "http/server_guard.h"

/* Of IPv6 the network: a single machine owns all addresses of it. */
static struct in6_addr network_of(const struct in6_addr *ip)
{
    struct in6_addr net = *ip;

    if (!IN6_IS_ADDR_V4MAPPED(ip))
        memset(&net.s6_addr[8], 0, 8);
    return net;
}

static size_t place_of(const struct guard *g, const struct in6_addr *net)
{
    return hash_bytes(&g->key, slice_of(net, sizeof(*net))) % GUARD_PLACES;
}

static bool is_current(const struct guard_place *p, const struct in6_addr *net,
                       int64_t now_ms)
{
    return p->wrong > 0 && memcmp(&p->ip, net, sizeof(*net)) == 0 &&
           now_ms - p->since_ms < GUARD_WINDOW_MS;
}

int64_t guard_wait_ms(const struct guard *g, const struct in6_addr *ip, int64_t now_ms)
{
    struct in6_addr net = network_of(ip);
    const struct guard_place *p = &g->places[place_of(g, &net)];

    if (!is_current(p, &net, now_ms) || p->wrong < GUARD_TRIES)
        return 0;
    return p->since_ms + GUARD_WINDOW_MS - now_ms;
}

void guard_note_wrong(struct guard *g, const struct in6_addr *ip, int64_t now_ms)
{
    struct in6_addr net = network_of(ip);
    struct guard_place *p = &g->places[place_of(g, &net)];

    if (!is_current(p, &net, now_ms))
        *p = (struct guard_place){.ip = net, .since_ms = now_ms};
    p->wrong++;
}
