/* read_inside.h - what the walk down the tree (read.c) and its parts for what has names
 * of the user's choice (read_listen.c, read_profile.c) have in common. */
#pragma once

#include "config/place.h"
#include "config/read.h"
#include "config/schema.h"

/* The text of a plain scalar; NULL when it is none, or hides a NUL. */
const char *read_text(struct fy_node *node);

/* A key without a value: `limits:` with all its keys commented out. */
bool read_is_empty(struct fy_node *value);

/* The name of a pair, or NULL (reported): no word, or there before. */
const char *read_name(struct reading *r, struct fy_node *mapping,
                      struct fy_node_pair *pair);

/* True when the value may be gone through as a mapping; reports it when it is neither
 * that nor empty. */
bool read_enters(struct reading *r, const char *what, struct fy_node_pair *pair);

void read_set_defaults(struct reading *r, enum schema_owner whose, void *owner);

/* Fills the keys of one group or listener, and of the groups in it. */
void read_keys(struct reading *r, const char *parent, struct fy_node *mapping,
               void *owner);

/* One value, or a list of them. */
void read_value(struct reading *r, const struct schema_key *key,
                struct fy_node_pair *pair, void *owner);

/* May this be the name of a listener, a profile or a command? */
bool read_is_plain_name(const char *name);

/* The group `listen`. */
void read_listeners(struct reading *r, struct fy_node_pair *pair);

/* The group `profiles`, and the groups in one of them, which is `owner`. */
void read_profiles(struct reading *r, struct fy_node_pair *pair);
void read_in_profile(struct reading *r, const struct schema_key *key,
                     struct fy_node_pair *pair, void *owner);
