/* framing.h - a declaration of the configuration becomes one of the framing engine. */
#pragma once

#include "config/config.h"

/* Fills f->made, for bodies of at most `max_body` bytes. Returns NULL, or what is wrong
 * with it. */
const char *framing_make(struct framing_config *f, uint32_t max_body);
