/* table.h - how commands for people write things: for eyes, for scripts, as JSON.
 *
 * What comes from devices reaches the terminal only escaped: see table_id and
 * table_safe. */
#pragma once

#include "base/id.h"

#include <stdio.h>

/* EYES: a terminal. COLUMNS: a pipe or a file. */
enum output { OUTPUT_EYES, OUTPUT_COLUMNS, OUTPUT_JSON };

enum colour { COLOUR_NONE, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED, COLOUR_DIM };

/* What standard output is, without --json. */
enum output table_output(void);

/* The escape sequences around a text; both empty where colours are not wanted: without
 * eyes, or when NO_COLOR or TERM=dumb says no. */
const char *table_colour(enum output output, enum colour colour);
const char *table_plain(enum output output);

/* Rows of cells, in columns as wide as their widest cell so far. With a heading for
 * eyes; elsewhere without, and every cell is one word, for awk. */
#define TABLE_COLUMNS_MAX 8

struct column {
    const char *title;
    bool is_number; /* to the right */
};

struct table {
    const struct column *columns;
    size_t count;
    enum output output;
    size_t widths[TABLE_COLUMNS_MAX];
    struct buf
        cells; /* a byte of enum colour, text, NUL; of the rows not yet written */
    bool has_heading, failed;
};

/* `columns` stays the caller's, and is used until table_fini. */
void table_init(struct table *t, enum output output, const struct column *columns,
                size_t count);
void table_fini(struct table *t);

/* Copies. Cells come row by row; an empty one is shown as "-". */
void table_cell(struct table *t, enum colour colour, const char *text);

/* Writes the rows that have come so far. ERR_NOMEM if one of them was lost. */
MUST_CHECK int table_flush(struct table *t, FILE *out);

/* "ttms/00000002", escaped; valid until the next call. */
const char *table_id(const struct id *id);

/* The texts that these return stay valid while one line is made of them: so many calls
 * long, all of them together. */
#define TABLE_TEXTS 16

/* As printf. */
PRINTF(1, 2) const char *table_say(const char *format, ...);

/* One word of printable ASCII, the rest as \xNN. */
const char *table_safe(struct slice text);

/* "12.3 KiB", "3 d". */
const char *table_bytes(uint64_t bytes);
const char *table_age(int64_t age_ms);

/* The bytes as offset, hex and ASCII, 16 to a line. */
void table_hex_dump(FILE *out, struct slice bytes);

/* As one JSON string: lower-case hex digits. */
void table_hex(FILE *out, struct slice bytes);

/* As one JSON string, for text that is ASCII as a rule. */
void table_json_text(FILE *out, struct slice text);
