#include "cli/table.h"

#include "base/log.h"

#include <inttypes.h>

const char *table_id(const struct id *id)
{
    static char text[16 + 4 * ID_TEXT_MAX];
    int n = snprintf(text, sizeof(text), "%s/", protocol_word(id->protocol));

    log_escape(slice_of(id->text, id->length), text + n, sizeof(text) - (size_t)n);
    return text;
}

static char *next_text(void)
{
    static char texts[2][32];
    static unsigned turn;

    return texts[turn++ % 2];
}

const char *table_bytes(uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    char *text = next_text();
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(text, 32, "%" PRIu64 " B", bytes);
        return text;
    }
    while (value >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(text, 32, "%.1f %s", value, units[unit]);
    return text;
}

const char *table_age(int64_t age_ms)
{
    int64_t seconds = age_ms > 0 ? age_ms / 1000 : 0;
    char *text = next_text();

    if (seconds < 120)
        snprintf(text, 32, "%" PRId64 " s", seconds);
    else if (seconds < 120 * 60)
        snprintf(text, 32, "%" PRId64 " min", seconds / 60);
    else if (seconds < 48 * 3600)
        snprintf(text, 32, "%" PRId64 " h", seconds / 3600);
    else
        snprintf(text, 32, "%" PRId64 " d", seconds / 86400);
    return text;
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
