#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>
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
