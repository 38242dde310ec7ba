/* value.h - one value: from the text in the file to the field of the struct. */
#pragma once

#include "config/schema.h"

#define VALUE_MESSAGE_MAX 512

struct value_error {
    char what[VALUE_MESSAGE_MAX]; /* what is wrong with it */
};

/* Fills *error; returns ERR_INVALID. */
PRINTF(2, 3) int value_complain(struct value_error *error, const char *format, ...);

/* Parses `text` as `key` wants it, checks the range and stores it in `owner`, the
 * struct that holds the field. WORDS adds its bits to what is there. Returns OK,
 * ERR_INVALID (*error is filled) or ERR_NOMEM. */
MUST_CHECK int value_set(const struct schema_key *key, const char *text, void *owner,
                         struct value_error *error);

/* "allowed: 2s to 1h, a number with ms, s, min, h or d; default 10s". Returns `out`. */
const char *value_describe(const struct schema_key *key, char *out, size_t size);

/* The default as the manual shows it: `[]`, `not set`, or the text. */
const char *value_default(const struct schema_key *key, uint8_t protocol);
