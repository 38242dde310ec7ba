/* read.h - from the YAML library's tree to the struct. */
#pragma once

#include "config/problem.h"

struct fy_node;

struct reading {
    struct config *config;
    struct problems problems;
    uint8_t protocol; /* of the listener that is being read; 0: none, or not known */
    int rc;           /* ERR_NOMEM when memory ran out, else OK */
};

void read_defaults(struct reading *r);

/* Those that exist without `listen`. */
void read_default_listeners(struct reading *r);

/* When all is read: the profile that each listener means. */
void read_find_profiles(struct reading *r);

/* `root` is a mapping. Problems are reported and counted; look at r->rc too. */
void read_tree(struct reading *r, struct fy_node *root);

/* Could only one of them be bound? */
bool read_is_same_address(const struct listener_config *a,
                          const struct listener_config *b);
