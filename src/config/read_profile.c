/* Profiles of devices: what they name is the user's choice, down to their states. */
#include "config/read_inside.h"
#include "config/suggest.h"

#include <libfyaml.h>
#include <stdlib.h>

#define ADVICE_MAX 128

/* "did you mean `x`?", or what to do if nothing is near. Returns `out`. */
static const char *advise(const struct suggestion *near, const char *otherwise,
                          char *out, size_t size)
{
    if (near->best)
        snprintf(out, size, "did you mean `%s`?", near->best);
    else
        snprintf(out, size, "%s", otherwise);
    return out;
}

static bool check_name(struct reading *r, const char *name, const char *what,
                       struct config_place place)
{
    if (read_is_plain_name(name))
        return true;
    problem_report(&r->problems, place, "a-z, A-Z, 0-9, _, - and ., at most 31",
                   "`%s` cannot be the name of a %s", name, what);
    return false;
}

static void read_state(struct reading *r, struct fy_node_pair *pair, const char *name,
                       struct profile *p)
{
    struct profile_state *s = &p->states[p->state_count];

    strcpy(s->name, name);
    read_value(r, schema_find(SCHEMA_PROFILE ".states", "*"), pair, s);
    p->state_count++;
}

static bool has_key(struct fy_node_pair *pair, const char *name)
{
    return fy_node_mapping_lookup_value_by_simple_key(fy_node_pair_value(pair), name,
                                                      FY_NT) != NULL;
}

static void read_command(struct reading *r, struct fy_node_pair *pair, const char *name,
                         struct profile *p)
{
    struct profile_command *c = &p->commands[p->command_count];

    if (!read_enters(r, name, pair))
        return;
    strcpy(c->name, name);
    read_keys(r, SCHEMA_COMMAND, fy_node_pair_value(pair), c);
    c->has_serial = has_key(pair, "serial");
    if (!has_key(pair, "message"))
        problem_report(&r->problems, place_of(fy_node_pair_key(pair)),
                       schema_find(SCHEMA_COMMAND, "message")->help,
                       "the command `%s` lacks `message`", name);
    p->command_count++;
}

static const struct part {
    const char *path, *what;
    size_t most, count; /* where it is counted */
    void (*read)(struct reading *r, struct fy_node_pair *pair, const char *name,
                 struct profile *p);
} parts[] = {
    {SCHEMA_PROFILE ".states", "state", PROFILE_STATES_MAX,
     offsetof(struct profile, state_count), read_state},
    {SCHEMA_PROFILE ".commands", "command", PROFILE_COMMANDS_MAX,
     offsetof(struct profile, command_count), read_command},
};

void read_in_profile(struct reading *r, const struct schema_key *key,
                     struct fy_node_pair *pair, void *owner)
{
    const struct part *part = strcmp(key->path, parts[0].path) == 0 ? parts : parts + 1;
    struct fy_node *mapping = fy_node_pair_value(pair);
    const uint8_t *count = (const uint8_t *)owner + part->count;
    void *position = NULL;
    struct fy_node_pair *entry;

    if (!read_enters(r, schema_name(key), pair))
        return;
    while (r->rc == OK && (entry = fy_node_mapping_iterate(mapping, &position))) {
        const char *name = read_name(r, mapping, entry);
        struct config_place place = place_of(fy_node_pair_key(entry));

        if (!name || !check_name(r, name, part->what, place))
            continue;
        if (*count == part->most) {
            problem_report(&r->problems, place, "leave some out",
                           "there are more than %zu %ss", part->most, part->what);
            return;
        }
        part->read(r, entry, name, owner);
    }
}

/* What one key alone cannot tell. */
static void check_profile(struct reading *r, struct profile *p,
                          struct config_place place)
{
    struct suggestion near = suggest_for(p->query);
    char advice[ADVICE_MAX];

    while (p->report_count < PROFILE_REPORTS_MAX && p->reports[p->report_count])
        p->report_count++;
    for (uint8_t i = 0; i < p->command_count; i++) {
        if (strcmp(p->commands[i].name, p->query) == 0)
            return;
        suggest_consider(&near, p->commands[i].name);
    }
    if (*p->query)
        problem_report(&r->problems, place,
                       advise(&near, "name one of its `commands`", advice,
                              sizeof(advice)),
                       "the `query` of `%s` is `%s`, which is not among its commands",
                       p->name, p->query);
}

static struct profile *add_profile(struct reading *r, const char *name)
{
    struct config *c = r->config;
    struct profile *all = reallocarray(c->profiles, c->profile_count + 1, sizeof(*all));

    if (!all) {
        r->rc = ERR_NOMEM;
        return NULL;
    }
    c->profiles = all;
    all += c->profile_count++;
    memset(all, 0, sizeof(*all));
    strcpy(all->name, name);
    return all;
}

void read_profiles(struct reading *r, struct fy_node_pair *pair)
{
    struct fy_node *mapping = fy_node_pair_value(pair);
    void *position = NULL;
    struct fy_node_pair *entry;

    if (!read_enters(r, SCHEMA_PROFILES, pair))
        return;
    while (r->rc == OK && (entry = fy_node_mapping_iterate(mapping, &position))) {
        const char *name = read_name(r, mapping, entry);
        struct config_place place = place_of(fy_node_pair_key(entry));
        struct profile *p;

        if (!name || !check_name(r, name, "profile", place) ||
            !read_enters(r, name, entry) || !(p = add_profile(r, name)))
            continue;
        read_keys(r, SCHEMA_PROFILE, fy_node_pair_value(entry), p);
        check_profile(r, p, place);
    }
}

static const struct profile *find_profile(const struct config *c, const char *name,
                                          struct suggestion *near)
{
    for (size_t i = 0; i < c->profile_count; i++) {
        if (strcmp(c->profiles[i].name, name) == 0)
            return &c->profiles[i];
        suggest_consider(near, c->profiles[i].name);
    }
    suggest_consider(near, profile_vending.name);
    return strcmp(name, profile_vending.name) == 0 ? &profile_vending : NULL;
}

void read_find_profiles(struct reading *r)
{
    for (size_t i = 0; i < r->config->listener_count; i++) {
        struct listener_config *l = &r->config->listeners[i];
        struct suggestion near;
        const struct profile *p;
        char advice[ADVICE_MAX];

        if (!l->profile_name)
            continue;
        near = suggest_for(l->profile_name);
        if ((p = find_profile(r->config, l->profile_name, &near)))
            l->profile = *p;
        else
            problem_report(&r->problems, l->profile_place,
                           advise(&near, "declare it below `profiles`", advice,
                                  sizeof(advice)),
                           "there is no profile `%s`", l->profile_name);
    }
}
