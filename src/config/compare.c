/* What a reload changes: is a new worker needed for it? */
#include "config/schema.h"

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same_value(const struct schema_key *key, const void *a, const void *b)
{
    const char *left = (const char *)a + key->offset;
    const char *right = (const char *)b + key->offset;

    if (key->type == SCHEMA_TEXT || key->type == SCHEMA_TEXTS ||
        key->type == SCHEMA_ADDRESS)
        return is_same_text(*(char *const *)(const void *)left,
                            *(char *const *)(const void *)right);
    return memcmp(left, right, key->size) == 0;
}

static bool are_same_keys(enum schema_owner owner, const void *a, const void *b)
{
    for (size_t i = 0; i < schema_key_count; i++) {
        const struct schema_key *key = &schema_keys[i];

        if (key->type != SCHEMA_GROUP && key->type != SCHEMA_NAMED && !key->live &&
            schema_owner(key) == owner && !is_same_value(key, a, b))
            return false;
    }
    return true;
}

static bool are_same_listeners(const struct listener_config *a,
                               const struct listener_config *b)
{
    return is_same_text(a->name, b->name) && are_same_keys(SCHEMA_OF_LISTENER, a, b) &&
           memcmp(&a->profile, &b->profile, sizeof(a->profile)) == 0 &&
           is_same_text(a->registration_ids, b->registration_ids);
}

bool config_is_same_work(const struct config *a, const struct config *b)
{
    if (!are_same_keys(SCHEMA_OF_CONFIG, a, b) ||
        a->listener_count != b->listener_count ||
        !is_same_text(a->http_token, b->http_token))
        return false;
    for (size_t i = 0; i < a->listener_count; i++) {
        if (!are_same_listeners(&a->listeners[i], &b->listeners[i]))
            return false;
    }
    return true;
}
