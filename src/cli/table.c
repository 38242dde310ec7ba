#include "cli/table.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_MAX (4 * 256 + 8) /* an id, every byte of it escaped */

enum output table_output(void)
{
    return isatty(STDOUT_FILENO) ? OUTPUT_EYES : OUTPUT_COLUMNS;
}

static bool is_coloured(enum output output)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return output == OUTPUT_EYES && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

const char *table_colour(enum output output, enum colour colour)
{
    static const char *const sequences[] = {
        [COLOUR_NONE] = "",           [COLOUR_GREEN] = "\033[32m",
        [COLOUR_YELLOW] = "\033[33m", [COLOUR_RED] = "\033[31m",
        [COLOUR_DIM] = "\033[2m",
    };

    return is_coloured(output) ? sequences[colour] : "";
}

const char *table_plain(enum output output)
{
    return is_coloured(output) ? "\033[0m" : "";
}

/* --- Columns -------------------------------------------------------------------- */

void table_init(struct table *t, enum output output, const struct column *columns,
                size_t count)
{
    assert(count <= TABLE_COLUMNS_MAX);
    *t = (struct table){.columns = columns, .count = count, .output = output};
    t->has_heading = output == OUTPUT_EYES;
    for (size_t i = 0; t->has_heading && i < count; i++)
        t->widths[i] = strlen(columns[i].title);
}

void table_fini(struct table *t)
{
    buf_fini(&t->cells);
}

void table_cell(struct table *t, enum colour colour, const char *text)
{
    uint8_t byte = (uint8_t)colour;

    if (!*text)
        text = "-";
    if (buf_try_append(&t->cells, slice_of(&byte, 1)) < 0 ||
        buf_try_append(&t->cells, slice_of(text, strlen(text) + 1)) < 0)
        t->failed = true;
}

/* Nothing is padded behind the last column. */
static void write_cell(const struct table *t, size_t column, enum colour colour,
                       const char *text, FILE *out)
{
    bool is_last = column + 1 == t->count, is_number = t->columns[column].is_number;
    size_t length = strlen(text), width = t->widths[column];
    int pad = length < width ? (int)(width - length) : 0;

    fprintf(out, "%*s%s%s%s", is_number ? pad : 0, "",
            colour ? table_colour(t->output, colour) : "", text,
            colour ? table_plain(t->output) : "");
    if (is_last)
        fputc('\n', out);
    else
        fprintf(out, "%*s", (is_number ? 0 : pad) + 2, "");
}

static void write_heading(struct table *t, FILE *out)
{
    for (size_t i = 0; i < t->count; i++)
        write_cell(t, i, COLOUR_DIM, t->columns[i].title, out);
    t->has_heading = false;
}

int table_flush(struct table *t, FILE *out)
{
    struct slice cells = buf_peek(&t->cells), rest = cells;

    if (t->failed)
        return ERR_NOMEM;
    for (size_t i = 0; rest.size; i = (i + 1) % t->count) {
        size_t length = strlen((const char *)rest.data + 1);

        if (length > t->widths[i])
            t->widths[i] = length;
        rest = slice_from(rest, length + 2);
    }
    if (t->has_heading && cells.size)
        write_heading(t, out);
    rest = cells;
    for (size_t i = 0; rest.size; i = (i + 1) % t->count) {
        const char *text = (const char *)rest.data + 1;

        write_cell(t, i, rest.data[0], text, out);
        rest = slice_from(rest, strlen(text) + 2);
    }
    buf_clear(&t->cells);
    return OK;
}

/* --- Cells ---------------------------------------------------------------------- */

const char *table_id(const struct id *id)
{
    static char text[ID_SHOWN_FULL_MAX];

    return id_show_full(id, text, sizeof(text));
}

static char *next_text(void)
{
    static char texts[TABLE_TEXTS][TEXT_MAX];
    static unsigned turn;

    return texts[turn++ % ARRAY_LEN(texts)];
}

const char *table_safe(struct slice text)
{
    return log_escape(text, next_text(), TEXT_MAX);
}

const char *table_say(const char *format, ...)
{
    char *text = next_text();
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, TEXT_MAX, format, arguments);
    va_end(arguments);
    return text;
}

const char *table_bytes(uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024)
        return table_say("%" PRIu64 " B", bytes);
    while (value >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    return table_say("%.1f %s", value, units[unit]);
}

const char *table_age(int64_t age_ms)
{
    int64_t seconds = age_ms > 0 ? age_ms / 1000 : 0;

    if (seconds < 120)
        return table_say("%" PRId64 " s", seconds);
    if (seconds < 120 * 60)
        return table_say("%" PRId64 " min", seconds / 60);
    if (seconds < 48 * 3600)
        return table_say("%" PRId64 " h", seconds / 3600);
    return table_say("%" PRId64 " d", seconds / 86400);
}

void table_hex_dump(FILE *out, struct slice bytes)
{
    for (size_t at = 0; at < bytes.size; at += 16) {
        size_t n = bytes.size - at < 16 ? bytes.size - at : 16;

        fprintf(out, "  %06zx ", at);
        for (size_t i = 0; i < 16; i++) {
            if (i % 8 == 0)
                fputc(' ', out);
            if (i < n)
                fprintf(out, "%02x ", bytes.data[at + i]);
            else
                fputs("   ", out);
        }
        fputs(" |", out);
        for (size_t i = 0; i < n; i++) {
            uint8_t c = bytes.data[at + i];

            fputc(c >= 0x20 && c < 0x7f ? c : '.', out);
        }
        fputs("|\n", out);
    }
}

void table_hex(FILE *out, struct slice bytes)
{
    fputc('"', out);
    for (size_t i = 0; i < bytes.size; i++)
        fprintf(out, "%02x", bytes.data[i]);
    fputc('"', out);
}

void table_json_text(FILE *out, struct slice text)
{
    fputc('"', out);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c >= 0x20 && c < 0x7f)
            fputc(c, out);
        else
            fprintf(out, "\\u%04x", c);
    }
    fputc('"', out);
}
