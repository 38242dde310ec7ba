#include "base/address.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string.h>

const char *address_ip(const struct in6_addr *ip, char text[ADDRESS_IP_SIZE])
{
    const char *made = IN6_IS_ADDR_V4MAPPED(ip)
                           ? inet_ntop(AF_INET, &ip->s6_addr[12], text, ADDRESS_IP_SIZE)
                           : inet_ntop(AF_INET6, ip, text, ADDRESS_IP_SIZE);

    return made ? made : "?";
}

const char *address_text(const struct in6_addr *ip, in_port_t port,
                         char text[ADDRESS_TEXT_SIZE])
{
    char bare[ADDRESS_IP_SIZE];
    const char *form = IN6_IS_ADDR_V4MAPPED(ip) ? "%s:%u" : "[%s]:%u";

    snprintf(text, ADDRESS_TEXT_SIZE, form, address_ip(ip, bare), port);
    return text;
}

struct sockaddr_in6 address_as_in6(const struct sockaddr_storage *any)
{
    const struct sockaddr_in *v4 = (const void *)any;
    struct sockaddr_in6 out = {.sin6_family = AF_INET6, .sin6_port = v4->sin_port};

    if (any->ss_family == AF_INET6)
        return *(const struct sockaddr_in6 *)any;
    out.sin6_addr.s6_addr[10] = out.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&out.sin6_addr.s6_addr[12], &v4->sin_addr, 4);
    return out;
}

/* Where to say what is wrong. */
struct why {
    char *text;
    size_t size;
};

PRINTF(2, 3) static int complain(struct why why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why.text, why.size, format, args);
    va_end(args);
    return ERR_INVALID;
}

static int parse_port(const char *text, const char *port, in_port_t *out,
                      struct why why)
{
    char *end = NULL;
    unsigned long number = strtoul(port, &end, 10);

    if (!*port || *end || *port < '0' || *port > '9' || number > 65535)
        return complain(why, "`%s` has no port from 0 to 65535 behind the last colon",
                        text);
    *out = htons((in_port_t)number);
    return OK;
}

/* `host` is what stands before the colon; brackets are taken off. */
static int parse_host(const char *text, char *host, struct sockaddr_storage *out,
                      struct why why)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    size_t n = strlen(host);

    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        out->ss_family = AF_INET;
        return OK;
    }
    if (host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1) {
            out->ss_family = AF_INET6;
            return OK;
        }
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        return complain(why, "`%s` needs brackets: \"[%s]%s\"", text, host, text + n);
    }
    return complain(why, "`%s` is not a numeric address; names are not looked up",
                    text);
}

static int parse(const char *text, struct sockaddr_storage *out, struct why why)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2];
    in_port_t port = 0;
    size_t n;
    int rc;

    if (!colon)
        return complain(why, "`%s` is not an address with a port", text);
    if ((rc = parse_port(text, colon + 1, &port, why)) < 0)
        return rc;
    n = (size_t)(colon - text);
    if (n == 0 || (n == 1 && text[0] == '*'))
        return complain(why,
                        "`%s` does not say which address: 127.0.0.1%s serves this "
                        "machine alone, 0.0.0.0%s every interface",
                        text, colon, colon);
    if (n >= sizeof(host))
        return complain(why, "`%s` is not a numeric address with a port", text);
    memcpy(host, text, n);
    host[n] = '\0';
    if ((rc = parse_host(text, host, out, why)) < 0)
        return rc;
    in->sin_port = port; /* both families keep it in the same place */
    return OK;
}

int address_parse(const char *text, struct sockaddr_storage *out, socklen_t *out_size,
                  char *why, size_t why_size)
{
    int rc;

    memset(out, 0, sizeof(*out));
    if ((rc = parse(text, out, (struct why){why, why_size})) < 0)
        return rc;
    *out_size = out->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                          : sizeof(struct sockaddr_in6);
    return OK;
}
