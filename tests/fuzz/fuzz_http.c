/* fuzz_http.c - a request's target and its telling headers.
 *
 *   input, by lines: target, Host, Origin, Accept-Encoding, Authorization
 *
 * Whatever comes: what was let through is UTF-8, no name is there twice, and what
 * counts as our host or as the token is one. */
#include "config/utf8.h"
#include "http/server_rules.h"
#include "http/server_target.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
    struct slice s = slice_of(text, strlen(text));

    while (s.size > 0) {
        size_t n = utf8_measure(s);

        assert(n > 0);
        s = slice_from(s, n);
    }
}

static void check_target(struct slice raw)
{
    struct target t = {0};
    const char *why = NULL;
    int rc = target_parse(raw, &t, &why);

    assert(rc == OK ? !why : why && *why);
    if (rc == OK) {
        assert(t.path[0] == '/' && t.segment_count > 0);
        check_text(t.path);
        for (unsigned i = 0; i < t.segment_count; i++)
            check_text(t.segments[i]);
        for (unsigned i = 0; i < t.param_count; i++) {
            check_text(t.params[i].name);
            check_text(t.params[i].value);
            assert(target_param(&t, t.params[i].name) == t.params[i].value);
        }
    }
    target_fini(&t);
}

/* The next line as a string of its own, so that a read outside is caught. */
static char *next_line(struct slice *rest)
{
    const uint8_t *end = rest->size ? memchr(rest->data, '\n', rest->size) : NULL;
    size_t n = end ? (size_t)(end - rest->data) : rest->size;
    char *line = malloc(n + 1);

    assert(line);
    if (n > 0)
        memcpy(line, rest->data, n);
    line[n] = '\0';
    *rest = slice_from(*rest, end ? n + 1 : n);
    return line;
}

static void check_headers(struct slice rest)
{
    struct sockaddr_storage bound = {.ss_family = AF_INET};
    char *host = next_line(&rest), *origin = next_line(&rest);
    char *coding = next_line(&rest), *authorization = next_line(&rest);
    struct slice name, token = rules_bearer(authorization);

    if (rules_host_is_ours(host, &bound, "a.example,b.example:80"))
        assert(rules_split_host(host, &name) == OK && name.size > 0);
    if (rules_origin_is_ours(origin, host, "a.example,b.example:80") &&
        strlen(origin) < 500)
        assert(rules_referer_is_ours(origin, host, "a.example,b.example:80"));
    (void)rules_accepts_gzip(coding);
    if (rules_token_is(token, "0123456789abcdef"))
        assert(slice_equal(token, slice_of("0123456789abcdef", 16)));
    if (rules_is_token(host))
        assert(*host && !strpbrk(host, " \t:"));
    free(host);
    free(origin);
    free(coding);
    free(authorization);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    char *line;

    if (size == 0)
        return 0;
    line = next_line(&rest);
    check_target(slice_of(line, strlen(line)));
    free(line);
    check_headers(rest);
    return 0;
}
