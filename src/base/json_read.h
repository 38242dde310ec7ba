/* json_read.h - JSON text becomes a tree of jansson's, and back.
 *
 * That library does not always tell that it found no memory: a text that could not grow
 * just lacks characters then. These tell. */
#pragma once

#include "base/buf.h"

#include <jansson.h>

/* `flags` as in json_loadb(). OK; ERR_NOMEM; ERR_MALFORMED: *error, which may be NULL,
 * says why. */
MUST_CHECK int json_read(struct slice text, size_t flags, json_t **out,
                         json_error_t *error);

/* Appends it as compact text. OK, ERR_NOMEM; ERR_TOO_LARGE: longer than `most`. */
MUST_CHECK int json_print(const json_t *value, size_t most, struct buf *out);
