/* place.h - where in the file a node of the YAML library's tree stands. */
#pragma once

#include "config/config.h"

struct fy_node;
struct fy_node_pair;

/* Of a scalar; line 0 when it has no text of its own. */
struct config_place place_of(struct fy_node *node);

/* Of a key's value; of the key itself when the value has no place. */
struct config_place place_of_value(struct slice file, struct fy_node_pair *pair);
