/* The walk down the tree: each key is looked up in the table, each value goes through
 * it, and whatever is wrong is reported while the walk goes on. */
#include "config/read_inside.h"
#include "config/suggest.h"
#include "config/value.h"

#include <assert.h>
#include <libfyaml.h>
#include <stdlib.h>

const char *read_text(struct fy_node *node)
{
    bool is_plain = node && fy_node_is_scalar(node) && !fy_node_is_alias(node);
    const char *text = is_plain ? fy_node_get_scalar0(node) : NULL;

    /* Measured in the file: without memory for it the library says that it is empty. */
    return text && strlen(text) ==
                       fy_token_get_text_length(fy_node_get_scalar_token(node))
               ? text
               : NULL;
}

bool read_is_empty(struct fy_node *value)
{
    return !value || fy_node_is_null(value);
}

static void set_scalar(struct reading *r, const struct schema_key *key,
                       struct fy_node *node, struct config_place place, void *owner)
{
    const char *text = read_text(node);
    struct value_error error = {0};
    char allowed[VALUE_MESSAGE_MAX], advice[VALUE_MESSAGE_MAX * 2];
    const char *fallback;
    int rc;

    if (text && (*text || schema_is_list(key) || key->may_lack)) {
        if ((rc = value_set(key, text, owner, &error)) == OK)
            return;
        if (rc == ERR_NOMEM) {
            r->rc = rc;
            return;
        }
    } else if (read_is_empty(node) || (text && !*text)) {
        snprintf(error.what, sizeof(error.what), "`%s` has no value",
                 schema_shown(key));
    } else if (node && fy_node_is_scalar(node) && fy_node_is_alias(node)) {
        snprintf(error.what, sizeof(error.what), "aliases are not used here");
    } else {
        snprintf(error.what, sizeof(error.what), "`%s` wants a single value",
                 schema_shown(key));
    }
    value_describe(key, allowed, sizeof(allowed));
    fallback = value_default(key, r->protocol);
    snprintf(advice, sizeof(advice), "%s: %s%s%s", schema_shown(key), allowed,
             fallback ? "; default " : "", fallback ? fallback : "");
    problem_report(&r->problems, place, advice, "%s", error.what);
}

void read_value(struct reading *r, const struct schema_key *key,
                struct fy_node_pair *pair, void *owner)
{
    struct fy_node *value = fy_node_pair_value(pair);
    void *position = NULL;
    struct fy_node *item;

    if (!schema_is_list(key) || !value || !fy_node_is_sequence(value)) {
        set_scalar(r, key, value, place_of_value(r->problems.text, pair), owner);
        return;
    }
    while ((item = fy_node_sequence_iterate(value, &position))) {
        struct config_place place = place_of(item);

        set_scalar(r, key, item,
                   place.line ? place : place_of_value(r->problems.text, pair), owner);
    }
}

/* Remembers where a value came from that is used, and may fail, only later. */
static void note_place(struct reading *r, const struct schema_key *key,
                       struct fy_node_pair *pair, void *owner)
{
    struct config_place place = place_of_value(r->problems.text, pair);

    if (key->type == SCHEMA_ADDRESS)
        CONTAINER_OF((char *)owner + key->offset, struct listener_config, address_text)
            ->place = place;
    else if (strcmp(key->path, "http.token_file") == 0)
        r->config->http_token_file_place = place;
    else if (schema_is_child(key, SCHEMA_LISTENER ".framing"))
        ((struct listener_config *)owner)->framing.place = place;
    else if (strcmp(key->path, SCHEMA_LISTENER ".profile") == 0)
        ((struct listener_config *)owner)->profile_place = place;
    else if (strcmp(key->path, SCHEMA_LISTENER ".registration_list") == 0)
        ((struct listener_config *)owner)->registration_place = place;
    else if (strcmp(key->path, "http.sender") == 0)
        r->config->http_sender_place = place;
    else if (strcmp(key->path, "data_dir") == 0)
        r->config->data_dir_place = place;
    else if (strcmp(key->path, "user") == 0)
        r->config->user_place = place;
}

static bool is_known(const struct reading *r, const struct schema_key *key,
                     const char *parent)
{
    return schema_is_child(key, parent) && schema_has(key, r->protocol);
}

static void report_unknown(struct reading *r, const char *parent, const char *name,
                           struct config_place place)
{
    struct suggestion near = suggest_for(name);
    const struct schema_key *elsewhere = NULL;
    char advice[VALUE_MESSAGE_MAX] = "";
    size_t n;

    for (size_t i = 0; i < schema_key_count; i++) {
        const struct schema_key *key = &schema_keys[i];

        if (is_known(r, key, parent))
            suggest_consider(&near, schema_name(key));
        else if (strcmp(schema_name(key), name) == 0)
            elsewhere = key;
    }
    if (near.best) {
        snprintf(advice, sizeof(advice), "did you mean `%s`?", near.best);
    } else if (elsewhere) {
        snprintf(advice, sizeof(advice), "it belongs to %.*s",
                 (int)(strrchr(elsewhere->path, '.') - elsewhere->path),
                 elsewhere->path);
    } else {
        n = (size_t)snprintf(advice, sizeof(advice), "known here:");
        for (size_t i = 0; i < schema_key_count && n < sizeof(advice); i++) {
            if (is_known(r, &schema_keys[i], parent))
                n += (size_t)snprintf(advice + n, sizeof(advice) - n, " %s",
                                      schema_name(&schema_keys[i]));
        }
    }
    if (*parent)
        problem_report(&r->problems, place, advice, "unknown key `%s` in `%s`", name,
                       parent);
    else
        problem_report(&r->problems, place, advice, "unknown key `%s`", name);
}

/* A key that listeners have, but not those of this protocol. */
static void report_foreign(struct reading *r, const struct schema_key *key,
                           struct config_place place)
{
    char advice[VALUE_MESSAGE_MAX];
    size_t n = (size_t)snprintf(advice, sizeof(advice), "only listeners have it of:");

    for (uint8_t i = 1; i < PROTOCOL_LIMIT; i++) {
        if (schema_has(key, i))
            n += (size_t)snprintf(advice + n, sizeof(advice) - n, " %s",
                                  protocol_word(i));
    }
    problem_report(&r->problems, place, advice, "a %s listener has no `%s`",
                   protocol_word(r->protocol), schema_name(key));
}

const char *read_name(struct reading *r, struct fy_node *mapping,
                      struct fy_node_pair *pair)
{
    struct fy_node *key = fy_node_pair_key(pair);
    const char *name = read_text(key);
    void *position = NULL;
    struct fy_node_pair *earlier;

    if (!name || !*name) {
        problem_report(&r->problems, key ? place_of(key) : (struct config_place){0},
                       "write `name: value`", "this key is not a name");
        return NULL;
    }
    while ((earlier = fy_node_mapping_iterate(mapping, &position)) && earlier != pair) {
        struct fy_node *other = fy_node_pair_key(earlier);

        if (read_text(other) && strcmp(read_text(other), name) == 0) {
            problem_report(&r->problems, place_of(key), "keep one of them",
                           "`%s` is there already, in line %u", name,
                           place_of(other).line);
            return NULL;
        }
    }
    return name;
}

bool read_enters(struct reading *r, const char *what, struct fy_node_pair *pair)
{
    struct fy_node *value = fy_node_pair_value(pair);

    if (read_is_empty(value))
        return false;
    if (fy_node_is_mapping(value))
        return true;
    problem_report(&r->problems, place_of_value(r->problems.text, pair),
                   "write its keys below it, indented by two blanks",
                   "`%s` wants keys of its own, not a value", what);
    return false;
}

void read_set_defaults(struct reading *r, enum schema_owner whose, void *owner)
{
    for (size_t i = 0; i < schema_key_count && r->rc == OK; i++) {
        const struct schema_key *key = &schema_keys[i];
        const char *fallback = schema_fallback(key, r->protocol);
        struct value_error error;

        if (fallback && schema_owner(key) == whose && schema_has(key, r->protocol))
            r->rc = value_set(key, fallback, owner, &error);
    }
    assert(r->rc != ERR_INVALID); /* the table contradicts itself */
}

static void read_named(struct reading *r, const struct schema_key *key,
                       struct fy_node_pair *pair, void *owner)
{
    if (strcmp(key->path, SCHEMA_LISTEN) == 0)
        read_listeners(r, pair);
    else if (strcmp(key->path, SCHEMA_PROFILES) == 0)
        read_profiles(r, pair);
    else
        read_in_profile(r, key, pair, owner);
}

static void read_key(struct reading *r, const struct schema_key *key,
                     struct fy_node_pair *pair, void *owner)
{
    if (key->type == SCHEMA_NAMED) {
        read_named(r, key, pair, owner);
    } else if (key->type != SCHEMA_GROUP) {
        read_value(r, key, pair, owner);
        note_place(r, key, pair, owner);
    } else if (read_enters(r, schema_name(key), pair)) {
        read_keys(r, key->path, fy_node_pair_value(pair), owner);
    }
}

void read_keys(struct reading *r, const char *parent, struct fy_node *mapping,
               void *owner)
{
    void *position = NULL;
    struct fy_node_pair *pair;

    while (r->rc == OK && (pair = fy_node_mapping_iterate(mapping, &position))) {
        const char *name = read_name(r, mapping, pair);
        const struct schema_key *key = name ? schema_find(parent, name) : NULL;

        if (key && schema_has(key, r->protocol))
            read_key(r, key, pair, owner);
        else if (key)
            report_foreign(r, key, place_of(fy_node_pair_key(pair)));
        else if (name)
            report_unknown(r, parent, name, place_of(fy_node_pair_key(pair)));
    }
}

void read_defaults(struct reading *r)
{
    read_set_defaults(r, SCHEMA_OF_CONFIG, r->config);
}

void read_tree(struct reading *r, struct fy_node *root)
{
    if (!fy_node_mapping_lookup_value_by_simple_key(root, SCHEMA_LISTEN, FY_NT))
        read_default_listeners(r);
    read_keys(r, "", root, r->config);
}
