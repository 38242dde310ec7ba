/* amount.h - whole numbers within a range, with a unit if they are sizes or durations.
 */
#pragma once

#include "config/value.h"

/* Of a key whose type is COUNT, SIZE or DURATION. OK, or ERR_INVALID: *error is filled.
 */
MUST_CHECK int amount_read(const struct schema_key *key, const char *text,
                           uint64_t *out, struct value_error *error);

/* "2s to 1h, a whole number with ms, s, min, h or d" */
void amount_describe(const struct schema_key *key, char *out, size_t size);
