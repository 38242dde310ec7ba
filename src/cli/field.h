/* field.h - members of the API's objects, made ready to be shown.
 *
 * A member that is missing, or of another kind than expected, is shown as nothing: an
 * older or newer gateway is no reason to fail. Texts are escaped, see table_safe. */
#pragma once

#include "cli/table.h"

#include <jansson.h>

/* Empty: there is none. */
const char *field_text(const json_t *object, const char *name);
/* The text itself, for comparing; never NULL. */
const char *field_raw(const json_t *object, const char *name);

uint64_t field_count(const json_t *object, const char *name);
/* As text; empty: there is none. */
const char *field_number(const json_t *object, const char *name);

/* Milliseconds since 1970; 0: never. */
int64_t field_time(const json_t *object, const char *name);

/* For eyes "3 min ago", elsewhere as it came. */
const char *field_since(const json_t *object, const char *name, enum output output);

/* That of the state that `word` names. */
enum colour field_colour(const char *word);

/* A text of any length, as it is; what could harm a terminal as `?`. */
void field_print_long(const json_t *object, const char *name);

/* The whole value as JSON in ASCII, on one line without its end. */
void field_print(const json_t *value);
