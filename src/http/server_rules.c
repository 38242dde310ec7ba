#include "http/server_rules.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

static bool is_port(struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
    }
    return s.size <= 5;
}

static bool equal_caseless(struct slice s, const char *text)
{
    return s.size == strlen(text) &&
           strncasecmp((const char *)s.data, text, s.size) == 0;
}

int rules_split_host(const char *authority, struct slice *name)
{
    const char *end = strchr(authority, authority[0] == '[' ? ']' : ':');
    const char *port;

    if (authority[0] == '[') {
        if (!end)
            return ERR_MALFORMED;
        *name = slice_of(authority + 1, (size_t)(end - authority - 1));
        port = end + 1;
    } else {
        port = end ? end : authority + strlen(authority);
        *name = slice_of(authority, (size_t)(port - authority));
    }
    for (size_t i = 0; i < name->size; i++) {
        if (!isalnum(name->data[i]) && !strchr("-._:", name->data[i]))
            return ERR_MALFORMED;
    }
    if (name->size == 0 || (*port && *port != ':') ||
        !is_port(slice_of(port, strlen(port)).size > 1
                     ? slice_of(port + 1, strlen(port + 1))
                     : slice_of(NULL, 0)))
        return ERR_MALFORMED;
    return OK;
}

/* An address as text, in either family. False: it is a name. */
static bool parse_ip(struct slice name, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    char text[INET6_ADDRSTRLEN];

    if (name.size >= sizeof(text))
        return false;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        out->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        out->ss_family = AF_INET6;
    return out->ss_family != 0;
}

static bool is_any(const struct sockaddr_storage *a)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;

    if (a->ss_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
    return v4->sin_addr.s_addr == htonl(INADDR_ANY);
}

static bool is_same_ip(const struct sockaddr_storage *a,
                       const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET6)
        return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
    return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

/* Is it one of the names in the list, with its port if the list says one? */
static bool is_listed(const char *authority, struct slice name, const char *hosts)
{
    while (hosts && *hosts) {
        size_t n = strcspn(hosts, ",");

        if ((n == strlen(authority) && strncasecmp(authority, hosts, n) == 0) ||
            (n == name.size && strncasecmp((const char *)name.data, hosts, n) == 0))
            return true;
        hosts += n + (hosts[n] == ',');
    }
    return false;
}

bool rules_host_is_ours(const char *authority, const struct sockaddr_storage *bound,
                        const char *hosts)
{
    struct sockaddr_storage ip;
    struct slice name;

    if (rules_split_host(authority, &name) < 0)
        return false;
    if (equal_caseless(name, "localhost") || is_listed(authority, name, hosts))
        return true;
    /* A page's own name can be made to point here; an address cannot. */
    return parse_ip(name, &ip) && (is_any(bound) || is_same_ip(&ip, bound));
}

bool rules_origin_is_ours(const char *origin, const char *host, const char *hosts)
{
    const char *authority = strstr(origin, "://");
    size_t scheme = authority ? (size_t)(authority - origin) : 0;
    struct slice name;

    if ((scheme != 4 && scheme != 5) || strncasecmp(origin, "https", scheme) != 0)
        return false;
    authority += 3;
    if (rules_split_host(authority, &name) < 0)
        return false;
    return strcasecmp(authority, host) == 0 || is_listed(authority, name, hosts);
}

bool rules_referer_is_ours(const char *referer, const char *host, const char *hosts)
{
    const char *authority = strstr(referer, "://");
    size_t size = authority ? (size_t)(authority + 3 - referer) : 0;
    char origin[512];

    size += strcspn(referer + size, "/?#");
    if (size >= sizeof(origin))
        return false;
    memcpy(origin, referer, size);
    origin[size] = '\0';
    return rules_origin_is_ours(origin, host, hosts);
}

bool rules_token_is(struct slice given, const char *token)
{
    size_t n = strlen(token);
    unsigned differs = given.size != n;

    if (given.size == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        differs |= (unsigned)(given.data[i % given.size] ^ (uint8_t)token[i]);
    return differs == 0;
}

struct slice rules_bearer(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    const size_t n = sizeof(scheme) - 1;

    if (!authorization || strncasecmp(authorization, scheme, n) != 0)
        return slice_of(NULL, 0);
    authorization += n + strspn(authorization + n, " ");
    return slice_of(authorization, strcspn(authorization, " \t"));
}

/* "0.5" of "; q=0.5"; 1 when it is not there. Only whether it is 0 matters. */
static bool has_weight(struct slice parameters)
{
    char text[32];
    const char *q;

    if (parameters.size >= sizeof(text))
        return false;
    memcpy(text, parameters.data, parameters.size);
    text[parameters.size] = '\0';
    if (!(q = strcasestr(text, "q=")))
        return true;
    return strtod(q + 2, NULL) > 0;
}

bool rules_accepts_gzip(const char *accept_encoding)
{
    const char *at = accept_encoding;
    int any = -1; /* what * says: not there, no, yes */

    while (at && *at) {
        size_t n, word;

        at += strspn(at, " \t,");
        n = strcspn(at, ",");
        word = strcspn(at, " \t,;");
        if (word == 4 && strncasecmp(at, "gzip", 4) == 0)
            return has_weight(slice_of(at + word, n - word));
        if (word == 1 && *at == '*')
            any = has_weight(slice_of(at + word, n - word));
        at += n;
    }
    return any == 1;
}

bool rules_is_token(const char *text)
{
    const char *at = text;

    while (isalnum((unsigned char)*at) || (*at && strchr("!#$%&'*+-.^_`|~", *at)))
        at++;
    return at > text && !*at;
}
