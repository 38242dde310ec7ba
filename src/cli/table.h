/* table.h - how `holdfast mail` writes things: for eyes, for scripts, as JSON.
 *
 * Bodies and ids come from devices: nothing of them reaches the terminal unescaped. */
#pragma once

#include "base/id.h"

#include <stdio.h>

enum output { OUTPUT_EYES, OUTPUT_COLUMNS, OUTPUT_JSON };

/* "ttms/00000002", escaped; valid until the next call. */
const char *table_id(const struct id *id);

/* "12.3 KiB", "3 d": valid until the next but one call. */
const char *table_bytes(uint64_t bytes);
const char *table_age(int64_t age_ms);

/* The bytes as offset, hex and ASCII, 16 to a line. */
void table_hex_dump(FILE *out, struct slice bytes);

/* As one JSON string: lower-case hex digits. */
void table_hex(FILE *out, struct slice bytes);

/* As one JSON string, for text that is ASCII as a rule. */
void table_json_text(FILE *out, struct slice text);
