/* address.h - an IP address and port as people write them. */
#pragma once

#include "base/err.h"

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

/* Reads "127.0.0.1:5000" or "[::1]:5000"; numeric only, so that starting never waits
 * for a name server and what is bound is what was written. ERR_INVALID: `why` says in
 * words what is wrong with it. */
MUST_CHECK int address_parse(const char *text, struct sockaddr_storage *out,
                             socklen_t *out_size, char *why, size_t why_size);
