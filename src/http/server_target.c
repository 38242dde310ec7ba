#include "http/server_target.h"
#include "config/utf8.h"

#include <stdlib.h>
#include <strings.h>

#define KEEP_SLASH BIT(0) /* %2F stays as it is */
#define PLUS_BLANK BIT(1) /* forms write a blank as + */

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_utf8(struct slice s)
{
    while (s.size > 0) {
        size_t n = utf8_measure(s);

        if (n == 0)
            return false;
        s = slice_from(s, n);
    }
    return true;
}

/* The byte that "%xx" stands for; -1: it is no such thing. */
static int escaped_byte(struct slice s)
{
    int high = s.size >= 3 ? digit_of(s.data[1]) : -1;
    int low = s.size >= 3 ? digit_of(s.data[2]) : -1;

    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Writes `from`, decoded, as a C string to *to and moves *to behind it. Returns what is
 * wrong with it, or NULL. */
static const char *decode(struct slice from, unsigned flags, char **to)
{
    char *out = *to, *begin = *to;

    while (from.size > 0) {
        uint8_t c = from.data[0];
        int byte = c;
        size_t n = 1;

        if (c == '%') {
            if ((byte = escaped_byte(from)) < 0)
                return "a % without two hexadecimal digits";
            if (byte == 0)
                return "a NUL byte";
            if (byte != '/' || !(flags & KEEP_SLASH))
                n = 3;
            else
                byte = '%'; /* and its digits follow by themselves */
        } else if (c == '+' && flags & PLUS_BLANK) {
            byte = ' ';
        }
        *out++ = (char)byte;
        from = slice_from(from, n);
    }
    if (!is_utf8(slice_of(begin, (size_t)(out - begin))))
        return "bytes that are not UTF-8";
    *out++ = '\0';
    *to = out;
    return NULL;
}

/* Up to `mark`, which is skipped in *rest. */
static struct slice cut_at(struct slice *rest, char mark)
{
    const uint8_t *at = rest->size ? memchr(rest->data, mark, rest->size) : NULL;
    struct slice part = *rest;

    if (!at) {
        *rest = slice_of(NULL, 0);
        return part;
    }
    part.size = (size_t)(at - rest->data);
    *rest = slice_from(*rest, part.size + 1);
    return part;
}

static const char *parse_segments(struct slice path, struct target *t, char **to)
{
    const char *why;

    path = slice_from(path, 1);
    for (;;) {
        bool more = path.size && memchr(path.data, '/', path.size);

        if (t->segment_count == TARGET_SEGMENTS)
            return "a path with too many parts";
        t->segments[t->segment_count++] = *to;
        if ((why = decode(cut_at(&path, '/'), 0, to)))
            return why;
        if (!more)
            return NULL;
    }
}

static const char *parse_param(struct slice piece, struct target *t, char **to)
{
    struct slice name = cut_at(&piece, '=');
    const char *why;
    const char *given = *to;

    if ((why = decode(name, PLUS_BLANK, to)))
        return why;
    if (!*given)
        return "a parameter without a name";
    if (target_param(t, given))
        return "a parameter that is given twice";
    if (t->param_count == TARGET_PARAMS)
        return "too many parameters";
    t->params[t->param_count] = (struct target_param){.name = given, .value = *to};
    if ((why = decode(piece, PLUS_BLANK, to)))
        return why;
    t->param_count++;
    return NULL;
}

static const char *parse_query(struct slice query, struct target *t, char **to)
{
    const char *why = NULL;

    while (!why && query.size > 0) {
        struct slice piece = cut_at(&query, '&');

        if (piece.size > 0)
            why = parse_param(piece, t, to);
    }
    return why;
}

/* "http://authority/path", which every server has to understand (RFC 9112, 3.2.2). */
static const char *parse_authority(struct slice *rest, struct target *t, char **to)
{
    static const char scheme[] = "http://";
    const size_t n = sizeof(scheme) - 1;
    size_t end = n;
    const char *why;

    if (rest->size && rest->data[0] == '/')
        return NULL;
    if (rest->size < n || strncasecmp((const char *)rest->data, scheme, n) != 0)
        return "neither a path nor http:// at its beginning";
    while (end < rest->size && !strchr("/?", rest->data[end]))
        end++;
    t->authority = *to;
    if ((why = decode(slice_of(rest->data + n, end - n), 0, to)))
        return why;
    *rest = slice_from(*rest, end);
    return NULL;
}

static const char *parse(struct slice raw, struct target *t, char *to)
{
    struct slice path;
    const char *why;

    for (size_t i = 0; i < raw.size; i++) {
        if (raw.data[i] <= ' ' || raw.data[i] == 0x7f || raw.data[i] == '#')
            return "a byte that has no place in it";
    }
    if ((why = parse_authority(&raw, t, &to)))
        return why;
    path = cut_at(&raw, '?');
    if (path.size == 0)
        path = slice_of("/", 1);
    t->path = to;
    if ((why = decode(path, KEEP_SLASH, &to)) || (why = parse_segments(path, t, &to)))
        return why;
    return parse_query(raw, t, &to);
}

int target_parse(struct slice raw, struct target *t, const char **why)
{
    /* The path stands there twice; each string has its end. */
    if (!(t->memory = malloc(2 * raw.size + 8)))
        return ERR_NOMEM;
    *why = parse(raw, t, t->memory);
    return *why ? ERR_MALFORMED : OK;
}

void target_fini(struct target *t)
{
    free(t->memory);
    *t = (struct target){0};
}

const char *target_param(const struct target *t, const char *name)
{
    for (unsigned i = 0; i < t->param_count; i++) {
        if (strcmp(t->params[i].name, name) == 0)
            return t->params[i].value;
    }
    return NULL;
}
