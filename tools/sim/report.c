#include "sim/report.h"

#include <stdarg.h>
#include <unistd.h>

static const struct {
    const char *word;
    double percent;
} percentiles[] = {{"p50", 50},
                   {"p90", 90},
                   {"p99", 99},
                   {"p99.9", 99.9},
                   {"max", 100}};

const char *report_count(uint64_t n, char text[REPORT_TEXT])
{
    char *p = text + REPORT_TEXT - 1;
    int digits = 0;

    *p = '\0';
    do {
        if (digits > 0 && digits % 3 == 0)
            *--p = ',';
        *--p = (char)('0' + n % 10);
        n /= 10;
        digits++;
    } while (n > 0);
    return p;
}

const char *report_time(uint64_t ns, char text[REPORT_TEXT])
{
    double v = (double)ns;

    if (v < 1e6)
        snprintf(text, REPORT_TEXT, "%.1f us", v / 1e3);
    else if (v < 1e9)
        snprintf(text, REPORT_TEXT, "%.2f ms", v / 1e6);
    else
        snprintf(text, REPORT_TEXT, "%.2f s", v / 1e9);
    return text;
}

void report_percentiles(FILE *out, const struct histogram *h)
{
    char text[REPORT_TEXT];

    for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
        fprintf(out, "%s%s %s", i ? "  " : "", percentiles[i].word,
                report_time(histogram_percentile(h, percentiles[i].percent), text));
}

void report_percentiles_json(FILE *out, const struct histogram *h)
{
    fprintf(out, "{\"count\": %llu", (unsigned long long)h->count);
    for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
        fprintf(out, ", \"%s\": %llu", percentiles[i].word,
                (unsigned long long)histogram_percentile(h, percentiles[i].percent));
    fputc('}', out);
}

bool report_is_live(void)
{
    return isatty(STDERR_FILENO);
}

void report_progress(const char *format, ...)
{
    va_list va;

    if (!report_is_live())
        return;
    fputs("\r\033[K", stderr);
    va_start(va, format);
    vfprintf(stderr, format, va);
    va_end(va);
    fflush(stderr);
}
