#include "config/problem.h"
#include "config/utf8.h"

#include <stdarg.h>
#include <stdlib.h>

#define INDENT      "    "
#define SHOWN_CHARS 160 /* of a line; a longer one is cut */

/* One character as it may be shown; returns the bytes it takes. */
static size_t print_char(FILE *out, const uint8_t *at, const uint8_t *end)
{
    size_t n = utf8_measure(slice_of(at, (size_t)(end - at)));

    if (*at == '\t')
        fputc(' ', out);
    else if (n == 0 || *at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0))
        fputc('?', out);
    else
        fwrite(at, 1, n, out);
    return n ? n : 1;
}

static void print_text(FILE *out, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    const uint8_t *end = at + strlen(text);

    while (at < end)
        at += print_char(out, at, end);
}

static struct slice find_line(struct slice text, unsigned line)
{
    const uint8_t *at = text.data;
    const uint8_t *end = text.data + text.size;
    const uint8_t *stop;

    while (line > 1 && at < end) {
        stop = memchr(at, '\n', (size_t)(end - at));
        at = stop ? stop + 1 : end;
        line--;
    }
    if (at == end)
        return slice_of(at, 0);
    stop = memchr(at, '\n', (size_t)(end - at));
    if (!stop)
        stop = end;
    if (stop > at && stop[-1] == '\r')
        stop--;
    return slice_of(at, (size_t)(stop - at));
}

static void show_line(struct problems *p, struct config_place place)
{
    struct slice line = find_line(p->text, place.line);
    const uint8_t *at = line.data;
    const uint8_t *end = line.data + line.size;
    unsigned shown = 0;

    if (line.size == 0)
        return;
    fputs(INDENT, p->out);
    while (at < end && shown++ < SHOWN_CHARS)
        at += print_char(p->out, at, end);
    fputs(at < end ? "...\n" : "\n", p->out);
    if (place.column > SHOWN_CHARS)
        return;
    fprintf(p->out, INDENT "%*s^", (int)place.column - 1, "");
    for (unsigned i = 1; i < place.width && place.column + i <= shown; i++)
        fputc('~', p->out);
    fputc('\n', p->out);
}

void problem_report(struct problems *p, struct config_place place, const char *advice,
                    const char *format, ...)
{
    char *what = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&what, format, args) < 0)
        what = NULL;
    va_end(args);

    p->count++;
    print_text(p->out, p->file);
    if (place.line > 0)
        fprintf(p->out, ":%u:%u", place.line, place.column);
    fputs(": ", p->out);
    print_text(p->out, what ? what : format);
    fputc('\n', p->out);
    if (place.line > 0)
        show_line(p, place);
    if (advice) {
        fputs(INDENT, p->out);
        print_text(p->out, advice);
        fputc('\n', p->out);
    }
    free(what);
}
