/* server_rules.h - what single headers say, as pure functions. */
#pragma once

#include "base/buf.h"

#include <netinet/in.h>

/* "127.0.0.1:8002", "[::1]:8002", "gateway.example": the part that names the machine,
 * without brackets. Returns ERR_MALFORMED for what is no authority. */
MUST_CHECK int rules_split_host(const char *authority, struct slice *name);

/* May Host say this? The bound address (any address when all are bound), localhost, or
 * one of `hosts` ("a.example,b.example:8080"; without a port: whatever the port). */
bool rules_host_is_ours(const char *authority, const struct sockaddr_storage *bound,
                        const char *hosts);

/* May a page of this origin ("http://localhost:8002") ask? One that we serve ourselves
 * under this Host, or one of `hosts`. */
bool rules_origin_is_ours(const char *origin, const char *host, const char *hosts);

/* The same of a page's whole address, "http://localhost:8002/list/". */
bool rules_referer_is_ours(const char *referer, const char *host, const char *hosts);

/* Takes the same time wherever they differ. */
bool rules_token_is(struct slice given, const char *token);

/* The token of "Bearer TOKEN"; size 0: there is none. */
struct slice rules_bearer(const char *authorization);

/* Does Accept-Encoding take gzip? It may say so with q=0. */
bool rules_accepts_gzip(const char *accept_encoding);

/* A header's name, or a method (RFC 9110, 5.6.2). */
bool rules_is_token(const char *text);
