/* The listeners: which keys one has, and their defaults, depends on its protocol. */
#include "config/read_inside.h"
#include "config/framing.h"
#include "config/value.h"

#include <libfyaml.h>
#include <stdlib.h>

/* With the defaults of its protocol, which may be 0. */
static struct listener_config *add_listener(struct reading *r, const char *name,
                                            uint8_t protocol)
{
    struct config *c = r->config;
    struct listener_config *l =
        reallocarray(c->listeners, c->listener_count + 1, sizeof(*l));

    if (!l) {
        r->rc = ERR_NOMEM;
        return NULL;
    }
    c->listeners = l;
    l += c->listener_count++;
    memset(l, 0, sizeof(*l));
    l->protocol = protocol;
    if (!(l->name = strdup(name)))
        r->rc = ERR_NOMEM;
    r->protocol = protocol;
    read_set_defaults(r, SCHEMA_OF_LISTENER, l);
    r->protocol = 0;
    return r->rc == OK ? l : NULL;
}

/* Names appear in logs, metrics and paths. */
bool read_is_plain_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

    return n > 0 && n <= LISTENER_NAME_MAX && name[n] == '\0';
}

bool read_is_same_address(const struct listener_config *a,
                          const struct listener_config *b)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&a->address;

    /* Both families keep the port in the same place; port 0 is a new one each time. */
    return a->address_size == b->address_size && a->address_size > 0 &&
           in->sin_port != 0 && memcmp(&a->address, &b->address, a->address_size) == 0;
}

/* What one key alone cannot tell. */
static void check_listener(struct reading *r, struct listener_config *l,
                           struct config_place name_place)
{
    struct config_place place = l->place.line ? l->place : name_place;
    const char *wrong;

    for (const struct listener_config *o = r->config->listeners; o < l; o++) {
        if (read_is_same_address(o, l))
            problem_report(&r->problems, place, "give each listener its own port",
                           "`%s` has the address of `%s`, %s", l->name, o->name,
                           o->address_text);
    }
    if (l->protocol == PROTOCOL_JT808 && l->id_form == DEVICE_ID_ASCII8)
        problem_report(&r->problems, name_place,
                       "write jt808, bcd6 or bcd10; or `protocol: device`",
                       "`%s` has `id: ascii8`, which JT/T 808 has not", l->name);
    if (l->protocol == PROTOCOL_NBNET &&
        (wrong = framing_make(&l->framing, l->max_frame)))
        problem_report(&r->problems,
                       l->framing.place.line ? l->framing.place : name_place,
                       "docs/framing.md has examples", "`%s` declares %s", l->name,
                       wrong);
}

static bool peek(struct fy_node *listener, const char *name,
                 struct listener_config *found)
{
    const struct schema_key *key = schema_find(SCHEMA_LISTENER, name);
    const char *text =
        read_text(fy_node_mapping_lookup_value_by_simple_key(listener, name, FY_NT));
    struct value_error error;

    return text && value_set(key, text, found, &error) == OK;
}

/* What the other keys mean, and which there are, depends on it. 0: no known one; the
 * walk over all keys reports that. Devices whose ids are those of JT/T 808 speak that,
 * unless a profile says what they speak. */
static uint8_t protocol_of(struct fy_node *listener)
{
    struct listener_config found = {.id_form = DEVICE_ID_ASCII8};

    if (!peek(listener, "protocol", &found))
        return 0;
    if (found.protocol == PROTOCOL_DEVICE && peek(listener, "id", &found) &&
        found.id_form != DEVICE_ID_ASCII8 &&
        !fy_node_mapping_lookup_value_by_simple_key(listener, "profile", FY_NT))
        return PROTOCOL_JT808;
    return found.protocol;
}

static void read_listener(struct reading *r, struct fy_node *mapping,
                          struct fy_node_pair *pair)
{
    struct fy_node *value = fy_node_pair_value(pair);
    const char *name = read_name(r, mapping, pair);
    struct config_place place = place_of(fy_node_pair_key(pair));
    struct listener_config *l;

    if (!name)
        return;
    if (!read_is_plain_name(name)) {
        problem_report(&r->problems, place, "a-z, A-Z, 0-9, _, - and ., at most 31",
                       "`%s` cannot be the name of a listener", name);
        return;
    }
    if (!read_is_empty(value) && !read_enters(r, name, pair))
        return;
    if (!(l = add_listener(r, name, read_is_empty(value) ? 0 : protocol_of(value))))
        return;
    if (read_is_empty(value) ||
        !fy_node_mapping_lookup_value_by_simple_key(value, "protocol", FY_NT))
        problem_report(&r->problems, place,
                       schema_find(SCHEMA_LISTENER, "protocol")->help,
                       "listener `%s` lacks `protocol`", name);
    r->protocol = l->protocol;
    if (!read_is_empty(value))
        read_keys(r, SCHEMA_LISTENER, value, l);
    if (r->protocol)
        l->protocol = r->protocol; /* it may have been written as `device` */
    r->protocol = 0;
    check_listener(r, l, place);
}

void read_listeners(struct reading *r, struct fy_node_pair *pair)
{
    struct fy_node *value = fy_node_pair_value(pair);
    void *position = NULL;
    struct fy_node_pair *entry;

    if (read_is_empty(value) ||
        (fy_node_is_mapping(value) && fy_node_mapping_is_empty(value))) {
        problem_report(&r->problems, place_of(fy_node_pair_key(pair)),
                       "add one, or remove `listen` to get the default ones",
                       "there is no listener");
        return;
    }
    if (!read_enters(r, SCHEMA_LISTEN, pair))
        return;
    while (r->rc == OK && (entry = fy_node_mapping_iterate(value, &position)))
        read_listener(r, value, entry);
}

void read_default_listeners(struct reading *r)
{
    struct listener_config *answers;

    if (add_listener(r, "terminals", PROTOCOL_TTMS) &&
        add_listener(r, "clients", PROTOCOL_HEARTBEAT) &&
        add_listener(r, "devices", PROTOCOL_DEVICE) &&
        add_listener(r, "vehicles", PROTOCOL_JT808) &&
        (answers = add_listener(r, "answers", PROTOCOL_NBNET)))
        (void)framing_make(&answers->framing, answers->max_frame);
}
