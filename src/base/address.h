/* address.h - an IP address and port as people write them. */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_IP_SIZE   INET6_ADDRSTRLEN
#define ADDRESS_TEXT_SIZE (INET6_ADDRSTRLEN + 16)

/* "127.0.0.1", "2001:db8::1"; ::ffff:a.b.c.d is written as IPv4. Return `text`. */
const char *address_ip(const struct in6_addr *ip, char text[ADDRESS_IP_SIZE]);

/* "127.0.0.1:5000", "[2001:db8::1]:5000"; `port` in host order. */
const char *address_text(const struct in6_addr *ip, in_port_t port,
                         char text[ADDRESS_TEXT_SIZE]);

/* Either family as IPv6, an address of IPv4 as ::ffff:a.b.c.d. */
struct sockaddr_in6 address_as_in6(const struct sockaddr_storage *any);
